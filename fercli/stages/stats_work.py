"""Do the work of `fer stats`: count faces by split, class, subject or video."""

from collections.abc import Collection, Mapping

import pandas as pd

from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import SPLITS, Face, Label
from fercli.core.splits import choose_split
from fercli.data.frames import count_pairs, frame, is_usable
from fercli.reports.figures.canvas import number_words
from fercli.reports.figures.scores import draw_class_counts
from fercli.stages.next_steps import after_labels
from fercli.stages.stats import StatsResult, StatsSettings

NO_LABEL = "no label"
_NOT_KNOWN = "not known"
_OUTSIDE = "in no part"


def call(project: Project, settings: StatsSettings, *, progress: Progress, force: bool, dry_run: bool) -> StatsResult:
    """Count the project's faces.

    Raises:
        MissingStageError: there are no faces, or no split of that name.
    """
    faces = frame(project, "faces", ("face_id", "video_id", "subject_id", "status", "reason"))
    if faces.empty:
        project.require(Face, is_empty=True)
    has_labels = project.has(project.table_path(Label))
    labels = frame(project, "labels", ("face_id", "label", "status")) if has_labels else _NO_LABELS
    name = choose_split(project, settings.split) if settings.split or project.splits() else ""
    usable, dropped = faces[is_usable(faces)], faces[~is_usable(faces)]
    words = _looked_up(usable.face_id, labels.set_index("face_id").label, NO_LABEL)
    parts = _looked_up(usable.face_id, _parts(project, name), _OUTSIDE)
    groups = {
        "split": parts,
        "class": words,
        "subject": usable.subject_id.replace("", _NOT_KNOWN),
        "video": usable.video_id.where(usable.video_id != "", usable.face_id.str.rpartition("/")[0]),
    }
    tables = {
        str(by): _table(by, groups[by], parts if by == "class" else words, classes=project.classes)
        for by in dict.fromkeys(settings.by)
    }
    reasons = _counts(dropped.reason.where(dropped.reason != "", dropped.status.astype(str)))
    return StatsResult(
        num_faces=len(usable),
        num_labelled=int((words != NO_LABEL).sum()),
        classes=project.classes,
        split=name,
        tables=tables,
        dropped=reasons,
        label_statuses=_counts(labels.status),
        outputs=_draw(project, tables, len(usable), reasons) if settings.plot and not dry_run else (),
        warnings=(
            *(_empty_classes(project.classes, set(labels.label)) if len(labels) else ()),
            *(number_words(project.classes) if settings.plot else ()),
        ),
        next_command="" if name or not len(usable) else after_labels(project, project.rows(Label)),
    )


_NO_LABELS = pd.DataFrame({"face_id": [], "label": [], "status": []}, dtype=str)


def _parts(project: Project, name: str) -> "pd.Series[str]":
    """The part of each face; with several folds those of the first."""
    if not name:
        return pd.Series(dtype=str)
    rows = frame(project, f"splits/{name}")
    if rows.fold.notna().any():
        rows = rows[rows.fold == rows.fold.min()]
    return rows.set_index("face_id").split.astype(str)


def _looked_up(face_ids: "pd.Series[str]", words: "pd.Series[str]", other: str) -> "pd.Series[str]":
    """The word of each face; `other` where there is none, or an empty one."""
    found = face_ids.map(words).astype(object)
    return found.where(found.notna() & (found != ""), other)


def _counts(words: "pd.Series[str]") -> dict[str, int]:
    return {str(word): int(number) for word, number in words.value_counts().sort_index().items() if number}


def _table(
    by: str, groups: "pd.Series[str]", words: "pd.Series[str]", *, classes: tuple[str, ...]
) -> dict[str, dict[str, int]]:
    counts = count_pairs(groups, words)
    orders = {"split": (*SPLITS, _OUTSIDE), "class": (*classes, NO_LABEL)}
    rows = [
        group for group in orders.get(by, sorted(counts)) if group in counts or (by == "class" and group in classes)
    ]
    columns = (*SPLITS, _OUTSIDE) if by == "class" else (*classes, NO_LABEL)
    return {group: {name: counts.get(group, {}).get(name, 0) for name in columns} for group in rows}


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
