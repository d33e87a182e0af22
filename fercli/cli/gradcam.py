"""`fer gradcam`."""

from typing import Annotated

import typer

from fercli.cli.options import Call
from fercli.stages.gradcam.work import GradcamResult, GradcamSettings
from fercli.stages.gradcam.work import gradcam as run_gradcam


def gradcam(
    call: Call,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Explain this run (default: the latest).")] = "",
    *,
    settings: GradcamSettings,
) -> GradcamResult:
    """Options -> settings -> stage -> show."""
    result = run_gradcam(call.project, settings, run, progress=call.progress, force=call.force, dry_run=call.dry_run)
    if result.layers and not call.json:
        _show_layers(result)
        call.has_shown = True
    return result


def _show_layers(result: GradcamResult) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"Layers of {result.run} that give a map, in the order they run (channels x rows x columns):")
    for line in result.layers:
        console.print(f"  {line}")
