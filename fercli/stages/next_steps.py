"""What a user does next, as a command that works: from labels and splits, or from a run, as they stand."""

from collections.abc import Sequence
from pathlib import Path

from fercli.core.errors import MissingStageError
from fercli.core.project import Project
from fercli.core.rows import Face, Label
from fercli.core.runs import newest_finished
from fercli.core.splits import is_usable, labels_mark, read_record

# Fewer subjects than sets cannot be split.
_MIN_SUBJECTS = 3


def after_labels(
    project: Project, labels: Sequence[Label], faces: Sequence[Face] | None = None, *, are_regrouped: bool = False
) -> str:
    """The command that goes on from these labels: to get some, to split them, or to train.

    Args:
        project: has the splits.
        labels: all of them, as they are or will be.
        faces: the same; read only where needed when left out.
        are_regrouped: subjects have changed since a split was made.
    """
    if not any(is_usable(label) for label in labels):
        return "fer labels export --to csv"
    name = _split_in_use(project)
    record = read_record(project.split_path(name)) if name else {}
    made_from = record.get("labels_mark")
    is_stale = bool(made_from) and (are_regrouped or made_from != labels_mark(labels))
    if name and (not is_stale or record.get("group") == "file"):
        return train_command(name, has_folds=bool(record.get("kfold")))
    command = _split_command(faces or project.rows(Face), labels, str(record.get("group", "subject")))
    has_name = command.startswith("fer split") and name not in ("", "default")
    return f"{command} --name {name}" if has_name else command


def train_command(split_name: str, *, has_folds: bool = False) -> str:
    """The training on a split."""
    words = ["fer train"] + [f"--split-name {split_name}"] * (split_name != "default") + ["--fold all"] * has_folds
    return " ".join(words)


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


def _split_command(faces: Sequence[Face], labels: Sequence[Label], group: str) -> str:
    if group != "subject":
        return f"fer split --group {group}"
    wanted = {label.face_id for label in labels if is_usable(label)}
    return split_command([face for face in faces if face.is_usable and face.face_id in wanted])


def split_command(labelled: Sequence[Face]) -> str:
    """`fer split` of these faces, or what it lacks: subjects, or more of them."""
    subjects = {face.subject_id for face in labelled} - {""}
    if len(subjects) >= _MIN_SUBJECTS:
        return "fer split"
    if subjects:
        return "fer add VIDEO"
    if any(face.time_s is not None for face in labelled):
        return "fer subjects track"
    is_dataset = all(face.status == "given" for face in labelled)
    return "fer split --group none" if is_dataset else "fer subjects assign CSV"
