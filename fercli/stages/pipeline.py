"""`fer status` and `fer run`: report the state of every stage in order, and run what is to do."""

import dataclasses
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fercli.core.errors import FerError, MissingStageError, UsageError
from fercli.core.files import check_plain
from fercli.core.memory import read_state
from fercli.core.people import people_doubt, unmatched_in_project
from fercli.core.progress import SILENT, Progress
from fercli.core.project import TABLES, Project
from fercli.core.results import StageResult
from fercli.core.rows import Label
from fercli.core.runs import list_runs
from fercli.core.settings import suggestion
from fercli.core.splits import choose_split
from fercli.core.stage import Stage
from fercli.stages.labels.waiting import count_waiting
from fercli.stages.next_steps import after_labels
from fercli.stages.table import TABLE, Row

StepState = Literal["done", "to do", "waiting", "not needed", "failed"]
# Settings of a stage; the caller knows files and environment.
SettingsOf = Callable[[Stage[Any]], Any]


STEPS = tuple(row for row in TABLE if row.is_step)
# Stages that look at faces that the training has not seen.
_ON_HELD_OUT = ("eval", "gradcam")
# Settings of one call alone: a try-out on the first items, or images from elsewhere, leave the rest to do.
_ONCE = ("limit", "images")


@dataclass(frozen=True)
class StepReport:
    """Where one stage stands; `detail` says what is to do, or what it waits for, and `remedy` is a command for that."""

    words: str
    state: StepState
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class StatusResult(StageResult):
    """Rows of each table, splits and runs, where each stage stands, and votes of the labelling page to be imported."""

    rows: dict[str, int]
    splits: tuple[str, ...]
    runs: dict[str, str]
    steps: tuple[StepReport, ...]
    num_waiting_votes: int = 0


@dataclass(frozen=True, kw_only=True)
class RunResult(StageResult):
    """What each stage of `fer run` did."""

    steps: tuple[StepReport, ...]


def status(project: Project, settings_of: SettingsOf) -> StatusResult:
    """Say where every stage stands; writes nothing."""
    steps = tuple(_look(step, project, settings_of) for step in STEPS)
    return StatusResult(
        rows={name.removesuffix(".csv"): _count_rows(project, row_type) for row_type, name in TABLES.items()},
        splits=tuple(project.splits()),
        runs={run.run_id: run.state_words for run in list_runs(project.root)},
        steps=steps,
        num_waiting_votes=count_waiting(project),
        warnings=people_doubt(unmatched_in_project(project)),
        next_command=_next_command(steps),
    )


def run_until(
    project: Project, until: str, settings_of: SettingsOf, *, progress: Progress = SILENT, dry_run: bool = False
) -> RunResult:
    """Run every stage up to `until` that is not done yet, with the project's settings.

    Args:
        project: with videos, images or a dataset added.
        until: a stage's command, e.g. "eval"; its first word will do.
        settings_of: the settings of each command.
        progress: of each stage in turn.
        dry_run: only say what would be done.

    Raises:
        UsageError: there is no such stage.
        MissingStageError: a stage needs what only a person can give, such as votes; or a stage after the training
            would be refused, which is said before it.
    """
    steps = STEPS[: _place(until) + 1]
    _check_ahead(project, steps, settings_of)
    if dry_run:
        return _planned(tuple(_look(step, project, settings_of) for step in steps))
    reports: list[StepReport] = []
    parts: list[StageResult] = []
    for step in steps:
        if reason := step.stage().skip(project):
            reports.append(StepReport(step.words, "not needed", reason))
            continue
        progress.note(f"fer {step.words}")
        if step.words == "train":  # the split may be new
            _check_ahead(project, steps, settings_of)
        stage = step.stage()
        part = stage(project, settings_of(stage), progress=progress)
        reports.append(StepReport(step.words, "done", "up to date" if part.is_unchanged else ""))
        parts.append(part)
    result = _joined(parts, tuple(reports))
    if reports[-1].state == "done" and not reports[-1].detail:
        return result
    # What the last step once said of what comes next may be done by now.
    rest = tuple(_look(step, project, settings_of) for step in STEPS[len(steps) :])
    return dataclasses.replace(result, next_command=_next_command(rest))


def _check_ahead(project: Project, steps: Sequence[Row], settings_of: SettingsOf) -> None:
    """Refuse, before hours of training, what a later stage would refuse: faces to be scored that the split lacks.

    Raises:
        MissingStageError: the split that is trained on has no labelled face in that set.
    """
    stages = {step.words: step.stage() for step in steps}
    if "train" not in stages:
        return
    training = settings_of(stages["train"])
    try:
        name = choose_split(project, training.split)
        rows = [row for row in project.split_rows(name) if training.fold in (None, "all", row.fold)]
    except MissingStageError:
        return  # there is none yet
    labelled = {label.face_id for label in project.rows(Label) if label.label}
    for words in _ON_HELD_OUT:
        part = settings_of(stages[words]).split if words in stages else ""
        if part and not any(row.split == part and row.face_id in labelled for row in rows):
            raise MissingStageError(
                f"split '{name}' has no labelled face in its {part} set, without which `fer {words}` is refused",
                hint="Stop before it (fer run --until train), or split with one: fer split --ratios 0.7,0.15,0.15",
            )


