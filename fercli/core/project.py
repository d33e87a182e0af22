"""The project folder: where things are, what fer.toml says, and its tables by their row type."""

import dataclasses
import json
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from fercli.core.commit import Commit, current_path, read_record
from fercli.core.emotions import NO_CLASS, built_in_aliases
from fercli.core.errors import FerError, MissingStageError, ProjectError, SettingsError, TableError
from fercli.core.files import replace_text, sync_folder
from fercli.core.locks import writing_lock
from fercli.core.places import Places, check_folders, check_names, digests_of, leads_out
from fercli.core.rows import Attribute, Face, Frame, Label, SplitRow, Subject, Video, Vote
from fercli.core.settings import suggestion
from fercli.core.tables import read_table, write_table

Row = TypeVar("Row")
Contents = TypeVar("Contents")
CONFIG_NAME = "fer.toml"
_FORMULA_SIGNS = ("=", "+", "-", "@")
TABLES: dict[type[Any], str] = {
    Video: "videos.csv",
    Frame: "frames.csv",
    Face: "faces.csv",
    Subject: "subjects.csv",
    Attribute: "attributes.csv",
    Vote: "votes.csv",
    Label: "labels.csv",
}
# Of these several rows may have one id.
REPEATED = (Vote, Attribute)
# The command that makes each table, for the hint of whoever misses it.
MAKERS: dict[type[Any], str] = {
    Video: "fer add VIDEO",
    Frame: "fer extract-frames",
    Face: "fer align",
    Subject: "fer subjects track",
    Attribute: "fer subjects assign CSV --columns COLUMN",
    Vote: "fer labels import FILE",
    Label: "fer labels import FILE",
}
_OR_LABEL = " (or label faces here: fer annotate)"


@dataclass(frozen=True)
class Project:
    """One project folder; all paths in its tables are relative to `root` and POSIX."""

    root: Path
    name: str
    classes: tuple[str, ...]
    aliases: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)  # fer.toml as it stands

    def section(self, name: str) -> Mapping[str, object]:
        """The settings that fer.toml holds for one command."""
        return dict(self.config.get(name, {}))

    @property
    def order(self) -> tuple[str, ...]:
        """The classes that have an order, lowest first; none where `[project] order` is not set."""
        return tuple(self.config.get("project", {}).get("order", ()))

    def table_path(self, row_type: type[Any]) -> Path:
        """Where the table of these rows lies."""
        return self.root / "manifests" / TABLES[row_type]

    def split_path(self, name: str) -> Path:
        """Where the split of that name lies; its .json beside it says how it was made.

        Raises:
            SettingsError: it is no name, but a path.
        """
        if leads_out(name) or "/" in name:
            raise SettingsError(f"{name!r} is not a name of a split", hint="Name one of manifests/splits.")
        return self.root / "manifests" / "splits" / f"{name}.csv"

    def rows(self, row_type: type[Row], *, read: Callable[[Path, type[Row]], list[Row]] = read_table) -> list[Row]:
        """All rows of a table; none when it has not been made yet.

        Args:
            row_type: says which table.
            read: `read_rows` of data/frames.py gives the same rows, large tables faster, once pandas is loaded.

        Raises:
            TableError: it is damaged, or holds one id twice.
        """
        path = self.table_path(row_type)
        rows = self.read(path, lambda place: read(place, row_type)) if self.has(path) else []
        check_names(path, rows)
        if row_type not in REPEATED:
            _check_ids(path, rows)
        return rows

    def required_rows(
        self, row_type: type[Row], *, read: Callable[[Path, type[Row]], list[Row]] = read_table
    ) -> list[Row]:
        """All rows of a table that an earlier stage must have made; `read` as for `rows`.

        Raises:
            MissingStageError: the table does not exist, or is empty.
        """
        rows = self.rows(row_type, read=read)
        if not rows:
            self.require(row_type, is_empty=self.has(self.table_path(row_type)))
        return rows

    def require(self, row_type: type[Any], *, is_empty: bool = False) -> None:
        """Raise MissingStageError when a table has not been made yet, without reading it."""
        if is_empty or not self.has(self.table_path(row_type)):
            noun = TABLES[row_type].removesuffix(".csv")
            state = "is empty" if is_empty else "is missing"
            raise MissingStageError(
                f"'{self.name}' has no {noun} yet: manifests/{TABLES[row_type]} {state}",
                hint=f"Run: {MAKERS[row_type]}" + (_OR_LABEL if row_type in (Vote, Label) else ""),
            )

    def write_rows(self, rows: Iterable[Any], row_type: type[Any]) -> str:
        """Replace a table; its path relative to the project comes back."""
        path = self.table_path(row_type)
        write_table(path, rows, row_type, self.classes if row_type is Label else ())
        return self.relative(path)

    def split_rows(self, name: str) -> list[SplitRow]:
        """The rows of a split.

        Raises:
            MissingStageError: there is no split of that name.
        """
        path = self.split_path(name)
        if not self.has(path):
            known = self.splits()
            hint = f"Available splits: {', '.join(known)}." if known else "Run: fer split"
            raise MissingStageError(f"split '{name}' not found in '{self.name}'", hint=hint)
        return self.read(path, lambda place: read_table(place, SplitRow))

    def splits(self) -> list[str]:
        """The names of the splits that there are."""
        folder = "manifests/splits"
        names = {path.stem for path in (self.root / folder).glob("*.csv")}
        waiting = [Path(place) for place in read_record(self.root).exchanges if place.startswith(f"{folder}/")]
        return sorted(names | {path.stem for path in waiting if path.suffix == ".csv"})

    def relative(self, path: Path) -> str:
        """`path` relative to the project, POSIX."""
        return path.relative_to(self.root).as_posix()

    def has(self, path: Path) -> bool:
        """Whether a file of the project is there, or has been committed and waits for its place."""
        return current_path(self.root, path).exists()

    def inside(self, place: str, table: str = "") -> Path:
        """The file that a table names, or that a commit has waiting for that place; see `Places.inside`.

        Raises:
            TableError: it may lie outside the project, or is no regular file.
        """
        return self.places.inside(place, table)

    def digests(self, paths: Iterable[str], table: str = "") -> dict[str, str]:
        """SHA-256 of the files that a table names, packed ones once; "missing" where there is none.

        A file that looks as it did when it was read last is not read; see `core/digests.py`.

        Raises:
            TableError: as `inside`.
        """
        return digests_of(self.places, (path.partition("#")[0] for path in paths), table)

    @cached_property
    def places(self) -> Places:
        """Where the files lie that the tables name."""
        return Places(self.root)

    @contextmanager
    def commit(self, *, patience_s: float = 0.2) -> Iterator[Commit]:
        """Hold the project's only writing place; all that is given to the commit happens at once at the end.

        Nothing happens when the block raises.

        Raises:
            ProjectError: another process is writing, and goes on for longer than `patience_s`.
        """
        with writing_lock(self.root, patience_s=patience_s):
            commit = Commit(self.root, {kind: f"manifests/{name}" for kind, name in TABLES.items()}, self.classes)
            try:
                yield commit
                commit.finish()
            except BaseException:
                commit.undo()
                raise

    def read(self, path: Path, read: Callable[[Path], Contents]) -> Contents:
        """What `read` makes of a table, which may be committed and wait for its place."""
        while True:
            place = current_path(self.root, path)
            try:
                return read(place)
            except TableError as error:
                # It has taken its place meanwhile.
                if place == path or not isinstance(error.__cause__, FileNotFoundError):
                    raise


