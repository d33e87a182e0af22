"""`fer report`: everything a project and a run know to one HTML page."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fercli import __version__
from fercli.core.files import replace_text
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import TABLES, Project
from fercli.core.results import StageResult
from fercli.core.runs import Run, find_own_run, list_runs
from fercli.core.settings import setting

if TYPE_CHECKING:
    from fercli.reports.page import Highlight, Page
    from fercli.reports.sections.results import Outcome
    from fercli.stages.report.project import ProjectFacts

# Of a run's folder all that the page is made from; what `fer report` itself writes is not.
_RUN_FILES = ("*.json", "*.toml", "*.csv", "eval/*/*.json", "eval/*/*.csv", "gradcam/grid.png", "gradcam/cases.csv")
_WORTH_SAYING = 5


@dataclass(frozen=True)
class ReportSettings:
    """What the page shows."""

    split: Literal["train", "val", "test"] = setting("test", "Report the scores of this part.")
    split_name: str = setting("default", "Describe this split when there is no run.")
    seed: int = setting(0, "Draw the intervals of agreement with this seed.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class ReportResult(StageResult):
    """Where the page is, how large, and which of its parts have nothing to show yet."""

    run: str
    path: str
    num_bytes: int = 0
    missing: tuple[str, ...] = ()


def report(
    project: Project,
    settings: ReportSettings,
    run: str = "",
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> ReportResult:
    """Write the report of a run, or of the project alone while no run is finished.

    A part for which nothing has been done yet is said on the page, with the command that does it.

    Args:
        project: with the tables.
        settings: what is shown.
        run: id of a run, or a part of it; the newest finished one when empty.
        progress: told of the parts.
        force: write again although nothing has changed.
        dry_run: only say what would be written.

    Raises:
        InputError: no such run.
    """
    chosen = find_own_run(project.root, run) if run or _has_finished(project) else None
    path = chosen.folder / "report.html" if chosen else project.root / "reports" / "report.html"
    run_id = chosen.run_id if chosen else ""
    stage, mark = f"report-{run_id}" if run_id else "report", _mark(project, chosen, settings)
    if not force and (known := recall(project.root, stage, mark, ReportResult)):
        return known
    where = project.relative(path)
    if dry_run:
        return ReportResult(run=run_id, path=where, is_dry_run=True, plan=(f"write {where}",))
    from fercli.reports.html import render_page

    page = _page(project, chosen, settings, progress)
    text = render_page(page)
    replace_text(path, text)
    result = ReportResult(
        run=run_id,
        path=where,
        num_bytes=len(text.encode("utf-8")),
        missing=tuple(section.title for section in page.sections if section.missing),
        outputs=(where,),
        next_command=next((gap.command for part in page.sections for gap in part.missing if gap.command), ""),
    )
    remember(project.root, stage, mark, settings, result=result)
    return result


def _has_finished(project: Project) -> bool:
    return any(run.status == "finished" for run in list_runs(project.root))


def _mark(project: Project, run: Run | None, settings: ReportSettings) -> str:
    inputs = [project.root / "fer.toml", *(project.table_path(row_type) for row_type in TABLES)]
    inputs += sorted(project.split_path("x").parent.glob("[!.]*"))
    if run:
        inputs += sorted(path for pattern in _RUN_FILES for path in run.folder.glob(pattern))
    return fingerprint(settings, inputs, [__version__, run.run_id if run else ""])


def _page(project: Project, run: Run | None, settings: ReportSettings, progress: Progress) -> "Page":
    from fercli.reports.page import Page
    from fercli.reports.sections.closing import reproduce_section, responsible_section
    from fercli.stages.report.commands import made_by, run_settings, versions_of
    from fercli.stages.report.project import project_facts, project_sections
    from fercli.stages.report.run import run_outcome, run_sections

    progress.start("report", 3)
    facts = project_facts(project, run, settings.split_name, settings.seed)
    progress.advance()
    outcome = run_outcome(run, settings.split, facts.annotators.ceiling.value if facts.annotators else None)
    sections = [*project_sections(project, facts), *run_sections(project, run, settings.split, outcome)]
    progress.advance()
    sections += [reproduce_section(made_by(project, run), run_settings(run), versions_of(run)), responsible_section()]
    said = [warning for section in sections for warning in section.warnings]
    page = Page(
        title=project.name,
        subtitle=_subtitle(project, run),
        program=f"fercli {__version__}",
        highlights=tuple(_highlights(facts, outcome)),
        warnings=tuple(warning for warning in _warnings(run, outcome, facts) if warning not in said),
        sections=tuple(sections),
    )
    progress.advance()
    return page


def _subtitle(project: Project, run: Run | None) -> str:
    classes = f"Classes: {', '.join(run.record.classes if run and run.record.classes else project.classes)}."
    if run is None:
        return f"No model has been trained yet. {classes}"
    ended = f", {run.status} {run.record.ended_at[:10]}" if run.record.ended_at else f", {run.status}"
    return f"Run {run.run_id} of {run.record.model}{ended}. {classes}"


def _highlights(facts: "ProjectFacts", outcome: "Outcome | None") -> "list[Highlight]":
    from fercli.reports.page import Highlight, count, counted, percent, percent_range
    from fercli.reports.sections.results import bounds_of, interval_of

    shown = []
    if outcome:
        entry = interval_of(outcome.metrics, "accuracy")
        low, high = bounds_of(entry)
        note = "no interval, see below"
        if low is not None:
            note = f"95 % interval {percent_range(low, high)}, over {entry.get('unit', 'face')}s"
        shown.append(Highlight(percent(outcome.scores.accuracy), f"accuracy on the {outcome.split} part", note))
        emotion, share = outcome.baseline
        shown.append(Highlight(percent(share), "majority class", f"always saying '{emotion}'"))
        if outcome.ceiling is not None:
            shown.append(Highlight(percent(outcome.ceiling), "human ceiling", "one annotator against the others"))
    usable = [face for face in facts.faces if face.status in ("ok", "given")]
    subjects = {face.subject_id for face in usable if face.subject_id}
    if usable:
        note = f"of {counted(len(subjects), 'subject')}" if subjects else "subjects not assigned"
        shown.append(Highlight(count(len(usable)), "faces", note))
    if facts.agreement and facts.agreement.fleiss.value is not None and not outcome:
        kappa = f"{facts.agreement.fleiss.value:.2f}"
        shown.append(Highlight(kappa, "Fleiss' kappa", "agreement of the annotators"))
    return shown


def _warnings(run: Run | None, outcome: "Outcome | None", facts: "ProjectFacts") -> list[str]:
    from fercli.reports.page import counted, percent
    from fercli.reports.sections.results import bounds_of, interval_of

    found = []
    if run and run.status != "finished":
        found.append(f"The training of this run is not finished: {run.status}. {run.record.reason}".rstrip())
    if outcome:
        low, _ = bounds_of(interval_of(outcome.metrics, "accuracy"))
        if outcome.split != "test":
            found.append(f"These are scores of the {outcome.split} part, which the model has seen: they are too good.")
        if low is not None and low <= outcome.baseline[1]:
            emotion, share = outcome.baseline
            found.append(
                f"The lower end of the accuracy's interval, {percent(low)}, is not above the {percent(share)} "
                f"that always saying '{emotion}' would reach."
            )
        few = [row.emotion for row in outcome.scores.per_class if 0 < row.support < _WORTH_SAYING]
        if few:
            found.append(f"Fewer than {_WORTH_SAYING} faces are {' or '.join(few)}: their figures say next to nothing.")
    usable = [face for face in facts.faces if face.status in ("ok", "given")]
    if usable and not any(face.subject_id for face in usable):
        found.append("Who is who has not been told, so the split may have one person on both sides.")
    dropped = sum(face.status == "dropped" for face in facts.faces)
    if dropped > len(usable):
        found.append(f"{counted(dropped, 'face')} of {len(usable) + dropped:,} found were dropped, more than half.")
    return found
