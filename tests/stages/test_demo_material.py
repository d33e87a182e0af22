from pathlib import Path

import numpy as np
import pytest

from fercli.demo.classroom import Classroom
from fercli.engine.local import LOCAL
from fercli.labels.formats.registry import read_votes
from fercli.stages.demo import Material
from fercli.stages.demo.material import (
    SeenFace,
    draw_lessons,
    lesson_names,
    read_truth,
    truth_path,
    video_path,
    write_annotations,
)
from fercli.vision.video.reader import VideoReader

MATERIAL = Material(seed=2, num_subjects=2, seconds=1.0, fps=2, num_annotators=4)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("demo")
    assert draw_lessons(root, MATERIAL, engine=LOCAL) == (("lesson-1",), 2)
    return root


def test_video_shows_the_drawn_frames(drawn: Path) -> None:
    lesson = Classroom(seed=2, num_subjects=2, seconds=1.0, fps=2).lessons[0]
    frames = [frame.rgb() for frame in VideoReader(video_path(drawn, "lesson-1"))]
    for decoded, original in zip(frames, lesson.frames(), strict=True):
        assert np.abs(decoded.astype(int) - original).mean() < 4


def test_truth_of_every_frame_names_every_pupil(drawn: Path) -> None:
    truth = read_truth(truth_path(drawn, "lesson-1"))
    assert sorted(truth) == [0, 1]
    assert [one.pupil for one in truth[0]] == ["pupil-01", "pupil-02"]


def test_drawn_lessons_are_not_drawn_again(drawn: Path) -> None:
    before = video_path(drawn, "lesson-1").stat().st_mtime_ns
    assert draw_lessons(drawn, MATERIAL, engine=LOCAL) == (("lesson-1",), 0)
    assert video_path(drawn, "lesson-1").stat().st_mtime_ns == before


@pytest.mark.parametrize(("pupils", "lessons"), [(1, 1), (12, 1), (13, 2), (36, 3)])
def test_there_is_a_lesson_for_every_twelve_pupils(pupils: int, lessons: int) -> None:
    material = Material(0, pupils, 1.0, 1, 3)
    assert lesson_names(material) == tuple(
        lesson.name for lesson in Classroom(num_subjects=pupils, seconds=1, fps=1).lessons
    )
    assert len(lesson_names(material)) == lessons


def test_annotations_do_not_depend_on_the_order_of_the_faces(drawn: Path, tmp_path: Path) -> None:
    truths = read_truth(truth_path(drawn, "lesson-1"))
    faces = [
        SeenFace(f"lesson-1/f{index:06d}-{place}", f"faces/{index}-{place}.png", truth)
        for index, there in truths.items()
        for place, truth in enumerate(there)
    ]
    first = write_annotations(tmp_path / "a", faces, MATERIAL)
    second = write_annotations(tmp_path / "b", faces[::-1], MATERIAL)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert sum(len({vote.annotator for vote in read_votes(path).votes}) for path in first) == 4
