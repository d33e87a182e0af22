"""`fer gradcam`: draw where a trained model looks, for correct and incorrect faces of each class."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face
from fercli.core.runs import OTHER_CROPS, Run, checkpoint_word, find_own_run, own_checkpoint
from fercli.core.settings import setting
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.align import rules_of
from fercli.stages.next_steps import run_words
from fercli.vision.media import content_of, list_files


@dataclass(frozen=True)
class GradcamSettings:
    """Which faces are looked at, and how."""

    method: Literal["gradcam", "gradcam++", "layercam", "eigencam", "hirescam"] = setting(
        "gradcam", "Compute maps with this CAM method."
    )
    layer: str = setting("", "Use this layer (default: the model's own).")
    list_layers: bool = setting(False, "List the layers that can be mapped and exit.")
    target: str = setting("pred", "Explain the predicted class, the true class or a named class.")
    per_class: int = setting(
        2, "Show this many correct and incorrect faces per class.", minimum=1, maximum=20, only_with={"images": (None,)}
    )
    images: Path | None = setting(None, "Explain this image or folder instead.")
    split: Literal["train", "val", "test"] = setting("test", "Use faces of this set.", only_with={"images": (None,)})
    checkpoint: str = setting("best", "Use the best or last checkpoint, or a .safetensors file.")
    accept_other_crops: bool = setting(
        False, "Explain faces even if the crops are not those of the training.", is_later=True
    )
    device: str = setting("auto", "Run on this device: auto, cpu, cuda or mps.")


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


def _settle(project: Project, settings: GradcamSettings, run: str = "") -> tuple[GradcamSettings, tuple[Run]]:
    found = find_own_run(project.root, run)
    return replace(settings, checkpoint=own_checkpoint(found, settings.checkpoint)), (found,)


def variant_of(settings: GradcamSettings) -> str:
    """What tells a figure from that of the best weights, in the name of its folder; empty for that one."""
    crops = OTHER_CROPS if settings.accept_other_crops else ""
    return "-".join(filter(None, (checkpoint_word(settings.checkpoint), crops)))


def _with_next_command(project: Project, settings: GradcamSettings, result: GradcamResult, run: Run) -> GradcamResult:
    return result if settings.images else replace(result, next_command=f"fer report{run_words(run.folder)}")


def _name(_: Project, settings: GradcamSettings, run: Run) -> str:
    variant = variant_of(settings)
    return f"gradcam-{run.run_id}{'-' if variant else ''}{variant}"


def _inputs(project: Project, settings: GradcamSettings, run: Run) -> Inputs:
    files = [run.folder / name for name in ("run.json", "split.csv", "labels.csv")]
    files += [*sorted((run.folder / "checkpoints").glob("*.json")), project.table_path(Face)]
    files += [Path(settings.checkpoint)] if settings.checkpoint not in ("best", "last") else []
    if settings.images is None:
        return Inputs(files, run.run_id)
    facts = content_of(list_files([settings.images], project.root, skip_own=False), project.root)
    return Inputs(files, [run.run_id, facts, rules_of(project, run)])


gradcam = Stage(
    words="gradcam",
    settings=GradcamSettings,
    result=GradcamResult,
    work="fercli.stages.gradcam.work",
    planning="fercli.stages.gradcam.plan",
    inputs=_inputs,
    arguments=(Argument("run", str, "Explain this run (default: the latest).", "RUN", default=""),),
    settle=_settle,
    now=_with_next_command,
    name=_name,
    is_long=True,
    looks=lambda settings: settings.list_layers,
)
