"""Do the work of `fer report`: gather facts of the project and outcomes of the run as sections of a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fercli import __version__
from fercli.core.commit import Commit
from fercli.core.doubts import baseline_doubt
from fercli.core.people import is_doubt, people_doubt
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.runs import Run
from fercli.core.words import counted
from fercli.reports.figures.canvas import number_words
from fercli.reports.html import render_page
from fercli.reports.page import Highlight, Page, Section, count, percent, percent_range
from fercli.reports.sections.closing import reproduce_section, responsible_section
from fercli.reports.sections.results import Outcome, bounds_of, interval_of
from fercli.stages.evaluate.crops import CropStanding, crop_standings
from fercli.stages.next_steps import after_labels, eval_command, run_words
from fercli.stages.report import ReportResult, ReportSettings, page_path
from fercli.stages.report.commands import recipe_of, run_settings, versions_of
from fercli.stages.report.plan import ReportPlan
from fercli.stages.report.project import ProjectFacts, project_facts, project_sections
from fercli.stages.report.run import run_outcome, run_sections
from fercli.stages.train.result import resume_command

_WORTH_SAYING = 5


@dataclass(frozen=True)
class Gathered:
    """The page, the crops that it looked at, with their digests, and what it says of those of the score."""

    page: Page
    reads: dict[str, str]
    crop_doubts: tuple[str, ...]


def run(project: Project, settings: ReportSettings, plan: ReportPlan, *, progress: Progress) -> Gathered:
    """Gather the page; a part for which nothing has been done yet says so, with the command that does it."""
    standings, reads = crop_standings(project, [plan.run] if plan.run else [], settings.split)
    page = _page(project, plan.run, settings, reads, standings, progress=progress)
    return Gathered(page, reads, tuple(sentence for one in standings for sentence in one.sentences()))


def fold(
    project: Project, settings: ReportSettings, plan: ReportPlan, made: Gathered, commit: Commit, *, force: bool
) -> ReportResult:
    """Write the page."""
    page, commit.reads = made.page, made.reads
    text = render_page(page)
    where = commit.text(page_path(project, plan.run), text)
    return ReportResult(
        **plan.counts,
        num_bytes=len(text.encode("utf-8")),
        missing=tuple(section.title for section in page.sections if section.missing),
        outputs=(where,),
        warnings=(
            *(sentence for sentence in page.warnings if is_doubt(sentence)),
            *made.crop_doubts,
            *(text for section in page.sections for text in section.warnings if "cannot be shown" in text),
        ),
        next_command=next((gap.command for part in page.sections for gap in part.missing if gap.command), ""),
    )


def _page(
    project: Project,
    run: Run | None,
    settings: ReportSettings,
    reads: dict[str, str],
    standings: Sequence[CropStanding],
    *,
    progress: Progress,
) -> Page:
    progress.start("report", 3)
    facts = project_facts(project, run, settings)
    progress.advance()
    ceiling = facts.annotators.ceiling.value if facts.annotators else None
    outcome = run_outcome(run, settings.split, ceiling, facts.names)
    doubts = [sentence for one in standings for sentence in one.sentences()]
    own = run_sections(project, run, settings.split, outcome, reads=reads, crop_doubts=doubts)
    sections = [*project_sections(project, facts, reads), *own]
    commands = _commands(project, run, settings, facts)
    sections = [_with_command(section, commands) for section in sections]
    progress.advance()
    recipe = recipe_of(project, run, settings, facts.split_name)
    closing = reproduce_section(recipe.commands, recipe.notes, run_settings(run), versions_of(run))
    sections += [closing, responsible_section()]
    said = [warning for section in sections for warning in section.warnings]
    page = Page(
        title=project.name,
        subtitle=_subtitle(project, run),
        program=f"fercli {__version__}",
        highlights=tuple(_highlights(facts, outcome, standings)),
        warnings=(*doubts, *(warning for warning in _warnings(run, outcome, facts) if warning not in said)),
        sections=tuple(sections),
    )
    progress.advance()
    return page


def _commands(project: Project, run: Run | None, settings: ReportSettings, facts: ProjectFacts) -> dict[str, str]:
    """The command that makes what a section lacks, by section; empty where an earlier section has to come first."""
    following = after_labels(project, facts.labels, facts.faces) if facts.labels else ""
    train = following if following.startswith("fer train") else ""
    if run is None:
        later = dict.fromkeys(("training", "results", "looks", "errors"), "")
        return {"split": "" if train else following, "model": train, **later}
    has_faces = settings.split != "test" or ("--split" not in (of_run := eval_command(run)) and of_run)
    words, part = run_words(run.folder), "" if settings.split == "test" else f" --split {settings.split}"
    return {
        "split": "" if train else following,
        "training": resume_command(run.folder, run.record) if run.status == "interrupted" else train,
        "results": f"fer eval{words} --confusion{part}" if has_faces else "",
        "looks": f"fer gradcam{words}{part}" if has_faces else eval_command(run).replace("fer eval", "fer gradcam"),
        "errors": f"fer eval{words} --confusion{part}" if has_faces else "",
    }


def _with_command(section: Section, commands: Mapping[str, str]) -> Section:
    gaps = tuple(replace(gap, command=commands.get(section.key, gap.command)) for gap in section.missing)
    return replace(section, missing=gaps)


def _subtitle(project: Project, run: Run | None) -> str:
    classes = f"Classes: {', '.join(run.record.classes if run and run.record.classes else project.classes)}."
    if run is None:
        return f"No model has been trained yet. {classes}"
    ended = f", {run.status} {run.record.ended_at[:10]}" if run.record.ended_at else f", {run.status}"
    return f"Run {run.run_id} of {run.record.model}{ended}. {classes}"


def _highlights(facts: ProjectFacts, outcome: Outcome | None, standings: Sequence[CropStanding]) -> list[Highlight]:
    shown = []
    if outcome:
        entry = interval_of(outcome.metrics, "accuracy")
        low, high = bounds_of(entry)
        note = "no CI, see below"
        if low is not None:
            note = f"95% CI {percent_range(low, high)}, over {entry.get('unit', 'face')}s"
        note = "; ".join((note, *(words for one in standings for words in one.notes)))
        shown.append(Highlight(percent(outcome.scores.accuracy), f"{outcome.split} accuracy", note))
        emotion, share = outcome.baseline
        shown.append(Highlight(percent(share), "majority-class baseline", f"always predicting '{emotion}'"))
        if outcome.ceiling is not None:
            note = f"one annotator vs. the majority of the others, on the {outcome.split} faces"
            shown.append(Highlight(percent(outcome.ceiling), "human ceiling", note))
    usable = [face for face in facts.faces if face.is_usable]
    subjects = {face.subject_id for face in usable if face.subject_id}
    if usable:
        note = f"of {counted(len(subjects), 'subject')}" if subjects else "subjects not assigned"
        note += ", each known within one video" * bool(facts.unmatched_videos)
        shown.append(Highlight(count(len(usable)), "faces", note))
    if facts.agreement and facts.agreement.fleiss.value is not None and not outcome:
        kappa = f"{facts.agreement.fleiss.value:.2f}"
        shown.append(Highlight(kappa, "Fleiss' kappa", "inter-annotator agreement"))
    return shown


def _baseline_doubt(outcome: Outcome) -> tuple[str, ...]:
    emotion, share = outcome.baseline
    accuracy = {**interval_of(outcome.metrics, "accuracy"), "value": outcome.scores.accuracy}
    return baseline_doubt(outcome.split, accuracy, {"emotion": emotion, "value": share})


def _warnings(run: Run | None, outcome: Outcome | None, facts: ProjectFacts) -> list[str]:
    found = [*(_baseline_doubt(outcome) if outcome else ()), *people_doubt(facts.unmatched_videos)]
    found += number_words(run.record.classes) if run and outcome else []
    if run and run.status != "finished":
        found.append(f"The training of this run is not finished: {run.status}. {run.record.reason}".rstrip())
    if outcome:
        if outcome.split != "test":
            found.append(
                f"These are {outcome.split} scores. The model was trained or selected on this set, so they are "
                "overestimated."
            )
        few = [row.emotion for row in outcome.scores.per_class if 0 < row.support < _WORTH_SAYING]
        if few:
            found.append(
                f"Fewer than {_WORTH_SAYING} {outcome.split} faces are labelled {' or '.join(few)}; "
                "scores for these classes are unreliable."
            )
    usable = [face for face in facts.faces if face.is_usable]
    if usable and not any(face.subject_id for face in usable):
        found.append("Subjects have not been assigned, so the same person may be in both training and test sets.")
    dropped = sum(face.status == "dropped" for face in facts.faces)
    if dropped > len(usable):
        found.append(f"{dropped:,} of {counted(len(usable) + dropped, 'detected face')} (more than half) were dropped.")
    return found