def _planned(steps: tuple[StepReport, ...]) -> RunResult:
    """What a run of these stages would do, as far as can be said before the first is done."""
    plan = tuple(f"{step.words}: {step.detail}" for step in steps if step.state == "to do")
    return RunResult(steps=steps, is_dry_run=True, plan=plan, next_command="" if plan else _next_command(steps))


def _joined(parts: list[StageResult], steps: tuple[StepReport, ...]) -> RunResult:
    return RunResult(
        steps=steps,
        outputs=parts[-1].outputs if parts else (),
        warnings=tuple(dict.fromkeys(sentence for part in parts for sentence in part.warnings)),
        failures=tuple(failure for part in parts for failure in part.failures),
        failed_checks=tuple(check for part in parts for check in part.failed_checks),
        is_unchanged=all(part.is_unchanged for part in parts),
        next_command=parts[-1].next_command if parts else "",
    )


def _next_command(steps: tuple[StepReport, ...]) -> str:
    """What goes on with the first step that is not done: that step, or what it waits for."""
    for step in steps:
        if step.remedy:
            return step.remedy
    return ""


def _place(until: str) -> int:
    words = [step.words for step in STEPS]
    for place, known in enumerate(words):
        if until in (known, known.split()[0]):
            return place
    raise UsageError(f"unknown stage '{until}'", hint=suggestion(until, words))


def _look(step: Row, project: Project, settings_of: SettingsOf) -> StepReport:
    if reason := step.stage().skip(project):
        return StepReport(step.words, "not needed", reason)
    try:
        stage = step.stage()
        result: StageResult = stage.outlook(project, settings_of(stage))
    except MissingStageError as error:
        return StepReport(
            step.words, "waiting", error.hint.removeprefix("Run: ") or error.message, _remedy(project, step, error)
        )
    except FerError as error:
        return StepReport(step.words, "failed", error.message, _remedy(project, step, error))
    if result.is_unchanged:
        return StepReport(step.words, "done", f"{len(result.failures)} failed" if result.failures else "")
    return StepReport(step.words, "to do", "; ".join(result.plan), _command_of(project, step))


def _command_of(project: Project, step: Row) -> str:
    """The command that does a step; a training on a split with folds names them."""
    following = after_labels(project, project.rows(Label)) if step.words == "train" else ""
    return following if "--fold" in following else f"fer {step.words}"


def _remedy(project: Project, step: Row, error: FerError) -> str:
    """The command that gets a stage what it waits for; empty where no command does."""
    if step.words in ("split", "train") and (labels := project.rows(Label)):
        following = after_labels(project, labels)
        return "" if following == f"fer {step.words}" else following
    return command_in(error.hint)


def command_in(hint: str) -> str:
    """The first command of a hint, without the prose around it."""
    for found in re.finditer(r"\bfer ([^`(),;:]*)", hint):
        words = found[1].removesuffix(".").split()
        known = [row.words for row in TABLE if row.words.split() == words[: len(row.words.split())]]
        if not known:
            continue
        command = max(known, key=len).split()
        for before, word in itertools.pairwise(words[len(command) - 1 :]):
            if not (word.startswith("-") or word.isupper() or before.startswith("--")):
                break
            command.append(word.removesuffix("."))
        return " ".join(["fer", *command])
    return ""


def last_settings(project: Project, stage: Stage[Any]) -> dict[str, Any]:  # fields of its settings, as JSON
    """The settings of the last finished run of a stage: `fer status` and `fer run` keep what an option asked for."""
    values = stage.last(project) if stage.last else _remembered(project, stage)
    assert stage.settings is not None  # every step of the pipeline has some
    known = {column.name for column in dataclasses.fields(stage.settings)} - set(_ONCE)
    return {name: value for name, value in values.items() if name in known}


def _remembered(project: Project, stage: Stage[Any]) -> Mapping[str, Any]:  # JSON
    try:
        state = read_state(project.root, stage.name_in(project))
    except FerError:
        return {}  # no run, or no split, that the stage could work on
    # Maps of images from elsewhere are not the grid of the run's own faces.
    return {} if state is None or state.settings.get("images") else state.settings


def _count_rows(project: Project, row_type: type[Any]) -> int:
    path = project.table_path(row_type)
    try:
        check_plain(path)
        with path.open("rb") as file:
            return max(0, sum(1 for _ in file) - 1)
    except OSError:
        return 0
