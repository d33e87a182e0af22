"""Votes in Label Studio's exports: JSON (a task with its annotations), JSON_MIN and CSV (one annotation each)."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fercli.core.errors import InputError
from fercli.core.kinds import PICTURE_SUFFIXES
from fercli.core.words import counted
from fercli.labels.formats.csv import ITEM_WORDS, open_table
from fercli.labels.formats.rawvotes import RawVote, RawVotes, listed, utc_stamp
from fercli.labels.formats.textfile import find_encoding, read_head
from fercli.labels.matching import boxed_item, path_in

# What Python's parser needs is about seven times the text; half a gigabyte of JSON is no export of votes.
MAX_JSON_BYTES = 500_000_000
# The columns that Label Studio itself writes; any other is data of the task or a control's answer.
OWN_KEYS = frozenset({
    "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "completed_by", "inner_id",
    "total_annotations", "cancelled_annotations", "total_predictions", "comment_count", "project",
})  # fmt: skip
# The kinds of answers that are read, those on the whole picture or one choice for a region first.
_CHOICES = ("choices", "taxonomy")
_REGIONS = ("rectanglelabels", "ellipselabels", "polygonlabels")

_PICTURES = (*sorted(PICTURE_SUFFIXES), ".gif")

Json = dict[str, Any]  # a JSON object: its values are of any kind until they are looked at


@dataclass
class _Found:
    """What has been read so far."""

    votes: list[RawVote] = field(default_factory=list)
    gold: list[RawVote] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    people: dict[tuple[str, ...], None] = field(default_factory=dict)
    entries: dict[str, tuple[str, str]] = field(default_factory=dict)
    num_skipped: int = 0

    def add(self, vote: RawVote, choices: Sequence[str], *, is_gold: bool = False) -> None:
        """Take the one choice of an annotation; none is a skip, two are a conflict."""
        if not choices:
            self.num_skipped += 1
        elif len(set(choices)) > 1:
            self.conflicts.append(f"{vote.item}: {', '.join(choices)}")
        else:
            (self.gold if is_gold else self.votes).append(vote._replace(label=choices[0]))

    def meet(self, item: str, annotation: Mapping[str, Any], names: tuple[str, ...]) -> None:
        """Note who gave an annotation, by all names that the file has for them."""
        if len(names) > 1:
            self.people.setdefault(names)
        number = annotation.get("annotation_id", annotation.get("id"))
        if number not in (None, "") and names:
            created_at = utc_stamp(str(annotation.get("created_at") or ""))
            self.entries[f"{number} {created_at} {path_in(item)}"] = (str(number), names[0])

    def as_votes(self, form: str, reason: str, *, holds: str, notes: Iterable[str] = ()) -> RawVotes:
        """Everything found, under the name of the form it was found in."""
        return RawVotes(
            form, reason, self.votes, self.num_skipped, self.gold, self.conflicts, list(notes),
            people=list(self.people), entries=self.entries, holds=holds,
        )  # fmt: skip


def read_label_studio(path: Path, *, control: str = "", annotator: str = "") -> RawVotes:
    """Read votes from a Label Studio export: JSON (also a task to a line), JSON_MIN and CSV, told apart by content.

    Choices and taxonomies are votes on the picture, or with a region on the face that it covers; where there are none
    the labels of regions are. `was_cancelled` is a skip, `ground_truth` is gold, `predictions` and `drafts` are no
    votes.

    Args:
        path: the file.
        control: name of the control with the answer, where the labelling config has several.
        annotator: who voted, where the file does not say.

    Raises:
        InputError: not JSON, not such an export, several controls and no `control`, a task without picture.
    """
    if not read_head(path, 64).decode("utf-8", "replace").lstrip("\ufeff \t\r\n").startswith(("[", "{")):
        return _read_table(path, control, annotator)
    tasks = load_tasks(path)
    if any("annotations" in task or "completions" in task for task in tasks):
        return _read_tasks(path, tasks, control, annotator)
    if not tasks:
        raise InputError(f"{path}: holds no tasks: an empty list", hint="Export it when people have voted.")
    return _read_flat(path, tasks, "label-studio-json-min", control, annotator=annotator)


def load_tasks(path: Path) -> list[Json]:
    """The list of objects in a JSON file, or one object on each line.

    Raises:
        InputError: the file is too large, not JSON, or holds something else.
    """
    if path.stat().st_size > MAX_JSON_BYTES:
        raise InputError(f"{path}: more than {MAX_JSON_BYTES // 10**6} MB of JSON", hint="Export the project in parts.")
    try:
        tasks = _parsed(path.read_text(encoding=find_encoding(path).name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON: {error}", hint="Export the project again as JSON.") from error
    tasks = [tasks] if isinstance(tasks, dict) else tasks
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InputError(
            f"{path}: not a list of Label Studio tasks", hint="Export the project as JSON, not JSON of areas."
        )
    if len(tasks) == 1 and isinstance(tasks[0].get("images"), list):
        raise InputError(
            f"{path}: COCO's JSON ({listed(tasks[0], 4)}), which has no annotators",
            hint='Export "JSON" from Label Studio, or "CVAT for images 1.1" from CVAT.',
        )
    return tasks


def _parsed(text: str) -> Any:  # any JSON
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.lstrip("\ufeff").splitlines() if line.strip()]
        if error.msg != "Extra data" or len(lines) < 2:
            raise
        return [json.loads(line) for line in lines]


def _read_tasks(path: Path, tasks: Sequence[Json], control: str, annotator: str) -> RawVotes:
    control, kind = _control_of(path, tasks, control)
    found = _Found()
    for place, task in enumerate(tasks, start=1):
        data = task.get("data")
        item = _item_of(path, place, data if isinstance(data, dict) else task)
        for annotation in _annotations(task):
            names = _names(path, annotation, annotator)
            found.meet(item, annotation, names)
            vote = RawVote(item, names[0], "", None, _when(annotation))
            is_gold = bool(annotation.get("ground_truth"))
            answers = {} if annotation.get("was_cancelled") else _answers(item, annotation, control)
            for where, words in (answers or {item: []}).items():
                found.add(vote._replace(item=where), words, is_gold=is_gold)
    reason = "a JSON list of tasks with annotations" + (f"; the labels are its {kind}" if kind in _REGIONS else "")
    return found.as_votes("label-studio", reason, holds=_holds(tasks))


def _annotations(task: Json) -> list[Json]:
    given = task.get("annotations", task.get("completions"))
    return [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []


def _results(annotation: Json, kinds: Sequence[str] = (*_CHOICES, *_REGIONS)) -> Iterator[Json]:
    given = annotation.get("result")
    for result in given if isinstance(given, list) else []:
        if isinstance(result, dict) and result.get("type") in kinds and isinstance(result.get("value"), dict):
            yield result


def _answers(item: str, annotation: Json, control: str) -> dict[str, list[str]]:
    """The words for the picture, or for each box on it, that one annotation has."""
    regions = {str(result.get("id")): result for result in _all_results(annotation) if "width" in result["value"]}
    regions |= {str(result.get("id")): result for result in _results(annotation, _REGIONS)}
    answers: dict[str, list[str]] = {}
    for result in _results(annotation):
        if result.get("from_name", control) == control:
            region = regions.get(str(result.get("id")), result)
            where = _box_of(item, region) or item
            answers.setdefault(where, []).extend(_words(result["value"], str(result["type"])))
    return answers


def _all_results(annotation: Json) -> Iterator[Json]:
    given = annotation.get("result")
    for result in given if isinstance(given, list) else []:
        if isinstance(result, dict) and isinstance(result.get("value"), dict) and result.get("type") not in _CHOICES:
            yield result


def _words(value: Json, kind: str) -> list[str]:
    given = value.get(kind)
    if not isinstance(given, list):
        return [str(given)] if given else []
    # A taxonomy's answer is the way from its root: the last word is the one that was chosen.
    return [str(answer[-1]) if isinstance(answer, list) and answer else str(answer) for answer in given]


def _box_of(item: str, region: Mapping[str, Any]) -> str:
    """The item that a region is: shares of the picture in per cent, as pixels; empty for an answer on the whole."""
    value = region["value"] if isinstance(region.get("value"), dict) else region
    try:
        across, down = float(region["original_width"]) / 100, float(region["original_height"]) / 100
        left, top, width, height = _extent(value)
    except (KeyError, TypeError, ValueError):
        return ""
    return boxed_item(item, left * across, top * down, width * across, height=height * down)


def _extent(value: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Left, top, width and height of a rectangle, an ellipse or a polygon."""
    if "points" in value:
        xs, ys = zip(*value["points"], strict=True)
        return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
    if "radiusX" in value:
        rx, ry = float(value["radiusX"]), float(value["radiusY"])
        return float(value["x"]) - rx, float(value["y"]) - ry, 2 * rx, 2 * ry
    return float(value["x"]), float(value["y"]), float(value["width"]), float(value["height"])


