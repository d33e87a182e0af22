"""`fer init`: create a project with its classes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fercli.core.emotions import PRESETS
from fercli.core.errors import UsageError
from fercli.core.project import check_classes, check_order, create_project
from fercli.core.results import StageResult
from fercli.core.settings import setting


@dataclass(frozen=True)
class InitSettings:
    """What a new project begins with."""

    classes: tuple[str, ...] = setting((), "List the emotion classes in order, separated by commas.")
    preset: Literal["scfed", "sferd", "fer2013", "ferplus", "raf-db", "affectnet7", "affectnet8"] | None = setting(
        None, "Use the classes of a published dataset."
    )
    order: tuple[str, ...] = setting((), "List the classes that have an order, lowest first.")
    name: str = setting("", "Name the project (default: the folder name).")


@dataclass(frozen=True, kw_only=True)
class InitResult(StageResult):
    """Where the project lies and what it tells apart."""

    root: str
    name: str
    classes: tuple[str, ...]
    order: tuple[str, ...] = ()


def init(folder: Path, settings: InitSettings, *, dry_run: bool = False) -> InitResult:
    """Make a project folder; a second call with the same classes changes nothing.

    Raises:
        UsageError: neither or both of classes and preset are given, or the classes are too few.
        SettingsError: the order names what is no class.
        ProjectError: the folder is a project with other classes.
    """
    if bool(settings.classes) == bool(settings.preset):
        raise UsageError(
            "either --classes or --preset is required",
            hint=f"For example: fer init {folder} --preset scfed (presets: {', '.join(PRESETS)})",
        )
    classes = settings.classes or PRESETS[str(settings.preset)]
    check_classes(classes, "a project", UsageError)
    check_order(settings.order, classes, "a project")
    was_there = (folder / "fer.toml").exists()
    name = settings.name or folder.resolve().name
    if dry_run and not was_there:
        ordered = (f"set their order: {' < '.join(settings.order)}",) if settings.order else ()
        plan = (f"make a project in '{folder}' with the classes {', '.join(classes)}", *ordered)
        return InitResult(
            root=str(folder.resolve()), name=name, classes=classes, order=settings.order, is_dry_run=True, plan=plan
        )
    project = create_project(folder, name=name, classes=classes, order=settings.order)
    return InitResult(
        root=str(project.root),
        name=project.name,
        classes=project.classes,
        order=project.order,
        outputs=() if was_there else ("fer.toml",),
        is_unchanged=was_there,
        next_command=f"cd {folder} && fer add VIDEO",
    )
