"""Write the sections of `fer report` on data, labels and split."""

from dataclasses import dataclass, replace
from typing import Any

from fercli.core.people import people_doubt, unmatched_in_split
from fercli.core.project import Project
from fercli.core.rows import Face, Label, SplitRow, Subject, Video, Vote
from fercli.core.rows import Frame as FrameRow
from fercli.core.runs import Run
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.labels.agreement import Agreement
from fercli.labels.annotators import AnnotatorReport
from fercli.labels.leaks import find_leaks
from fercli.labels.summary import summarise_labels
from fercli.reports.figures.grids import SheetFace, draw_contact_sheet
from fercli.reports.figures.slimming import slim
from fercli.reports.page import Section
from fercli.reports.sections.data import data_section, split_section
from fercli.reports.sections.labels import label_section
from fercli.stages.labels.agreement_work import measured
from fercli.stages.report import ReportSettings
from fercli.stages.report.files import read_config, read_json
from fercli.stages.report.run import read_pictures
from fercli.stages.subjects.names import shown_names

_MOST_SUBJECTS = 24


@dataclass(frozen=True)
class ProjectFacts:
    """Rows that several parts of the page need, read once; agreement is None without votes.

    `names` holds the stand-ins of subjects' ids that may be names of people.
    """

    faces: list[Face]
    labels: list[Label]
    votes: list[Vote]
    split_name: str
    split_rows: list[SplitRow]
    agreement: Agreement | None
    annotators: AnnotatorReport | None
    names: dict[str, str]
    unmatched_videos: tuple[str, ...] = ()


def project_facts(project: Project, run: Run | None, settings: ReportSettings) -> ProjectFacts:
    """Read the tables; labels and split are the run's own copies where it has them."""
    faces, votes = project.rows(Face), project.rows(Vote)
    labels, split_name, rows = _labels_and_split(project, run, settings.split_name)
    agreement = annotators = None
    if votes:
        _, agreement, annotators = measured(project, faces, votes, settings.seed)
    unmatched, names = unmatched_in_split(project, rows), shown_names(project)
    return ProjectFacts(faces, labels, votes, split_name, rows, agreement, annotators, names, unmatched)


def project_sections(project: Project, facts: ProjectFacts, reads: dict[str, str]) -> list[Section]:
    """The parts about data, labels and split; the digests of the crops that are shown come into `reads`."""
    subjects = project.rows(Subject)
    record = read_json(project.split_path(facts.split_name).with_suffix(".json"))
    contact, num_shown, problems = _contact_sheet(project, facts.faces, facts.names, reads)
    leaks = find_leaks(
        facts.split_rows,
        subjects={face.face_id: face.subject_id for face in facts.faces},
        videos={face.face_id: face.video_id for face in facts.faces},
    )
    summary = summarise_labels(facts.labels, facts.votes, project.classes) if facts.labels else None
    rules = sorted({label.rule for label in facts.labels if label.rule})
    data = data_section(
        project.rows(Video), project.rows(FrameRow), facts.faces, subjects, contact=contact, num_shown=num_shown
    )
    return [
        replace(data, warnings=(*data.warnings, *problems)),
        label_section(summary, facts.agreement, facts.annotators, rules),
        split_section(
            facts.split_name,
            facts.split_rows,
            faces=facts.faces,
            labels=facts.labels,
            classes=project.classes,
            how=_how_split(record),
            leaks=leaks,
            num_identical=_num_identical(record),
            doubts=people_doubt(facts.unmatched_videos),
        ),
    ]


def _labels_and_split(project: Project, run: Run | None, name: str) -> tuple[list[Label], str, list[SplitRow]]:
    labels, fold = project.rows(Label), None
    if run is None:
        path = project.split_path(name)
    else:
        config = read_config(run).get("train", {})
        name, fold = str(config.get("split") or name), config.get("fold")
        path = run.folder / "split.csv" if (run.folder / "split.csv").exists() else project.split_path(name)
        own_labels = run.folder / "labels.csv"
        labels = read_table(own_labels, Label) if own_labels.exists() else labels
    rows = read_table(path, SplitRow) if path.exists() else []
    return labels, name, _one_fold(rows, fold)


def _one_fold(rows: list[SplitRow], fold: int | None) -> list[SplitRow]:
    """Of a k-fold split the fold that was trained, else its first; the folds repeat the faces."""
    folds = sorted({row.fold for row in rows if row.fold is not None})
    if not folds:
        return rows
    shown = fold if fold in folds else folds[0]
    return [row for row in rows if row.fold == shown]


def _how_split(record: dict[str, Any]) -> dict[str, object]:
    """The plain values of a split's JSON that a reader of the page asks for."""
    keys = ("group", "stratify", "seed", "ratios", "kfold")
    found = {key: record[key] for key in keys if key in record and record[key] not in (None, "", [])}
    if record.get("official"):
        found["official"] = True
    if not found.get("kfold"):
        found.pop("kfold", None)
    return {key: ", ".join(map(str, value)) if isinstance(value, list) else _yes(value) for key, value in found.items()}


def _yes(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _num_identical(record: dict[str, Any]) -> int | None:
    leakage = record.get("leakage")
    number = leakage.get("identical_across_splits") if isinstance(leakage, dict) else None
    return number if isinstance(number, int) else None


def _contact_sheet(
    project: Project, faces: list[Face], names: dict[str, str], reads: dict[str, str]
) -> tuple[bytes | None, int, tuple[str, ...]]:
    """One face of each of the first subjects; none where pictures are missing or nobody is told apart."""
    first: dict[str, Face] = {}
    number: dict[str, int] = {}
    for face in faces:
        if face.subject_id and face.is_usable:
            first.setdefault(face.subject_id, face)
            number[face.subject_id] = number.get(face.subject_id, 0) + 1
    chosen = sorted(first)[:_MOST_SUBJECTS]
    pictures, problems = read_pictures(project, [first[name].path for name in chosen], reads)
    shown = [
        SheetFace(picture, (names.get(name, name), f"{counted(number[name], 'face')}"))
        for name, picture in zip(chosen, pictures, strict=True)
        if picture is not None
    ]
    sheet = slim(draw_contact_sheet(shown)) if len(shown) > 1 else None
    return sheet, len(shown) if sheet else 0, problems
