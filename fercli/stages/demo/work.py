"""`fer demo`: a class is drawn, filmed and annotated, then goes through every stage, each beside the truth."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from fercli.core.emotions import PRESETS
from fercli.core.errors import UsageError
from fercli.core.files import read_text, replace_text
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import CONFIG_NAME, Project, create_project, open_project
from fercli.core.rows import Face, Label, Vote
from fercli.core.words import counted
from fercli.stages.demo import MATERIAL, DemoResult, DemoSettings, Material

__all__ = ["DemoResult", "DemoSettings", "demo"]

STAGE = "demo"
_FPS = 6
_EVERY = "1s"
# The plain `fer train`, but for its length: 18 epochs ended at 73 % of the test pupils, 30 at 84 %.
_EPOCHS = 30


def demo(
    folder: Path,
    settings: DemoSettings,
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> DemoResult:
    """Draw a class and run every stage on it; a demo that was interrupted goes on where it was.

    Args:
        folder: becomes a project; what is drawn lies in its folder `demo`.
        settings: how large, how far.
        progress: told of each stage.
        force: walk through the stages again although nothing has changed.
        dry_run: only say what would be done.

    Raises:
        UsageError: the folder holds another project, or a demo drawn with other settings.
    """
    material = Material(settings.seed, settings.subjects, settings.seconds, _FPS, settings.annotators)
    _check_folder(folder, material)
    if dry_run:
        return DemoResult(root=str(folder.resolve()), is_dry_run=True, plan=tuple(_plan(folder, settings)))
    project = _begin(folder, material, settings.seed)
    known = recall(project.root, STAGE, _mark(project, settings), DemoResult)
    if known and not force:
        return known
    # Loads torch and all stages, which a demo that was done before need not.
    from fercli.stages.demo.walk import Walk

    result = Walk(project, settings, material, progress).walk()
    with project.commit() as commit:
        remember(commit, STAGE, _mark(project, settings), settings, result=result)
    return result


def _check_folder(folder: Path, material: Material) -> None:
    """Only an empty folder or a demo of the same class will do; nothing of the user's is touched."""
    hint = "Name another folder: fer demo DIR"
    note = _note_path(folder)
    if note.exists():
        drawn, wanted = json.loads(read_text(note)), asdict(material)
        others = [f"{name} {drawn.get(name)}" for name, value in wanted.items() if drawn.get(name) != value]
        if others:
            raise UsageError(f"the demo in '{folder}' was drawn with {', '.join(others)}", hint=hint)
    elif (folder / CONFIG_NAME).exists():
        raise UsageError(f"'{folder}' is a project of your own, no demo", hint=hint)
    elif folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise UsageError(f"'{folder}' is not empty and no demo", hint=hint)


def _begin(folder: Path, material: Material, seed: int) -> Project:
    """The project; the note is written first, so that an interrupted start is known as a demo.

    What differs from the built-in settings stands in its fer.toml, so `fer train` there means what the demo meant.
    """
    replace_text(_note_path(folder), json.dumps(asdict(material), indent=1) + "\n")
    if (folder / CONFIG_NAME).exists():
        return open_project(folder)
    sections: dict[str, dict[str, object]] = {
        "extract-frames": {"every": _EVERY},
        "split": {"seed": seed},
        "train": {"model": "drf-msam", "epochs": _EPOCHS, "seed": seed},
        "eval": {"seed": seed},
    }
    return create_project(folder, name=folder.resolve().name, classes=PRESETS["scfed"], sections=sections)


def _note_path(folder: Path) -> Path:
    return folder / MATERIAL / "demo.json"


def _mark(project: Project, settings: DemoSettings) -> str:
    inputs = [project.table_path(row_type) for row_type in (Face, Vote, Label)]
    return fingerprint(replace(settings, workers=None), [*inputs, project.split_path("default")])


def _plan(folder: Path, settings: DemoSettings) -> list[str]:
    lines = [
        f"draw {counted(settings.subjects, 'pupil')} and {settings.seconds:g} s of each lesson into {folder}/{MATERIAL}"
    ]
    if settings.annotate:
        return [*lines, "add, extract-frames, align, subjects, and open the labelling page"]
    lines.append("add, extract-frames, align, subjects, labels import, split")
    lines += ["train sfer-mdfae for two epochs"] if settings.full else []
    return [*lines, "train drf-msam, eval, gradcam, report, and compare each with the truth"]
