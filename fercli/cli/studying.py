"""`fer ablate` and `fer sweep`."""

from collections.abc import Iterator
from typing import Any

from fercli.cli import show
from fercli.cli.options import Call, prepares
from fercli.cli.train import train_once
from fercli.core.errors import UsageError
from fercli.stages.study import AblateSettings, StudyResult, StudySettings, SweepSettings
from fercli.stages.study import ablate as ablate_project
from fercli.stages.study import sweep as sweep_project

# Their values are lists of their own.
_LISTS = ("seeds", "log")


def ablate(call: Call, *, settings: AblateSettings) -> StudyResult:
    """Options -> settings -> study -> show."""
    return _shown(call, settings, ablate_project(call.project, settings, **_how(call)))


def _take_values(call: Call) -> None:
    """Let `--set KEY=A,B` stand for the values to try, and any other `--set` for the settings of all variants."""
    values: dict[str, list[str]] = {}
    kept = []
    for assignment in call.assignments:
        key, equals, text = assignment.partition("=")
        several = list(split_values(text)) if equals else []
        if len(several) < 2 or key.removeprefix("train.") in _LISTS:
            kept.append(assignment)
            continue
        if any(not one for one in several):
            raise UsageError(f"--set {assignment}: a value is empty", hint="For example: --set model.topn=1,10,15")
        if key in values:
            raise UsageError(f"--set {key} is given twice", hint="Name all values in one list.")
        values[key] = several
    call.assignments = tuple(kept)
    call.options["values"] = values


@prepares(_take_values)
def sweep(call: Call, *, settings: SweepSettings) -> StudyResult:
    """Options -> settings -> study -> show."""
    return _shown(call, settings, sweep_project(call.project, settings, **_how(call)))


def split_values(text: str) -> Iterator[str]:
    """The values between commas; a comma within brackets or quotation marks belongs to a value."""
    depth, quote, value = 0, "", ""
    for letter in text:
        if quote or letter in "\"'":
            quote = "" if letter == quote else quote or letter
        depth += (letter in "[{(") - (letter in "]})") if not quote else 0
        if letter == "," and not depth and not quote:
            yield value.strip()
            value = ""
        else:
            value += letter
    yield value.strip()


def _how(call: Call) -> dict[str, Any]:
    """How a study is conducted; several processes are started from here."""
    return {
        "progress": call.progress,
        "force": call.force,
        "dry_run": call.dry_run,
        "once": lambda one: train_once(call, one),
    }


def _shown(call: Call, settings: StudySettings, result: StudyResult) -> StudyResult:
    if not call.json:
        call.has_shown = show.show_own(result, settings, call.project)
    return result
