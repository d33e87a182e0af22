"""`fer labels import`: import vote files, and update the labels."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from fercli.core.rows import Label, Vote
from fercli.core.settings import setting
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.labels.vote import LabelCounts
from fercli.stages.labels.waiting import bring_in
from fercli.stages.next_steps import with_what_follows


@dataclass(frozen=True)
class LabelsImportSettings:
    """How files of votes are read."""

    votes_format: Literal["auto", "csv", "label-studio", "cvat", "ferplus", "folder"] = setting(
        "auto", "Read the files in this format.", option="from"
    )
    annotator: str = setting("", "Set the annotator if the file does not name one.")
    map: tuple[str, ...] = setting((), "Map words to classes: joyful=happy,calm=neutral.")
    field: str = setting(
        "",
        "Read this Label Studio control, if there are several.",
        only_with={"votes_format": ("auto", "label-studio")},
    )
    cvat_attribute: str = setting(
        "", "Read this CVAT box attribute instead of tags.", only_with={"votes_format": ("auto", "cvat")}
    )
    final: bool = setting(
        False, "Treat the votes as final (adjudicated) labels.", option="adjudicated", aliases=("final",)
    )
    strict: bool = setting(False, "Reject files with items that match no face.")


@dataclass(frozen=True, kw_only=True)
class LabelsImportResult(LabelCounts):
    """What came in.

    Attributes:
        imports: for each file the number of its import, "import-3".
        formats: for each file how it was read, and why.
        num_votes: votes in the files that count.
        num_new: of these on a face that the annotator had not judged before.
        num_changed: of these that replace another label of the same annotator.
        num_overwritten: votes within a file that a newer one replaced.
        num_skipped: items left out by an annotator.
        num_unmatched: votes on items that are no face of the project.
        num_conflicts: items with two labels of one annotator at once; no votes.
        num_gold: judgements marked as truth, kept apart in labels/gold.csv.
        annotators: votes of each, by pseudonym.
        self_agreement: share of faces judged twice, under two names, that got the same label, by annotator.
    """

    imports: dict[str, str] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)
    num_votes: int = 0
    num_new: int = 0
    num_changed: int = 0
    num_overwritten: int = 0
    num_skipped: int = 0
    num_unmatched: int = 0
    num_conflicts: int = 0
    num_gold: int = 0
    annotators: dict[str, int] = field(default_factory=dict)
    self_agreement: dict[str, float] = field(default_factory=dict)


labels_import = Stage(
    words="labels import",
    settings=LabelsImportSettings,
    result=LabelsImportResult,
    work="fercli.stages.labels.import_work",
    before=bring_in,
    # Which files have been imported is known by their contents; this names the tables that a result speaks of.
    inputs=lambda project, settings, files: Inputs([project.table_path(Vote), project.table_path(Label)]),
    arguments=(Argument("files", list[Path], "Files or folders with votes.", "FILE..."),),
    known=lambda *_: None,
    not_identity=tuple(column.name for column in fields(LabelsImportSettings)),
    private=("annotator",),
    now=lambda project, settings, result, files: with_what_follows(project, result),
    remakes=True,
)
