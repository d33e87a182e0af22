"""A run that was interrupted: its settings, and whether it can be gone on with."""

import dataclasses
import tomllib
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from fercli import __version__
from fercli.core.errors import CheckError, ProjectError, UsageError
from fercli.core.files import read_text
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Label, SplitRow
from fercli.core.runs import Run, changed_inputs, digest, holding, list_runs, package_versions, read_run
from fercli.core.settings import RecordedPath, option_name
from fercli.core.tables import read_table
from fercli.models.table.specs import find_spec
from fercli.stages.train.settings import TrainSettings, identity, parse_values, read_settings

# What may differ from the settings with which a run was begun.
_FREE = ("procs", "time_limit_s", "workers", "ram_limit_mb", "log", "tensorboard")


def settings_of(run: Run, given: TrainSettings) -> TrainSettings:
    """The settings the run was started with, and from the present ones only what does not change the weights.

    Raises:
        ProjectError: its config.toml cannot be read.
        UsageError: a setting is given that is not the run's own.
    """
    own = _own_settings(run)[0]
    # An altered config.toml says nothing of the run, and is refused where it would be gone on with.
    is_own = digest(identity(own)) == run.record.inputs.get("settings")
    if is_own and (others := _other_settings(run, own, given)):
        named = ", ".join(f"{name} {theirs}, not {asked}" for name, theirs, asked in others)
        raise UsageError(
            f"run '{run.run_id}' resumes with its own settings: {named}",
            hint=f"Leave {', '.join(name for name, _, _ in others)} out, or train a new run without --resume.",
        )
    # The run's record may come from somebody else: its path is no more than a word.
    recorded = RecordedPath(own.backbone_weights) if own.backbone_weights else None
    weights = (given.backbone_weights or recorded) if recorded else None
    return replace(own, backbone_weights=weights, **{name: getattr(given, name) for name in _FREE})


def check_unchanged(project: Project, settings: TrainSettings, run: Run, inputs: dict[str, str]) -> Run:
    """The run itself, where it is finished or made from what is there now.

    Raises:
        CheckError: it failed.
        ProjectError: faces, classes, labels, split, settings or weights to begin with changed since it began.
    """
    if run.status != "finished":
        _check_settings(run)
    changed = [name for name in changed_inputs(run.record.inputs, inputs) if name != "settings"]
    if changed and run.status != "finished":
        details = [name + _difference(project, settings, run, name) for name in changed]
        raise ProjectError(
            f"run '{run.run_id}' cannot be resumed: {', '.join(details)} changed since it began",
            hint="Bring the old state back, or train a new run without --resume.",
        )
    if run.status == "failed":
        raise CheckError(f"run '{run.run_id}' failed: {run.record.reason}", hint="Train again with other settings.")
    return run


def check_crops_of(project: Project, run: Run, progress: Progress) -> None:
    """Refuse to go on with a run whose crops to train on, or to choose the best epoch on, are others by now.

    Of a run that recorded no crops, the trainer still sees whether there are as many as before.

    Raises:
        ProjectError: with what has changed.
    """
    # Loads OpenCV, which only a run that goes on needs here.
    from fercli.data.run_crops import crop_changes

    changes = crop_changes(project, run, ("train", "val"), progress=progress)
    if changes and changes.words:
        raise ProjectError(
            f"run '{run.run_id}' cannot be resumed: of its training and validation faces, {changes.words}",
            hint="Restore the crops (see: fer check images), or train a new run without --resume.",
        )


def check_counts(run: Run, num_train: int, num_val: int) -> None:
    """Refuse to go on with other numbers of faces than the run noted when it stopped.

    Raises:
        ProjectError: with both numbers.
    """
    for name, now in (("num_train", num_train), ("num_val", num_val)):
        before = run.record.result.get(name)
        if before not in (None, now):
            raise ProjectError(
                f"run '{run.run_id}' cannot be resumed: it had {before} {name.removeprefix('num_')} faces, "
                f"of which {now} can be used now",
                hint="Restore the crops (see: fer check images), or train a new run without --resume.",
            )


def check_processes(run: Run, num_here: int) -> None:
    """Refuse to go on in another number of processes: each draws and normalises its own share of a batch."""
    num_before = run.record.decided.get("num_processes", num_here)
    if num_before != num_here:
        raise UsageError(
            f"run '{run.run_id}' was begun with --procs {num_before} and goes on in as many processes, "
            f"not in {num_here}",
            hint=f"Give --procs {num_before}, or start as many with torchrun.",
        )


def kept_pretrained(run: Run) -> tuple[str, ...] | None:
    """Names of what came from `--backbone-weights`, where the run's state holds all weights; None where it does not."""
    # Loads torch, which a training that was done before need not.
    from fercli.learn.checkpoints import state_meta

    names = (state_meta(run.folder / "checkpoints") or {}).get("pretrained")
    return None if names is None else tuple(names)


def check_named(project: Project, settings: TrainSettings, known: Run | None) -> None:
    """Refuse to begin with a file of weights that only a record names.

    Raises:
        UsageError: nobody has named it on the command line, and it lies outside the project.
    """
    weights = settings.backbone_weights
    is_needed = known is None or kept_pretrained(known) is None
    if is_needed and isinstance(weights, RecordedPath) and weights.leads_out(project.root):
        raise unnamed(weights)


