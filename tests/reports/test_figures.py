from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from fercli.metrics.calibration import Bin
from fercli.metrics.confusion import Normalization
from fercli.reports.figures.canvas import new_figure
from fercli.reports.figures.doubt import Curve, draw_risk_coverage
from fercli.reports.figures.scores import (
    draw_agreement,
    draw_class_counts,
    draw_confusion,
    draw_curves,
    draw_reliability,
    fill_confusion,
)
from tests.reports.pictures import read_png

CLASSES = ("happy", "neutral", "bored")
MATRIX = np.array([[8, 1, 1], [2, 5, 3], [0, 0, 0]])
EPOCHS = [1, 2, 3]
LOSS: dict[str, list[float | None]] = {"train": [1.0, 0.5, 0.4], "val": [1.1, None, 0.9]}
BINS = [Bin(0.0, 0.5, 0, None, None), Bin(0.5, 1.0, 12, 0.8, 0.75)]
AGREEMENT = np.array([[1.0, 0.6, np.nan], [0.6, 1.0, -0.1], [np.nan, -0.1, 1.0]])

CURVE = Curve("as predicted", np.array([0.2, 0.6, 1.0]), np.array([1.0, 0.9, 0.7]), (0.5, 0.95))

FIGURES: dict[str, Callable[[], bytes]] = {
    "confusion": lambda: draw_confusion(MATRIX, CLASSES, title="test"),
    "confusion by predicted": lambda: draw_confusion(MATRIX, CLASSES, normalize="pred"),
    "confusion in counts": lambda: draw_confusion(MATRIX, CLASSES, normalize="none"),
    "confusion without faces": lambda: draw_confusion(np.zeros((3, 3), np.int64), CLASSES, normalize="none"),
    "confusion with long names": lambda: draw_confusion(MATRIX, ("dedicated to work", "neutral", "bored")),
    "curves": lambda: draw_curves(EPOCHS, LOSS, {"val": [0.1, 0.2, 0.3]}, best_epoch=3),
    "curves of one epoch": lambda: draw_curves([1], {"train": [1.0]}, {"train": [0.5]}),
    "curves without values": lambda: draw_curves([1, 2], {"train": [None, None]}, {}),
    "reliability": lambda: draw_reliability(BINS, ece=0.05),
    "reliability without faces": lambda: draw_reliability(BINS[:1]),
    "accuracy and coverage": lambda: draw_risk_coverage([CURVE, replace(CURVE, reached=None)], target=0.9),
    "accuracy and coverage of one face": lambda: draw_risk_coverage([Curve("one", np.ones(1), np.zeros(1))]),
    "class counts": lambda: draw_class_counts({"train": {"happy": 3}, "test": {"bored": 0}}, CLASSES),
    "class counts without groups": lambda: draw_class_counts({}, CLASSES),
    "agreement": lambda: draw_agreement(AGREEMENT, ("a1", "a2", "a3")),
    "agreement of many": lambda: draw_agreement(np.full((30, 30), 0.5), [f"a{i}" for i in range(30)]),
    "agreement of one": lambda: draw_agreement(np.ones((1, 1)), ("a1",)),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES.keys())
def test_figure_is_a_png_of_the_same_bytes_every_time(draw: Callable[[], bytes]) -> None:
    png = draw()
    assert png == draw()
    assert read_png(png).std() > 0


def test_confusion_shows_rows_as_shares_of_the_true_class() -> None:
    # Twice as many faces in every cell of a row are the same shares: only the written counts differ.
    once, twice = (read_png(draw_confusion(MATRIX * factor, CLASSES)) for factor in (1, 2))
    in_counts, in_twice_counts = (
        read_png(draw_confusion(MATRIX * np.array([[1], [factor], [1]]), CLASSES, normalize="none"))
        for factor in (1, 2)
    )
    assert once.shape == twice.shape
    assert np.abs(once.astype(int) - twice).mean() < np.abs(in_counts.astype(int) - in_twice_counts).mean()


def test_confusion_puts_the_true_class_into_rows() -> None:
    # All faces of "happy" taken for "bored": the darkest cell lies in the upper right of the matrix.
    matrix = np.array([[0, 0, 9], [0, 0, 0], [0, 0, 0]])
    picture = read_png(draw_confusion(matrix, CLASSES)).astype(int)
    is_blue = (picture[:, :, 2] > 60) & (picture[:, :, 0] < 20)
    rows, columns = is_blue.nonzero()
    assert rows.mean() < picture.shape[0] / 2
    assert columns.mean() > picture.shape[1] / 2


@pytest.mark.parametrize(
    ("normalize", "shown"),
    [("true", ["50%", "50%", "-", "-"]), ("pred", ["100%", "100%", "0%", "0%"]), ("none", [])],
)
def test_confusion_gives_no_share_of_no_faces(normalize: Normalization, shown: list[str]) -> None:
    axes = new_figure(2, 2).add_subplot()
    fill_confusion(axes, np.array([[2, 2], [0, 0]]), ["a", "b"], normalize=normalize, title="")
    assert [text.get_text() for text in axes.texts if not text.get_text().isdigit()] == shown


def test_best_epoch_is_marked_in_both_panels() -> None:
    plain, marked = (
        read_png(draw_curves(EPOCHS, {"train": [1.0, 0.5, 0.4]}, {"train": [0.2, 0.5, 0.6]}, best_epoch=best))
        for best in (None, 2)
    )
    # The legends grow by a line, so compare only the middle of each panel, where the mark stands.
    height, width = plain.shape[:2]
    changed = (plain[height // 2 : height - 90] != marked[height // 2 : height - 90]).any(axis=(0, 2))
    assert changed[: width // 2].any()
    assert changed[width // 2 :].any()


def test_name_like_a_formula_is_written_as_it_stands() -> None:
    assert draw_confusion(MATRIX, ("a$b$", "c^d_", "e{f")).startswith(b"\x89PNG")
