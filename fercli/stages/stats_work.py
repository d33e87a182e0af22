"""The work of `fer stats`: faces counted by split, class, subject or video."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Literal

from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import SPLITS, Face, Label
from fercli.core.splits import choose_split
from fercli.reports.figures.scores import draw_class_counts
from fercli.stages.stats import StatsResult, StatsSettings

By = Literal["split", "class", "subject", "video"]
NO_LABEL = "no label"
_NOT_KNOWN = "not known"
_OUTSIDE = "in no part"


def call(project: Project, settings: StatsSettings, *, progress: Progress, force: bool, dry_run: bool) -> StatsResult:
    """Count the project's faces.

    Raises:
        MissingStageError: there are no faces, or no split of that name.
    """
    faces = project.required_rows(Face)
    labels = {label.face_id: label for label in project.rows(Label)}
    usable = [face for face in faces if face.is_usable]
    words = {face_id: label.label or NO_LABEL for face_id, label in labels.items()}
    name, parts = _parts(project, settings.split)
    tables = {str(by): _table(by, usable, words, parts, classes=project.classes) for by in dict.fromkeys(settings.by)}
    reasons = Counter(face.reason or face.status for face in faces if not face.is_usable)
    statuses = Counter(str(label.status) for label in labels.values())
    return StatsResult(
        num_faces=len(usable),
        num_labelled=sum(words.get(face.face_id, NO_LABEL) != NO_LABEL for face in usable),
        classes=project.classes,
        split=name,
        tables=tables,
        dropped=dict(sorted(reasons.items())),
        label_statuses=dict(sorted(statuses.items())),
        outputs=_draw(project, tables, len(usable), reasons) if settings.plot and not dry_run else (),
        warnings=tuple(_empty_classes(project.classes, set(words.values()))) if labels else (),
        next_command="" if name else "fer split",
    )


def _parts(project: Project, name: str) -> tuple[str, dict[str, str]]:
    """The split that is meant, and the part of each face; with several folds the parts of the first."""
    if not name and not project.splits():
        return "", {}
    chosen = choose_split(project, name)
    rows = project.split_rows(chosen)
    first = min((row.fold for row in rows if row.fold is not None), default=None)
    return chosen, {row.face_id: row.split for row in rows if row.fold == first}


def _table(
    by: str, faces: list[Face], words: Mapping[str, str], parts: Mapping[str, str], *, classes: tuple[str, ...]
) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for face in faces:
        word = words.get(face.face_id, NO_LABEL)
        part = parts.get(face.face_id, _OUTSIDE)
        group, column = {
            "split": (part, word),
            "class": (word, part),
            "subject": (face.subject_id or _NOT_KNOWN, word),
            "video": (face.video_id or face.face_id.rpartition("/")[0], word),
        }[by]
        counts.setdefault(group, Counter())[column] += 1
    orders = {"split": (*SPLITS, _OUTSIDE), "class": (*classes, NO_LABEL)}
    rows = [
        group for group in orders.get(by, sorted(counts)) if group in counts or (by == "class" and group in classes)
    ]
    columns = (*SPLITS, _OUTSIDE) if by == "class" else (*classes, NO_LABEL)
    return {group: {name: counts.get(group, Counter())[name] for name in columns} for group in rows}


def _draw(
    project: Project, tables: Mapping[str, Mapping[str, Mapping[str, int]]], num_kept: int, dropped: Mapping[str, int]
) -> tuple[str, ...]:
    pictures = {}
    for by, table in tables.items():
        if by == "class":
            continue  # the picture of `split` shows the same numbers
        if by == "split":
            counts = {part: dict(row) for part, row in table.items()}
            picture = draw_class_counts(counts, project.classes)
        else:
            totals = {group: sum(row.values()) for group, row in table.items()}
            picture = draw_class_counts({"faces": totals}, list(totals))
        pictures[by] = picture
    if dropped:
        outcomes = {"kept": num_kept, **{f"dropped: {reason}": dropped[reason] for reason in sorted(dropped)}}
        pictures["dropped"] = draw_class_counts({"detected faces": outcomes}, list(outcomes))
    with project.commit() as commit:
        for name, picture in pictures.items():
            commit.data(project.root / "reports" / f"stats-{name}.png", picture)
    return tuple(f"reports/stats-{name}.png" for name in pictures)


def _empty_classes(classes: tuple[str, ...], words: Collection[str]) -> list[str]:
    empty = [name for name in classes if name not in words]
    return [f"No face is labelled {' or '.join(empty)}."] if empty else []
