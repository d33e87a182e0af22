"""Pairs of subjects that may be one person, as a table."""

from typing import Any

from rich.console import Console
from rich.table import Table

from fercli.core.words import counted
from fercli.stages.subjects import MatchResult


def show_pairs(result: MatchResult, *_: Any) -> bool:
    """Print each pair, the sure ones first."""
    console = Console(highlight=False, soft_wrap=True)
    sure = f"{result.num_sure:,} of them sure"
    console.print(f"[green]✓[/green] {counted(result.num_proposed, 'pair')} proposed, {sure}; nobody is merged yet")
    table = Table("pair", "similarity", "lead", "", box=None, padding=(0, 2), header_style="dim")
    for one in sorted(result.proposals, key=lambda one: (not one["is_sure"], -one["similarity"])):
        table.add_row(one["pair"], f"{one['similarity']:.2f}", f"{one['margin']:.2f}", "sure" if one["is_sure"] else "")
    console.print(table)
    return True
