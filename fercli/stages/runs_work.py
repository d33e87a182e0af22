"""Do the work of `fer runs`: list run folders and their scores, with what must be known of each score."""

from dataclasses import asdict
from typing import Any

from fercli.core.people import people_doubt, unmatched_in_runs
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Label
from fercli.core.runs import RUNS_FOLDER, accuracy_in, end_order, list_runs, read_headline
from fercli.stages.align import align_command
from fercli.stages.evaluate.crops import CropStanding, crop_standings
from fercli.stages.next_steps import after_labels, eval_command
from fercli.stages.runs import RunLine, RunsResult
from fercli.stages.train.result import resume_command


def call(project: Project, settings: None, *, progress: Progress, force: bool, dry_run: bool) -> RunsResult:
    """List the project's training runs, oldest first, and warn of folders under runs/ that hold none."""
    known = list_runs(project.root)
    folders = {folder.name for folder in (project.root / RUNS_FOLDER).glob("*/")}
    strange = sorted(folders - {run.run_id for run in known})
    standings, _ = crop_standings(project, known, "test")
    warnings = (
        *people_doubt(unmatched_in_runs(project, known)),
        *(sentence for one in standings for sentence in one.sentences()),
        *((f"Not runs, or corrupt: {', '.join(strange)}.",) if strange else ()),
    )
    lines = tuple(asdict(_line(one)) for one in standings)
    return RunsResult(
        num_runs=len(known), runs=lines, warnings=warnings, next_command=_next_command(project, standings)
    )


def _next_command(project: Project, standings: list[CropStanding]) -> str:
    known = [one.run for one in standings]
    finished = [one for one in standings if one.run.status == "finished" and not one.run.is_aside]
    if finished:
        newest = max(finished, key=lambda one: end_order(one.run))
        if newest.changes and newest.changes.words:
            return align_command(newest.run)  # an evaluation would be refused
        return "fer report" if newest.has_score else eval_command(newest.run, "--confusion") or "fer report"
    if known and known[-1].status == "interrupted":
        return resume_command(known[-1].folder, known[-1].record)
    if known and known[-1].status == "running":
        return ""
    labels = project.rows(Label)
    return after_labels(project, labels) if labels else "fer status"


def _line(standing: CropStanding) -> RunLine:
    run = standing.run
    result: dict[str, Any] = run.record.result  # JSON
    best = result.get("best") or {}
    return RunLine(
        run=run.run_id,
        model=run.record.model,
        status=run.status,
        epochs=result.get("epochs", 0),
        best_epoch=best.get("epoch"),
        val_accuracy=best.get("val_accuracy"),
        test_accuracy=accuracy_in(read_headline(run, "test")),
        created_at=run.record.created_at,
        reason=run.record.reason,
        is_tryout=run.is_tryout,
        study=run.record.study,
        notes=standing.notes,
    )
