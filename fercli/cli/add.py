"""`fer add`."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from fercli.cli.options import Call
from fercli.core.results import StageResult
from fercli.stages.add import AddSettings
from fercli.stages.add import add as run_add


def add(
    call: Call,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Videos, images, or folders of either.")],
    link: Annotated[
        bool | None, typer.Option("--link/--copy", help="Link the files instead of copying them (default: copy).")
    ] = None,
    *,
    settings: AddSettings,
) -> StageResult:
    """Options -> settings -> stage."""
    if link is not None:
        settings = dataclasses.replace(settings, link=link)
    return run_add(call.project, settings, paths, progress=call.progress, force=call.force, dry_run=call.dry_run)
