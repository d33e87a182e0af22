"""Plan `fer report`: say where the page goes, without loading matplotlib."""

from dataclasses import dataclass

from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.runs import Run
from fercli.core.stage import Plan
from fercli.stages.report import ReportSettings, page_path


@dataclass(frozen=True, kw_only=True)
class ReportPlan(Plan):
    """The run that is reported; None while none is finished."""

    run: Run | None


def plan(project: Project, settings: ReportSettings, run: Run | None, *, force: bool, progress: Progress) -> ReportPlan:
    """Say where the page goes."""
    where = project.relative(page_path(project, run))
    counts = {"run": run.run_id if run else "", "path": where}
    return ReportPlan(lines=(f"write {where}",), counts=counts, run=run)
