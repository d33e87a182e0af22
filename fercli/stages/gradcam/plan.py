"""Plan `fer gradcam`: check what is to be explained, without loading torch."""

from dataclasses import dataclass
from typing import Any

from fercli.core.errors import UsageError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.runs import Run
from fercli.core.settings import suggestion
from fercli.core.stage import Plan
from fercli.data.samples import run_samples
from fercli.stages.gradcam import GradcamSettings


@dataclass(frozen=True, kw_only=True)
class GradcamPlan(Plan):
    """The run that is looked into, and the crops that are looked at."""

    run: Run
    reads: dict[str, str]


def plan(project: Project, settings: GradcamSettings, run: Run, *, force: bool, progress: Progress) -> GradcamPlan:
    """Check what is to be mapped.

    Raises:
        UsageError: no such class or target.
        MissingStageError: the run has no face in this set.
    """
    _check_target(settings, run.record.classes)
    lines = (f"draw {settings.method} maps of run {run.run_id} into {project.relative(run.folder)}/gradcam/",)
    is_of_run = settings.images is None and not settings.list_layers
    reads = project.digests(run_samples(project, run, settings.split).paths, "faces.csv") if is_of_run else {}
    return GradcamPlan(lines=lines, counts=what_of(run, settings, settings.layer), run=run, reads=reads)


def what_of(run: Run, settings: GradcamSettings, layer: str) -> dict[str, Any]:  # fields of the result
    """What is known of the result before the work."""
    return {"run": run.run_id, "method": settings.method, "layer": layer, "target": settings.target}


def _check_target(settings: GradcamSettings, classes: tuple[str, ...]) -> None:
    known = ("pred", "true", *classes)
    if settings.target not in known:
        raise UsageError(f"'{settings.target}' is not a class of this run", hint=suggestion(settings.target, known))
    if settings.target == "true" and settings.images is not None:
        raise UsageError("the true class of --images is unknown", hint="Use --target pred or name a class.")
