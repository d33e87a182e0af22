import numpy as np
import pytest

from fercli.demo.expressions import EMOTIONS, REST, Expression, draw_expression
from fercli.demo.faces import SUPERSAMPLING, Placement, draw_face, locate_face
from fercli.demo.head import HeadSprite, paint_head
from fercli.demo.identity import Identity, draw_identity
from fercli.vision.mtcnn.detector import FaceDetector

UNIT_PX = 32.0
PLACE = Placement((100.0, 90.0), UNIT_PX)


def pupil(seed: int) -> tuple[Identity, HeadSprite]:
    identity = draw_identity(np.random.default_rng(seed))
    return identity, paint_head(identity, UNIT_PX * SUPERSAMPLING, (-0.5, -0.45, 0.75))


def picture() -> np.ndarray:
    return np.full((200, 200, 3), 160, np.uint8)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_mtcnn_finds_drawn_faces_where_the_truth_says(emotion: str, detector: FaceDetector) -> None:
    offsets, confidences = [], []
    for seed in range(6):
        image = picture()
        expression = draw_expression(emotion, 0.9, np.random.default_rng(seed))
        truth = draw_face(image, *pupil(seed), expression, place=PLACE)
        found, *others = sorted(detector.detect([image])[0], key=lambda face: -face.confidence)
        # What `fer align` would keep is one face.
        assert all(face.confidence < 0.9 for face in others)
        offsets.append(np.linalg.norm(found.landmarks - truth.landmarks, axis=1).max() / truth.box[2])
        confidences.append(found.confidence)
        assert abs(found.left - truth.box[0]) < 0.2 * truth.box[2]
        assert abs(found.top - truth.box[1]) < 0.2 * truth.box[3]
    # A twisted mouth is misjudged now and then; five of six landmarks sets lie within a tenth of the face.
    assert sorted(offsets)[-2] < 0.1
    assert np.mean(confidences) > 0.95


def test_face_at_rest_is_where_it_is_placed() -> None:
    truth = locate_face(*pupil(1), REST, PLACE)
    np.testing.assert_allclose(truth.landmarks[:2].mean(axis=0), PLACE.center, atol=0.5)
    left, top, width, height = truth.box
    assert left < 100 < left + width
    assert top < 90 < top + height
    assert 1.7 * UNIT_PX < width < 2.2 * UNIT_PX


def test_turning_the_head_moves_the_nose_more_than_the_eyes() -> None:
    one = pupil(2)
    straight, turned = (locate_face(*one, Expression(yaw=yaw), PLACE).landmarks for yaw in (0.0, 0.2))
    shift = (turned - straight)[:, 0]
    assert shift[2] > shift[0] > 0
    assert shift[2] > shift[1] > 0


def test_rolling_the_head_turns_the_line_between_the_eyes() -> None:
    left, right, *_ = locate_face(*pupil(3), Expression(roll=10.0), PLACE).landmarks
    assert np.isclose(np.degrees(np.arctan2(*(right - left)[::-1])), 10.0, atol=0.1)


def test_smile_lifts_the_corners_of_the_mouth() -> None:
    one = pupil(4)
    calm, smiling = (locate_face(*one, Expression(mouth_curve=curve), PLACE).landmarks for curve in (0.0, 1.0))
    assert np.all(smiling[3:, 1] < calm[3:, 1] - 0.05 * UNIT_PX)


def test_shut_eyes_hide_the_iris() -> None:
    identity, head = pupil(6)
    images = []
    for lid in (1.0, 0.03):
        image = picture()
        truth = draw_face(image, identity, head, Expression(lid_left=lid, lid_right=lid), place=PLACE)
        column, row = truth.landmarks[0].round().astype(int)
        images.append(int(image[row - 3 : row + 1, column - 1 : column + 2].min()))
    assert images[1] > images[0] + 15


def test_expression_changes_the_face_and_nothing_around_it() -> None:
    one = pupil(7)
    first, second = picture(), picture()
    draw_face(first, *one, REST, place=PLACE)
    draw_face(second, *one, Expression(mouth_curve=1.0, brow_left=0.1), place=PLACE)
    rows, columns = np.nonzero(np.any(first != second, axis=2))
    left, top, width, height = locate_face(*one, REST, PLACE).box
    assert len(rows)
    assert rows.min() > top
    assert rows.max() < top + height
    assert columns.min() > left
    assert columns.max() < left + width


def test_face_beyond_the_edge_is_cut_off() -> None:
    image = picture()
    draw_face(image, *pupil(8), REST, place=Placement((0.0, 0.0), UNIT_PX))
    draw_face(image, *pupil(8), REST, place=Placement((900.0, 900.0), UNIT_PX))
    assert np.all(image[-20:] == 160)
    assert not np.all(image[:20, :20] == 160)
