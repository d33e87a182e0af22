"""`fer demo`."""

from pathlib import Path
from typing import Annotated

import typer

from fercli.cli.options import Call, makes_project
from fercli.stages.demo.work import DemoResult, DemoSettings
from fercli.stages.demo.work import demo as run_demo


@makes_project
def demo(
    call: Call,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Create the demo project in this folder.")] = Path(
        "fer-demo"
    ),
    *,
    settings: DemoSettings,
) -> DemoResult:
    """Options -> settings -> stage."""
    result = run_demo(folder, settings, progress=call.progress, force=call.force, dry_run=call.dry_run)
    call.root = Path(result.root)
    if not call.json and not result.is_dry_run:
        # Rich is loaded only to show: the help and --json do without.
        from fercli.cli.show.demo import show_demo

        show_demo(result)
        call.has_shown = True
    return result
