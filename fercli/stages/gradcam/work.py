"""`fer gradcam`: a trained run to a grid of where it looks, right and wrong cases of each class."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fercli.core.errors import MissingStageError, UsageError
from fercli.core.files import replace_bytes, replace_text
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label, SplitRow
from fercli.core.runs import Run, find_own_run, writing_part
from fercli.core.settings import setting, suggestion
from fercli.core.tables import read_table
from fercli.stages.align.rules import told_rules
from fercli.vision.media import list_files

if TYPE_CHECKING:
    import numpy as np

    from fercli.cam.cases import ChosenCase
    from fercli.data.samples import Samples
    from fercli.learn.predict import LoadedModel

_COLUMNS = ("face_id", "subject_id", "video_id", "split", "true", "predicted", "probability", "case", "map_of", "path")


@dataclass(frozen=True)
class GradcamSettings:
    """Which faces are looked at, and how."""

    method: Literal["gradcam", "gradcam++", "layercam", "eigencam", "hirescam"] = setting(
        "gradcam", "Map by this method."
    )
    layer: str = setting("", "Look at this layer; the model's own otherwise.")
    list_layers: bool = setting(False, "Print the layers that give a map, and stop.")
    target: str = setting("pred", "Map what speaks for: pred, true or a class.")
    per_class: int = setting(2, "Show so many right and wrong cases of a class.", minimum=1, maximum=20)
    images: Path | None = setting(None, "Look at this picture or folder instead.")
    split: Literal["train", "val", "test"] = setting("test", "Take the faces of this part.")
    checkpoint: str = setting("best", "Use best, last or a .safetensors file.")
    device: str = setting("auto", "Compute on: auto, cpu, cuda, mps.")


@dataclass(frozen=True, kw_only=True)
class GradcamResult(StageResult):
    """What was drawn; `num_blank` are places of the grid for which there is no case."""

    run: str
    method: str
    layer: str
    target: str
    num_faces: int = 0
    num_right: int = 0
    num_wrong: int = 0
    num_blank: int = 0
    layers: tuple[str, ...] = ()


def gradcam(
    project: Project,
    settings: GradcamSettings,
    run: str = "",
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> GradcamResult:
    """Draw where a run's network looks.

    Args:
        project: with the faces.
        settings: which and how.
        run: id of a run, or a part of it; the newest finished one when empty.
        progress: told of the predictions.
        force: draw again although nothing has changed.
        dry_run: only say what would be drawn.

    Raises:
        MissingStageError: no run is finished, or it has no checkpoint.
        UsageError: no such layer, class or target.
        InputError: no such run or picture.
    """
    chosen = find_own_run(project.root, run)
    stage, mark = f"gradcam-{chosen.run_id}", _mark(project, chosen, settings)
    if not force and not settings.list_layers and (known := recall(project.root, stage, mark, GradcamResult)):
        return known
    _check_target(settings, chosen.record.classes)
    if dry_run:
        plan = (f"draw {settings.method} maps of run {chosen.run_id} into {project.relative(chosen.folder)}/gradcam/",)
        return GradcamResult(**_what(chosen, settings, settings.layer), is_dry_run=True, plan=plan)
    from fercli.cam.layers import find_layer
    from fercli.learn.predict import load_run_model

    loaded = load_run_model(chosen.folder, settings.checkpoint, settings.device)
    find_layer(loaded.model, settings.layer or loaded.spec.cam_layer)
    if settings.list_layers:
        return _list_layers(chosen, settings, loaded)
    look = _look_at_split if settings.images is None else _look_at_images
    with writing_part(chosen.folder / "gradcam"):
        result = look(project, chosen, settings, loaded, progress=progress)
        remember(project.root, stage, mark, settings, result=result)
    return result


def run_samples(project: Project, run: Run, split: str) -> "Samples":
    """The faces of one part as the run saw them: by its own copies of labels and split, where it has them.

    Raises:
        MissingStageError: the run has no such faces.
    """
    from fercli.data.samples import load_samples

    labels, rows = run.folder / "labels.csv", run.folder / "split.csv"
    samples = load_samples(
        project.root,
        run.record.classes,
        faces=project.required_rows(Face),
        labels=read_table(labels, Label) if labels.exists() else project.required_rows(Label),
        split_rows=read_table(rows, SplitRow) if rows.exists() else project.split_rows("default"),
    )
    part = samples.select([place for place, word in enumerate(samples.splits) if word == split])
    if not len(part):
        raise MissingStageError(
            f"run '{run.run_id}' has no labelled face in its {split} part",
            hint="Choose another part with --split, or divide the faces again: fer split",
        )
    return part


def _mark(project: Project, run: Run, settings: GradcamSettings) -> str:
    inputs = [run.folder / name for name in ("run.json", "split.csv", "labels.csv")]
    inputs += [*sorted((run.folder / "checkpoints").glob("*.json")), project.table_path(Face)]
    inputs += [Path(settings.checkpoint)] if settings.checkpoint not in ("best", "last") else []
    if settings.images is None:
        return fingerprint(settings, inputs, run.run_id)
    facts = list_files([settings.images], project.root, skip_own=False).facts
    return fingerprint(settings, inputs, [run.run_id, facts, told_rules(project)])


def _check_target(settings: GradcamSettings, classes: tuple[str, ...]) -> None:
    known = ("pred", "true", *classes)
    if settings.target not in known:
        raise UsageError(f"'{settings.target}' is no class of this run", hint=suggestion(settings.target, known))
    if settings.target == "true" and settings.images is not None:
        raise UsageError("the true class of --images is not known", hint="Use --target pred or name a class.")


def _what(run: Run, settings: GradcamSettings, layer: str) -> dict[str, Any]:  # fields of the result
    return {"run": run.run_id, "method": settings.method, "layer": layer, "target": settings.target}


def _list_layers(run: Run, settings: GradcamSettings, loaded: "LoadedModel") -> GradcamResult:
    import torch

    from fercli.cam.layers import list_layers

    form, device = loaded.form, next(loaded.model.parameters()).device
    image_BCHW = torch.zeros(1, form.channels, form.side, form.side, device=device)
    own, mark = loaded.spec.cam_layer, "  (the model's own)"
    lines = tuple(
        f"{layer.name}  {layer.kind}  {' x '.join(map(str, layer.shape))}{mark if layer.name == own else ''}"
        for layer in list_layers(loaded.model, image_BCHW)
    )
    return GradcamResult(**_what(run, settings, own), layers=lines)


def _look_at_images(
    project: Project, run: Run, settings: GradcamSettings, loaded: "LoadedModel", *, progress: Progress
) -> GradcamResult:
    from fercli.stages.gradcam.images import look_at_images

    assert settings.images is not None  # this way was chosen by it
    seen = look_at_images(
        project,
        run.folder / "gradcam",
        settings.images,
        loaded,
        map_of=None if settings.target == "pred" else settings.target,
        layer=settings.layer,
        method=settings.method,
        legend=_legend(settings.target),
        device=settings.device,
        progress=progress,
    )
    return GradcamResult(
        **_what(run, settings, settings.layer or loaded.spec.cam_layer),
        num_faces=seen.num_faces,
        outputs=seen.outputs,
        warnings=seen.warnings,
        failures=seen.failures,
    )


def _look_at_split(
    project: Project, run: Run, settings: GradcamSettings, loaded: "LoadedModel", *, progress: Progress
) -> GradcamResult:
    from fercli.cam.cases import choose_cases
    from fercli.learn.predict import predict_probabilities

    samples = run_samples(project, run, settings.split)
    probabilities = predict_probabilities(loaded, samples, progress=progress)
    cases = choose_cases(samples.targets, probabilities, settings.per_class, samples.subject_ids)
    crops, overlays = _draw_maps(project, samples, cases, settings, loaded=loaded)
    outputs = (run.folder / "gradcam" / "grid.png", run.folder / "gradcam" / "cases.csv")
    replace_bytes(outputs[0], _grid(run, settings, loaded, cases, crops=crops, overlays=overlays))
    replace_text(outputs[1], _case_table(samples, cases, settings, loaded))
    num_right = sum(case.is_right for case in cases)
    present = {int(target) for target in samples.targets}
    absent = [emotion for place, emotion in enumerate(loaded.classes) if place not in present]
    blank = f"No face of the {settings.split} part is {' or '.join(absent)}; the rows are blank."
    return GradcamResult(
        **_what(run, settings, settings.layer or loaded.spec.cam_layer),
        num_faces=len(cases),
        num_right=num_right,
        num_wrong=len(cases) - num_right,
        num_blank=2 * settings.per_class * len(loaded.classes) - len(cases),
        outputs=tuple(project.relative(path) for path in outputs),
        warnings=(blank,) if absent else (),
        next_command="fer report",
    )


def _draw_maps(
    project: Project,
    samples: "Samples",
    cases: "list[ChosenCase]",
    settings: GradcamSettings,
    *,
    loaded: "LoadedModel",
) -> "tuple[list[np.ndarray], list[np.ndarray]]":
    from fercli.cam.faces import overlay_faces, read_faces

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
    loaded: "LoadedModel",
    cases: "list[ChosenCase]",
    *,
    crops: "list[np.ndarray]",
    overlays: "list[np.ndarray]",
) -> bytes:
    from fercli.reports.figures.grids import CamCase, CamRow, draw_cam_grid

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
    title = f"{run.record.model}: {settings.method} at {settings.layer or loaded.spec.cam_layer}, {settings.split} part"
    return draw_cam_grid(rows, num_per_side=settings.per_class, title=title, legend=_legend(settings.target))


def _case_table(samples: "Samples", cases: "list[ChosenCase]", settings: GradcamSettings, loaded: "LoadedModel") -> str:
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


def _target_of(settings: GradcamSettings, case: "ChosenCase", classes: tuple[str, ...]) -> int:
    if settings.target == "pred":
        return case.predicted
    return case.target if settings.target == "true" else classes.index(settings.target)


def _legend(target: str) -> str:
    word = {"pred": "the predicted class", "true": "the true class"}.get(target, f"'{target}'")
    return f"what speaks for {word}, stretched face by face"
