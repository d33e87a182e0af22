"""`fer labels ...`: votes in, labels out."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fercli.cli.options import Call
from fercli.cli.show.agreement import show_agreement
from fercli.cli.show.labels import show_import, show_labels
from fercli.stages.labels.agreement import LabelsAgreementResult, LabelsAgreementSettings
from fercli.stages.labels.agreement import labels_agreement as run_agreement
from fercli.stages.labels.export import LabelsExportResult, LabelsExportSettings
from fercli.stages.labels.export import labels_export as run_export
from fercli.stages.labels.importing import LabelsImportResult, LabelsImportSettings
from fercli.stages.labels.importing import labels_import as run_import
from fercli.stages.labels.show import LabelsShowResult, LabelsShowSettings
from fercli.stages.labels.show import labels_show as run_show
from fercli.stages.labels.vote import LabelsVoteResult, LabelsVoteSettings
from fercli.stages.labels.vote import labels_vote as run_vote


def labels_import(
    call: Call,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files or folders with votes.")],
    *,
    settings: LabelsImportSettings,
) -> LabelsImportResult:
    """Options -> settings -> stage."""
    result = run_import(call.project, settings, files, progress=call.progress, force=call.force, dry_run=call.dry_run)
    if not (call.json or result.is_unchanged or result.is_dry_run):
        show_import(result)
        call.has_shown = True
    return result


def labels_vote(call: Call, *, settings: LabelsVoteSettings) -> LabelsVoteResult:
    """Options -> settings -> stage."""
    return run_vote(call.project, settings, force=call.force, dry_run=call.dry_run)


def labels_show(call: Call, *, settings: LabelsShowSettings) -> LabelsShowResult:
    """Settings -> stage -> show."""
    result = run_show(call.project, replace(settings, plot=settings.plot and not call.dry_run))
    if not call.json:
        show_labels(result)
        call.has_shown = True
    return result


def labels_agreement(call: Call, *, settings: LabelsAgreementSettings) -> LabelsAgreementResult:
    """Options -> settings -> stage -> show."""
    result = run_agreement(call.project, settings)
    if not call.json:
        show_agreement(result, settings)
        call.has_shown = True
    return result


def labels_export(call: Call, *, settings: LabelsExportSettings) -> LabelsExportResult:
    """Options -> settings -> stage."""
    return run_export(call.project, settings, progress=call.progress, force=call.force, dry_run=call.dry_run)
