"""Do the work of `fer gradcam`: compute maps of a run's faces and draw them as a grid."""

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from fercli.cam.cases import ChosenCase, choose_cases
from fercli.cam.faces import overlay_faces, read_faces
from fercli.cam.layers import find_layer, list_layers
from fercli.core.commit import Commit
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.runs import Run
from fercli.data.run_crops import check_crops, crop_changes
from fercli.data.samples import Samples, run_samples
from fercli.learn.checkpoints import class_order_words
from fercli.learn.predict import LoadedModel, load_run_model, predict_probabilities
from fercli.reports.figures.canvas import number_words
from fercli.reports.figures.grids import CamCase, CamRow, draw_cam_grid
from fercli.stages.align import align_command
from fercli.stages.align.rules import rule_words
from fercli.stages.gradcam import GradcamResult, GradcamSettings, variant_of
from fercli.stages.gradcam.images import look_at_images
from fercli.stages.gradcam.plan import GradcamPlan, what_of

_COLUMNS = ("face_id", "subject_id", "video_id", "split", "true", "predicted", "probability", "case", "map_of", "path")


@dataclass(frozen=True)
class Drawn:
    """What was drawn: the result but for its outputs, and the files by their names in the run's gradcam/."""

    result: GradcamResult
    files: dict[str, bytes]


def look(project: Project, settings: GradcamSettings, plan: GradcamPlan, *, progress: Progress) -> GradcamResult:
    """List the layers that can be mapped."""
    return _list_layers(plan.run, settings, _loaded(plan.run, settings))


def run(project: Project, settings: GradcamSettings, plan: GradcamPlan, *, progress: Progress) -> Drawn:
    """Draw where a run's network looks.

    Raises:
        MissingStageError: the run has no checkpoint.
        UsageError: no such layer.
        InputError: no such image.
    """
    loaded = _loaded(plan.run, settings)
    draw = _look_at_split if settings.images is None else _look_at_images
    return draw(project, plan.run, settings, loaded, progress=progress)


def fold(
    project: Project, settings: GradcamSettings, plan: GradcamPlan, drawn: Drawn, commit: Commit, *, force: bool
) -> GradcamResult:
    """Write the figure and its table."""
    folder = plan.run.folder / "gradcam" / variant_of(settings)
    outputs = tuple(commit.data(folder / name, data) for name, data in drawn.files.items())
    commit.reads = plan.reads
    return replace(drawn.result, outputs=outputs)


def _loaded(run: Run, settings: GradcamSettings) -> LoadedModel:
    loaded = load_run_model(run.folder, settings.checkpoint, settings.device, classes=run.record.classes)
    find_layer(loaded.model, settings.layer or loaded.spec.cam_layer)
    return loaded


def _list_layers(run: Run, settings: GradcamSettings, loaded: LoadedModel) -> GradcamResult:
    form, device = loaded.form, next(loaded.model.parameters()).device
    image_BCHW = torch.zeros(1, form.channels, form.side, form.side, device=device)
    own, mark = loaded.spec.cam_layer, "  (the model's own)"
    lines = tuple(
        f"{layer.name}  {layer.kind}  {' x '.join(map(str, layer.shape))}{mark if layer.name == own else ''}"
        for layer in list_layers(loaded.model, image_BCHW)
    )
    return GradcamResult(**what_of(run, settings, own), layers=lines)


def _look_at_images(
    project: Project, run: Run, settings: GradcamSettings, loaded: LoadedModel, *, progress: Progress
) -> Drawn:
    assert settings.images is not None  # this way was chosen by it
    seen = look_at_images(
        project,
        run,
        settings.images,
        loaded,
        map_of=None if settings.target == "pred" else settings.target,
        layer=settings.layer,
        method=settings.method,
        legend=_legend(settings.target),
        device=settings.device,
        progress=progress,
    )
    result = GradcamResult(
        **what_of(run, settings, settings.layer or loaded.spec.cam_layer),
        num_faces=seen.num_faces,
        warnings=(*_order_words(run, settings), *rule_words(project, run), *seen.warnings),
        failures=seen.failures,
    )
    return Drawn(result, seen.files)


