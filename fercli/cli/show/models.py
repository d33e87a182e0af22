"""The networks as tables: all in one, one in full, and the weights that start a backbone."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.core.baseline import HOW_TO_GET
from fercli.models.pretrained.sources import PretrainedWeights
from fercli.models.table.schema import ModelSpec, Paper, Recipe

_SETS = (
    ("fer2013", "FER2013"),
    ("ferplus", "FERPlus"),
    ("raf-db", "RAF-DB"),
    ("affectnet7", "AffectNet-7"),
    ("scfed", "SCFED"),
)


def show_models(specs: Sequence[ModelSpec], baseline: Mapping[str, Any] | None) -> None:
    """Each network's input, real size, size as papers count, and paper; below, what accuracies were reported.

    Two tables, because one of all columns would be cut off at the 80 columns of a log.
    """
    table = _table(("model", "input"), ("parameters", "paper's MACs / params"))
    table.add_column("paper", overflow="fold")
    for spec in specs:
        size = f"{spec.input_size} {_colour(spec)}"
        table.add_row(spec.name, size, _millions(spec.parameters), _counts(spec), Text(_citation(spec.paper)))
    console = Console(highlight=False)
    console.print(table)
    console.print("[dim]parameters: all of them, at 7 classes. Paper's counts: by thop, see docs/models.md.[/dim]")
    console.print("[dim]Also: torchvision:NAME, such as torchvision:resnet18, and timm:NAME.[/dim]")
    console.print(f"[dim]Trained: {_baseline_line(baseline)}[/dim]", end="\n\n")
    accuracies = _table(("reported, %",), tuple(title for _, title in _SETS))
    for spec in specs:
        if spec.reported:
            accuracies.add_row(
                spec.name, *(f"{spec.reported[key]:.2f}" if key in spec.reported else "" for key, _ in _SETS)
            )
    console.print(accuracies)
    console.print(
        "[dim]Table 3 of the SFER-MDFAE paper, with its pretrained weights; none is known of the others.[/dim]"
    )


def show_model(spec: ModelSpec, weights: Sequence[PretrainedWeights]) -> None:
    """Everything the table of networks holds of one."""
    console = Console(highlight=False)
    console.print(Text(f"{spec.name}: {spec.title}", style="bold"))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    for name, value in _facts(spec):
        table.add_row(name, Text(value))
    for place, found in enumerate(weights):
        table.add_row("" if place else "weights", Text(f"{found.name}: {found.licence}. {found.origin}"))
    console.print(table)
    if weights:
        console.print("[dim]fer models --weights says where each file comes from.[/dim]")


def show_baseline(baseline: Mapping[str, Any]) -> None:
    """What the trained weights of the baseline package are worth, and what they must not be used for."""
    console = Console(highlight=False)
    console.print(Text("baseline: trained weights, for research only", style="bold"))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    rules = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in (baseline["cutting"] or {}).items())
    for name, value in (
        ("network", baseline["network"]),
        ("trained on", baseline["trained_on"]),
        ("state", baseline["state"]),
        ("classes", ", ".join(baseline["classes"])),
        ("faces cut", rules),
        *((f"accuracy, {name}", _score(score)) for name, score in baseline["scores"].items()),
        ("model card", baseline["card"]),
    ):
        table.add_row(name, Text(value))
    console.print(table)


def show_weights(weights: Sequence[PretrainedWeights]) -> None:
    """Where each file comes from, its licence, its origin; nothing is downloaded."""
    console = Console(highlight=False)
    for found in weights:
        console.print(Text(found.name, style="bold"))
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 2))
        table.add_column(style="dim", no_wrap=True)
        for name, value in (
            ("for", ", ".join(found.models)),
            ("file", found.files),
            ("source", found.source),
            ("licence", found.licence),
            ("origin", found.origin),
            ("loads", found.loads),
        ):
            table.add_row(name, Text(value))
        console.print(table)


def _baseline_line(baseline: Mapping[str, Any] | None) -> str:
    if baseline is None:
        return f"baseline, in a package of its own. {HOW_TO_GET}"
    name, score = next(iter(baseline["scores"].items()), ("", {}))
    worth = f", {_score(score)} on {name}" if name else ""
    return f"baseline ({baseline['network']}{worth}); see: fer models baseline"


def _score(score: Mapping[str, Any]) -> str:
    spread = "" if score["low"] is None else f"{score['low']:.1%} to {score['high']:.1%}, "
    return f"{score['value']:.1%} ({spread}n = {score['num_faces']:,})"


def _table(left: Sequence[str], right: Sequence[str]) -> Table:
    """Columns of words and columns of numbers, none of them cut."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in left:
        table.add_column(column, no_wrap=True)
    for column in right:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _citation(paper: Paper) -> str:
    """Who, where, when; the title is told by `fer models NAME`."""
    venue = f"{paper.venue} {paper.year}" if paper.year and str(paper.year) not in paper.venue else paper.venue
    return ", ".join(part for part in (paper.authors, venue) if part)


