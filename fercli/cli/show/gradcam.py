"""The layers of a model that can be mapped, as lines."""

from typing import Any

from rich.console import Console

from fercli.stages.gradcam import GradcamResult


def show_layers(result: GradcamResult, *_: Any) -> bool:
    """Print the layers, where they were asked for."""
    if not result.layers:
        return False
    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"Layers of {result.run} that can be mapped, in the order they run (channels x rows x columns):")
    for line in result.layers:
        console.print(f"  {line}")
    return True
