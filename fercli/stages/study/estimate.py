"""Say for a dry run of a study which trainings are missing, and about how long they take."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.runs import Run
from fercli.core.words import counted
from fercli.learn.device import apply_threads, choose_machine
from fercli.learn.kernels import ease_kernels
from fercli.learn.norms import add_norms
from fercli.learn.step import StepMaker
from fercli.models.build import build_model
from fercli.stages.study import Study, StudyResult, StudySettings, Variant
from fercli.stages.study.training import budget_words, failed_before, finished_run, split_seeds, words_of
from fercli.stages.study.variants import REFUSALS
from fercli.stages.train.prepare import Prepared, prepare
from fercli.stages.train.run import check_settings
from fercli.stages.train.settings import TrainSettings, parse_values

# A forward pass is about a third of a training step.
_FORWARD_SHARE = 1 / 3
_LONG_STEP_S = 3.0


@dataclass(frozen=True)
class _Missing:
    variant: Variant
    settings: TrainSettings


def preview(project: Project, settings: StudySettings, study: Study, *, force: bool) -> StudyResult:
    """What `fer ablate` and `fer sweep` would do, and about how long it takes; nothing is written.

    The time comes from finished runs of the study, else from a few training steps on random images, made here and now.
    """
    missing, failures, done = _missing(project, study, force=force)
    lines = [f"train {words_of(one.variant, one.settings)}" for one in missing]
    if missing:
        seconds, source = _seconds(project, missing, done)
        lines.append(f"spend about {_duration(seconds)} on {budget_words(settings.epochs, len(missing))} ({source})")
    lines.append(f"evaluate {counted(len(missing) + len(done), 'run')} on val and test")
    lines.append(f"write reports/{study.kind}/{study.folder}/")
    return StudyResult(
        kind=study.kind,
        model=study.model,
        epochs=settings.epochs,
        split=study.split,
        seeds=split_seeds(study.variants),
        num_to_train=len(missing),
        is_dry_run=True,
        plan=tuple(lines),
        failures=tuple(failures),
    )


def _missing(project: Project, study: Study, *, force: bool) -> tuple[list[_Missing], list[Failure], list[Run]]:
    """The trainings that are missing, the refused variants, and the runs that are there."""
    missing: list[_Missing] = []
    failures = [Failure(one.name, one.refusal) for one in study.variants if one.refusal]
    done: list[Run] = []
    for variant in study.variants:
        try:
            for one, prints in zip(variant.trainings, variant.fingerprints, strict=True):
                run = None if force else finished_run(project, prints)
                if run:
                    done.append(run)
                    continue
                if not force and (reason := failed_before(project, prints)):
                    failures.append(Failure(words_of(variant, one), reason))
                    continue
                check_settings(project, one, None)
                missing.append(_Missing(variant, one))
        except REFUSALS as error:
            failures.append(Failure(variant.name, error.told))
    return missing, failures, done


def _seconds(project: Project, missing: Sequence[_Missing], done: Sequence[Run]) -> tuple[float, str]:
    """How long the missing trainings take, all in all, and how that is known."""
    epochs = [one.settings.epochs or 0 for one in missing]
    known = [(run.record.result.get("seconds"), run.record.result.get("epochs")) for run in done]
    rates = [seconds / number for seconds, number in known if isinstance(seconds, float) and isinstance(number, int)]
    if rates:
        return sum(epochs) * sum(rates) / len(rates), f"as {counted(len(rates), 'finished run')} took"
    total, timed = 0.0, dict[str, float]()
    for one, num_epochs in zip(missing, epochs, strict=True):
        # Seeds and folds take as long as each other.
        if one.variant.name not in timed:
            timed[one.variant.name] = _epoch_seconds(project, one.settings)
        total += num_epochs * timed[one.variant.name]
    return total, "from a few steps on this machine now; without other work it may be less"


def _epoch_seconds(project: Project, settings: TrainSettings) -> float:
    """About how long an epoch takes: a step of a full batch, as many as it has, and a validation."""
    prepared = prepare(project, settings)
    size, num_train = min(prepared.plan.batch_size, len(prepared.train)), len(prepared.train)
    step_s = _step_seconds(prepared, settings, size)
    return step_s * (num_train + _FORWARD_SHARE * len(prepared.val)) / size


def _step_seconds(prepared: Prepared, settings: TrainSettings, size: int) -> float:
    machine = choose_machine(settings.device, settings.precision, settings.threads)
    apply_threads(machine)
    model = build_model(
        prepared.spec.name, num_classes=len(prepared.samples.classes), **parse_values(settings.model)
    ).to(machine.device)
    if prepared.plan.adds_norms:
        add_norms(model)
    if machine.precision == "bf16" and machine.device.startswith("cpu"):
        ease_kernels(model)
    counts = np.array(list(prepared.train.counts().values()), np.int64)
    maker = StepMaker(model, prepared.plan, prepared.form, machine, seed=0, class_counts=counts, steps_per_epoch=1)
    maker.begin_epoch(0)
    images = torch.zeros(size, prepared.form.channels, prepared.form.size, prepared.form.size, dtype=torch.uint8)
    targets = torch.arange(size) % len(counts)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        maker.step(images, targets, 0, 0)
        times.append(time.perf_counter() - began)
        if times[-1] > _LONG_STEP_S:
            break
    return min(times)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
