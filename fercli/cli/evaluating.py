"""`fer eval`."""

from typing import Annotated, Any

import typer

from fercli.cli import show
from fercli.cli.options import Call
from fercli.core.errors import UsageError
from fercli.core.words import counted
from fercli.stages.evaluate import EvalResult, EvalSettings
from fercli.stages.evaluate import evaluate as evaluate_run
from fercli.stages.groups import GroupsResult, asks_for_groups, groups
from fercli.stages.pool import Pooling, PoolResult, pool


def evaluate(
    call: Call,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="Evaluate this run (default: the latest).")
    ] = None,
    folds: Annotated[bool, typer.Option("--folds", help="Pool the predictions of all folds of a run.")] = False,
    seeds: Annotated[
        bool, typer.Option("--seeds", help="Show how runs differ that only their seed tells apart.")
    ] = False,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Average the probabilities of these runs.")] = False,
    *,
    settings: EvalSettings,
) -> EvalResult | PoolResult | GroupsResult:
    """Options -> settings -> stage."""
    asked: list[Pooling] = [*["folds"] * folds, *["seeds"] * seeds, *["ensemble"] * ensemble]  # type: ignore[list-item]  # a list of str to mypy
    named = runs or []
    if len(asked) > 1:
        raise UsageError("--folds, --seeds and --ensemble are mutually exclusive", hint="Use only one of them.")
    if not asked and len(named) > 1:
        raise UsageError(
            f"{counted(len(named), 'run is', 'runs are')} named",
            hint="Average them with --ensemble, or compare them: fer compare RUN RUN",
        )
    how: dict[str, Any] = {"progress": call.progress, "force": call.force, "dry_run": call.dry_run}
    if asked and asks_for_groups(settings):
        raise UsageError(f"--by evaluates one run, not --{asked[0]}", hint="Leave one of the two out.")
    result: EvalResult | PoolResult | GroupsResult
    if asked:
        result = pool(call.project, settings, asked[0], named, **how)
    elif asks_for_groups(settings):
        if not call.json and not call.dry_run:
            show.show_own(evaluate_run(call.project, settings, *named, **how), settings, call.project)
        result = groups(call.project, settings, *named, **how)
    else:
        result = evaluate_run(call.project, settings, *named, **how)
    if not call.json:
        call.has_shown = show.show_own(result, settings, call.project)
    return result