def find_project(start: Path) -> Path:
    """The nearest folder at or above `start` with a fer.toml.

    Raises:
        ProjectError: there is none.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder
    raise ProjectError(
        f"not a fercli project (or any parent folder): '{start}'",
        hint="Create one with `fer init DIR`, or point to one with `-p DIR`.",
    )


def open_project(root: Path) -> Project:
    """Read the project whose folder holds fer.toml.

    Raises:
        ProjectError: there is no fer.toml, or it is not TOML.
        SettingsError: it names no classes.
    """
    path = root / CONFIG_NAME
    if not path.is_file():
        raise ProjectError(
            f"'{root}' is not a fercli project: {CONFIG_NAME} is missing", hint="Create one with `fer init DIR`."
        )
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectError(
            f"{path}: not valid TOML: {error}", hint="Fix that line and run the command again."
        ) from error
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read: {error.strerror}", hint="Check its permissions.") from error
    _check_config(path, config)
    check_folders(root)
    classes = tuple(config["project"]["classes"])
    aliases = built_in_aliases(classes) | dict(config.get("labels", {}).get("aliases", {}))
    return Project(root.resolve(), str(config["project"].get("name", root.resolve().name)), classes, aliases, config)


def create_project(
    root: Path,
    *,
    name: str,
    classes: Sequence[str],
    order: Sequence[str] = (),
    sections: Mapping[str, Mapping[str, object]] | None = None,
) -> Project:
    """Make the folder, its fer.toml and its empty rooms.

    `order` are the classes that have an order, lowest first; `sections` are settings that fer.toml begins with.

    Raises:
        ProjectError: a project is there already, with other classes; the same one is opened.
        SettingsError: the classes are too few, or two of them cannot be told apart.
    """
    check_classes(classes, "a project")
    _check_harmless(classes)
    if (root / CONFIG_NAME).exists():
        project = open_project(root)
        if project.classes != tuple(classes):
            raise ProjectError(
                f"'{root}' is already a project, with classes {', '.join(project.classes)}",
                hint=f"Edit the classes in {root / CONFIG_NAME}, or create the new project in another folder.",
            )
        if order and project.order != tuple(order):
            raise ProjectError(
                f"'{root}' is already a project, with {_order_words(project.order)}",
                hint=f"Set order = {json.dumps(list(order), ensure_ascii=False)} below [project] in "
                f"{root / CONFIG_NAME}.",
            )
        return project
    for folder in ("videos", "frames", "faces", "labels/imports", "manifests/splits", "runs", "reports", ".fer"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        sync_folder((root / folder).parent)
    for left in root.glob(".fer~*.toml"):
        left.unlink(missing_ok=True)  # a kill while the file was written
    header = "# A fer project. Settings written here differ from the built-in ones: `fer config show --origin`.\n"
    own = {"name": name, "classes": list(classes), **({"order": list(order)} if order else {})}
    table = {"project": own, **(sections or {})}
    replace_text(root / CONFIG_NAME, header + tomli_w.dumps(table))
    sync_folder(root)
    sync_folder(root.parent)
    return open_project(root)


def _check_ids(path: Path, rows: Sequence[Any]) -> None:
    """Refuse a table that has one id, which is its first column, in two lines."""
    if not rows:
        return
    name = dataclasses.fields(rows[0])[0].name
    ids = [getattr(row, name) for row in rows]
    if len(set(ids)) < len(ids):
        twice = next(one for one, number in Counter(ids).items() if number > 1)
        raise TableError(f"{path}: duplicate {name} '{twice}'", hint="Remove one of the two rows.")


def check_classes(classes: object, place: str, kind: type[FerError] = SettingsError) -> None:
    """Raise `kind`, with `place` in front, unless these are two words or more that annotators can tell apart."""
    example = 'For example: ["happy", "neutral", "bored"]'
    if not (isinstance(classes, list | tuple) and all(isinstance(word, str) and word.strip() for word in classes)):
        raise kind(f"{place} needs classes, a list of words", hint=example)
    plain: dict[str, str] = {}
    for word in classes:
        key = word.strip().casefold()
        if key in plain:
            differ = f"'{plain[key]}' and '{word}' are equal but for capitals and spaces"
            words = differ if plain[key] != word else f"'{word}' is named twice"
            raise kind(f"{place}: class {words}", hint="Take another word for one of them.")
        plain[key] = word
    if len(plain) < 2:
        raise kind(f"{place} needs classes, a list of at least two different words", hint=example)
    if taken := sorted(plain.keys() & set(NO_CLASS)):
        raise kind(
            f"'{taken[0]}' cannot be a class name: it is reserved for faces without an emotion",
            hint="Choose another name.",
        )


def check_order(order: object, classes: Sequence[str], place: str) -> None:
    """Raise SettingsError, with `place` in front, unless `order` is empty or names two classes or more, each once."""
    example = f"For example: order = {json.dumps(list(classes), ensure_ascii=False)}, lowest first."
    if not (isinstance(order, list | tuple) and all(isinstance(word, str) for word in order)):
        raise SettingsError(f"{place}: order must be a list of classes", hint=example)
    for word in order:
        if word not in classes:
            raise SettingsError(f"{place}: order names '{word}', which is not a class", hint=suggestion(word, classes))
    if order and (len(set(order)) < len(order) or len(order) < 2):
        raise SettingsError(f"{place}: order needs at least two classes, each once", hint=example)


def _order_words(order: Sequence[str]) -> str:
    return f"the order {' < '.join(order)}" if order else "classes without an order"


def _check_harmless(classes: Sequence[str]) -> None:
    """Refuse names that a spreadsheet takes for a formula, or a terminal for an order."""
    for word in classes:
        if word.startswith(_FORMULA_SIGNS) or not word.isprintable():
            raise SettingsError(
                f"{word!r} cannot be a class name: a spreadsheet or terminal would take it for a command",
                hint=f"Use printable letters, and none of {' '.join(_FORMULA_SIGNS)} at the beginning.",
            )


def _check_config(path: Path, config: Mapping[str, Any]) -> None:
    for section, values in config.items():
        if not isinstance(values, Mapping):
            raise SettingsError(f"{path}: '{section}' is a section, not a value", hint=f"Write [{section}] above it.")
    classes = config.get("project", {}).get("classes")
    check_classes(classes, f"{path}: [project]")
    check_order(config["project"].get("order", []), classes, f"{path}: [project]")
    aliases = config.get("labels", {}).get("aliases", {})
    if not isinstance(aliases, Mapping):
        raise SettingsError(
            f"{path}: [labels] aliases must be a table", hint='For example: aliases = {joyful = "happy"}'
        )
    for word, meaning in aliases.items():
        if meaning not in classes:
            raise SettingsError(
                f"{path}: alias '{word}' maps to '{meaning}', which is not a class",
                hint=suggestion(str(meaning), classes),
            )
