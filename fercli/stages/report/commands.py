"""What a project noted of itself to the commands, settings and versions that make its report again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from fercli.core.commit import log_lines
from fercli.core.project import Project
from fercli.core.runs import Run
from fercli.core.settings import option_name, plain_settings
from fercli.core.stage import REQUIRED
from fercli.stages.add import AddSettings, AddSourceSettings
from fercli.stages.report.run import read_config, read_json
from fercli.stages.table import TABLE, Row

Line = Mapping[str, Any]  # JSON
# Commands of one of these groups stand in the order in which they were run.
_BY_HAND = ("subjects",)


def made_by(project: Project, run: Run | None) -> list[str]:
    """The commands that made the project and its run, with the settings that are not the built-in ones.

    Of most stages the last call; of those that add up (add, labels import, and what was done to subjects by hand) all,
    in their order. Files stand there by name, imports by their number; nobody's name does.
    """
    config = read_config(run).get("train", {}) if run else {}
    kept: dict[tuple[int, int, str], str] = {}
    for number, line in enumerate(log_lines(project.root)):
        row = _row_of(str(line.get("stage")), run, str(config.get("split", "default")))
        if row is None or not isinstance(line.get("settings"), Mapping):
            continue
        settings = config if row.words == "train" and config else line["settings"]
        place = _place(row)
        is_last = not row.stage().is_repeated
        if is_last:
            kept = {key: text for key, text in kept.items() if key[0] != place or key[2] != row.words}
        key = (place, number, row.words)
        kept[key] = f"fer {row.words}{_arguments(row, line)}{''.join(_options(row, settings))}"
    commands = [f"fer init . --classes {_word(list(project.classes))}"]
    return [*commands, *_once(kept), "fer report"]


def _once(kept: Mapping[tuple[int, int, str], str]) -> list[str]:
    """The commands in their order, each once but for those by hand, where a second `undo` undoes another step."""
    told = {key: key if key[2].split()[0] in _BY_HAND else kept[key] for key in sorted(kept)}
    first = {mark: key for key, mark in reversed(told.items())}
    return [kept[key] for key, mark in told.items() if first[mark] == key]


def _row_of(name: str, run: Run | None, split: str) -> Row | None:
    """The command that the log knows by this name; None for what made nothing of this run and its data."""
    for row in TABLE:
        is_named = row.home and not row.alias_of and (name == row.section or name.startswith(f"{row.section}-"))
        if not is_named or not (row.is_step or row.stage().is_repeated) or row.words == "report":
            continue
        of_run = {"eval": f"eval-{run.run_id if run else '-'}-test", "gradcam": f"gradcam-{run.run_id if run else '-'}"}
        wanted = {**of_run, "split": f"split-{split}"}.get(row.words)
        return row if wanted in (None, name) else None
    return None


def _place(row: Row) -> int:
    """Where in the pipeline a command stands; those by hand stand together."""
    group = row.words.split()[0]
    alike = [place for place, one in enumerate(TABLE) if one.words.split()[0] == group]
    return alike[0] if group in _BY_HAND else TABLE.index(row)


def _arguments(row: Row, line: Line) -> str:
    """The words that the log holds; where it is of an older version, capitals stand for files that it does not name."""
    words: Sequence[str] = line.get("arguments") or ()
    missing = [one.metavar.rstrip(".") for one in row.stage().arguments if one.default is REQUIRED and not words]
    return "".join(f" {_word(word)}" for word in [*words, *missing])


def _options(row: Row, given: Line) -> Iterator[str]:
    """--name value for each setting that differs from its default; mappings and hidden ones as --set."""
    settings_class = row.stage().settings
    if settings_class is AddSettings and "source" in given:
        settings_class = AddSourceSettings
    if settings_class is None:
        return
    defaults = settings_class()
    plain = plain_settings(defaults)
    for column in fields(defaults):
        value = given.get(column.name, plain[column.name])
        # Without it, `fer add` takes what it finds for loose images.
        is_needed = settings_class is AddSourceSettings and column.name == "source"
        if value is None or (value == plain[column.name] and not is_needed):
            continue
        name = option_name(column)
        if isinstance(value, Mapping):
            yield from (f" --set {column.name}.{key}={_word(inner)}" for key, inner in value.items())
        elif column.metadata.get("is_hidden"):
            yield f" --set {column.name}={_word(value)}"
        elif isinstance(value, bool):
            yield f" --{name}" if value else f" --no-{name}"
        else:
            yield f" --{name} {_word(value)}"


def run_settings(run: Run | None) -> list[tuple[str, str]]:
    """Everything that config.toml holds, one dotted name a row."""
    return [(name, value) for name, value in _flat(read_config(run), "") if value] if run else []


def versions_of(run: Run | None) -> dict[str, str]:
    """Versions and machine of the run: run.json's, then what env.json adds."""
    if run is None:
        return {}
    known = {name: str(value) for name, value in run.record.versions.items()}
    added = {name.removeprefix("versions."): value for name, value in _flat(read_json(run.folder / "env.json"), "")}
    return known | {name: value.strip('"') for name, value in added.items() if name not in known}


def _word(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return f'"{text}"' if " " in text else text


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:  # JSON or TOML
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _word(value)
