"""`fer predict`."""

from typing import Annotated

import typer

from fercli.cli.options import Call
from fercli.stages.predict.work import PredictResult, PredictSettings
from fercli.stages.predict.work import predict as run_predict


def predict(
    call: Call,
    media: Annotated[
        list[str], typer.Argument(metavar="MEDIA", help="Images, videos, folders, or ids of project videos.")
    ],
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="Use this run (default: the latest).")] = "",
    *,
    settings: PredictSettings,
) -> PredictResult:
    """Options -> settings -> stage."""
    return run_predict(
        call.project, settings, media, run, progress=call.progress, force=call.force, dry_run=call.dry_run
    )
