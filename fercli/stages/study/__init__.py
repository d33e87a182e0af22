"""`fer ablate` and `fer sweep`: variants of one training, at one budget, compared subject by subject."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal

from fercli.core.files import slug
from fercli.core.memory import recall
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure, StageResult
from fercli.core.runs import digest
from fercli.core.settings import setting
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.train import TrainResult, TrainSettings, train

Kind = Literal["ablate", "sweep"]
Train = Callable[[TrainSettings], TrainResult]


@dataclass(frozen=True)
class StudySettings(TrainSettings):
    """What all variants have in common: the settings of `fer train`, with one budget for all."""

    beneath: ClassVar[str] = "train"
    epochs: int = setting(30, "Train each variant for at most this many epochs.", minimum=1)


@dataclass(frozen=True)
class AblateSettings(StudySettings):
    """Which parts of a model are taken away."""

    model_name: str = setting("sfer-mdfae", "Train this model and its variants.", option="model")
    variants: tuple[str, ...] = setting((), "Train these variants beside the full model (default: the paper's).")


@dataclass(frozen=True)
class SweepSettings(StudySettings):
    """Which values of which settings are tried; `values` holds those that `--set KEY=A,B,C` names."""

    against: str = setting("", "Test differences to this value (default: the first).")
    values: dict[str, Any] = setting({}, "Try these values.", is_hidden=True)  # of any type that a setting has


@dataclass(frozen=True)
class Variant:
    """One variant of a study.

    Attributes:
        name: as tables and figures call it.
        label: what stands below it on the axis of a figure.
        trainings: settled, one for each seed and fold; none where it is refused.
        fingerprints: of each training, what its weights come from.
        refusal: why it cannot be trained, where that is known without building the model.
    """

    name: str
    label: str
    trainings: tuple[TrainSettings, ...] = ()
    fingerprints: tuple[dict[str, str], ...] = ()
    refusal: str = ""


@dataclass(frozen=True)
class Study:
    """What is studied.

    Attributes:
        kind: the command.
        axis: what distinguishes the variants, as the axis of a figure says it.
        model: of the variants; several where they are swept.
        split: on which all of them are trained.
        variants: in the order in which tables and figure show them.
        against: the name of the one to which the others are compared.
        found: the runs of each variant that is trained, in the order of its trainings.
        refused: of each other variant the reason.
        left_out: what else went wrong, such as crops that cannot be read.
    """

    kind: Kind
    axis: str
    model: str
    split: str
    variants: tuple[Variant, ...]
    against: str
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    left_out: tuple[Failure, ...] = ()

    @property
    def mark(self) -> list[Any]:
        """All that decides what the trained variants are; not what has been trained of it."""
        return [
            self.kind,
            self.against,
            *([one.name, one.refusal, *map(digest, one.fingerprints)] for one in self.variants),
        ]

    @property
    def folder(self) -> str:
        """The name of its folder in reports/: after its model, what is swept and, in short, its settings."""
        own = [[one.name, *(prints["settings"] for prints in one.fingerprints)] for one in self.variants]
        words = [
            slug(self.model),
            slug(self.axis) if self.kind == "sweep" else "",
            digest([self.split, self.against, own])[:6],
        ]
        return "-".join(filter(None, words))


@dataclass(frozen=True, kw_only=True)
class StudyResult(StageResult):
    """The variants side by side.

    Attributes:
        kind: "ablate" or "sweep".
        epochs: the budget of each training.
        seeds: with each of which every variant was trained.
        against: the variant to which differences are tested.
        unit: what is resampled and exchanged: subject, video or face.
        variants: of each its runs, costs, validation accuracy (mean and standard deviation over seeds) and scores on
            the test set with intervals; of a refused one the reason.
        differences: of each other variant and each score: value, interval, p and p corrected by Holm's method.
        chosen: the variant with the best validation accuracy.
        conclusions: sentences on what the data can show and what they cannot.
        reported: of each model, what its paper reports of it.
        num_to_train: in a dry run, the trainings that are missing.
    """

    kind: str
    model: str
    epochs: int
    split: str = ""
    seeds: tuple[int, ...] = ()
    num_folds: int = 0
    against: str = ""
    num_faces: int = 0
    unit: str = ""
    num_units: int = 0
    variants: tuple[dict[str, Any], ...] = ()
    differences: tuple[dict[str, Any], ...] = ()
    chosen: str = ""
    conclusions: tuple[str, ...] = ()
    reported: tuple[dict[str, Any], ...] = ()
    num_to_train: int = 0


def ablate(project: Project, settings: AblateSettings | None = None, **how: Any) -> StudyResult:
    """Train what is missing of a model and its variants, and compare them; for `how` see `conduct`."""
    # Looks at the split's table, which the settings alone do not need.
    from fercli.stages.study.variants import ablation

    settings = settings or AblateSettings()
    return conduct(project, settings, ablation(project, settings), **how)


def sweep(project: Project, settings: SweepSettings, **how: Any) -> StudyResult:
    """Train what is missing for each value of some settings, and compare them; for `how` see `conduct`."""
    # For the same reason.
    from fercli.stages.study.variants import swept

    return conduct(project, settings, swept(project, settings), **how)


def conduct(
    project: Project,
    settings: StudySettings,
    study: Study,
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
    once: Train | None = None,
) -> StudyResult:
    """Train and evaluate what is missing of a study, and write its tables and figure.

    Args:
        project: with labelled faces and a split that has a test set.
        settings: what all variants have in common.
        study: its variants.
        progress: told of each step.
        force: train all of it again.
        dry_run: only say what would be trained, and about how long that takes.
        once: trains one variant, where it is not to be done in this process.

    Raises:
        MissingStageError: the split has no test set.
        FerError: no variant can be trained; the reason of the first.
    """
    stage = STAGES[study.kind]
    known = recall(project.root, stage.name_of(project, settings, study), _mark(project, settings, study), StudyResult)
    if known and not force:
        return known
    # Load torch, which a study that is finished does not need.
    from fercli.stages.study.estimate import preview
    from fercli.stages.study.training import train_missing

    if dry_run:
        return preview(project, settings, study, force=force)

    def here(one: TrainSettings) -> TrainResult:
        return train(project, one, progress=progress, force=force)

    done = train_missing(project, study, once or here, limit_s=settings.time_limit_s, progress=progress, force=force)
    if isinstance(done, Failure):
        return StudyResult(kind=study.kind, model=study.model, epochs=settings.epochs, failures=(done,))
    return stage(project, settings, done, progress=progress, force=force)


def _mark(project: Project, settings: StudySettings, study: Study) -> str:
    return STAGES[study.kind].mark_of(project, settings, study)


def _stage(kind: Kind, settings: type[StudySettings]) -> Stage[StudyResult]:
    return Stage(
        words=kind,
        settings=settings,
        result=StudyResult,
        work="fercli.stages.study.work",
        inputs=lambda _project, _settings, study: Inputs(extra=study.mark),
        # All that makes a difference is in the fingerprints of the trainings.
        not_identity=tuple(one.name for one in fields(TrainSettings)),
        arguments=(Argument("study", Study, "Compare these trained variants."),),
        name=lambda _project, _settings, study: f"{kind}-{study.folder}",
        told=lambda _project, _settings, study: [one.name for one in study.variants],
        is_long=True,
    )


STAGES: dict[str, Stage[StudyResult]] = {
    "ablate": _stage("ablate", AblateSettings),
    "sweep": _stage("sweep", SweepSettings),
}
