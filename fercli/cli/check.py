"""`fer check ...`: what is wrong with pictures, labels and splits."""

from dataclasses import replace

from fercli.cli.options import Call
from fercli.cli.show.check import show_all, show_leakage
from fercli.stages.check.all import CheckAllResult, CheckAllSettings
from fercli.stages.check.all import check_all as run_all
from fercli.stages.check.images import CheckImagesResult, CheckImagesSettings
from fercli.stages.check.images import check_images as run_images
from fercli.stages.check.labels import CheckLabelsResult, CheckLabelsSettings
from fercli.stages.check.labels import check_labels as run_labels
from fercli.stages.check.leakage import CheckLeakageResult, CheckLeakageSettings
from fercli.stages.check.leakage import check_leakage as run_leakage


def check_all(call: Call, *, settings: CheckAllSettings) -> CheckAllResult:
    """Options -> settings -> stage -> show."""
    result = run_all(call.project, replace(settings, fix=settings.fix and not call.dry_run), progress=call.progress)
    if not call.json:
        show_all(result)
        call.has_shown = True
    return result


def check_images(call: Call, *, settings: CheckImagesSettings) -> CheckImagesResult:
    """Options -> settings -> stage -> show."""
    return run_images(call.project, replace(settings, fix=settings.fix and not call.dry_run), progress=call.progress)


def check_labels(call: Call, *, settings: CheckLabelsSettings) -> CheckLabelsResult:
    """Options -> settings -> stage -> show."""
    return run_labels(call.project, replace(settings, fix=settings.fix and not call.dry_run))


def check_leakage(call: Call, *, settings: CheckLeakageSettings) -> CheckLeakageResult:
    """Options -> settings -> stage -> show."""
    drops = settings.drop_duplicates and not call.dry_run
    settings = replace(settings, drop_duplicates=drops)
    result = run_leakage(call.project, settings, progress=call.progress, force=call.force)
    if not call.json:
        show_leakage(result)
        call.has_shown = True
    return result
