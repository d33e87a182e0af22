"""`fer check`: every check of a project, one after another."""

from dataclasses import dataclass, field, fields
from typing import Any

from fercli.core.results import StageResult
from fercli.core.settings import setting
from fercli.core.stage import Stage

Record = dict[str, Any]  # the fields of a check's result
_SHARED = {column.name for column in fields(StageResult)}


@dataclass(frozen=True)
class CheckAllSettings:
    """What is done about what is found."""

    fix: bool = setting(False, "Fix problems that can be fixed without data loss.")


@dataclass(frozen=True, kw_only=True)
class CheckAllResult(StageResult):
    """The counts of each check; what could not be checked yet is missing.

    Attributes:
        images: see CheckImagesResult.
        labels: see CheckLabelsResult.
        leakage: by split, see CheckLeakageResult.
    """

    images: Record = field(default_factory=dict)
    labels: Record = field(default_factory=dict)
    leakage: dict[str, Record] = field(default_factory=dict)


check_all = Stage(
    words="check all",
    settings=CheckAllSettings,
    result=CheckAllResult,
    work="fercli.stages.check.all_work",
    is_whole=True,
    # Its parts remember what they found.
    writes=lambda _: True,
)
