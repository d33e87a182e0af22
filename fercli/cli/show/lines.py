"""Write a stage's result as lines for people."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.cli.show.result import own_fields, shown_path
from fercli.core.results import StageResult

_MOST_FAILURES = 10


def show_result(
    command: str, result: StageResult, root: Path | None, *, title: str = "", has_shown: bool = False
) -> None:
    """Say on stdout what was made, what was dropped and why, where it lies, and the next command."""
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


def _show_head(console: Console, title: str, result: StageResult) -> None:
    mark = "[red]✗[/red]" if result.failed_checks else "[green]✓[/green]"
    if result.is_unchanged:
        why = result.done_before or "inputs and settings are those of the last run"
        console.print(Text.from_markup(mark).append(f" {title}: nothing to do, {why}", style="not dim default"))
    elif result.is_dry_run:
        console.print(f"{title}, a dry run: nothing was written")
    else:
        console.print(f"{mark} {title}")
    for line in result.plan:
        _say(console, "  would", line)
    counts = own_fields(result)
    if result.is_unchanged:
        counts = {name: value for name, value in counts.items() if value not in (0, False)}
    if counts and not result.is_dry_run:
        console.print(_counts_table(counts))


def _say(console: Console, mark: str, text: str) -> None:
    console.print(Text.from_markup(mark).append(f" {text}", style="not dim default"))


def _counts_table(counts: Mapping[str, Any]) -> Table:
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
