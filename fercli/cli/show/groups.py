"""Scores by group as tables on the terminal."""

from typing import Any

from rich.console import Console

from fercli.cli.show.compare import print_table
from fercli.stages.groups import GroupsResult
from fercli.stages.groups.words import column_tables, detection_table


def show_groups(result: GroupsResult, *_: Any) -> bool:
    """Print the groups of each column, the differences, and what detection dropped."""
    if result.is_dry_run:
        return False
    console = Console(highlight=False)
    same = " (up to date)" if result.is_unchanged else ""
    columns = ", ".join(column["column"] for column in result.columns) or "no column"
    console.print(f"[green]✓[/green] {result.num_faces:,} {result.split} faces by {columns}{same}", soft_wrap=True)
    for table in column_tables(result.columns, result.unit):
        print_table(console, table)
    if result.detections:
        print_table(console, detection_table(result.detections))
    return True
