"""Frames of two half images of different moments, as camcorders write them."""

from pathlib import Path

import numpy as np
import pytest

from fercli.core.project import create_project
from fercli.core.rows import Frame
from fercli.stages.add import AddSettings, add
from fercli.stages.extract_frames import ExtractFramesSettings, extract_frames
from fercli.vision.images import read_image
from fercli.vision.video.reader import VideoReader
from tests.vision.videos import write_video

WIDTH, HEIGHT = 128, 96


def half(moment: int) -> np.ndarray:
    """A white bar that goes to the right, by four pixels from half image to half image."""
    image = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    image[20:76, 8 + 4 * moment : 32 + 4 * moment] = 220
    return image


def woven(number: int) -> np.ndarray:
    image = half(2 * number)
    image[1::2] = half(2 * number + 1)[1::2]
    return image


def combs(luma: np.ndarray) -> float:
    """How much rows differ from those beside them, beyond the two edges of the bar."""
    rows = luma[24:72].astype(float)
    return float(np.abs(rows[1:-1] - (rows[:-2] + rows[2:]) / 2).max())


@pytest.fixture(scope="module")
def interlaced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("camcorder") / "lesson.mts"
    return write_video(path, [woven(number) for number in range(10)], options={"x264-params": "tff=1"})


def test_frames_have_no_combs_and_show_the_upper_half_image(interlaced: Path) -> None:
    assert combs(woven(3)[:, :, 0]) > 150
    frames = list(VideoReader(interlaced))
    assert len(frames) == 10
    for number, frame in enumerate(frames):
        assert combs(frame.luma) < 20
        assert combs(frame.rgb()[:, :, 0]) < 20
        np.testing.assert_allclose(frame.rgb()[24:72, :, 0], half(2 * number)[24:72, :, 0], atol=40)
        assert frame.size == (WIDTH, HEIGHT)


def test_frame_does_not_depend_on_where_reading_began(interlaced: Path) -> None:
    whole = {frame.index: frame.rgb() for frame in VideoReader(interlaced)}
    for frame in VideoReader(interlaced).at([0.2, 0.32]):
        np.testing.assert_array_equal(frame.rgb(), whole[frame.index])


def test_video_that_is_not_interlaced_keeps_each_row(tmp_path: Path) -> None:
    path = write_video(tmp_path / "whole.mp4", [woven(0)] * 2)
    assert combs(next(iter(VideoReader(path))).luma) > 150


def test_it_is_told_and_kept_frames_have_no_combs(interlaced: Path, tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="p", classes=("happy", "sad"))
    assert "is interlaced: of each frame one of its two half images is used" in str(
        add(project, AddSettings(), [interlaced]).warnings
    )
    result = extract_frames(project, ExtractFramesSettings(every_s=0.1))
    assert result.warnings == ("'lesson': 4 of 4 frames are interlaced: one of the two half images is used",)
    assert [combs(read_image(project.root / frame.path)[:, :, 0]) < 30 for frame in project.rows(Frame)] == [True] * 4