def _facts(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    paper = spec.paper
    yield "paper", ", ".join(part for part in (paper.title, _citation(paper), paper.doi, paper.url) if part)
    yield "architecture", spec.architecture
    yield "input", f"{_input(spec)}, mean {_numbers(spec.mean)}, std {_numbers(spec.std)}. {spec.input_notes}"
    yield "parameters", f"{spec.parameters:,} at 7 classes, {spec.parameters_per_class:,} more for each class"
    if spec.table4:
        table4 = spec.table4
        yield "as papers count", f"{_counts(spec)} (thop, {table4.num_classes} classes, {table4.input_size} pixels)"
    yield "loss", spec.objective
    yield (
        "CAM layer",
        spec.cam_layer + (f", tokens of {spec.cam_grid[0]} x {spec.cam_grid[1]}" if spec.cam_grid else ""),
    )
    for place, (data_set, recipe) in enumerate(spec.recipes.items()):
        yield "" if place else "recipe", f"{data_set}: {_recipe(recipe)}"
    if spec.reported:
        yield "reported", ", ".join(f"{name} {value:.2f}%" for name, value in spec.reported.items())
    for place, note in enumerate(spec.notes):
        yield "" if place else "notes", note


def _recipe(recipe: Recipe) -> str:
    """What the recipe sets, and which of it the code says or we filled in; the rest is the paper's."""
    parts = [f"{recipe.optimizer}, lr {recipe.lr:g}, batch {recipe.batch_size}"]
    told = ("optimizer", "lr", "batch_size", "augmentation")
    for name in (column.name for column in dataclasses.fields(recipe) if column.name not in told):
        value = getattr(recipe, name)
        if name in recipe.sources and value is not None:
            parts.append(f"{name.replace('_', ' ')} {value:g}" if isinstance(value, int | float) else value)
    for name, amount in recipe.augmentation.items():
        numbers = amount if isinstance(amount, tuple) else (amount,)
        parts.append(f"{name.replace('_', ' ')} {' to '.join(f'{number:g}' for number in numbers)}")
    words = ", ".join(parts)
    for source in ("code", "ours"):
        names = [name.removeprefix("augmentation.") for name, said_by in recipe.sources.items() if said_by == source]
        if names:
            everything = len(names) == len(recipe.sources)
            words += f"; {source}: {'all of it' if everything else ', '.join(names)}"
    return words


def _input(spec: ModelSpec) -> str:
    return f"{spec.input_size}x{spec.input_size} {_colour(spec)}"


def _colour(spec: ModelSpec) -> str:
    return "grey" if spec.channels == 1 else "RGB"


def _millions(count: int) -> str:
    return f"{count / 1e6:.3f} M" if count >= 1e6 else f"{count:,}"


def _counts(spec: ModelSpec) -> str:
    if spec.table4 is None:
        return ""
    return spec.table4.printed or f"{spec.table4.macs / 1e9:.3f} G / {spec.table4.parameters / 1e6:.3f} M"


def _numbers(values: tuple[float, ...]) -> str:
    """One number where all are equal, else "(0.485, 0.456, 0.406)"."""
    words = [f"{value:g}" for value in values]
    return words[0] if len(set(words)) == 1 else f"({', '.join(words)})"
