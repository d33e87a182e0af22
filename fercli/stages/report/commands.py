"""What a project noted of itself to the commands, settings and versions that make its report again."""

import importlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from fercli.core.project import Project
from fercli.core.runs import Run
from fercli.core.settings import option_name, plain_settings
from fercli.stages.report.run import read_config, read_json

# In the order of the pipeline: how the log names the stage, the module of its settings, the words of its command.
_STAGES = (
    ("add", "add", "fer add VIDEO"),
    ("add-SET", "add", "fer add PATH"),
    ("extract-frames", "extract_frames", "fer extract-frames"),
    ("align", "align.plan", "fer align"),
    ("subjects-track", "subjects", "fer subjects track"),
    ("labels-import", "labels.importing", "fer labels import FILE"),
    ("labels-vote", "labels.vote", "fer labels vote"),
    ("split-SPLIT", "split", "fer split"),
    ("train", "train.settings", "fer train"),
    ("eval-RUN-test", "evaluate", "fer eval"),
    ("gradcam-RUN", "gradcam", "fer gradcam"),
)


def made_by(project: Project, run: Run | None) -> list[str]:
    """The commands of the pipeline that have been run, the last of each, with the settings that are not the built-in.

    Words in capitals stand for files that the log does not name.
    """
    last = _last_settings(project)
    config = read_config(run).get("train", {}) if run else {}
    if run:
        last["train"] = config
    words = {"RUN": run.run_id if run else "-", "SPLIT": str(config.get("split", "default"))}
    commands = [f"fer init . --classes {_word(list(project.classes))}"]
    for pattern, module, command in _STAGES:
        for name, text in _matches(pattern, command, words, last):
            commands.append(text + "".join(_options(module, last[name])))
    return [*commands, "fer report"]


def _matches(
    pattern: str, command: str, words: Mapping[str, str], last: Mapping[str, object]
) -> Iterator[tuple[str, str]]:
    """Names in the log that a stage goes by, each with its command; a set's name stands in both."""
    for word, meaning in words.items():
        pattern = pattern.replace(word, meaning)
    if "SET" not in pattern:
        yield from [(pattern, command)] if pattern in last else []
        return
    prefix = pattern.removesuffix("SET")
    yield from ((name, command.replace("SET", name.removeprefix(prefix))) for name in last if name.startswith(prefix))


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


def _last_settings(project: Project) -> dict[str, Mapping[str, Any]]:  # JSON
    path = project.root / ".fer" / "journal.jsonl"
    last: dict[str, Mapping[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            entry = json.loads(line)
            last[entry["stage"]] = entry["settings"]
        except (ValueError, KeyError, TypeError):
            continue  # a line cut short by a kill says nothing
    return last


def _options(module: str, given: Mapping[str, Any]) -> Iterator[str]:
    """--name value for each setting that differs from its default; mappings as --set."""
    defaults = _defaults(module, set(given))
    if defaults is None:
        return
    plain = plain_settings(defaults)
    for column in fields(defaults):
        value = given.get(column.name, plain[column.name])
        # Without it, `fer add` takes what it finds for loose pictures.
        is_needed = module == "add" and column.name in given and column.name == "source"
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


def _defaults(module: str, names: set[str]) -> Any:  # an instance of some settings class
    """The built-in settings of a stage, found by their fields; None when the log is of another version."""
    try:
        found = importlib.import_module(f"fercli.stages.{module}")
    except ModuleNotFoundError:
        return None
    classes = [value for value in vars(found).values() if isinstance(value, type) and is_dataclass(value)]
    fitting = [one for one in classes if one.__name__.endswith("Settings") and names <= {f.name for f in fields(one)}]
    return fitting[0]() if fitting else None


def _word(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return f'"{text}"' if " " in text else text


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:  # JSON or TOML
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", _word(value)
