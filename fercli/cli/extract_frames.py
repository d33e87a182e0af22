"""`fer extract-frames`."""

from typing import Annotated

import typer

from fercli.cli.options import Call
from fercli.stages.extract_frames.work import ExtractFramesResult, ExtractFramesSettings
from fercli.stages.extract_frames.work import extract_frames as run_extract_frames


def extract_frames(
    call: Call,
    videos: Annotated[list[str] | None, typer.Argument(metavar="VIDEO", help="Process only these videos.")] = None,
    *,
    settings: ExtractFramesSettings,
) -> ExtractFramesResult:
    """Options -> settings -> stage."""
    return run_extract_frames(
        call.project, settings, videos or (), progress=call.progress, force=call.force, dry_run=call.dry_run
    )