def _control_of(path: Path, tasks: Sequence[Json], control: str) -> tuple[str, str]:
    """The control with the answers and its kind: the one asked for, the only one with choices, or with regions."""
    kinds: dict[str, str] = {}
    for task in tasks:
        for annotation in _annotations(task):
            for result in _results(annotation):
                kinds.setdefault(str(result.get("from_name", "")), str(result["type"]))
    if control:
        if kinds and control not in kinds and "" not in kinds:
            raise InputError(f"{path}: has no control '{control}'", hint=f"It has: {', '.join(sorted(kinds))}.")
        return control, kinds.get(control, "")
    choices = sorted(name for name, kind in kinds.items() if kind in _CHOICES and name)
    names = choices or sorted(name for name in kinds if name)
    if len(names) > 1:
        hint = f"Choose the one with the emotion: --field {names[0]}."
        raise InputError(f"{path}: has {counted(len(names), 'choice')}: {', '.join(names)}", hint=hint)
    return (names[0], kinds[names[0]]) if names else ("", "")


def _holds(tasks: Sequence[Json]) -> str:
    """What a file of tasks has, in words."""
    annotations = [annotation for task in tasks for annotation in _annotations(task)]
    results = [annotation.get("result") for annotation in annotations]
    kinds = Counter(
        str(one.get("type")) for given in results if isinstance(given, list) for one in given if isinstance(one, dict)
    )
    parts = [counted(len(tasks), "task"), counted(len(annotations), "annotation")]
    parts += [f"{counted(number, 'answer')} of type {kind}" for kind, number in sorted(kinds.items())]
    for name in ("predictions", "drafts"):
        number = sum(len(task[name]) for task in tasks if isinstance(task.get(name), list))
        words = (
            f"{counted(number, name.removesuffix('s'))}, which {'is not a vote' if number == 1 else 'are not votes'}"
        )
        parts += [words] if number else []
    return f"Label Studio's JSON with {', '.join(parts)}"


