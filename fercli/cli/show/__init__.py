"""Show results on the terminal, one module for each kind of result; most results need none."""

import importlib
from typing import Any

from fercli.core.project import Project
from fercli.core.results import StageResult

# The class of a result, and the function that shows it: `show(result, settings, project) -> bool`, true when nothing of
# its counts is left to say.
_RENDERERS: dict[str, str] = {
    "CheckAllResult": "check:show_all",
    "CheckImagesResult": "check:show_images",
    "CheckLabelsResult": "check:show_labels",
    "CheckLeakageResult": "check:show_leakage",
    "CompareResult": "compare:show_compare",
    "EvalResult": "eval:show_scores",
    "GroupsResult": "groups:show_groups",
    "GradcamResult": "gradcam:show_layers",
    "LabelsAgreementResult": "agreement:show_agreement",
    "LabelsImportResult": "labels:show_import",
    "LabelsShowResult": "labels:show_labels",
    "LabelsVoteResult": "labels:show_vote",
    "MatchResult": "match:show_pairs",
    "MatrixResult": "transfer:show_matrix",
    "PoolResult": "pool:show_pool",
    "RunsResult": "runs:show_runs",
    "SplitResult": "split:show_split",
    "StatsResult": "stats:show_stats",
    "StudyResult": "study:show_study",
    "TrainResult": "train:show_training",
    "TrainSeriesResult": "train:show_series",
    "TraceResult": "trace:show_trace",
    "TransferResult": "transfer:show_transfer",
}


def show_own(result: StageResult, settings: Any, project: Project) -> bool:  # an instance of the stage's settings
    """Show a result that has a renderer of its own; whether its counts have been shown."""
    home = _RENDERERS.get(type(result).__name__)
    if home is None:
        return False
    module, _, name = home.partition(":")
    shown = getattr(importlib.import_module(f"fercli.cli.show.{module}"), name)(result, settings, project)
    return bool(shown)
