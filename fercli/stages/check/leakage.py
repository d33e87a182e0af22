"""`fer check leakage`: find subjects, videos and copies of images that the sets of a split share."""

from dataclasses import dataclass, field, replace
from typing import Any

from fercli.core.people import unmatched_in_split, with_doubt
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face
from fercli.core.settings import setting
from fercli.core.splits import choose_split
from fercli.core.stage import Inputs, Stage


@dataclass(frozen=True)
class CheckLeakageSettings:
    """What is looked for, and where."""

    split: str = setting(
        "", "Check this split (default: 'default', or the only one).", option="split-name", aliases=("split",)
    )
    near: int = setting(
        2,
        "Report near-duplicates within this many hash bits; 0 is off.",
        option="hash-distance",
        aliases=("near",),
        minimum=0,
        maximum=32,
    )
    drop_duplicates: bool = setting(False, "Save a new split without duplicated training faces.")


@dataclass(frozen=True, kw_only=True)
class CheckLeakageResult(StageResult):
    """What a split has on two sides.

    Attributes:
        split: its name.
        is_published: it came with a dataset, and is kept as it is.
        num_faces: faces in it.
        subjects_across_splits: subjects on two sides.
        videos_across_splits: videos on two sides; a leak only where subjects are not known.
        identical_across_splits: faces of val and test that are byte-identical to one of an earlier part.
        identical_by_parts: the same by the two parts, e.g. "test and train".
        near_across_splits: faces of val and test that are nearly identical to one of an earlier part.
        examples: the first copies, each with both faces.
        unmatched_videos: videos whose subjects hold within them alone, so that a person on two sides is not seen.
        num_dropped: training copies that the new split leaves out.
        new_split: name of the split without copies, where one was asked for.
    """

    split: str = ""
    is_published: bool = False
    num_faces: int = 0
    subjects_across_splits: int = 0
    videos_across_splits: int = 0
    identical_across_splits: int = 0
    identical_by_parts: dict[str, int] = field(default_factory=dict)
    near_across_splits: int = 0
    examples: tuple[dict[str, Any], ...] = ()
    unmatched_videos: tuple[str, ...] = ()
    num_dropped: int = 0
    new_split: str = ""


def _inputs(project: Project, settings: CheckLeakageSettings) -> Inputs:
    path = project.split_path(choose_split(project, settings.split))
    return Inputs([project.table_path(Face), path, path.with_suffix(".json")])


def _as_known_now(project: Project, settings: CheckLeakageSettings, known: CheckLeakageResult) -> CheckLeakageResult:
    """What this call or an earlier one found, with what is known of the people by now."""
    videos = unmatched_in_split(project, project.split_rows(known.split))
    return replace(with_doubt(known, videos), unmatched_videos=videos)


check_leakage = Stage(
    words="check leakage",
    settings=CheckLeakageSettings,
    result=CheckLeakageResult,
    work="fercli.stages.check.leakage_work",
    inputs=_inputs,
    name=lambda project, settings: f"check-leakage-{choose_split(project, settings.split)}",
    writes=lambda settings: settings.drop_duplicates,
    now=_as_known_now,
    remakes=True,
)
