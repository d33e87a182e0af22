"""`fer labels export`: write a folder of faces that annotators, or a tool of theirs, can work on."""

from dataclasses import dataclass
from typing import Literal

from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label, Vote
from fercli.core.settings import setting
from fercli.core.stage import Inputs, Stage
from fercli.stages.labels.waiting import bring_in


@dataclass(frozen=True)
class LabelsExportSettings:
    """Which faces go out, and in what form."""

    to: Literal["csv", "html", "label-studio", "cvat"] = setting("csv", "Export for this annotation tool.")
    repeat: int = setting(
        1,
        "Create this many sheets, one per annotator.",
        option="num-sheets",
        aliases=("repeat",),
        minimum=1,
        maximum=100,
    )
    only: Literal["unlabelled", "ties"] | None = setting(None, "Export only faces with too few votes, or only ties.")
    blind: float = setting(
        0.0,
        "Repeat this fraction of the faces, under anonymous names.",
        option="retest",
        aliases=("blind",),
        minimum=0,
        maximum=1,
    )
    part_size: int = setting(
        2000, "Put at most this many faces into one file (html).", minimum=1, only_with={"to": ("html",)}
    )
    with_votes: bool = setting(False, "Include votes of earlier annotators.")
    name: str = setting("", "Name the folder in exports/.")
    seed: int = setting(0, "Set the random seed for order and repeats.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class LabelsExportResult(StageResult):
    """What went out.

    Attributes:
        folder: relative to the project.
        num_faces: different faces.
        num_items: images on each sheet, repeated ones included.
        num_sheets: one for each annotator.
    """

    folder: str = ""
    num_faces: int = 0
    num_items: int = 0
    num_sheets: int = 0


def _inputs(project: Project, settings: LabelsExportSettings) -> Inputs:
    """The tables that decide what is written: votes that came in since make no difference to a plain sheet."""
    labels = [project.table_path(Label)] if settings.only else []
    votes = [project.table_path(Vote)] if settings.with_votes or settings.only == "ties" else []
    guide = project.section("annotate").get("guide") if settings.to == "html" else None
    return Inputs([project.table_path(Face), *labels, *votes], [project.classes, guide])


labels_export = Stage(
    words="labels export",
    settings=LabelsExportSettings,
    result=LabelsExportResult,
    work="fercli.stages.labels.export_work",
    before=bring_in,
    inputs=_inputs,
    is_long=True,
    batch=lambda *_: "export",
)
