"""A split as a table on the screen."""

from fercli.stages.split import SplitResult


def show_split(result: SplitResult) -> None:
    """Print faces, groups and classes of each part."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, soft_wrap=True)
    folds = f" in {result.num_folds} folds (counts are sums over folds)" if result.num_folds else ""
    console.print(f"[green]✓[/green] split '{result.name}': {result.num_faces} faces{folds}{_by(result)}")
    table = Table(box=None, padding=(0, 2, 0, 2))
    names = sorted({name for classes in result.classes.values() for name in classes})
    table.add_column("part")
    for title in ("faces", f"{result.group}s" if result.group not in ("none", "file") else "groups", *names):
        table.add_column(title, justify="right")
    for part, number in result.parts.items():
        counts = [str(result.classes.get(part, {}).get(name, 0)) for name in names]
        table.add_row(part, str(number), str(result.groups.get(part, 0)), *counts)
    console.print(table)
    left = f"; {result.num_left_out} labelled faces are in no part" if result.num_left_out else ""
    dropped = f"; {result.num_dropped} training copies dropped" if result.num_dropped else ""
    people = "no subject and no picture is" if result.knows_subjects else "subjects are not known; no picture is"
    console.print(f"{people} on two sides{left}{dropped}")


def _by(result: SplitResult) -> str:
    if result.group == "file":
        return ", from a file"
    return ", groups not known" if result.group == "none" else f", by {result.group}"
