"""Say what a user does next, as a command that works: from labels and splits, or from a run, as they stand."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from fercli.core.errors import MissingStageError
from fercli.core.people import has_matcher, subject_sources, unmatched_videos
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label, SplitRow
from fercli.core.runs import Run, newest_finished
from fercli.core.splits import Record, again_command, is_usable, read_record, why_stale, with_stale
from fercli.core.tables import read_table

Result = TypeVar("Result", bound=StageResult)
# Fewer subjects than sets cannot be split.
_MIN_SUBJECTS = 3


def with_what_follows(project: Project, result: Result) -> Result:
    """A result that changes labels or subjects, new or of an earlier call, with what holds by now.

    Which splits are out of date, and the command that goes on.
    """
    labels = project.rows(Label)
    told = with_stale(result, project, labels)
    return dataclasses.replace(told, next_command=after_labels(project, labels))


def after_labels(project: Project, labels: Sequence[Label], faces: Sequence[Face] | None = None) -> str:
    """The command that goes on from these labels: to get some, to split them, or to train.

    Args:
        project: has the splits.
        labels: all of them, as they are or will be.
        faces: the same; read only where needed when left out.
    """
    if not any(is_usable(label) for label in labels):
        return "fer labels export --to csv"
    name = _split_in_use(project)
    record = read_record(project.split_path(name)) if name else {}
    if name and (record.get("group") == "file" or not why_stale(project, name, labels, faces)):
        return train_command(name, has_folds=bool(record.get("kfold")))
    faces = project.rows(Face) if faces is None else faces
    lacking = _lacking(project, faces, labels, record)
    return lacking or (again_command(name, record) if name else "fer split")


def train_command(split_name: str, *, has_folds: bool = False) -> str:
    """The training on a split."""
    words = ["fer train"] + [f"--split-name {split_name}"] * (split_name != "default") + ["--fold all"] * has_folds
    return " ".join(words)


def eval_command(run: Run, *options: str) -> str:
    """The evaluation of a run: on its test set, or on the validation set where it has no other; else nothing."""
    path = run.folder / "split.csv"
    sets = {row.split for row in read_table(path, SplitRow)} if path.exists() else {"test"}
    part = next((name for name in ("test", "val") if name in sets), "")
    words = [f"fer eval{run_words(run.folder)}", *options, *[f"--split {part}"] * (part != "test")]
    return " ".join(words) if part else ""


def run_words(folder: Path) -> str:
    """What names the run in this folder on a command line: nothing where it is meant anyway, else its id."""
    try:
        is_meant = newest_finished(folder.parent.parent).run_id == folder.name
    except MissingStageError:
        is_meant = False
    return "" if is_meant else f" {folder.name}"


def _split_in_use(project: Project) -> str:
    names = project.splits()
    for preferred in ("default", "official"):
        if preferred in names:
            return preferred
    return names[0] if len(names) == 1 else ""


def _lacking(project: Project, faces: Sequence[Face], labels: Sequence[Label], record: Record) -> str:
    """What has to come before a split: subjects, more of them, or who is one person; empty where nothing has to.

    Without a split before, faces of a dataset without subjects are split by face.
    """
    if record.get("group", "subject") != "subject":
        return ""
    wanted = {label.face_id for label in labels if is_usable(label)}
    labelled = [face for face in faces if face.is_usable and face.face_id in wanted]
    subjects = {face.subject_id for face in labelled} - {""}
    if subjects and len(subjects) < _MIN_SUBJECTS:
        return "fer add VIDEO"
    if subjects:
        is_open = not record.get("accept_unknown_subjects") and bool(
            unmatched_videos(project, labelled, subject_sources(project, faces))
        )
        return _match_command() if is_open else ""
    if any(face.time_s is not None for face in labelled):
        return "fer subjects track"
    is_dataset = all(face.status == "given" for face in labelled)
    return "fer split --group none" if is_dataset else "fer subjects assign CSV"


def _match_command() -> str:
    """What finds out who is one person in several videos: by itself, where its library is installed."""
    return "fer subjects match" if has_matcher() else "fer subjects assign CSV"
