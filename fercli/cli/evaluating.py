"""`fer eval`."""

import re
from collections.abc import Sequence
from pathlib import Path
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
from fercli.stages.transfer import MatrixResult, TransferResult


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
    on: Annotated[
        list[Path] | None,
        typer.Option("--on", metavar="PROJECT", help="Evaluate on the labels of another project (repeatable)."),
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="THEIRS=OURS,...", help="Match that project's classes with the run's."),
    ] = None,
    all_faces: Annotated[
        bool, typer.Option("--all-faces", help="With --on, evaluate on all labelled faces, not the test set.")
    ] = False,
    *,
    settings: EvalSettings,
) -> EvalResult | PoolResult | GroupsResult | TransferResult | MatrixResult:
    """Options -> settings -> stage."""
    asked: list[Pooling] = [*["folds"] * folds, *["seeds"] * seeds, *["ensemble"] * ensemble]  # type: ignore[list-item]  # a list of str to mypy
    named = runs or []
    _check_together(settings, asked, named, has_on=bool(on), has_more=bool(map_ or all_faces))
    if seeds and any(re.fullmatch(r"[0-9]+(,[0-9]+)*", name) for name in named):
        raise UsageError(
            "--seeds takes no numbers here: it finds the runs that only their seed tells apart",
            hint="Run: fer eval --seeds, or name one of these runs: fer eval RUN --seeds",
        )
    how: dict[str, Any] = {"progress": call.progress, "force": call.force, "dry_run": call.dry_run}
    result: EvalResult | PoolResult | GroupsResult | TransferResult | MatrixResult
    if on:
        result = _on(call, settings, named, on, given=map_ or [], all_faces=all_faces)
    elif asked:
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


def _on(
    call: Call, settings: EvalSettings, named: Sequence[str], on: Sequence[Path], *, given: list[str], all_faces: bool
) -> EvalResult | TransferResult | MatrixResult:
    # Loads pandas and OpenCV, for which no other call that was done before need wait.
    from fercli.stages.transfer.matrix import score_on, transfer_matrix

    how: dict[str, Any] = {"progress": call.progress, "force": call.force, "dry_run": call.dry_run}
    if len(on) == 1 and len(named) < 2:
        run = named[0] if named else ""
        return score_on(call.project, settings, run, on[0], given=given, all_faces=all_faces, **how)
    return transfer_matrix(call.project, settings, named, on, given, all_faces=all_faces, **how)


def _check_together(
    settings: EvalSettings, asked: Sequence[Pooling], named: Sequence[str], *, has_on: bool, has_more: bool
) -> None:
    """Refuse what does not go together."""
    if len(asked) > 1:
        raise UsageError("--folds, --seeds and --ensemble are mutually exclusive", hint="Use only one of them.")
    if has_more and not has_on:
        raise UsageError("--map and --all-faces need --on", hint="fer eval RUN --on PROJECT")
    if has_on and (asked or settings.by):
        raise UsageError("--on does not go with --folds, --seeds, --ensemble or --by", hint="Leave one of them out.")
    if asked and asks_for_groups(settings):
        raise UsageError(f"--by evaluates one run, not --{asked[0]}", hint="Leave one of the two out.")
    if not asked and not has_on and len(named) > 1:
        raise UsageError(
            f"{counted(len(named), 'run is', 'runs are')} named",
            hint="Average them with --ensemble, or compare them: fer compare RUN RUN",
        )
