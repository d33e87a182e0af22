"""Recognise a training that has been done before, without loading torch."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fercli.core.errors import InputError, UsageError
from fercli.core.files import input_digest, read_text, sha256_of
from fercli.core.people import unmatched_in_run, with_doubt
from fercli.core.project import Project
from fercli.core.rows import Face, Label
from fercli.core.runs import Run, digest, end_order, find_run, list_runs, same_work
from fercli.core.settings import RecordedPath, plain_settings
from fercli.core.splits import check_fold, choose_split
from fercli.models.pretrained.tfjs_files import weight_files
from fercli.models.table.specs import find_spec
from fercli.stages.train.result import SETS, TrainResult, finished_result, validation_doubt
from fercli.stages.train.resume import check_unchanged, kept_pretrained, settings_of, unnamed
from fercli.stages.train.settings import TrainSettings, identity, read_settings


def settle(project: Project, settings: TrainSettings, resume: str = "") -> tuple[TrainSettings, tuple[Run | None]]:
    """The settings with what depends on the project filled in, and the run to go on with.

    Raises:
        MissingStageError: no faces, no labels or no such split.
        InputError: no such run.
        UsageError: more GPUs are asked for than there are.
    """
    project.require(Face)
    project.require(Label)
    if settings.fold == "all" or settings.seeds:
        raise UsageError(
            "--fold all and --seeds train several runs", hint="From Python: fercli.train_series(project, settings)."
        )
    run = find_run(project.root, resume) if resume else None
    settings = settings_of(run, on_gpus(settings)) if run else on_gpus(settings)
    weights = settings.backbone_weights
    settled = replace(
        settings,
        model_name=find_spec(settings.model_name).name,  # `emonext` is `emonext-base`
        # A link keeps its name: the suffix of what it leads to may say nothing.
        backbone_weights=weights.absolute() if weights else None,
        split=choose_split(project, settings.split),
    )
    return settled, (run,)


def finished_before(project: Project, settings: TrainSettings, run: Run | None) -> TrainResult | None:
    """What a finished run of the same work says of itself; None where there is none."""
    known = look_up(project, settings, run, inputs_of(project, settings, run))
    return finished_result(known) if known and known.record.status == "finished" else None


def glance(project: Project, settings: TrainSettings, run: Run | None) -> tuple[str, ...]:
    """Whether a training would begin or go on; only a dry run knows whether it could.

    Raises:
        InputError: the split has folds of which none is chosen, or not the one that is.
    """
    fold = None if settings.fold == "all" else settings.fold  # `settle` refuses that one
    check_fold(project.split_rows(settings.split), fold)
    return planned(settings, look_up(project, settings, run, inputs_of(project, settings, run)))


def planned(settings: TrainSettings, known: Run | None) -> tuple[str, ...]:
    """What would be done; `known` is the run to go on with."""
    return (f"resume run '{known.run_id}'" if known else f"train {settings.model_name} as a new run",)


def as_known_now(project: Project, settings: TrainSettings, known: TrainResult, *_: object) -> TrainResult:
    """What a finished run says, with what its accuracy is worth, and what is known of its people by now."""
    run = find_run(project.root, known.run)
    return with_doubt(known, unmatched_in_run(project, run), SETS, validation_doubt(run.record))


def look_up(
    project: Project, settings: TrainSettings, run: Run | None, inputs: dict[str, str], *, force: bool = False
) -> Run | None:
    """The run to go on with, or that has done the same work.

    Raises:
        CheckError: it failed.
        ProjectError: it was made from other data.
    """
    if run:
        return check_unchanged(project, settings, run, inputs)
    if force:
        return None
    before = {**inputs, "faces": input_digest(project.table_path(Face))}  # as older versions noted it
    return same_work(project.root, digest(inputs)) or same_work(project.root, digest(before))


def inputs_of(project: Project, settings: TrainSettings, run: Run | None) -> dict[str, str]:
    """A digest of each thing that decides the weights; `run` is the one to resume."""
    return {
        "backbone": _backbone_digest(project, settings, run),
        "settings": digest(identity(settings)),
        "classes": digest(project.classes),
        "faces": _faces_digest(project, settings, run),
        "labels": input_digest(project.table_path(Label)),
        "split": input_digest(project.split_path(settings.split)),
    }


def on_gpus(settings: TrainSettings) -> TrainSettings:
    """`--gpus N` as one process for each GPU; other settings pass unchanged.

    Raises:
        UsageError: there are fewer GPUs here, or --procs or --device says something else.
    """
    if settings.gpus is None:
        return settings
    if settings.procs > 1 or settings.device not in ("auto", "cuda"):
        raise UsageError("--gpus does not go with --procs or --device", hint="--gpus N alone starts N processes.")
    # Loads torch, which no other training that was done before needs.
    import torch

    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found < settings.gpus:
        raise UsageError(
            f"--gpus {settings.gpus}: torch finds {found} CUDA GPUs on this machine",
            hint="Check what PyTorch detects with `fer doctor`. --procs N trains in N processes on the processor.",
        )
    return replace(settings, gpus=None, procs=settings.gpus, device="cuda")


def _faces_digest(project: Project, settings: TrainSettings, run: Run | None) -> str:
    """Of the rows of the split's faces: others, such as those of clips that nobody has labelled, change no weight."""
    table = project.table_path(Face)
    if run and run.record.inputs.get("faces") == input_digest(table):
        return run.record.inputs["faces"]  # a run of an older version, which noted the whole table
    inside = {row.face_id.encode("utf-8") for row in project.split_rows(settings.split)}
    found = hashlib.sha256()
    with table.open("rb") as lines:
        for number, line in enumerate(lines):
            if not number or line.partition(b",")[0] in inside:
                found.update(line)
    return found.hexdigest()


def _backbone_digest(project: Project, settings: TrainSettings, run: Run | None) -> str:
    weights = settings.backbone_weights
    if weights is None:
        return ""
    if isinstance(weights, RecordedPath) and weights.leads_out(project.root):
        return _recorded_digest(project, settings, run)
    if run and (run.record.status == "finished" or kept_pretrained(run) is not None):
        return run.record.inputs.get("backbone", "")  # the file itself is needed no more
    if not weights.is_file():
        raise InputError(f"'{weights}': no such weights file", hint="fer models --weights says where to get weights.")
    return "+".join(map(sha256_of, weight_files(weights)))


def _recorded_digest(project: Project, settings: TrainSettings, run: Run | None) -> str:
    """What a run noted of the weights that it began with, for a path that nobody has named: it is not opened.

    Raises:
        UsageError: no run began with it.
    """
    mark = digest(identity(settings))
    for known in [run] if run else reversed(list_runs(project.root)):
        if run or (known.record.inputs.get("settings") == mark and known.record.inputs.get("backbone")):
            return known.record.inputs.get("backbone", "")
    assert settings.backbone_weights is not None  # whoever calls has looked
    raise unnamed(settings.backbone_weights)


def last_used(project: Project) -> Mapping[str, Any]:  # JSON
    """The settings of the run that was finished last, but for try-outs and variants; none where there is none."""
    finished = [run for run in list_runs(project.root) if run.status == "finished" and not run.is_aside]
    newest = max(finished, key=end_order, default=None)
    try:
        text = read_text(newest.folder / "config.toml") if newest else ""
        return plain_settings(read_settings(text)) if text else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # a run without its settings says nothing about the next one
