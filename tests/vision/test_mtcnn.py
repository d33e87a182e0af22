"""The detector against mtcnn 1.0.0's own output, drawn faces and photographs."""

import json
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from fercli.vision.detection import Detection
from fercli.vision.images import read_image
from fercli.vision.mtcnn.detector import FaceDetector
from tests.vision.drawn import draw_face, draw_room

GOLDEN = Path(__file__).parent / "golden"
OPENVINO = pytest.param(
    "fast openvino:f32", marks=pytest.mark.skipif(not find_spec("openvino"), reason="openvino is not installed")
)
MODES = pytest.mark.parametrize("mode", ["exact", "fast", OPENVINO])


@cache
def detector(mode: str = "fast", min_face_px: int = 20) -> FaceDetector:
    mode, _, device = mode.partition(" ")
    return FaceDetector(mode=mode, min_face_px=min_face_px, device=device or "cpu")  # type: ignore[arg-type]


@cache
def golden_picture() -> np.ndarray:
    return read_image(GOLDEN / "drawn-faces.png")


def golden_faces() -> list[dict[str, list[list[float]]]]:
    faces: list[dict[str, list[list[float]]]] = json.loads((GOLDEN / "mtcnn-1.0.0.json").read_text("utf-8"))["faces"]
    return faces


def error_share(found: Detection, landmarks: np.ndarray) -> float:
    """Mean landmark error over the face's width."""
    return float(np.linalg.norm(found.landmarks - landmarks, axis=1).mean() / found.width)


def nearest(faces: list[Detection], landmarks: np.ndarray) -> Detection:
    assert faces, "no face found"
    return min(faces, key=lambda face: error_share(face, landmarks))


@pytest.mark.parametrize("index", range(len(golden_faces())))
def test_exact_mode_gives_mtcnns_boxes_and_landmarks(index: int) -> None:
    golden = golden_faces()[index]
    landmarks = np.array(golden["landmarks"])
    face = nearest(detector("exact").detect([golden_picture()])[0], landmarks)
    np.testing.assert_allclose(face.landmarks, landmarks, atol=0.02)
    box = [face.left, face.top, face.left + face.width, face.top + face.height]
    np.testing.assert_allclose(box, golden["box_left_top_right_bottom"], atol=0.02)
    assert face.confidence == pytest.approx(golden["confidence"], abs=1e-3)


def test_exact_mode_finds_no_more_than_mtcnn() -> None:
    assert len(detector("exact").detect([golden_picture()])[0]) == len(golden_faces())


def test_fast_mode_finds_mtcnns_faces_with_landmarks_near() -> None:
    found = detector("fast").detect([golden_picture()])[0]
    assert len(found) == len(golden_faces())
    errors = [
        error_share(nearest(found, np.array(face["landmarks"])), np.array(face["landmarks"])) for face in golden_faces()
    ]
    assert np.percentile(errors, 95) < 0.05


@MODES
@pytest.mark.parametrize("tilt", [0.0, 15.0])
def test_drawn_face_is_found_with_landmarks_in_viewers_order(mode: str, tilt: float) -> None:
    room = draw_room()
    landmarks = draw_face(room, (240, 130), 90, tilt)
    face = nearest(detector(mode).detect([room])[0], landmarks)
    assert error_share(face, landmarks) < 0.06


@MODES
@pytest.mark.parametrize("min_face_px", [5, 20, 23, 24, 36, 60, 100])
def test_any_smallest_size_finds_the_larger_face(mode: str, min_face_px: int) -> None:
    # mtcnn 1.0.0 loses faces or returns none from 24 on.
    room = draw_room()
    landmarks = draw_face(room, (240, 130), 130)
    faces = detector(mode, min_face_px).detect([room])[0]
    assert error_share(nearest(faces, landmarks), landmarks) < 0.06


def test_faces_below_the_smallest_size_are_left_out() -> None:
    room = draw_room()
    draw_face(room, (240, 130), 28)
    assert detector("fast", 20).detect([room])[0]
    assert not detector("fast", 60).detect([room])[0]


