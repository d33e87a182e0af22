"""labels/imports/: every imported file as it came, the key of annotators, and what was taken from where."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from fercli.core.commit import Commit, current_path
from fercli.core.errors import InputError, ProjectError
from fercli.core.files import read_text, sha256_of, slug
from fercli.core.project import Project


@dataclass(frozen=True)
class ImportedFile:
    """One import: the file, where its copy lies, how it was read, and with what settings (`mark`).

    `faces_mark` names the faces it was matched against while some items had none, so that new faces bring it back.
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


def archive_folder(project: Project) -> Path:
    """Where imported files are kept."""
    return project.root / "labels" / "imports"


def read_imports(project: Project) -> list[ImportedFile]:
    """All imports so far, oldest first."""
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


def kept_path(path: Path, digest: str) -> str:
    """Where the copy of an imported file lies, relative to the project; of a folder of pictures it is their list."""
    suffix = ".list" if path.is_dir() else path.suffix.lower()
    return f"labels/imports/{digest[:8]}-{slug(path.name if path.is_dir() else path.stem)}{suffix}"


def keep_file(project: Project, commit: Commit, path: Path, kept: str) -> None:
    """Commit a copy of an imported file, byte for byte."""
    data = _listing(path).encode("utf-8") if path.is_dir() else path.read_bytes()
    commit.data(project.root / kept, data)


def _listing(folder: Path) -> str:
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    return "".join(f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)