def unnamed(weights: Path) -> UsageError:
    """The refusal of weights that nobody has named."""
    return UsageError(
        f"the weights file '{weights}' is outside the project and only a file of settings names it; it is not opened",
        hint=f"If you trust it, name it: --backbone-weights '{weights}'",
    )


def take_hold(known: Run, hold: ExitStack) -> Run:
    """Hold a run until `hold` is closed, as what it is by then: it may have been trained since it was looked up.

    Raises:
        ProjectError: another process trains it, or has changed what it is made from.
    """
    hold.enter_context(holding(known.folder))
    present = read_run(known.folder)
    before, now = known.record, present.record
    if now.status == "failed" or (now.inputs, now.decided) != (before.inputs, before.decided):
        raise ProjectError(
            f"run '{known.run_id}' was changed by another process just now", hint="Run the same command again."
        )
    return present


def left_behind(project: Project, inputs: dict[str, str]) -> list[str]:
    """A sentence for each interrupted run of these settings that began with other data, and so was not gone on with."""
    sentences = []
    for run in list_runs(project.root):
        is_alike = run.record.inputs.get("settings") == inputs["settings"]
        if is_alike and run.status == "interrupted":
            changed = ", ".join(changed_inputs(run.record.inputs, inputs)) or "nothing"
            sentences.append(f"Run '{run.run_id}' was interrupted and not gone on with: {changed} changed since.")
    return sentences


def version_words(known: Run | None) -> list[str]:
    """A sentence where a run goes on under another version of what its numbers come from."""
    if known is None:
        return []
    before, here = known.record.versions, package_versions()
    changed = [
        f"{name} {before[name]} before, {here.get(name)} now"
        for name in ("fercli", "torch")
        if name in before and before[name] != here.get(name)
    ]
    if not changed:
        return []
    return [f"The run went on under other versions ({', '.join(changed)}): its last digits may differ."]


def _own_settings(run: Run) -> tuple[TrainSettings, dict[str, Any]]:  # TOML
    """The settings in the run's config.toml, and the plan that was made of them."""
    path = run.folder / "config.toml"
    try:
        text = read_text(path)
        return read_settings(text), dict(tomllib.loads(text).get("plan", {}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ProjectError(f"'{path}' cannot be read: {error}", hint="Restore it, or train a new run.") from error


def _other_settings(run: Run, own: TrainSettings, given: TrainSettings) -> list[tuple[str, object, object]]:
    """Each setting that was given and is not the run's own: its option, the run's value and the given one."""
    found = []
    for column in dataclasses.fields(TrainSettings):
        asked, theirs = getattr(given, column.name), getattr(own, column.name)
        default = {} if column.default is dataclasses.MISSING else column.default
        if column.name in (*_FREE, "gpus", "backbone_weights") or asked == default:
            continue
        if column.name in ("model", "augment"):
            theirs = parse_values(theirs)
            asked = {**theirs, **parse_values(asked)}  # some of a table may be given
        if column.name == "model_name":
            asked = find_spec(str(asked)).name
        if column.name == "device":
            decided = str(run.record.decided.get("device", theirs))
            theirs = asked if decided.partition(":")[0] == str(asked).partition(":")[0] else theirs
        if asked != theirs:
            found.append((f"--{option_name(column)}", theirs, asked))
    return found


def _check_settings(run: Run) -> None:
    """Refuse a config.toml that is another than the run was begun with."""
    settings, plan = _own_settings(run)
    present = identity(settings)
    # Another version may know settings that this run was never asked about: then the digest tells nothing.
    if run.record.versions.get("fercli") != __version__ or digest(present) == run.record.inputs.get("settings"):
        return
    path = run.folder / "config.toml"
    name = _altered_setting(run, present, plan)
    raise ProjectError(
        f"run '{run.run_id}' cannot be resumed: '{path}' was altered since it began" + (f" ({name})" if name else ""),
        hint=f"Restore it, or train a new run with it: fer train --config '{path}'",
    )


def _altered_setting(run: Run, present: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    """The setting that differs alone, where its old value is known: from the plan, run.json or as the default."""
    known = {name: value for name, value in plan.items() if isinstance(value, str | int | float)}
    known |= {"model_name": run.record.model, "name": run.record.name, "seed": run.record.seed}
    for column in dataclasses.fields(TrainSettings):
        default = {} if column.default is dataclasses.MISSING else column.default
        for value in (known.get(column.name), default):
            if digest({**present, column.name: value}) == run.record.inputs.get("settings"):
                return column.name
    return ""


def _difference(project: Project, settings: TrainSettings, run: Run, name: str) -> str:
    """What is another in the project than in the run's own copy, in brackets; empty for what the run has no copy of."""
    copy = run.folder / f"{name}.csv"
    if name not in ("labels", "split") or not copy.is_file():
        return ""
    if name == "split":
        # The copy holds the run's fold alone.
        rows = [row for row in project.split_rows(settings.split) if row.fold in (None, settings.fold)]
        present = {f"{row.face_id},{row.split}" for row in rows}
        held = [f"{row.face_id},{row.split}" for row in read_table(copy, SplitRow)]
    else:
        present = set(read_text(project.table_path(Label)).splitlines())
        held = read_text(copy).splitlines()[1:]
    gone = [line for line in held if line not in present]
    return f" ({len(gone)} of the run's rows, first '{gone[0].split(',')[0]}')" if gone else " (rows were added)"