@MODES
def test_batch_with_a_faceless_picture_gives_each_picture_its_own_faces(mode: str) -> None:
    # mtcnn 1.0.0 shifts the boxes of the others.
    left, right = draw_room(), draw_room(200, 300)
    draw_face(left, (150, 130), 80)
    draw_face(right, (200, 100), 60)
    batch = detector(mode).detect([left, draw_room(333, 222), right])
    alone = [detector(mode).detect([image])[0] for image in (left, right)]
    assert [len(faces) for faces in batch] == [len(alone[0]), 0, len(alone[1])]
    for together, single in zip((batch[0], batch[2]), alone, strict=True):
        np.testing.assert_array_equal(together[0].landmarks, single[0].landmarks)


@MODES
def test_finding_twice_gives_the_same_bits(mode: str) -> None:
    first, second = detector(mode).detect([golden_picture(), golden_picture()])
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
        assert (one.left, one.top, one.confidence) == (other.left, other.top, other.confidence)


@MODES
def test_faces_come_most_confident_first(mode: str) -> None:
    confidences = [face.confidence for face in detector(mode).detect([golden_picture()])[0]]
    assert all(first >= second for first, second in pairwise(confidences))


@MODES
def test_face_is_found_again_where_it_was_and_nowhere_else(mode: str) -> None:
    faces = detector(mode).detect([golden_picture()])[0]
    first = faces[0]
    near = np.array([[first.left + 3, first.top - 2, first.width, first.height], [2.0, 2.0, 30.0, 30.0]])
    again = detector(mode).detect_near(golden_picture(), near)
    assert len(again) == 1
    assert error_share(again[0], first.landmarks) < 0.05


@MODES
def test_no_places_have_no_faces(mode: str) -> None:
    assert detector(mode).detect_near(golden_picture(), np.zeros((0, 4))) == []


@MODES
def test_face_at_the_edge_has_a_box_inside_the_picture(mode: str) -> None:
    room = draw_room()
    draw_face(room, (28, 130), 90)
    faces = detector(mode).detect([room])[0]
    assert faces
    assert all(face.left >= 0 and face.left + face.width <= 479 for face in faces)


@MODES
@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (12, 12), (11, 30)])
def test_tiny_pictures_have_no_faces(mode: str, shape: tuple[int, int]) -> None:
    assert detector(mode).detect([np.zeros((*shape, 3), np.uint8)]) == [[]]


def test_no_pictures_have_no_faces() -> None:
    assert detector().detect([]) == []


def test_smallest_face_of_no_pixels_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        FaceDetector(min_face_px=0)


@pytest.mark.real_data
@MODES
def test_photographs_give_all_their_faces_and_points(real_data: Path, mode: str) -> None:
    truth = json.loads((real_data / "faces" / "ground-truth.json").read_text("utf-8"))
    errors = []
    for name, faces in sorted(truth.items()):
        found = detector(mode).detect([read_image(real_data / "faces" / name)])[0]
        # As `fer align` keeps them by default.
        found = [face for face in found if face.confidence > 0.9]
        assert len(found) == len(faces), name
        errors += [
            error_share(nearest(found, np.array(face["landmarks_5"])), np.array(face["landmarks_5"])) for face in faces
        ]
    assert len(errors) == 18
    assert max(errors) < 0.1


@pytest.mark.real_data
@MODES
def test_picture_without_faces_gives_none(real_data: Path, mode: str) -> None:
    assert detector(mode).detect([read_image(real_data / "faces" / "no-faces.jpg")]) == [[]]


@pytest.mark.real_data
@pytest.mark.parametrize("mode", ["fast", OPENVINO])
def test_three_people_are_three_faces_in_every_frame(real_data: Path, mode: str) -> None:
    with Image.open(real_data / "videos" / "three-people.gif") as video:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(video)]
    found = detector(mode).detect(frames)
    # mtcnn 1.0.0 and `exact` find two in three of the 41 frames.
    assert [len(faces) for faces in found] == [3] * 41
