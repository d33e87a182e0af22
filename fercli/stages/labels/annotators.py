"""`fer labels annotators merge|rename` and `fer labels remove`: who is one annotator, and imports taken back."""

from dataclasses import dataclass

from fercli.core.project import Project
from fercli.core.stage import Argument, Stage
from fercli.stages.labels.vote import LabelCounts


@dataclass(frozen=True, kw_only=True)
class LabelsChangeResult(LabelCounts):
    """What is left.

    Attributes:
        num_votes: all votes now.
        num_annotators: people who gave them.
        num_removed: votes that are gone.
        num_restored: of the pairs of face and annotator that they stood for, those that have an earlier vote again.
        num_overwritten: votes that gave way to a newer one of the same person on the same face.
    """

    num_votes: int = 0
    num_annotators: int = 0
    num_removed: int = 0
    num_restored: int = 0
    num_overwritten: int = 0


def _words(_: Project, settings: None, first: str, second: str | list[str] = "") -> list[str]:
    """Pseudonyms and numbers are no names: they may stand in the log."""
    return [first, *(second if isinstance(second, list) else [second] if second else [])]


merge_annotators = Stage(
    words="labels annotators merge",
    settings=None,
    result=LabelsChangeResult,
    work="fercli.stages.labels.merge_work",
    arguments=(
        Argument("keep", str, "Keep this annotator's pseudonym.", "KEEP"),
        Argument("others", list[str], "Merge these annotators into it.", "OTHER..."),
    ),
    told=_words,
    remakes=True,
)
rename_annotator = Stage(
    words="labels annotators rename",
    settings=None,
    result=LabelsChangeResult,
    work="fercli.stages.labels.rename_work",
    arguments=(
        Argument("old", str, "Rename this annotator.", "OLD"),
        Argument("new", str, "Set the new pseudonym.", "NEW"),
    ),
    told=_words,
    remakes=True,
)
remove_import = Stage(
    words="labels remove",
    settings=None,
    result=LabelsChangeResult,
    work="fercli.stages.labels.remove_work",
    arguments=(Argument("number", str, "Take this import back, by its number (import-3).", "IMPORT"),),
    told=_words,
    remakes=True,
)
