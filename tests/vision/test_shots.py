from pathlib import Path

import numpy as np
import pytest

from fercli.vision.keyframes.shots import first_frames
from fercli.vision.video.reader import VideoReader, scan_video
from tests.vision.videos import pattern, write_video

CUTS = [0, 24, 39, 70]
# Where a cut falls among key frames and frames that no other is predicted from, by encoder.
CODINGS = {
    "few key frames": {"key_every": 250, "options": {"preset": "ultrafast", "x264-params": "scenecut=0"}},
    "key frames at cuts": {"key_every": 250, "options": {"preset": "veryfast"}},
    "key frames at fixed places": {"key_every": 13, "options": {"preset": "veryfast", "x264-params": "scenecut=0"}},
    "open groups": {"key_every": 12, "options": {"preset": "veryfast", "x264-params": "scenecut=0:open-gop=1"}},
    "many unreferenced frames": {"key_every": 50, "options": {"x264-params": "scenecut=0:bframes=7:b-adapt=0"}},
    "key frames alone": {"key_every": 1, "options": {"preset": "ultrafast"}},
}


def shots(path: Path, cuts: list[int], num_frames: int = 90, **coding: object) -> Path:
    """Shots of unlike pictures in each of which a square wanders."""
    pictures = []
    for number in range(num_frames):
        picture = pattern(sum(number >= cut for cut in cuts)).copy()
        left = number * 2 % 100
        picture[40:60, left : left + 20] = 240
        pictures.append(picture)
    return write_video(path, pictures, **coding)  # type: ignore[arg-type]


def found(path: Path, threshold: float = 15.0, min_gap_s: float = 0.5, **part: float) -> list[int]:
    reader = VideoReader(path, threads=1, **part)  # type: ignore[arg-type]
    frames = first_frames(reader, scan_video(path), threshold=threshold, min_gap_s=min_gap_s)
    return [frame.index for frame, _ in frames]


@pytest.mark.parametrize("coding", CODINGS)
def test_cuts_are_found_wherever_the_encoder_put_its_key_frames(tmp_path: Path, coding: str) -> None:
    assert found(shots(tmp_path / "v.mp4", CUTS, **CODINGS[coding])) == CUTS


@pytest.mark.parametrize("suffix", [".avi", ".ts", ".mkv"])
def test_cuts_are_found_in_other_containers(tmp_path: Path, suffix: str) -> None:
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    assert found(shots(tmp_path / f"v{suffix}", CUTS, codec=codec)) == CUTS


def test_cuts_are_found_without_time_stamps(tmp_path: Path) -> None:
    assert found(shots(tmp_path / "v.h264", CUTS)) == CUTS


def test_scene_between_two_like_key_frames_is_found(tmp_path: Path) -> None:
    pictures = [pattern(2 if 30 <= i < 50 else 1) for i in range(100)]
    path = write_video(tmp_path / "v.mp4", pictures, key_every=100, options={"preset": "ultrafast"})
    assert found(path) == [0, 30, 50]


def test_part_of_a_video_has_its_cuts(tmp_path: Path) -> None:
    path = shots(tmp_path / "v.mp4", CUTS, **CODINGS["key frames at fixed places"])
    assert found(path, start_s=20 / 25, end_s=60 / 25) == [20, 39]


def test_what_lies_between_like_key_frames_is_not_decoded(tmp_path: Path) -> None:
    path = shots(tmp_path / "v.mp4", [0, 100], 200, key_every=10, options={"x264-params": "scenecut=0"})
    seen: list[int] = []
    reader = VideoReader(path, threads=1, watch=lambda frame: seen.append(frame.index))
    frames = first_frames(reader, scan_video(path), threshold=15.0, min_gap_s=0.5)
    assert [frame.index for frame, _ in frames] == [0, 100]
    assert len(seen) < 40


def test_score_is_the_step_in_levels(tmp_path: Path) -> None:
    pictures = [np.full((96, 128, 3), 60 if i < 20 else 160, np.uint8) for i in range(40)]
    path = write_video(tmp_path / "v.mp4", pictures)
    frames = first_frames(VideoReader(path), scan_video(path), threshold=15.0, min_gap_s=0.0)
    # Grey 60 and 160 are luma 68 and 153 of 16 to 235.
    assert [score for _, score in frames] == [None, pytest.approx(100 * 219 / 255, abs=1.5)]


def test_damaged_video_has_the_cuts_of_its_whole_frames(tmp_path: Path) -> None:
    path = shots(tmp_path / "v.mp4", CUTS, key_every=6, options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    middle = len(data) * 9 // 10
    data[middle : middle + 60] = bytes(60)
    path.write_bytes(data)
    assert found(path) == CUTS
