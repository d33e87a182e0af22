from math import nan

import pytest

from fercli.learn.history import EpochRow
from fercli.learn.recipe import Metric
from fercli.learn.state import Standing


def row(epoch: int, val_loss: float | None, val_accuracy: float | None, val_macro_f1: float | None) -> EpochRow:
    return EpochRow(epoch, 1.0, 0.5, val_loss, val_accuracy, val_macro_f1, 0.1, 1.0, 1.0, 0.0)


def best(rows: list[EpochRow], metric: Metric) -> tuple[int, int]:
    standing = Standing()
    for one in rows:
        standing.takes_best(one, metric)
    assert standing.best is not None
    return standing.best.epoch, standing.epochs_since_best


@pytest.mark.parametrize(("metric", "epoch"), [("accuracy", 2), ("macro-f1", 3), ("loss", 4)])
def test_best_epoch_is_that_of_the_metric(metric: Metric, epoch: int) -> None:
    rows = [row(1, 0.9, 0.5, 0.3), row(2, 0.8, 0.7, 0.4), row(3, 0.7, 0.6, 0.6), row(4, 0.6, 0.5, 0.5)]
    assert best(rows, metric) == (epoch, 4 - epoch)


def test_loss_tells_equals_apart_and_the_first_of_equals_stays() -> None:
    assert best([row(1, 0.9, 0.5, 0.5), row(2, 0.8, 0.5, 0.5), row(3, 0.8, 0.5, 0.5)], "accuracy") == (2, 1)


def test_without_val_the_last_epoch_is_the_best() -> None:
    assert best([row(1, None, None, None), row(2, None, None, None)], "accuracy") == (2, 0)


@pytest.mark.parametrize("metric", ["accuracy", "macro-f1", "loss"])
def test_loss_that_is_no_number_is_the_worst(metric: Metric) -> None:
    assert best([row(1, nan, 0.5, 0.5), row(2, 3.0, 0.5, 0.5), row(3, nan, 0.5, 0.5)], metric) == (2, 1)