def _look_at_split(
    project: Project, run: Run, settings: GradcamSettings, loaded: LoadedModel, *, progress: Progress
) -> Drawn:
    samples = run_samples(project, run, settings.split)
    warnings = (*_order_words(run, settings), *_crop_words(project, run, settings, progress))
    probabilities = predict_probabilities(loaded, samples, progress=progress)
    cases = choose_cases(samples.targets, probabilities, settings.per_class, samples.subject_ids)
    crops, overlays = _draw_maps(project, samples, cases, settings, loaded=loaded)
    files = {
        "grid.png": _grid(run, settings, loaded, cases, crops=crops, overlays=overlays),
        "cases.csv": _case_table(samples, cases, settings, loaded).encode("utf-8"),
    }
    num_right = sum(case.is_right for case in cases)
    present = {int(target) for target in samples.targets}
    absent = [emotion for place, emotion in enumerate(loaded.classes) if place not in present]
    blank = f"No {settings.split} face is labelled {' or '.join(absent)}; those rows are blank."
    result = GradcamResult(
        **what_of(run, settings, settings.layer or loaded.spec.cam_layer),
        num_faces=len(cases),
        num_right=num_right,
        num_wrong=len(cases) - num_right,
        num_blank=2 * settings.per_class * len(loaded.classes) - len(cases),
        warnings=(*warnings, *number_words(loaded.classes), *((blank,) if absent else ())),
    )
    return Drawn(result, files)


def _order_words(run: Run, settings: GradcamSettings) -> tuple[str, ...]:
    is_own = settings.checkpoint in ("best", "last")
    return () if is_own else class_order_words(Path(settings.checkpoint), run.record.classes)


def _crop_words(project: Project, run: Run, settings: GradcamSettings, progress: Progress) -> tuple[str, ...]:
    """What is to be said of the crops that are drawn; others than those of the training are refused, or accepted."""
    hint = f"Restore them ({align_command(run)}), or explain these with --accept-other-crops."
    if settings.accept_other_crops:
        changes = crop_changes(project, run, [settings.split], progress=progress)
    else:
        changes = check_crops(project, run, settings.split, hint, progress=progress)
    if changes is None:
        return (
            "The run does not record its crops; whether the present ones are those it was trained with is not known.",
        )
    return (f"The crops are not those of the training: {changes.words}.",) if changes.words else ()


def _draw_maps(
    project: Project,
    samples: Samples,
    cases: list[ChosenCase],
    settings: GradcamSettings,
    *,
    loaded: LoadedModel,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    crops = read_faces(project.root, [samples.paths[case.place] for case in cases], loaded.form)
    overlays = overlay_faces(
        loaded.model,
        loaded.spec,
        crops,
        [_target_of(settings, case, loaded.classes) for case in cases],
        form=loaded.form,
        layer=settings.layer,
        method=settings.method,
    )
    return crops, overlays


def _grid(
    run: Run,
    settings: GradcamSettings,
    loaded: LoadedModel,
    cases: list[ChosenCase],
    *,
    crops: list[np.ndarray],
    overlays: list[np.ndarray],
) -> bytes:
    drawn = [
        (case, CamCase(crop, overlay, loaded.classes[case.target], loaded.classes[case.predicted], case.probability))
        for case, crop, overlay in zip(cases, crops, overlays, strict=True)
    ]
    rows = [
        CamRow(
            emotion,
            tuple(shown for case, shown in drawn if case.target == place and case.is_right),
            tuple(shown for case, shown in drawn if case.target == place and not case.is_right),
        )
        for place, emotion in enumerate(loaded.classes)
    ]
    title = f"{run.record.model}: {settings.method} at {settings.layer or loaded.spec.cam_layer}, {settings.split} set"
    return draw_cam_grid(rows, num_per_side=settings.per_class, title=title, legend=_legend(settings.target))


def _case_table(samples: Samples, cases: list[ChosenCase], settings: GradcamSettings, loaded: LoadedModel) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for case in cases:
        ids = samples.face_ids[case.place], samples.subject_ids[case.place], samples.video_ids[case.place]
        classes = loaded.classes[case.target], loaded.classes[case.predicted]
        kind = "right" if case.is_right else "wrong"
        mapped = loaded.classes[_target_of(settings, case, loaded.classes)]
        sure = f"{case.probability:.6f}"
        writer.writerow([*ids, settings.split, *classes, sure, kind, mapped, samples.paths[case.place]])
    return out.getvalue()


def _target_of(settings: GradcamSettings, case: ChosenCase, classes: tuple[str, ...]) -> int:
    if settings.target == "pred":
        return case.predicted
    return case.target if settings.target == "true" else classes.index(settings.target)


def _legend(target: str) -> str:
    word = {"pred": "the predicted class", "true": "the true class"}.get(target, f"'{target}'")
    return f"evidence for {word}, scaled per face"
