"""Record digests of the crops of a run, and tell what has become of these crops since."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fercli.core.errors import ProjectError
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Split
from fercli.core.runs import Run
from fercli.core.tables import read_table
from fercli.data.crops import CropError, CropFiles
from fercli.data.samples import Samples

CROPS_FILE = "crops.csv"
# Sixteen hexadecimal digits tell a million crops apart: two of them are alike by chance once in 37 million projects.
_NUM_DIGITS = 16


@dataclass(frozen=True, slots=True)
class CropRow:
    """One row of a run's crops.csv; `digest` begins the SHA-256 of the crop, and is empty where there was none."""

    face_id: str
    split: Split
    digest: str


@dataclass(frozen=True)
class CropChanges:
    """What became of the crops that a run recorded; nothing is known of one that recorded none.

    Attributes:
        num_recorded: faces looked at.
        changed: faces that have another crop now.
        missing: faces that are gone or dropped, or whose crop is.
        unreadable: what is wrong with the first crop that cannot be read.
    """

    num_recorded: int
    changed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unreadable: CropError | None = None

    @property
    def words(self) -> str:
        """The difference in words; empty where there is none."""
        parts = [
            f"{len(faces):,} of {self.num_recorded:,} {words}, first '{faces[0]}'"
            for faces, words in ((self.changed, "have another crop"), (self.missing, "are gone"))
            if faces
        ]
        return " and ".join(parts)


class PresentCrops:
    """The crops that a project has now, each looked at once."""

    def __init__(self, project: Project, *, progress: Progress = SILENT) -> None:
        self._paths = {face.face_id: face.path for face in project.rows(Face) if face.is_usable and face.path}
        self._files = CropFiles(project.root)
        self._progress = progress
        self._found: dict[str, str] = {}
        self._errors: dict[str, CropError] = {}

    def digests(self, face_ids: Collection[str]) -> dict[str, str]:
        """The digest of each face's crop, empty for a face that is not usable or has none."""
        self._progress.start("checking crops", len(face_ids))
        for face_id in face_ids:
            if face_id not in self._found:
                self._found[face_id] = self._digest(face_id)
            self._progress.advance()
        self._files.keep_digests()
        return {face_id: self._found[face_id] for face_id in face_ids}

    def changes(self, run: Run, splits: Collection[str]) -> CropChanges | None:
        """Compare the crops of some sets with those that the run was trained on; None where it recorded none."""
        path = run.folder / CROPS_FILE
        if not path.exists():
            return None
        rows = [row for row in read_table(path, CropRow) if row.split in splits]
        found = self.digests([row.face_id for row in rows])
        others = [row for row in rows if found[row.face_id] != row.digest]
        return CropChanges(
            num_recorded=len(rows),
            changed=tuple(row.face_id for row in others if found[row.face_id]),
            missing=tuple(row.face_id for row in others if not found[row.face_id]),
            unreadable=next((self._errors[row.face_id] for row in rows if row.face_id in self._errors), None),
        )

    def places(self, run: Run, split: str) -> list[str]:
        """The paths of the crops that a run recorded of one set, as far as their faces have some now."""
        path = run.folder / CROPS_FILE
        rows = read_table(path, CropRow) if path.exists() else []
        return [self._paths[row.face_id] for row in rows if row.split == split and row.face_id in self._paths]

    def _digest(self, face_id: str) -> str:
        try:
            return self._files.digest(self._paths[face_id])[:_NUM_DIGITS] if face_id in self._paths else ""
        except CropError as error:
            self._errors[face_id] = error
            return ""


def crop_rows(project: Project, samples: Samples, *, progress: Progress = SILENT) -> list[CropRow]:
    """The digest of the crop of each sample."""
    found = PresentCrops(project, progress=progress).digests(samples.face_ids)
    return [CropRow(name, split, found[name]) for name, split in zip(samples.face_ids, samples.splits, strict=True)]


def crop_changes(
    project: Project, run: Run, splits: Sequence[str], *, progress: Progress = SILENT
) -> CropChanges | None:
    """What became of the crops of some sets since the training; None where the run recorded none."""
    return PresentCrops(project, progress=progress).changes(run, splits)


def check_crops(
    project: Project, run: Run, split: str, hint: str, *, progress: Progress = SILENT
) -> CropChanges | None:
    """As `crop_changes`, for one set, but any change is refused.

    Raises:
        ProjectError: with what has changed, and `hint`.
        CropError: a crop has changed in that it cannot be read.
    """
    changes = crop_changes(project, run, [split], progress=progress)
    if changes and changes.unreadable:
        raise changes.unreadable
    if changes and changes.changed:
        _check_readable(project, changes.changed)
    if changes and changes.words:
        raise ProjectError(
            f"run '{run.run_id}' was trained on other crops than this project has now: "
            f"of its {split} faces, {changes.words}",
            hint=hint,
        )
    return changes


def _check_readable(project: Project, face_ids: Collection[str]) -> None:
    path_of = {face.face_id: face.path for face in project.rows(Face)}
    files = CropFiles(project.root)
    for face_id in face_ids:
        files.read(path_of[face_id])
