"""`fer init`."""

from pathlib import Path
from typing import Annotated

import typer

from fercli.cli.options import Call, makes_project
from fercli.stages.init import InitResult, InitSettings
from fercli.stages.init import init as run_init


@makes_project
def init(
    call: Call,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Create the project in this folder.")] = Path(),
    *,
    settings: InitSettings,
) -> InitResult:
    """Options -> settings -> stage."""
    result = run_init(folder, settings, dry_run=call.dry_run)
    call.root = Path(result.root)
    return result
