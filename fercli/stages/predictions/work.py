"""Predict every face of the project with a run."""

from collections.abc import Sequence

from fercli.core.errors import InputError, ProjectError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.runs import Run
from fercli.data.dataset import CropReader, load_crops, make_reader
from fercli.learn.evaluate import predict_probability_batches
from fercli.learn.predict import LoadedModel, load_run_model
from fercli.stages.align import align_command
from fercli.stages.align.rules import rule_words
from fercli.stages.predictions import FacePredictions

_BATCH = 128


def predict(project: Project, run: Run, progress: Progress) -> FacePredictions:
    """Predict every face whose crop can be read.

    Raises:
        InputError: the checkpoint, or every crop, cannot be read.
        ProjectError: the project's crops are cut otherwise than those of the run.
    """
    if run.record.cutting is not None and (told := rule_words(project, run)):
        raise ProjectError(told[0], hint=f"Cut them alike ({align_command(run)}), or name another run.")
    loaded = load_run_model(run.folder, classes=run.record.classes)
    faces = [face for face in project.required_rows(Face) if face.is_usable and face.path]
    read = load_crops(_reader(project, faces, loaded), num_workers=0, progress=progress)
    good = [face for place, face in enumerate(faces) if place not in read.failures]
    if not good:
        raise InputError("no crop can be read", hint="Run: fer align")
    crops = load_crops(_reader(project, good, loaded), num_workers=0, is_checked=True) if read.failures else read
    progress.start("predict", len(good))
    rows: list[tuple[float, ...]] = []
    for part in predict_probability_batches(
        loaded.model, crops, form=loaded.form, machine=loaded.machine, batch_size=_BATCH
    ):
        rows += [tuple(row) for row in part.tolist()]
        progress.advance(len(part))
    by_face = {face.face_id: row for face, row in zip(good, rows, strict=True)}
    return FacePredictions(run.run_id, loaded.classes, by_face, len(read.failures))


def _reader(project: Project, faces: Sequence[Face], loaded: LoadedModel) -> CropReader:
    return make_reader(project.root, [face.path for face in faces], loaded.form)
