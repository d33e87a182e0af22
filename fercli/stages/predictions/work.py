"""Predict every face of the project with a run."""

from collections.abc import Sequence

from fercli.core.baseline import state_words
from fercli.core.errors import InputError, ProjectError
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.runs import Run
from fercli.data.batches import RamCrops, SizedCrops, StreamedCrops
from fercli.data.dataset import load_sized_crops
from fercli.learn.evaluate import predict_logits
from fercli.learn.predict import LoadedModel, load_run_model
from fercli.stages.align import align_command
from fercli.stages.align.rules import crop_difference, crop_words, is_measured_on, recorded_rules
from fercli.stages.predictions import FacePredictions

_BATCH = 128


def predict(project: Project, run: Run, progress: Progress) -> FacePredictions:
    """Predict every face whose crop can be read.

    Raises:
        InputError: the checkpoint, or every crop, cannot be read.
        ProjectError: the project's crops are cut otherwise than those of the run.
    """
    told = crop_words(project, run)
    if told and not is_measured_on(run, recorded_rules(project)):
        raise ProjectError(
            crop_difference(project, run), hint=f"Cut them alike ({align_command(run)}), or name another run."
        )
    loaded = load_run_model(run.folder, classes=run.record.classes)
    faces = [face for face in project.required_rows(Face) if face.is_usable and face.path]
    read = _crops(project, faces, loaded, progress=progress)
    good = [face for place, face in enumerate(faces) if place not in read.failures]
    if not good:
        raise InputError("no crop can be read", hint="Run: fer align")
    crops = _crops(project, good, loaded, is_checked=True) if read.failures else read
    progress.start("predict", len(good))
    logits = predict_logits(
        loaded.model, crops, form=loaded.form, machine=loaded.machine, batch_size=_BATCH, watch=progress.advance
    )
    rows = [tuple(row) for row in logits.softmax(1).tolist()]
    by_face = {face.face_id: row for face, row in zip(good, rows, strict=True)}
    return FacePredictions(run.run_id, loaded.classes, by_face, len(read.failures), (*state_words(run), *told))


def _crops(
    project: Project,
    faces: Sequence[Face],
    loaded: LoadedModel,
    *,
    is_checked: bool = False,
    progress: Progress = SILENT,
) -> RamCrops | StreamedCrops | SizedCrops:
    paths = [face.path for face in faces]
    return load_sized_crops(project.root, paths, loaded.form, num_workers=0, is_checked=is_checked, progress=progress)