def _item_of(path: Path, place: int, data: Mapping[str, object]) -> str:
    for key in ITEM_WORDS:
        value = data.get(key)
        if isinstance(value, str) and value:
            return value
    pictures = [value for value in data.values() if isinstance(value, str) and _is_picture(value)]
    if not pictures:
        raise InputError(f"{path}: task {place} has no image", hint="Its data needs the key face_id or image.")
    return pictures[0]


def _is_picture(value: str) -> bool:
    return path_in(value).lower().endswith(_PICTURES)


def _names(path: Path, annotation: Mapping[str, object], annotator: str) -> tuple[str, ...]:
    """All names of who annotated, the surest first: the e-mail address, then the number."""
    for key in ("completed_by", "annotator"):
        who = annotation.get(key)
        given = [who.get("email"), who.get("id")] if isinstance(who, dict) else [who]
        names = tuple(str(name) for name in given if isinstance(name, str | int) and str(name))
        if names:
            return names
    if not annotator:
        hint = "Set the annotator with --annotator."
        raise InputError(f"{path}: annotation {annotation.get('id', '?')} has no annotator", hint=hint)
    return (annotator,)


def _when(annotation: Mapping[str, object]) -> str:
    return utc_stamp(str(annotation.get("updated_at") or annotation.get("created_at") or ""))


def _read_flat(path: Path, entries: Sequence[Json], form: str, control: str, *, annotator: str) -> RawVotes:
    control = control or _only_answer(path, [key for entry in entries for key in entry], entries)
    found = _Found()
    for place, entry in enumerate(entries, start=1):
        item = _item_of(path, place, {key: value for key, value in entry.items() if key != control})
        names = _names(path, entry, annotator)
        found.meet(item, {"annotation_id": entry.get("annotation_id"), "created_at": entry.get("created_at")}, names)
        vote = RawVote(item, names[0], "", None, _when(entry))
        for where, words in _flat_answers(item, entry.get(control)).items():
            found.add(vote._replace(item=where), words)
    holds = f"{form} with {counted(len(entries), 'annotation')}, none with an answer in '{control}'"
    return found.as_votes(form, f"one annotation per entry, the label in '{control}'", holds=holds)


def _flat_answers(item: str, answer: Any) -> dict[str, list[str]]:  # any JSON
    """The words of one answer: for the picture, or where it is a list of regions for each of their boxes."""
    if isinstance(answer, str) and answer.startswith(("{", "[")):
        try:
            answer = json.loads(answer)
        except ValueError:
            return {item: [answer]}
    if isinstance(answer, dict):
        answer = next((answer[kind] for kind in _CHOICES if kind in answer), answer)
    if not isinstance(answer, list):
        return {item: [str(answer)] if answer else []}
    regions = [region for region in answer if isinstance(region, dict)]
    if not regions:
        return {item: _words({"choices": answer}, "choices")}
    answers: dict[str, list[str]] = {}
    for region in regions:
        for kind in _REGIONS:
            if kind in region:
                answers.setdefault(_box_of(item, region) or item, []).extend(_words(region, kind))
    return answers


def _only_answer(path: Path, keys: Iterable[str], entries: Sequence[Json]) -> str:
    names = [key for key in dict.fromkeys(keys) if key not in OWN_KEYS and key not in ITEM_WORDS]
    texts = [
        key for key in names if not any(path_in(str(entry.get(key))).lower().endswith(_PICTURES) for entry in entries)
    ]
    if len(texts) != 1:
        found = f"could be any of {listed(texts)}" if texts else "is missing"
        raise InputError(f"{path}: the label column {found}", hint="Choose it with --field NAME.")
    return texts[0]


def _read_table(path: Path, control: str, annotator: str) -> RawVotes:
    table = open_table(path)
    entries: list[Json] = [dict(zip(table.titles, cells, strict=False)) for _, cells in table.rows]
    return _read_flat(path, entries, "label-studio-csv", control, annotator=annotator)
