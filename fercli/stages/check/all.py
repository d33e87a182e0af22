"""`fer check`: every check of a project, one after another."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label
from fercli.core.settings import setting
from fercli.stages.check.images import CheckImagesSettings, check_images
from fercli.stages.check.labels import CheckLabelsSettings, check_labels
from fercli.stages.check.leakage import CheckLeakageSettings, check_leakage

Record = dict[str, Any]  # the fields of a check's result
_SHARED = {column.name for column in fields(StageResult)}


@dataclass(frozen=True)
class CheckAllSettings:
    """What is done about what is found."""

    fix: bool = setting(False, "Mend what can be mended without losing anything.")


@dataclass(frozen=True, kw_only=True)
class CheckAllResult(StageResult):
    """The counts of each check; what could not be checked yet is missing.

    Attributes:
        images: see CheckImagesResult.
        labels: see CheckLabelsResult.
        leakage: by split, see CheckLeakageResult.
    """

    images: Record = field(default_factory=dict)
    labels: Record = field(default_factory=dict)
    leakage: dict[str, Record] = field(default_factory=dict)


def check_all(project: Project, settings: CheckAllSettings, *, progress: Progress = SILENT) -> CheckAllResult:
    """Check pictures, then labels, then every split; what is not there yet is passed over.

    Raises:
        MissingStageError: the project has no faces yet.
    """
    project.require(Face)
    found: list[StageResult] = [check_images(project, CheckImagesSettings(fix=settings.fix), progress=progress)]
    if project.rows(Label):
        found.append(check_labels(project, CheckLabelsSettings(fix=settings.fix)))
    names = sorted(path.stem for path in (project.root / "manifests" / "splits").glob("*.csv"))
    splits = {
        name: check_leakage(project, CheckLeakageSettings(split=name), progress=progress, force=True) for name in names
    }
    found += splits.values()
    return CheckAllResult(
        images=_counts(found[0]),
        labels=_counts(found[1]) if project.rows(Label) else {},
        leakage={name: _counts(result) for name, result in splits.items()},
        warnings=tuple(dict.fromkeys(sentence for result in found for sentence in result.warnings)),
        failed_checks=tuple(sentence for result in found for sentence in result.failed_checks),
        outputs=tuple(dict.fromkeys(path for result in found for path in result.outputs)),
    )


def _counts(result: StageResult) -> Record:
    return {name: value for name, value in asdict(result).items() if name not in _SHARED}
