from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import MissingStageError
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.stages.align import AlignSettings, align
from fercli.vision.images import read_image
from tests.stages.lesson import make_lesson

DRAW = AlignSettings(draw=True)
BOXES = [("ok", "", 60.0), ("dropped", "smaller than 20 pixels", 230.0)]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Frames with a face that was kept and one that was dropped, as `fer align` would have left them."""
    project = make_lesson(tmp_path / "class")
    faces = [
        Face(f"lesson-1/f00000{index}-{place}", f"lesson-1/f00000{index}", "lesson-1", 2.0 * index, left=left, top=70.0,
             width=60.0, height=60.0, confidence=0.95, status=status, reason=reason)  # type: ignore[arg-type]
        for index in range(3) for place, (status, reason, left) in enumerate(BOXES)
    ]  # fmt: skip
    project.write_rows(faces, Face)
    return project


def test_frames_are_drawn_with_kept_and_dropped_faces_and_nothing_else_changes(project: Project) -> None:
    before = project.table_path(Face).read_bytes()
    result = align(project, DRAW)
    assert (result.num_frames_done, result.num_faces, result.dropped) == (3, 3, {"smaller than 20 pixels": 3})
    assert project.table_path(Face).read_bytes() == before
    frame = read_image(project.root / "frames/lesson-1/f000000.jpg").astype(int)
    drawn = read_image(project.root / "reports/align/lesson-1__f000000.jpg").astype(int)
    changed = np.abs(drawn - frame).max(axis=2) > 60
    for _, _, left in BOXES:
        assert changed[80:120, int(left) - 3 : int(left) + 4].any(axis=1).all()
    assert not changed[150:, 130:220].any()


def test_limit_draws_some_and_says_so_and_older_drawings_go(project: Project) -> None:
    align(project, DRAW)
    result = align(project, AlignSettings(draw=True, limit=1))
    assert [path.name for path in (project.root / "reports/align").iterdir()] == ["lesson-1__f000000.jpg"]
    assert result.warnings == ("1 of 3 frames are drawn; more: --limit N.",)


def test_without_faces_there_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError):
        align(make_lesson(tmp_path / "class"), DRAW)


def test_frame_that_was_not_searched_yet_is_told_and_not_counted_as_without_faces(tmp_path: Path) -> None:
    project = make_lesson(tmp_path / "class")
    project.write_rows([Face("lesson-1/f000000-0", "lesson-1/f000000", "lesson-1", 0.0)], Face)
    result = align(project, DRAW)
    assert result.num_frames_without_faces == 0
    assert "Faces were not searched for yet in 2 of 3 frames; search with: fer align" in result.warnings
