"""`fer align --tracking`: the same faces for less, the same bytes however it came to its end."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from fercli.core.project import Project, open_project
from fercli.core.rows import Face, Frame
from fercli.stages.align import AlignSettings, align
from tests.stages.lesson import make_lesson

TRACKING = AlignSettings(min_face=40, min_confidence=0.8, device="cpu", tracking=True, track_every=3)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_lesson(tmp_path / "class", num_frames=7)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project, aligned in one go; leave it alone."""
    project = make_lesson(tmp_path_factory.mktemp("whole") / "class", num_frames=7)
    align(project, TRACKING)
    return project


@pytest.fixture
def aligned(whole: Project, tmp_path: Path) -> Project:
    """A copy of it."""
    return open_project(Path(shutil.copytree(whole.root, tmp_path / "aligned")))


def made(project: Project) -> list[tuple[str, bytes]]:
    paths = [project.table_path(Face), *sorted(project.root.glob("faces/*/*.png"))]
    return [(path.name, path.read_bytes()) for path in paths]


class Impatient:
    """Presses Ctrl-C after so many pictures."""

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def start(self, task: str, total: int | None = None) -> None: ...

    def advance(self, num_items: int = 1, **fields: str) -> None:
        self.patience -= num_items
        if fields and self.patience <= 0:
            raise KeyboardInterrupt

    def note(self, text: str) -> None: ...

    def add_row(self, cells: Mapping[str, str]) -> None: ...


def test_every_face_is_followed(project: Project) -> None:
    result = align(project, TRACKING)
    assert (result.num_frames, result.num_faces) == (7, 14)
    assert align(project, TRACKING).is_unchanged


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_run_that_was_killed_ends_with_the_same_bytes(project: Project, whole: Project, patience: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        align(project, TRACKING, progress=Impatient(patience))
    align(project, TRACKING)
    assert made(project) == made(whole)


def test_two_workers_make_the_same_bytes(project: Project, whole: Project) -> None:
    align(project, dataclasses.replace(TRACKING, workers=2))
    assert made(project) == made(whole)


def test_frame_that_changed_takes_its_chunk_with_it(aligned: Project) -> None:
    frame = aligned.rows(Frame)[4]
    (aligned.root / "frames/other.jpg").write_bytes((aligned.root / frame.path).read_bytes())
    rows = [dataclasses.replace(row, path="frames/other.jpg") if row == frame else row for row in aligned.rows(Frame)]
    aligned.write_rows(rows, Frame)
    assert align(aligned, TRACKING).num_frames_done == 3


def test_frame_that_left_takes_its_chunk_with_it_and_moves_those_after(aligned: Project) -> None:
    # Closer together than they are, so that the gap does not begin a chunk.
    rows = [dataclasses.replace(row, time_s=row.frame_index / 4) for row in aligned.rows(Frame)]
    aligned.write_rows(rows, Frame)
    align(aligned, TRACKING)
    aligned.write_rows([row for row in rows if row.frame_index != 4], Frame)
    assert align(aligned, TRACKING).num_frames_done == 3


def test_gap_that_a_frame_leaves_begins_a_chunk(aligned: Project) -> None:
    assert [row.time_s for row in aligned.rows(Frame)][3:6] == [6.0, 8.0, 10.0]
    aligned.write_rows([row for row in aligned.rows(Frame) if row.frame_index != 4], Frame)
    # The fourth frame, searched as before, stays; those after the gap are searched and followed anew.
    assert align(aligned, TRACKING).num_frames_done == 2


def test_limit_and_the_rest_are_the_whole(project: Project, whole: Project) -> None:
    align(project, dataclasses.replace(TRACKING, limit=4))
    align(project, TRACKING)
    assert made(project) == made(whole)
