"""`fer labels suggest`: a run's predictions as suggestions in a Label Studio export, never as votes."""

from dataclasses import dataclass
from typing import Literal

from fercli.core.baseline import find_model
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label
from fercli.core.runs import Run
from fercli.core.settings import setting
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.labels.waiting import bring_in


@dataclass(frozen=True)
class LabelsSuggestSettings:
    """Which faces go out with a suggestion."""

    # Not CVAT: it keeps `source="auto"` when a person accepts a suggestion, so that nobody could tell them apart.
    to: Literal["label-studio"] = setting("label-studio", "Export for this annotation tool.")
    only: Literal["unlabelled", "ties"] | None = setting(None, "Export only faces with too few votes, or only ties.")
    min_probability: float = setting(0.0, "Suggest only what is at least this probable.", minimum=0, maximum=1)
    name: str = setting("", "Name the folder in exports/.")


@dataclass(frozen=True, kw_only=True)
class LabelsSuggestResult(StageResult):
    """What went out.

    Attributes:
        run: that predicted.
        folder: relative to the project.
        num_faces: faces in the export.
        num_suggested: of these with a suggestion.
        suggested: faces by suggested class.
    """

    run: str = ""
    folder: str = ""
    num_faces: int = 0
    num_suggested: int = 0
    suggested: dict[str, int] | None = None


def _settle(project: Project, settings: LabelsSuggestSettings, run: str) -> tuple[LabelsSuggestSettings, tuple[Run]]:
    return settings, (find_model(project.root, run),)


def _inputs(project: Project, settings: LabelsSuggestSettings, run: Run) -> Inputs:
    labels = [project.table_path(Label)] if settings.only else []
    weights = run.folder / "checkpoints" / "best.safetensors"
    return Inputs([project.table_path(Face), weights, *labels], [project.classes, run.run_id])


labels_suggest = Stage(
    words="labels suggest",
    settings=LabelsSuggestSettings,
    result=LabelsSuggestResult,
    work="fercli.stages.labels.suggest_work",
    inputs=_inputs,
    arguments=(Argument("run", str, "Run that predicts, or baseline (default: the latest).", "[RUN]", default=""),),
    settle=_settle,
    told=lambda project, settings, run: [run.run_id],
    before=bring_in,
    is_long=True,
    batch=lambda *_: "suggest",
)
