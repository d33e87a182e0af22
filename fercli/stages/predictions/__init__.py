"""Predict every face of the project with a run, once, for suggestions and for doubtful labels."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from fercli.core.baseline import find_model
from fercli.core.errors import InputError
from fercli.core.files import replace_text, sha256_of
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.runs import Run, digest
from fercli.stages.align import told_rules

# What `--suggest` and `--run` take for the newest run.
LATEST = "latest"


@dataclass(frozen=True)
class FacePredictions:
    """Probabilities of each face, in the order of the classes.

    Attributes:
        run_id: of the run that predicted.
        classes: of the run; all are classes of the project.
        rows: face id -> one probability for each class.
        num_unreadable: faces without a prediction, because their crop cannot be read.
        warnings: sentences on what the predictions are worth.
    """

    run_id: str
    classes: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]
    num_unreadable: int = 0
    warnings: tuple[str, ...] = ()

    def best(self, face_id: str) -> tuple[str, float] | None:
        """The predicted class and its probability."""
        row = self.rows.get(face_id)
        if row is None:
            return None
        place = max(range(len(row)), key=row.__getitem__)
        return self.classes[place], row[place]


def predict_faces(project: Project, named: str, progress: Progress) -> FacePredictions:
    """The predictions of a run for all usable faces, from the cache where nothing has changed.

    Args:
        project: has faces and runs.
        named: a run, as `find_model` takes it; "latest" or nothing for the newest.
        progress: told of every batch.

    Raises:
        MissingStageError: no run is finished.
        InputError: the run has other classes, or its checkpoint cannot be read.
    """
    run = find_model(project.root, "" if named == LATEST else named)
    if unknown := [name for name in run.record.classes if name not in project.classes]:
        hint = "Name a run that was trained on the classes of this project."
        raise InputError(f"run '{run.run_id}' predicts '{unknown[0]}', which is not a class here", hint=hint)
    path = project.root / ".fer" / "cache" / f"predictions-{run.run_id}.json"
    mark = _mark(project, run)
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["mark"] == mark:
            rows = {face_id: tuple(row) for face_id, row in kept["rows"].items()}
            num, warnings = kept["num_unreadable"], tuple(kept["warnings"])
            return FacePredictions(run.run_id, run.record.classes, rows, num, warnings)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # a cache: made again
    found: FacePredictions = importlib.import_module("fercli.stages.predictions.work").predict(project, run, progress)
    rows_text = {face_id: [round(share, 6) for share in row] for face_id, row in found.rows.items()}
    values = {"mark": mark, "num_unreadable": found.num_unreadable, "warnings": found.warnings, "rows": rows_text}
    replace_text(path, json.dumps(values))
    return found


def _mark(project: Project, run: Run) -> str:
    checkpoint = run.folder / "checkpoints" / "best.safetensors"
    weights, faces = (sha256_of(path) if path.exists() else "" for path in (checkpoint, project.table_path(Face)))
    return digest([run.run_id, weights, faces, run.record.classes, told_rules(project)])
