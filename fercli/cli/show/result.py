"""Print a stage's result as JSON for scripts, and an error as lines."""

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fercli.core.errors import FerError
from fercli.core.results import StageResult

_COMMON = {field.name for field in dataclasses.fields(StageResult)}


def json_object(command: str, result: StageResult | None, root: Path | None, error: FerError | None = None) -> str:
    """The one object of `--json`, schema `fer.<command>/1`, in ASCII; the stage's own counts stand under `result`."""
    return json.dumps(
        {
            "schema": f"fer.{command.replace(' ', '.')}/1",
            "ok": error is None and not (result and (result.failures or result.failed_checks)),
            "project": str(root) if root else None,
            "outputs": list(result.outputs) if result else [],
            "result": plain_values(result) if result else None,
            "warnings": list(result.warnings) if result else [],
            "error": {"message": error.message, "hint": error.hint, "exit_code": error.exit_code} if error else None,
        },
        indent=2,
    )


def plain_values(value: Any) -> Any:  # any value of a result, as JSON has it
    """Dataclasses, tuples and paths as JSON knows them; outputs and warnings stand outside `result`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in ("outputs", "warnings")]
        return {name: plain_values(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): plain_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_values(inner) for inner in value]
    if isinstance(value, Path):
        return value.as_posix()
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no such numbers


def own_fields(result: StageResult) -> dict[str, Any]:
    """The counts that a stage adds to the common part of its result; empty ones are left out."""
    names = [field.name for field in dataclasses.fields(result) if field.name not in _COMMON]
    values = {name: getattr(result, name) for name in names}
    return {name: value for name, value in values.items() if value not in (None, "", (), {}, [])}


def shown_path(path: str, root: Path | None) -> str:
    """`path` of a project as the user can open it from where they stand."""
    if root is None:
        return path
    full = root / path
    try:
        return str(full.relative_to(Path.cwd()))
    except ValueError:
        return str(full)


def show_error(error: FerError) -> None:
    """One clear line on stderr, and the hint below it."""
    print(f"fer: {error.message}", file=sys.stderr)
    if error.hint:
        print(f"     {error.hint}", file=sys.stderr)
