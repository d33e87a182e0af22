"""Votes in Label Studio's exports: JSON (a task with its annotations), JSON_MIN and CSV (one annotation each)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fercli.core.errors import InputError
from fercli.labels.formats.csv import ITEM_WORDS, open_table
from fercli.labels.formats.rawvotes import RawVote, RawVotes, listed, utc_stamp
from fercli.labels.formats.textfile import find_encoding, read_head

# What Python's parser needs is about seven times the text; half a gigabyte of JSON is no export of votes.
MAX_JSON_BYTES = 500_000_000
# The columns that Label Studio itself writes; any other is data of the task or a control's answer.
OWN_KEYS = frozenset({
    "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "completed_by", "inner_id",
    "total_annotations", "cancelled_annotations", "total_predictions", "comment_count", "project",
})  # fmt: skip
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")

Json = dict[str, Any]  # a JSON object: its values are of any kind until they are looked at


@dataclass
class _Found:
    """What has been read so far."""

    votes: list[RawVote] = field(default_factory=list)
    gold: list[RawVote] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    num_skipped: int = 0

    def add(self, vote: RawVote, choices: Sequence[str], *, is_gold: bool = False) -> None:
        """Take the one choice of an annotation; none is a skip, two are a conflict."""
        if not choices:
            self.num_skipped += 1
        elif len(choices) > 1:
            self.conflicts.append(f"{vote.item} ({vote.annotator}): {', '.join(choices)}")
        else:
            (self.gold if is_gold else self.votes).append(vote._replace(label=choices[0]))

    def as_votes(self, form: str, reason: str, notes: Iterable[str] = ()) -> RawVotes:
        """Everything found, under the name of the form it was found in."""
        return RawVotes(form, reason, self.votes, self.num_skipped, self.gold, self.conflicts, list(notes))


def read_label_studio(path: Path, *, control: str = "", annotator: str = "") -> RawVotes:
    """Read votes from a Label Studio export: JSON, JSON_MIN or CSV, told apart by content.

    `was_cancelled` is a skip, `ground_truth` is gold, `predictions` and `drafts` are no votes.

    Args:
        path: the file.
        control: name of the Choices control, where the labelling config has several.
        annotator: who voted, where the file does not say.

    Raises:
        InputError: not JSON, not such an export, several controls and no `control`, a task without picture.
    """
    if not read_head(path, 64).decode("utf-8", "replace").lstrip("\ufeff \t\r\n").startswith(("[", "{")):
        return _read_table(path, control, annotator)
    tasks = load_tasks(path)
    if any("annotations" in task or "completions" in task for task in tasks):
        return _read_tasks(path, tasks, control, annotator)
    return _read_flat(path, tasks, "label-studio-json-min", control, annotator=annotator)


def load_tasks(path: Path) -> list[Json]:
    """The list of objects in a JSON file.

    Raises:
        InputError: the file is too large, not JSON, or holds something else.
    """
    if path.stat().st_size > MAX_JSON_BYTES:
        raise InputError(f"{path}: more than {MAX_JSON_BYTES // 10**6} MB of JSON", hint="Export the project in parts.")
    try:
        tasks = json.loads(path.read_text(encoding=find_encoding(path).name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}", hint="Export the project again as JSON.") from error
    tasks = [tasks] if isinstance(tasks, dict) else tasks
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InputError(
            f"{path}: not a list of Label Studio tasks", hint="Export the project as JSON, not JSON of areas."
        )
    return tasks


def _read_tasks(path: Path, tasks: Sequence[Json], control: str, annotator: str) -> RawVotes:
    control = control or _only_control(path, tasks)
    found = _Found()
    for place, task in enumerate(tasks, start=1):
        data = task.get("data")
        item = _item_of(path, place, data if isinstance(data, dict) else task)
        for annotation in _annotations(task):
            vote = RawVote(item, _who(path, annotation, annotator), "", None, _when(annotation))
            is_skip = bool(annotation.get("was_cancelled"))
            choices = [] if is_skip else _choices(annotation, control)
            found.add(vote, choices, is_gold=bool(annotation.get("ground_truth")))
    return found.as_votes("label-studio", "a JSON list of tasks with annotations")


def _annotations(task: Json) -> list[Json]:
    given = task.get("annotations", task.get("completions"))
    return [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []


def _results(annotation: Json) -> Iterator[Json]:
    given = annotation.get("result")
    for result in given if isinstance(given, list) else []:
        if isinstance(result, dict) and result.get("type") == "choices":
            yield result


def _choices(annotation: Json, control: str) -> list[str]:
    chosen: list[str] = []
    for result in _results(annotation):
        value = result.get("value")
        if result.get("from_name", control) == control and isinstance(value, dict):
            choices = value.get("choices")
            chosen += [str(choice) for choice in choices] if isinstance(choices, list) else []
    return chosen


def _only_control(path: Path, tasks: Sequence[Json]) -> str:
    results = (result for task in tasks for annotation in _annotations(task) for result in _results(annotation))
    names = sorted({str(result["from_name"]) for result in results if "from_name" in result})
    if len(names) > 1:
        hint = f"Choose the one with the emotion: --field {names[0]}."
        raise InputError(f"{path}: has {len(names)} choices: {', '.join(names)}", hint=hint)
    return names[0] if names else ""


def _item_of(path: Path, place: int, data: Mapping[str, object]) -> str:
    for key in ITEM_WORDS:
        value = data.get(key)
        if isinstance(value, str) and value:
            return value
    pictures = (str(value) for value in data.values() if str(value).lower().split("?")[0].endswith(_PICTURES))
    picture = next(pictures, "")
    if not picture:
        raise InputError(f"{path}: task {place} has no image", hint="Its data needs the key face_id or image.")
    return picture


def _who(path: Path, annotation: Mapping[str, object], annotator: str) -> str:
    for key in ("completed_by", "annotator"):
        who = annotation.get(key)
        if isinstance(who, dict):
            # The id first: JSON_MIN and CSV of the same project know only that.
            who = who.get("id", who.get("email"))
        if isinstance(who, str | int) and str(who):
            return str(who)
    if not annotator:
        hint = "Set the annotator with --annotator."
        raise InputError(f"{path}: annotation {annotation.get('id', '?')} has no annotator", hint=hint)
    return annotator


def _when(annotation: Mapping[str, object]) -> str:
    return utc_stamp(str(annotation.get("created_at") or annotation.get("updated_at") or ""))


def _read_flat(path: Path, entries: Sequence[Json], form: str, control: str, *, annotator: str) -> RawVotes:
    control = control or _only_answer(path, [key for entry in entries for key in entry], entries)
    found = _Found()
    for place, entry in enumerate(entries, start=1):
        item = _item_of(path, place, {key: value for key, value in entry.items() if key != control})
        found.add(RawVote(item, _who(path, entry, annotator), "", None, _when(entry)), _flat_choices(entry, control))
    return found.as_votes(form, f"one annotation per entry, the label in '{control}'")


def _flat_choices(entry: Json, control: str) -> list[str]:
    answer = entry.get(control)
    if isinstance(answer, str) and answer.startswith('{"choices"'):
        answer = json.loads(answer)
    if isinstance(answer, dict):
        answer = answer.get("choices")
    if isinstance(answer, list):
        return [str(choice) for choice in answer]
    return [str(answer)] if answer else []


def _only_answer(path: Path, keys: Iterable[str], entries: Sequence[Json]) -> str:
    names = [key for key in dict.fromkeys(keys) if key not in OWN_KEYS and key not in ITEM_WORDS]
    texts = [key for key in names if not any(str(entry.get(key)).lower().endswith(_PICTURES) for entry in entries)]
    if len(texts) != 1:
        found = f"could be any of {listed(texts)}" if texts else "is missing"
        raise InputError(f"{path}: the label column {found}", hint="Choose it with --field NAME.")
    return texts[0]


def _read_table(path: Path, control: str, annotator: str) -> RawVotes:
    table = open_table(path)
    entries: list[Json] = [dict(zip(table.titles, cells, strict=False)) for _, cells in table.rows]
    return _read_flat(path, entries, "label-studio-csv", control, annotator=annotator)
