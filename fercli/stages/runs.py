"""`fer runs`: the run folders to a list, newest last."""

from dataclasses import asdict, dataclass
from typing import Any

from fercli.core.people import people_doubt, unmatched_in_run
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Label
from fercli.core.runs import RUNS_FOLDER, Run, list_runs, read_headline
from fercli.core.stage import Stage
from fercli.stages.next_steps import after_labels
from fercli.stages.train.result import resume_command


@dataclass(frozen=True)
class RunLine:
    """One run; `test_accuracy` is of its best weights, once `fer eval` has been run; a try-out saw only first faces."""

    run: str
    model: str
    status: str
    epochs: int
    best_epoch: int | None
    val_accuracy: float | None
    test_accuracy: float | None
    created_at: str
    reason: str
    is_tryout: bool


@dataclass(frozen=True, kw_only=True)
class RunsResult(StageResult):
    """All runs of the project that can be read."""

    num_runs: int
    runs: tuple[dict[str, Any], ...]  # RunLine as JSON


def call(project: Project, settings: None, *, progress: Progress, force: bool, dry_run: bool) -> RunsResult:
    """List the project's training runs, oldest first, and warn of folders under runs/ that hold none."""
    known = list_runs(project.root)
    folders = {folder.name for folder in (project.root / RUNS_FOLDER).glob("*/")}
    strange = sorted(folders - {run.run_id for run in known})
    unmatched = sorted({video for run in known for video in unmatched_in_run(project, run)})
    warnings = people_doubt(unmatched) + ((f"Not runs, or corrupt: {', '.join(strange)}.",) if strange else ())
    lines = tuple(asdict(_line(run)) for run in known)
    return RunsResult(num_runs=len(known), runs=lines, warnings=warnings, next_command=_next_command(project, known))


def _next_command(project: Project, known: list[Run]) -> str:
    if any(run.status == "finished" and not run.is_tryout for run in known):
        return "fer eval --confusion"
    if known and known[-1].status == "interrupted":
        return resume_command(known[-1].folder, known[-1].record)
    if known and known[-1].status == "running":
        return ""
    labels = project.rows(Label)
    return after_labels(project, labels) if labels else "fer status"


def _line(run: Run) -> RunLine:
    result: dict[str, Any] = run.record.result  # JSON
    best = result.get("best") or {}
    return RunLine(
        run=run.run_id,
        model=run.record.model,
        status=run.status,
        epochs=result.get("epochs", 0),
        best_epoch=best.get("epoch"),
        val_accuracy=best.get("val_accuracy"),
        test_accuracy=_test_accuracy(run),
        created_at=run.record.created_at,
        reason=run.record.reason,
        is_tryout=run.is_tryout,
    )


def _test_accuracy(run: Run) -> float | None:
    metrics = read_headline(run, "test")
    try:
        value = metrics["accuracy"]["value"] if metrics else None
    except (KeyError, TypeError):
        return None
    return float(value) if isinstance(value, int | float) else None


runs = Stage(
    words="runs",
    settings=None,
    result=RunsResult,
    work=__name__,
    is_whole=True,
    writes=lambda _: False,
)
