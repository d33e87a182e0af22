import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from fercli.core.errors import SettingsError
from fercli.core.progress import SILENT, SilentProgress
from fercli.learn.history import EpochRow
from fercli.stages.train import trackers as train_trackers
from fercli.stages.train import watch as train_watch
from fercli.stages.train.trackers import check_trackers, open_trackers
from fercli.stages.train.watch import RunWatcher


def rows(num: int) -> list[EpochRow]:
    return [EpochRow(n, 2.0 / n, 0.1 * n, 2.5 / n, 0.09 * n, 0.08 * n, 0.01, 1.0, 50.0, 0.0) for n in range(1, num + 1)]


def scalars(folder: Path, tag: str) -> dict[int, float]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {event.step: event.value for event in events.Scalars(tag)}


def watch(folder: Path, epochs: range) -> None:
    trackers = open_trackers(["tensorboard"], folder, {"plan": {"lr": 0.01}}, SILENT)
    watcher = RunWatcher(folder, num_epochs=3, trackers=trackers)
    for num in epochs:
        watcher(rows(num), None)
    best = {"epoch": 2, "val_accuracy": 0.18, "val_macro_f1": None}
    watcher.finish("finished", {"epochs": epochs.stop - 1, "seconds": 2.0, "best": best})


def test_events_hold_every_epoch(tmp_path: Path) -> None:
    watch(tmp_path, range(1, 4))
    assert scalars(tmp_path, "loss/val") == pytest.approx({1: 2.5, 2: 1.25, 3: 2.5 / 3})
    assert scalars(tmp_path, "accuracy/train") == pytest.approx({1: 0.1, 2: 0.2, 3: 0.3})


def test_resumed_run_has_each_epoch_once(tmp_path: Path) -> None:
    watch(tmp_path, range(1, 4))
    watch(tmp_path, range(3, 6))
    assert sorted(scalars(tmp_path, "lr")) == [1, 2, 3, 4, 5]


def test_events_asked_for_on_resume_hold_the_epochs_before(tmp_path: Path) -> None:
    watch(tmp_path, range(3, 5))
    assert sorted(scalars(tmp_path, "lr")) == [1, 2, 3, 4]


def test_events_hold_the_end_and_the_settings_and_a_finish_alone_forgets_none(tmp_path: Path) -> None:
    watch(tmp_path, range(1, 4))
    watch(tmp_path, range(4, 4))
    assert sorted(scalars(tmp_path, "lr")) == [1, 2, 3]
    assert scalars(tmp_path, "best/val_accuracy")[3] == pytest.approx(0.18)
    assert scalars(tmp_path, "final/seconds")[3] == 2.0


def test_a_tracker_that_fails_is_told_once_and_ends_no_training(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "tensorboard").write_text("in the way", encoding="utf-8")
    shown = Rows()
    watcher = RunWatcher(tmp_path, num_epochs=3, trackers=open_trackers(["tensorboard"], tmp_path, {}, shown))
    for num in (1, 2):
        watcher(rows(num), None)
    (said,) = shown.notes
    assert said.startswith("TensorBoard: logging failed and stops here, the training goes on: ")


def test_missing_package_is_one_error_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_trackers, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="'tensorboard', which is not installed") as caught:
        check_trackers(["tensorboard"])
    assert caught.value.hint == "Run: pip install 'fercli[tensorboard]'"


def test_curves_are_drawn_while_the_training_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_watch, "_DRAW_EVERY_S", -1.0)
    RunWatcher(tmp_path, num_epochs=3)(rows(2), None)
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert not (tmp_path / "tensorboard").exists()


def test_nothing_is_imported_for_events_nobody_asked_for(tmp_path: Path) -> None:
    before = "tensorboard" in sys.modules
    RunWatcher(tmp_path, num_epochs=3)(rows(1), None)
    assert ("tensorboard" in sys.modules) == before


class Rows(SilentProgress):
    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def add_row(self, cells: Mapping[str, str]) -> None:
        self.rows.append(dict(cells))


def test_every_epoch_is_a_row_of_the_table_that_is_shown(tmp_path: Path) -> None:
    shown, epochs = Rows(), rows(2)
    watcher = RunWatcher(tmp_path, num_epochs=3, progress=shown)
    watcher(epochs[:1], epochs[0])
    watcher(epochs, epochs[0])
    assert [row[""] for row in shown.rows] == ["best", ""]
    assert [row["epoch"] for row in shown.rows] == ["1/3", "2/3"]
    assert shown.rows[1]["train loss"] == "1.000"
    assert shown.rows[1]["val acc"] == "18.0%"


def test_table_without_val_faces_has_no_columns_for_them(tmp_path: Path) -> None:
    shown = Rows()
    row = dataclasses.replace(rows(1)[0], val_loss=None, val_accuracy=None, val_macro_f1=None)
    RunWatcher(tmp_path, num_epochs=3, progress=shown)([row], row)
    assert not any(name.startswith("val") for name in shown.rows[0])
