"""A split as a table on the screen."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.core.project import Project
from fercli.core.words import counted
from fercli.stages.split import SplitResult, SplitSettings


def show_split(result: SplitResult, settings: SplitSettings, project: Project) -> bool:
    """Print faces, groups and classes of each set."""
    if result.is_dry_run:
        return False
    if result.is_unchanged:
        Console(highlight=False, soft_wrap=True).print(
            "[green]✓[/green] split: nothing to do, inputs and settings are those of the last run"
        )
    console = Console(highlight=False, soft_wrap=True)
    mark = "" if result.is_unchanged else "[green]✓[/green] "
    folds = f" in {counted(result.num_folds, 'fold')} (counts are sums over folds)" if result.num_folds else ""
    console.print(f"{mark}split '{result.name}': {counted(result.num_faces, 'face')}{folds}{_by(result)}")
    console.print(_parts_table(result, project.classes))
    left = (
        f"; {counted(result.num_left_out, 'labelled face is', 'labelled faces are')} not in any set"
        if result.num_left_out
        else ""
    )
    dropped = f"; {counted(result.num_dropped, 'duplicate training face')} removed" if result.num_dropped else ""
    people = "no subject or image is" if result.knows_subjects else "subjects are not assigned; no image is"
    if result.unmatched_videos:
        people = "people may be, as subjects are known only within one video; no image is"
    console.print(f"{people} shared between sets{left}{dropped}")
    return True


def _by(result: SplitResult) -> str:
    if result.group == "file":
        return ", from a file"
    return ", groups not known" if result.group == "none" else f", by {result.group}"


def _parts_table(result: SplitResult, classes: Sequence[str]) -> Table:
    """A row a class and a column a set: however many classes there are, it fits the screen."""
    table = Table(box=None, padding=(0, 2, 0, 2))
    table.add_column("")
    for part in result.parts:
        table.add_column(part, justify="right")
    groups = "groups" if result.group in ("none", "file") else f"{result.group}s"
    rows = {"faces": result.parts, groups: result.groups}
    rows |= {name: {part: result.classes.get(part, {}).get(name, 0) for part in result.parts} for name in classes}
    for name, counts in rows.items():
        table.add_row(Text(name), *(f"{counts.get(part, 0):,}" for part in result.parts))
    return table
