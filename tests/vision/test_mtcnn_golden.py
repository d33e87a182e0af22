"""The detector against what mtcnn 1.0.0 finds in drawn frames and photographs (benchmarks/record_mtcnn.py)."""

import hashlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from fercli.vision.detection import Detection
from fercli.vision.images import read_image
from fercli.vision.mtcnn.boxes import overlap_matrix
from fercli.vision.mtcnn.detector import FaceDetector
from fercli.vision.video.reader import VideoReader
from tests.drawn import DrawnLesson

GOLDEN = Path(__file__).parent / "golden"
RECORD = json.loads((GOLDEN / "mtcnn-1.0.0-pictures.json").read_text("utf-8"))["pictures"]
DRAWN = [name for name in RECORD if name.startswith("classroom")]
PHOTOGRAPHS = [name for name in RECORD if name.startswith("faces/")]

FAST = pytest.mark.parametrize(
    "mode",
    ["fast", pytest.param("fast openvino", marks=pytest.mark.skipif(not find_spec("openvino"), reason="no openvino"))],
)


@cache
def detector(mode: str) -> FaceDetector:
    mode, _, device = mode.partition(" ")
    return FaceDetector(mode=mode, device=device or "cpu")  # type: ignore[arg-type]


def picture(name: str, real_data: Path | None = None) -> np.ndarray:
    if name == "skimage.data.astronaut":
        image = np.asarray(data.astronaut())
    else:
        image = read_image((real_data or GOLDEN) / name)
    assert hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest() == RECORD[name]["sha256"], (
        "the picture is another than the one recorded"
    )
    return image


def row(face: Detection) -> np.ndarray:
    box = [face.left, face.top, face.left + face.width, face.top + face.height]
    return np.array([*box, face.confidence, *face.landmarks.ravel()])


def matched(name: str, mode: str, real_data: Path | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The recorded faces (n 15), for each the nearest that we find, and their overlap."""
    golden = np.array(RECORD[name]["faces"]).reshape(-1, 15)
    found = np.array([row(face) for face in detector(mode).detect([picture(name, real_data)])[0]]).reshape(-1, 15)
    overlaps = overlap_matrix(golden[:, :4], found[:, :4])
    nearest = overlaps.argmax(axis=1) if len(found) else np.zeros(len(golden), int)
    return golden, found[nearest], overlaps.max(axis=1, initial=0.0)


def assert_exact(names: list[str], real_data: Path | None = None) -> None:
    parts = [matched(name, "exact", real_data) for name in names]
    golden, found, _ = (np.concatenate(part) for part in zip(*parts, strict=True))
    differences = np.abs(np.delete(golden - found, 4, axis=1)).max(axis=1)
    assert np.mean(differences <= 0.05) >= 0.99, differences


def assert_fast_finds_them(names: list[str], mode: str, real_data: Path | None = None) -> None:
    errors = []
    for name in names:
        golden, found, overlaps = matched(name, mode, real_data)
        sure = golden[:, 4] > 0.9
        assert (overlaps[sure] > 0.5).all(), name
        shifts = (golden - found)[sure, 5:].reshape(-1, 5, 2)
        widths = golden[sure, 2] - golden[sure, 0]
        errors += (np.hypot(shifts[..., 0], shifts[..., 1]).mean(axis=1) / widths).tolist()
    assert np.percentile(errors, 95) < 0.05


def test_drawn_classes_are_those_that_mtcnn_saw() -> None:
    assert len(DRAWN) == 3
    assert sum(len(RECORD[name]["faces"]) for name in DRAWN) == 36


def test_exact_mode_is_mtcnn_on_the_drawn_classroom() -> None:
    assert_exact(DRAWN)


def test_exact_mode_is_mtcnn_on_the_astronaut() -> None:
    assert_exact(["skimage.data.astronaut"])


@pytest.mark.real_data
def test_exact_mode_is_mtcnn_on_photographs(real_data: Path) -> None:
    assert_exact(PHOTOGRAPHS, real_data)


@pytest.mark.parametrize("name", [*DRAWN, "skimage.data.astronaut"])
def test_exact_mode_finds_as_many_as_mtcnn(name: str) -> None:
    assert len(detector("exact").detect([picture(name)])[0]) == len(RECORD[name]["faces"])


@FAST
def test_fast_mode_finds_mtcnns_faces_in_the_drawn_classroom(mode: str) -> None:
    assert_fast_finds_them([*DRAWN, "skimage.data.astronaut"], mode)


@pytest.mark.real_data
@FAST
def test_fast_mode_finds_mtcnns_faces_in_photographs(real_data: Path, mode: str) -> None:
    assert_fast_finds_them(PHOTOGRAPHS, mode, real_data)


def assert_fast_finds_what_exact_finds(frames: list[np.ndarray], mode: str) -> None:
    errors = []
    for frame in frames:
        exact = np.array([row(face) for face in detector("exact").detect([frame])[0]]).reshape(-1, 15)
        exact = exact[exact[:, 4] > 0.9]
        found = np.array([row(face) for face in detector(mode).detect([frame])[0]]).reshape(-1, 15)
        overlaps = overlap_matrix(exact[:, :4], found[:, :4])
        assert (overlaps.max(axis=1, initial=0) > 0.5).all()
        shifts = (exact - found[overlaps.argmax(axis=1)] if len(exact) else exact)[:, 5:].reshape(-1, 5, 2)
        errors += (np.hypot(shifts[..., 0], shifts[..., 1]).mean(axis=1) / (exact[:, 2] - exact[:, 0])).tolist()
    assert len(errors) >= len(frames) / 3
    assert np.percentile(errors, 95) < 0.05


@FAST
def test_fast_mode_finds_every_face_of_exact_in_a_drawn_lesson(drawn_lesson: DrawnLesson, mode: str) -> None:
    frames = [frame.rgb() for frame in VideoReader(drawn_lesson.video) if frame.index % 9 == 0]
    assert_fast_finds_what_exact_finds(frames, mode)


@pytest.mark.real_data
@FAST
@pytest.mark.parametrize(
    ("name", "step"),
    [("three-people.gif", 3), ("one-person-turning.gif", 2), ("portrait.mp4", 24), ("face-appears.mov", 20)],
)
def test_fast_mode_finds_every_face_of_exact_in_videos(real_data: Path, name: str, step: int, mode: str) -> None:
    frames = [frame.rgb() for frame in VideoReader(real_data / "videos" / name) if frame.index % step == 0]
    assert_fast_finds_what_exact_finds(frames, mode)
