"""A stage's result to what a person or a script reads."""

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fercli.core.errors import FerError
from fercli.core.results import StageResult

if TYPE_CHECKING:
    from rich.console import Console

_COMMON = {field.name for field in dataclasses.fields(StageResult)}
_MOST_FAILURES = 10


def show_result(
    command: str, result: StageResult, root: Path | None, *, title: str = "", has_shown: bool = False
) -> None:
    """Say on stdout what was made, what was dropped and why, where it lies, and the next command."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if not has_shown:
        _show_head(console, title or command, result)
    for sentence in result.warnings:
        _say(console, "[yellow]warning:[/yellow]", sentence)
    for sentence in result.failed_checks:
        _say(console, "[red]check failed:[/red]", sentence)
    for failure in result.failures[:_MOST_FAILURES]:
        _say(console, "[red]failed:[/red]", f"{failure.item}: {failure.reason}")
    if len(result.failures) > _MOST_FAILURES:
        console.print(f"... and {len(result.failures) - _MOST_FAILURES} more (all with --json)")
    for path in result.outputs:
        _say(console, "  →", shown_path(path, root))
    if result.next_command:
        _say(console, "[dim]next:[/dim]", result.next_command)


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


def _show_head(console: "Console", title: str, result: StageResult) -> None:
    mark = "[red]✗[/red]" if result.failed_checks else "[green]✓[/green]"
    if result.is_unchanged:
        console.print(f"{mark} {title}: nothing to do, inputs and settings are those of the last run")
    elif result.is_dry_run:
        console.print(f"{title}, a dry run: nothing was written")
    else:
        console.print(f"{mark} {title}")
    for line in result.plan:
        _say(console, "  would", line)
    counts = own_fields(result)
    if counts and not result.is_dry_run:
        console.print(_counts_table(counts))


def _say(console: "Console", mark: str, text: str) -> None:
    from rich.text import Text

    console.print(Text.from_markup(mark).append(f" {text}", style="not dim default"))


def _counts_table(counts: Mapping[str, Any]) -> Any:  # a rich Table, which is imported only to show
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
    for name, value in counts.items():
        # A nought is worth a look only where one is missed, so it stands back.
        table.add_row(Text(_words(name)), Text(_shown(value)), style="dim" if value in (0, False) else "")
    return table


def _words(name: str) -> str:
    return name.removeprefix("num_").replace("_", " ")


def _shown(value: Any) -> str:  # any value of a result
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_shown(inner) for inner in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
