"""Predictions of faces by models that have not been trained on them: over all folds, where several were trained."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fercli.core.project import Project
from fercli.core.rows import Prediction
from fercli.core.runs import Run, list_runs
from fercli.core.tables import read_table
from fercli.core.words import counted


@dataclass(frozen=True)
class HeldOut:
    """Predictions by face, and in words where they come from; none where no run was evaluated."""

    rows: Mapping[str, Prediction]
    source: str


def held_out(project: Project) -> HeldOut:
    """The predictions of the test sets of all folds, or else those of the newest run that was evaluated."""
    runs = [run for run in list_runs(project.root) if run.status == "finished" and not run.is_aside]
    folds: dict[tuple[str, str], dict[int, Run]] = {}
    for run in runs:  # oldest first: the newest of each fold stays
        split, fold = _fold(run)
        if fold is not None and (run.folder / "eval" / "test" / "predictions.csv").exists():
            folds.setdefault((run.record.model, split), {})[fold] = run
    several = [(model, split) for (model, split), found in folds.items() if len(found) > 1]
    if several:
        best = max(several, key=lambda name: len(folds[name]))
        rows = {row.face_id: row for run in folds[best].values() for row in _rows(run, "test")}
        return HeldOut(rows, f"{counted(len(folds[best]), 'fold')} of split '{best[1]}', {best[0]}")
    for run in reversed(runs):
        rows = {row.face_id: row for part in ("val", "test") for row in _rows(run, part)}
        if rows:
            return HeldOut(rows, f"run {run.run_id}, faces that it was not trained on")
    return HeldOut({}, "")


def _rows(run: Run, part: str) -> Iterator[Prediction]:
    path = run.folder / "eval" / part / "predictions.csv"
    return iter(read_table(path, Prediction) if path.exists() else ())


def _fold(run: Run) -> tuple[str, int | None]:
    try:
        train = tomllib.loads((run.folder / "config.toml").read_text(encoding="utf-8"))["train"]
        return str(train.get("split", "default")), train.get("fold")
    except (OSError, ValueError, KeyError, AttributeError):
        return "", None
