"""List the commands, settings and versions that make a report again."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from fercli.core.commit import log_lines
from fercli.core.project import Project
from fercli.core.runs import Run
from fercli.core.settings import changed_options, plain_settings, plain_text, shell_word
from fercli.core.stage import REQUIRED
from fercli.stages.add import AddSettings, AddSourceSettings
from fercli.stages.report import ReportSettings
from fercli.stages.report.files import read_config, read_json
from fercli.stages.subjects.names import NAMES_PLACE, logged_names, shown_names
from fercli.stages.table import TABLE, Row
from fercli.stages.train import TrainSettings

Line = Mapping[str, Any]  # JSON
# Commands whose words are ids of subjects.
_OF_SUBJECTS = ("subjects merge", "subjects rename")
_UNDO = "fer subjects undo"
_DEDUPLICATED = "-deduplicated"


@dataclass(frozen=True)
class Recipe:
    """The commands in their order, and what stands in them in place of names."""

    commands: tuple[str, ...]
    notes: tuple[str, ...] = ()


def recipe_of(project: Project, run: Run | None, settings: ReportSettings, split_name: str) -> Recipe:
    """The commands that made the project and its run, with the settings that are not the built-in ones.

    Every command that changed something is there, in the order in which they were run; one that directly repeats the
    one before changed nothing. Of splits, trainings and what follows them only those of this run. Files stand there by
    name, imports by their number, subjects by their id; nobody's name does.
    """
    whole = read_config(run) if run else {}
    config = {**{name: whole[name] for name in ("model", "augment") if name in whole}, **whole.get("train", {})}
    lines = [(row, line) for row, line in _noted(project, run, settings, split_name) if row is not None]
    names = shown_names(project)
    commands = []
    for row, line in lines:
        words = [str(word) for word in line.get("arguments") or ()]
        if row.words in _OF_SUBJECTS:
            names = logged_names(names, words)
            words = [names.get(word, word) for word in words]
        given = config if row.words == "train" and config else line["settings"]
        commands.append(f"fer {row.words}{_arguments(row, words)}{_options(row, given)}")
    report = next(row for row in TABLE if row.words == "report")
    order = f" --order {shell_word(list(project.order))}" if project.order else ""
    first = f"fer init . --classes {shell_word(list(project.classes))}{order}"
    last = f"fer report{_options(report, plain_settings(settings))}"
    # A second `undo` undoes another step.
    once = (one for command, own in itertools.groupby(commands) for one in (own if command == _UNDO else [command]))
    return Recipe((first, *once, last), tuple(_notes(commands, has_names=bool(names))))


def _noted(
    project: Project, run: Run | None, settings: ReportSettings, split_name: str
) -> Iterator[tuple[Row | None, Line]]:
    """The lines of the log with their commands; None where that made nothing of this run and its data."""
    wanted = _wanted(run, settings, split_name)
    is_trained = False
    for line in log_lines(project.root):
        if not isinstance(line.get("settings"), Mapping):
            continue
        row = _row_of(str(line.get("stage")), line["settings"], wanted)
        if row and row.words == "train":
            counts = line.get("counts") or {}
            is_other = run is None or counts.get("run", run.run_id) != run.run_id
            # A run that was interrupted stands there once more for each time that it went on.
            row, is_trained = (None if is_other or is_trained else row), is_trained or not is_other
        yield row, line


def _wanted(run: Run | None, settings: ReportSettings, split_name: str) -> dict[str, tuple[str, ...]]:
    """Of some commands the names under which the log knows those that belong to this report."""
    source = split_name.removesuffix(_DEDUPLICATED)
    run_id = run.run_id if run else "-"
    return {
        "split": (f"split-{split_name}", f"split-{source}"),
        "check leakage": (f"check-leakage-{source}",) if source != split_name else (),
        "eval": (f"eval-{run_id}-{settings.split}", f"eval-groups-{run_id}-{settings.split}"),
        "gradcam": (f"gradcam-{run_id}",),
        "report": (),
    }


def _row_of(name: str, settings: Line, wanted: Mapping[str, tuple[str, ...]]) -> Row | None:
    """The command that the log knows by this name; None for what made nothing of this run and its data."""
    for row in TABLE:
        if row.home and not row.alias_of and (name == row.section or name.startswith(f"{row.section}-")):
            stage = row.stage()
            is_part = row.is_step or (stage.remakes and stage.writes(SimpleNamespace(**settings)))
            return row if is_part and name in wanted.get(row.words, (name,)) else None
    return None


def _arguments(row: Row, words: Sequence[str]) -> str:
    """The words that the log holds; where it is of an older version, capitals stand for files that it does not name."""
    missing = [one.metavar.rstrip(".") for one in row.stage().arguments if one.default is REQUIRED and not words]
    return "".join(f" {shell_word(word)}" for word in [*words, *missing])


def _options(row: Row, given: Line) -> str:
    """The options that a line of the log asks for."""
    settings_class = row.stage().settings
    if settings_class is None:
        return ""
    if settings_class is AddSettings and "source" in given:
        settings_class = AddSourceSettings
    # Without it, `fer add` takes what it finds for loose images; the model that is built in may be another one day.
    needed = {AddSourceSettings: "source", TrainSettings: "model_name"}.get(settings_class, "")
    return "".join(f" {option}" for option in changed_options(settings_class, given, needed=needed))


def _notes(commands: Sequence[str], *, has_names: bool) -> Iterator[str]:
    """What stands in the commands, and in the page, in place of names."""
    if has_names:
        yield (
            "In this report and in the project's log, ids that people gave to subjects are replaced by name-1, "
            f"name-2, ..., as they may be names of people; `{NAMES_PLACE}` says which is which."
        )
    if any(command.startswith("fer labels import import-") for command in commands):
        yield (
            "Imported files are replaced by import-1, import-2, ..., as their names may be names of people; they are "
            "the files of `labels/imports/imports.json`, in this order."
        )


def run_settings(run: Run | None) -> list[tuple[str, str]]:
    """Everything that config.toml holds, one dotted name a row."""
    return [(name, value) for name, value in _flat(read_config(run), "") if value] if run else []


def versions_of(run: Run | None) -> dict[str, str]:
    """Versions and machine of the run: run.json's, then what env.json adds."""
    if run is None:
        return {}
    known = {name: str(value) for name, value in run.record.versions.items()}
    added = {name.removeprefix("versions."): value for name, value in _flat(read_json(run.folder / "env.json"), "")}
    return known | {name: value for name, value in added.items() if name not in known}


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:  # JSON or TOML
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", plain_text(value)
