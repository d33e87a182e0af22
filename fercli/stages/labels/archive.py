"""labels/imports/: every imported file as it came, the key of annotators, and what was taken from where."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fercli.core.commit import Commit, current_path
from fercli.core.errors import InputError, ProjectError
from fercli.core.files import read_text, sha256_of
from fercli.core.project import Project
from fercli.core.rows import Label, Vote
from fercli.core.tables import read_table


@dataclass(frozen=True)
class ImportedFile:
    """One import: the file, where its copy lies, how it was read, and with what settings (`mark`).

    `faces_mark` names the faces it was matched against while some items had none, so that new faces bring it back.
    `settings` is how it was read, `guessed` whether the file's name stands for the annotator, `renamed` which names in
    it were taken for others. Of an import that was taken back (`removed_at`) neither name nor copy is left.
    """

    name: str
    sha256: str
    kept: str
    format: str
    reason: str
    imported_at: str
    mark: str
    num_votes: int
    num_unmatched: int
    faces_mark: str
    settings: dict[str, Any] = field(default_factory=dict)
    guessed: bool = False
    renamed: dict[str, str] = field(default_factory=dict)
    removed_at: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells a file from others: its bytes and, where its name stands for the annotator, that too.

        Two people who agree on every face write the same bytes.
        """
        return self.sha256, Path(self.name).stem if self.guessed else ""


def archive_folder(project: Project) -> Path:
    """Where imported files are kept."""
    return project.root / "labels" / "imports"


def import_name(place: int) -> str:
    """What an import is called everywhere but in labels/imports: by its number, the first (place 0) being 1."""
    return f"import-{place + 1}"


def import_place(name: str) -> int:
    """The place of an import of this name; -1 where it is none."""
    number = name.removeprefix("import-")
    return int(number) - 1 if number.isdecimal() else -1


def numbered(votes: Iterable[Vote], imports: Sequence[ImportedFile]) -> list[Vote]:
    """Votes that name their import by its number; older versions wrote the path of the copy, which may hold a name."""
    names = {entry.kept: import_name(place) for place, entry in enumerate(imports) if entry.kept}
    return [replace(vote, source=names.get(vote.source, vote.source)) for vote in votes]


def read_imports(project: Project) -> list[ImportedFile]:
    """All imports so far, oldest first, those that were taken back too."""
    path = current_path(project.root, archive_folder(project) / "imports.json")
    if not path.exists():
        return []
    try:
        return [ImportedFile(**entry) for entry in json.loads(read_text(path))]
    except (ValueError, TypeError) as error:
        raise ProjectError(
            f"'{path}' is corrupt: {error}", hint="Restore it, or remove it and import again."
        ) from error


def put_imports(project: Project, commit: Commit, imports: list[ImportedFile]) -> str:
    """Commit the list of imports; its path relative to the project comes back."""
    path = archive_folder(project) / "imports.json"
    return commit.text(path, json.dumps([asdict(entry) for entry in imports], indent=1, ensure_ascii=False) + "\n")


def read_key(project: Project) -> dict[str, str]:
    """Annotators' names and their pseudonyms."""
    path = current_path(project.root, archive_folder(project) / "annotators.json")
    if not path.exists():
        return {}
    try:
        return {str(name): str(word) for name, word in json.loads(read_text(path)).items()}
    except (ValueError, AttributeError) as error:
        hint = "Restore it: without it annotators cannot be told apart from those of earlier imports."
        raise ProjectError(f"'{path}' is corrupt: {error}", hint=hint) from error


def put_key(project: Project, commit: Commit, key: dict[str, str]) -> str:
    """Commit the key of annotators; its path relative to the project comes back."""
    path = archive_folder(project) / "annotators.json"
    return commit.text(path, json.dumps(key, indent=1, ensure_ascii=False) + "\n")


def keep_given(project: Project, commit: Commit, labels: Sequence[Label]) -> None:
    """Keep the labels that came with a data set and that votes now replace: they are back when the votes are gone."""
    after = {label.face_id: label for label in labels}
    lost = {
        label.face_id: label
        for label in project.rows(Label)
        if label.status == "given" and after.get(label.face_id) != label
    }
    if lost:
        commit.table(
            [*({row.face_id: row for row in read_given(project)} | lost).values()], Label, _given_path(project)
        )


def read_given(project: Project) -> list[Label]:
    """Labels of data sets that votes have replaced."""
    path = current_path(project.root, _given_path(project))
    return read_table(path, Label) if path.exists() else []


def _given_path(project: Project) -> Path:
    return project.root / "labels" / "given.csv"


def content_digest(path: Path) -> str:
    """SHA-256 of a file, or of the list of a folder's files.

    Raises:
        InputError: it does not exist or cannot be read.
    """
    try:
        if path.is_dir():
            return hashlib.sha256(_listing(path).encode()).hexdigest()
        return sha256_of(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: does not exist", hint="Check the path of the votes.") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}", hint="Check its permissions.") from error


def kept_path(path: Path, place: int) -> str:
    """Where the copy of an imported file lies, relative to the project; of a folder of pictures it is their list."""
    suffix = ".list" if path.is_dir() else path.suffix.lower()
    return f"labels/imports/{import_name(place)}{suffix if suffix[1:].isalnum() and suffix.isascii() else ''}"


def keep_file(project: Project, commit: Commit, path: Path, kept: str) -> None:
    """Commit a copy of an imported file, byte for byte."""
    data = _listing(path).encode("utf-8") if path.is_dir() else path.read_bytes()
    commit.data(project.root / kept, data)


def _listing(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    return "".join(f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)
