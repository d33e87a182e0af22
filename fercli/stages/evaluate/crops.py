"""Say what must be said of a score's crops: they may be gone, or others may have been scored.

`fer eval` refuses crops that are not those of the training; what shows an earlier score says when it would, and shows
a score of other crops (--accept-other-crops) only in these words, never as that of the run.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fercli.core.project import Project
from fercli.core.runs import OTHER_CROPS, Run, accuracy_in, read_headline, read_metrics
from fercli.core.words import counted
from fercli.data.run_crops import CropChanges, PresentCrops
from fercli.stages.align import align_command


@dataclass(frozen=True)
class OtherCrops:
    """A score on other crops than those of the training.

    Attributes:
        accuracy: on the faces that still had a crop.
        num_changed: faces that had another crop than at the training.
        num_missing: faces of the set that had none, and are not scored.
        num_faces: faces that were scored.
    """

    accuracy: float
    num_changed: int
    num_missing: int
    num_faces: int

    @property
    def words(self) -> str:
        """What it is worth, in short."""
        gone = f", {self.num_missing:,} gone" if self.num_missing else ""
        return f"{self.accuracy:.1%} on other crops ({self.num_changed:,} of {self.num_faces:,} changed{gone})"


@dataclass(frozen=True)
class CropStanding:
    """What is known of the crops of a run's score on one set.

    Attributes:
        run: whose.
        split: which set.
        has_score: the run has a score of its own crops.
        changes: what became of these since; None where the run recorded none.
        other: its score on other crops, where there is one.
    """

    run: Run
    split: str
    has_score: bool
    changes: CropChanges | None
    other: OtherCrops | None

    @property
    def notes(self) -> tuple[str, ...]:
        """A few words each, to stand beside the score."""
        notes = []
        if self.has_score and self.changes is None:
            notes.append(f"{self.split} crops not recorded")
        elif self.has_score and self.changes and self.changes.words:
            total = self.changes.num_recorded
            parts = ((self.changes.changed, "changed since"), (self.changes.missing, "gone"))
            notes.append(
                f"{self.split} crops: "
                + ", ".join(f"{len(faces):,} of {total:,} {what}" for faces, what in parts if faces)
            )
        if self.other:
            notes.append(self.other.words)
        return tuple(notes)

    def sentences(self) -> Iterator[str]:
        """The same as warnings."""
        name, split = self.run.run_id, self.split
        if self.has_score and self.changes is None:
            yield (
                f"Run {name} does not record its crops; whether its {split} score is of the crops of its training is "
                "not known."
            )
        elif self.has_score and self.changes and self.changes.words:
            yield (
                f"The {split} score of run {name} is of crops that this project no longer has: of its {split} faces, "
                f"{self.changes.words}. To restore them: {align_command(self.run)}."
            )
        if self.other:
            beside = "it is not the run's score" if self.has_score else "the run has no score on its own crops"
            gone = f", and {counted(self.other.num_missing, 'face')} without a crop left out" * (
                self.other.num_missing > 0
            )
            yield (
                f"The {split} accuracy of {self.other.accuracy:.1%} of run {name} is on other crops than those of its "
                f"training (--accept-other-crops): {self.other.num_changed:,} of "
                f"{counted(self.other.num_faces, 'face')} with another crop{gone}; {beside}."
            )


def crop_standings(project: Project, runs: Iterable[Run], split: str) -> tuple[list[CropStanding], dict[str, str]]:
    """What is known of the crops of these runs' scores, in their order, and the digests of the files looked at."""
    present = PresentCrops(project)
    standings, places = [], set()
    for run in runs:
        if run.home is not None:  # it was trained on no crop of this project
            standings.append(CropStanding(run, split, False, None, None))
            continue
        has_score = read_headline(run, split) is not None
        changes = present.changes(run, [split])
        places |= set(present.places(run, split))
        standings.append(CropStanding(run, split, has_score, changes, _other(run, split)))
    return standings, project.digests(sorted(places), "faces.csv")


def _other(run: Run, split: str) -> OtherCrops | None:
    metrics = read_metrics(run, split, OTHER_CROPS)
    accuracy, crops = accuracy_in(metrics), metrics.get("crops")
    if accuracy is None or not isinstance(crops, dict):
        return None
    changed, missing, total = (
        value if isinstance(value, int) else 0
        for value in (crops.get("num_changed"), crops.get("num_missing"), metrics.get("num_faces"))
    )
    return OtherCrops(accuracy, changed, missing, total) if changed or missing else None
