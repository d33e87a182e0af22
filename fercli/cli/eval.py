"""`fer eval`."""

from typing import Annotated

import typer

from fercli.cli.options import Call
from fercli.stages.evaluate.work import EvalResult, EvalSettings
from fercli.stages.evaluate.work import evaluate as run_evaluate


def eval(  # noqa: A001  the command's word
    call: Call,
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="Evaluate this run (default: the latest).")] = "",
    *,
    settings: EvalSettings,
) -> EvalResult:
    """Options -> settings -> stage -> show."""
    result = run_evaluate(call.project, settings, run, progress=call.progress, force=call.force, dry_run=call.dry_run)
    if not call.json and not result.is_dry_run:
        from fercli.cli.show.eval import show_scores

        show_scores(result, settings)
        call.has_shown = True
    return result
