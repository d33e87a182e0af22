"""`fer check images`: find crops that are missing, corrupt, blank or duplicated."""

from dataclasses import dataclass, field

from fercli.core.results import StageResult
from fercli.core.settings import setting
from fercli.core.stage import Stage

_MOST_NAMED = 3


@dataclass(frozen=True)
class CheckImagesSettings:
    """What is done about it."""

    fix: bool = setting(False, "Mark faces with missing or unreadable crops as dropped.")


@dataclass(frozen=True, kw_only=True)
class CheckImagesResult(StageResult):
    """The state of the crops.

    Attributes:
        num_faces: usable faces.
        num_missing: of these, faces whose crop is not there.
        num_unreadable: faces whose crop cannot be read.
        num_blank: crops of a single colour.
        num_identical_groups: groups of byte-identical crops.
        num_conflicting_groups: of these, groups with several labels.
        blank: the first faces of a single colour.
        num_fixed: faces that were marked as dropped.
    """

    num_faces: int = 0
    num_missing: int = 0
    num_unreadable: int = 0
    num_blank: int = 0
    num_identical_groups: int = 0
    num_conflicting_groups: int = 0
    blank: tuple[str, ...] = field(default=())
    num_fixed: int = 0


check_images = Stage(
    words="check images",
    settings=CheckImagesSettings,
    result=CheckImagesResult,
    work="fercli.stages.check.images_work",
    is_whole=True,
    writes=lambda settings: settings.fix,
    remakes=True,
)
