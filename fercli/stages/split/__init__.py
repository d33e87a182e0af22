"""`fer split`: split labelled faces into training, validation and test sets that share no subject and no image."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fercli.core.files import slug
from fercli.core.people import unmatched_in_split, with_doubt
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label, SplitRow, Video, Vote
from fercli.core.settings import setting
from fercli.core.splits import with_stale
from fercli.core.stage import Inputs, Stage
from fercli.core.words import counted
from fercli.labels.order import chosen_by_doubt
from fercli.stages.labels.waiting import bring_in


@dataclass(frozen=True)
class SplitSettings:
    """How faces are split."""

    group: Literal["subject", "video", "session", "none"] = setting(
        "subject", "Keep all faces of a group in the same set."
    )
    ratios: tuple[float, ...] = setting(
        (0.7, 0.15, 0.15), "Set the proportions of train, val and test.", only_with={"from_file": (None,)}
    )
    kfold: int | None = setting(None, "Create this many cross-validation folds.", minimum=2)
    leave_one_out: bool = setting(
        False, "Use leave-one-group-out cross-validation.", option="leave-one-group-out", aliases=("leave-one-out",)
    )
    stratify: bool = setting(True, "Preserve class proportions in every set.", only_with={"from_file": (None,)})
    seed: int = setting(0, "Set the random seed.", minimum=0, only_with={"from_file": (None,)})
    name: str = setting("default", "Name the split.")
    from_file: Path | None = setting(None, "Read the split from a CSV with columns face_id,split.", option="from")
    drop_duplicates: bool = setting(False, "Drop training faces duplicated in val or test.")
    accept_unknown_subjects: bool = setting(
        False, "Split even if people of several videos are not matched.", is_later=True
    )


@dataclass(frozen=True, kw_only=True)
class SplitResult(StageResult):
    """What is in each set.

    Attributes:
        name: of the split.
        group: what was kept together.
        num_faces: faces in the split.
        num_folds: 0 without folds; the counts below are then sums over folds.
        parts: faces of each set.
        groups: groups in each set.
        classes: faces of each class, by set.
        num_left_out: labelled faces that are in no set.
        num_dropped: training copies of faces of val or test that were dropped.
        identical_across_splits: faces of val and test that are byte-identical to one of an earlier set.
        knows_subjects: subjects are assigned, so that a person in two sets would have been found.
        unmatched_videos: videos whose subjects hold within them alone, so that a person may be in two sets.
    """

    name: str = ""
    group: str = ""
    num_faces: int = 0
    num_folds: int = 0
    parts: dict[str, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    classes: dict[str, dict[str, int]] = field(default_factory=dict)
    num_left_out: int = 0
    num_dropped: int = 0
    identical_across_splits: int = 0
    knows_subjects: bool = True
    unmatched_videos: tuple[str, ...] = ()


def _inputs(project: Project, settings: SplitSettings) -> Inputs:
    files = [project.table_path(row_type) for row_type in (Face, Label, Video)]
    return Inputs([*files, *([settings.from_file] if settings.from_file else [])], project.classes)


def _in_use(project: Project) -> str:
    """Why the pipeline need not make a split of its own: the project has one, under another name."""
    names = project.splits()
    if "default" in names or not names:
        return ""
    if "official" in names:
        return "the dataset has an official split"
    return f"split '{names[0]}' is in use" if len(names) == 1 else ""


def _as_known_now(project: Project, settings: SplitSettings, result: SplitResult) -> SplitResult:
    """A split, new or of an earlier call, with what is known of its people and its faces by now."""
    rows = project.split_rows(result.name)
    videos = unmatched_in_split(project, rows)
    told = replace(with_doubt(result, videos, first=_chosen_doubt(project, rows)), unmatched_videos=videos)
    return with_stale(told, project, project.rows(Label), but=result.name)


def _chosen_doubt(project: Project, rows: Sequence[SplitRow]) -> tuple[str, ...]:
    """A model that is tested on the faces that a model found hard is not tested on what it will meet."""
    chosen = chosen_by_doubt(project.rows(Vote))
    number = len({row.face_id for row in rows if row.split != "train" and row.face_id in chosen})
    if not number:
        return ()
    return (
        f"{counted(number, 'validation or test face was', 'validation and test faces were')} labelled because a model "
        "was uncertain of them (fer annotate --order uncertain): scores on these sets will be too low.",
    )


split = Stage(
    words="split",
    settings=SplitSettings,
    result=SplitResult,
    work="fercli.stages.split.work",
    before=bring_in,
    inputs=_inputs,
    # What was accepted once is no other split.
    not_identity=("accept_unknown_subjects",),
    name=lambda project, settings: f"split-{slug(settings.name)}",
    skip=_in_use,
    now=_as_known_now,
)
