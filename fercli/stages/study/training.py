"""Train and evaluate the runs of a study: what is missing is trained, what is refused is noted, the rest goes on."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from fercli.core.errors import CheckError, FerError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.runs import Run, digest, list_runs
from fercli.core.words import counted
from fercli.stages.evaluate import EvalSettings, evaluate
from fercli.stages.study import Study, Train, Variant
from fercli.stages.study.variants import REFUSALS
from fercli.stages.train.settings import TrainSettings

_SETS = ("val", "test")


class _OutOfTimeError(Exception):
    """The time limit ended a training, or would not let it begin."""


def train_missing(
    project: Project, study: Study, once: Train, *, limit_s: float | None, progress: Progress, force: bool
) -> Study | Failure:
    """Train and evaluate what is missing, variant by variant; a refused variant stops none of the others.

    Returns:
        The study with its runs, or where the time limit ended it.

    Raises:
        FerError: every variant is refused; the reason of the first.
    """
    deadline = None if limit_s is None else time.monotonic() + limit_s
    found: dict[str, tuple[str, ...]] = {}
    refused = {one.name: one.refusal for one in study.variants if one.refusal}
    errors: list[FerError] = []
    failures: list[Failure] = []
    total = sum(len(one.trainings) for one in study.variants)
    trainer = _Trainer(project, once, deadline, progress, force=force, total=total)
    for variant in study.variants:
        if variant.refusal:
            continue
        try:
            found[variant.name] = tuple(trainer.runs_of(variant, failures))
        except REFUSALS as error:
            errors.append(error)
            refused[variant.name] = error.told
            progress.note(f"{variant.name}: refused: {error.told}")
        except _OutOfTimeError:
            done = f"stopped by the time limit during training {trainer.number} of {total}"
            return Failure(f"{study.kind} {variant.name}", f"{done}; the same command goes on")
    if not found:
        raise errors[0]
    return replace(study, found=found, refused=refused, left_out=tuple(dict.fromkeys(failures)))


class _Trainer:
    """Trains what no finished run has done; counts."""

    def __init__(
        self, project: Project, once: Train, deadline: float | None, progress: Progress, *, force: bool, total: int
    ) -> None:
        self.project, self.once, self.deadline, self.progress = project, once, deadline, progress
        self.force, self.total, self.number = force, total, 0

    def runs_of(self, variant: Variant, failures: list[Failure]) -> Iterator[str]:
        """The run of each training of a variant, evaluated on val and test."""
        for settings, prints in zip(variant.trainings, variant.fingerprints, strict=True):
            self.number += 1
            run = None if self.force else finished_run(self.project, prints)
            run_id = run.run_id if run else self._train(variant, settings, prints, failures)
            for part in _SETS:
                self._evaluate(run_id, part, settings)
            yield run_id

    def _train(self, variant: Variant, settings: TrainSettings, prints: dict[str, str], failures: list[Failure]) -> str:
        if not self.force and (reason := failed_before(self.project, prints)):
            raise CheckError(reason, hint="To train it again: --force.")
        left = None if self.deadline is None else self.deadline - time.monotonic()
        if left is not None and left <= 0:
            raise _OutOfTimeError
        self.progress.note(f"training {self.number} of {self.total}: {words_of(variant, settings)}")
        result = self.once(replace(settings, time_limit_s=left))
        if result.status != "finished":
            raise _OutOfTimeError
        failures += result.failures
        return result.run

    def _evaluate(self, run_id: str, part: str, settings: TrainSettings) -> None:
        has_part = any(
            row.split == part and row.fold in (None, settings.fold) for row in self.project.split_rows(settings.split)
        )
        if has_part:
            chosen = EvalSettings(split=part, device=settings.device)  # type: ignore[arg-type]  # one of `_SETS`
            evaluate(self.project, chosen, run_id, progress=self.progress)


def finished_run(project: Project, prints: dict[str, str]) -> Run | None:
    """The newest finished run that was made from the same."""
    alike = _alike(project, prints)
    return next((run for run in reversed(alike) if run.status == "finished"), None)


def failed_before(project: Project, prints: dict[str, str]) -> str:
    """Why a training of the same failed; empty where none did, or one is yet to be finished."""
    alike = _alike(project, prints)
    return alike[-1].record.reason if alike and alike[-1].status == "failed" else ""


def _alike(project: Project, prints: dict[str, str]) -> list[Run]:
    mark = digest(prints)
    return [run for run in list_runs(project.root) if run.record.fingerprint == mark]


def words_of(variant: Variant, settings: TrainSettings) -> str:
    """A training of a variant: "nm, seed 0", "topn=10, seed 1, fold 2"."""
    fold = "" if settings.fold is None else f", fold {settings.fold}"
    return f"{variant.name}, seed {settings.seed}{fold}"


def split_seeds(variants: Sequence[Variant]) -> tuple[int, ...]:
    """The seeds of the trainings."""
    return tuple(dict.fromkeys(one.seed for variant in variants for one in variant.trainings))


def budget_words(epochs: int, num_trainings: int) -> str:
    """How much is trained."""
    return f"{counted(num_trainings, 'training')} of at most {counted(epochs, 'epoch')}{' each' * (num_trainings > 1)}"
