"""`fer stats`: how many faces each split, class, subject and video has, and what was dropped and why."""

from dataclasses import dataclass, field
from typing import Literal

from fercli.core.results import StageResult
from fercli.core.settings import setting
from fercli.core.stage import Stage

By = Literal["split", "class", "subject", "video"]
NO_LABEL = "no label"
_NOT_KNOWN = "not known"
_OUTSIDE = "in no part"


@dataclass(frozen=True)
class StatsSettings:
    """What is counted."""

    by: tuple[By, ...] = setting(("split", "class"), "Count by split, class, subject or video (comma-separated).")
    split: str = setting("", "Use this split for the counts.", option="split-name", aliases=("split",))
    plot: bool = setting(False, "Save figures of the counts to reports/.")


@dataclass(frozen=True, kw_only=True)
class StatsResult(StageResult):
    """Faces in numbers.

    Attributes:
        classes: of the project, in order.
        split: whose parts were counted; empty when there is none.
        tables: for each word of `by`, its rows: group -> class (or part, for `class`) -> faces.
        dropped: detected faces that were not kept, by reason.
        label_statuses: labels by what the votes came to.
    """

    num_faces: int
    num_labelled: int
    classes: tuple[str, ...]
    split: str = ""
    tables: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    label_statuses: dict[str, int] = field(default_factory=dict)


stats = Stage(
    words="stats",
    settings=StatsSettings,
    result=StatsResult,
    work="fercli.stages.stats_work",
    is_whole=True,
    writes=lambda settings: settings.plot,
)
