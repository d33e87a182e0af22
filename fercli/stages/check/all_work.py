"""The work of `fer check`: every check of a project, one after another."""

from dataclasses import asdict, fields
from typing import Any

from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label
from fercli.stages.check.all import CheckAllResult, CheckAllSettings
from fercli.stages.check.images import CheckImagesSettings, check_images
from fercli.stages.check.labels import CheckLabelsSettings, check_labels
from fercli.stages.check.leakage import CheckLeakageSettings, check_leakage

Record = dict[str, Any]  # the fields of a check's result
_SHARED = {column.name for column in fields(StageResult)}


def call(
    project: Project, settings: CheckAllSettings, *, progress: Progress, force: bool, dry_run: bool
) -> CheckAllResult:
    """Check images, then labels, then every split; what is not there yet is passed over.

    Raises:
        MissingStageError: the project has no faces yet.
    """
    project.require(Face)
    found: list[StageResult] = [
        check_images(project, CheckImagesSettings(fix=settings.fix), progress=progress, dry_run=dry_run)
    ]
    if project.rows(Label):
        found.append(check_labels(project, CheckLabelsSettings(fix=settings.fix), dry_run=dry_run))
    splits = {
        name: check_leakage(project, CheckLeakageSettings(split=name), progress=progress, force=force, dry_run=dry_run)
        for name in project.splits()
    }
    found += splits.values()
    return CheckAllResult(
        images=_counts(found[0]),
        labels=_counts(found[1]) if project.rows(Label) else {},
        # What a dry run has not looked at has no counts.
        leakage={name: _counts(result) for name, result in splits.items() if not result.is_dry_run},
        is_dry_run=dry_run,
        plan=tuple(line for result in found for line in result.plan),
        warnings=tuple(dict.fromkeys(sentence for result in found for sentence in result.warnings)),
        failed_checks=tuple(sentence for result in found for sentence in result.failed_checks),
        outputs=tuple(dict.fromkeys(path for result in found for path in result.outputs)),
    )


def _counts(result: StageResult) -> Record:
    return {name: value for name, value in asdict(result).items() if name not in _SHARED}
