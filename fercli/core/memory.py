"""What a project remembers of a finished stage, so that a second identical call says it again and does nothing."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from fercli.core.commit import Commit, current_path
from fercli.core.files import input_digest, read_text
from fercli.core.places import are_same
from fercli.core.results import Failure, StageResult
from fercli.core.settings import identifying_settings, plain_settings

Result = TypeVar("Result", bound=StageResult)


@dataclass(frozen=True)
class StageState:
    """A finished run of a stage.

    Attributes:
        fingerprint: of the settings and inputs that it was made from.
        items: what was done, id -> key of the settings and input of that item; for stages that do only what is new.
        result: the fields of its StageResult.
        settings: the settings, to say what has changed.
        reads: files of the project, by their places, that the result was made from or consists of: their SHA-256.
            Records of older versions have none.
    """

    fingerprint: str
    items: dict[str, str] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)  # the fields of any StageResult
    settings: dict[str, Any] = field(default_factory=dict)  # the fields of any settings class
    reads: dict[str, str] = field(default_factory=dict)


def fingerprint(
    settings: object, inputs: Iterable[Path] = (), extra: object = None, *, commit: Commit | None = None
) -> str:
    """One short name for settings, the contents of input files and anything else that a stage depends on.

    Args:
        settings: an instance of a settings class.
        inputs: files; a missing one counts as such.
        extra: anything JSON can hold.
        commit: look at the files as they will be after it.
    """
    digests = [commit.sha256(path) if commit else input_digest(path) for path in inputs]
    text = json.dumps([identifying_settings(settings), digests, extra], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def recall(project_root: Path, stage: str, mark: str, result_class: type[Result]) -> Result | None:
    """The result of the last run of `stage` if it was made from the same `mark` and files, and its outputs are there.

    A file is the same while its bytes are: a `touch` costs one reading of it, see `core/digests.py`.
    """
    state = read_state(project_root, stage)
    if state is None or state.fingerprint != mark:
        return None
    try:
        if not all((project_root / path).exists() for path in state.result["outputs"]):
            return None
        failures = tuple(Failure(**failure) for failure in state.result["failures"])
        values = {name: _tuples(value) for name, value in state.result.items()}
        known = result_class(**(values | {"failures": failures, "is_unchanged": True}))
        return known if are_same(project_root, state.reads) else None
    except (KeyError, TypeError, ValueError):
        return None  # of another version


def remember(
    commit: Commit,
    stage: str,
    mark: str,
    settings: object,
    *,
    result: StageResult,
    items: Mapping[str, str] | None = None,
    words: Iterable[str] = (),
) -> None:
    """Note a finished run of `stage` and, unless it changed nothing, its line in the log, as part of its commit."""
    has_changed, result = not result.is_unchanged, dataclasses.replace(result, is_unchanged=False)
    values, plain = dataclasses.asdict(result), plain_settings(settings)
    state = StageState(mark, dict(items or {}), values, plain, dict(commit.reads))
    noted = json.loads(json.dumps(dataclasses.asdict(state), default=str))
    text = json.dumps(noted | {"digest": _digest_of(noted)})
    commit.text(_state_path(commit.root, stage), f"{text}\n")
    counts = {name: value for name, value in values.items() if isinstance(value, int)}
    if has_changed:
        commit.log(stage, plain, counts, words)


def read_state(project_root: Path, stage: str) -> StageState | None:
    """What is remembered of the last finished run of `stage`; None when there was none or its record was altered."""
    try:
        path = current_path(project_root, _state_path(project_root, stage))
        noted = json.loads(read_text(path))
        # 0.1.0 noted no digest.
        is_altered = noted.pop("digest", None) not in (None, _digest_of(noted))
        return None if is_altered else StageState(**noted)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None


def _digest_of(noted: Mapping[str, Any]) -> str:  # JSON
    return hashlib.sha256(json.dumps(noted, sort_keys=True).encode()).hexdigest()[:20]


def overwritten_records(project_root: Path, family: str, outputs: Iterable[str]) -> list[Path]:
    """What is remembered of the stages named `family`-... that made one of these outputs: it is another's now."""
    written = set(outputs)
    found = []
    for path in sorted((project_root / ".fer" / "stages").glob(f"{family}-*.json")):
        state = read_state(project_root, path.stem)
        if state is None or written & set(state.result.get("outputs", ())):
            found.append(path)
    return found


def changed_settings(state: StageState, settings: object) -> list[str]:
    """What differs between the remembered settings and these, one "name: old -> new" each."""
    old, new = state.settings, plain_settings(settings)
    unknown = new.keys() - identifying_settings(settings).keys() - old.keys()
    changed = {name: value for name, value in new.items() if name not in unknown and old.get(name) != value}
    return [f"{name}: {old.get(name)} -> {value}" for name, value in changed.items()]


def _tuples(value: Any) -> Any:  # any JSON value
    if isinstance(value, list):
        return tuple(_tuples(inner) for inner in value)
    return {key: _tuples(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _state_path(project_root: Path, stage: str) -> Path:
    return project_root / ".fer" / "stages" / f"{stage}.json"
