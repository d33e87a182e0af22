"""Which faces are kept, why others are not, and what a cut holds."""

import numpy as np
import pytest

from fercli.vision.align import TEMPLATE, apply
from fercli.vision.cutting import CuttingRules, cut_face, cut_faces, enlarge_small, shrunk_back
from fercli.vision.detection import Detection

FRAME = np.zeros((300, 400, 3), np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, FRAME.shape, dtype=np.uint8)


def face(left: float = 100.0, top: float = 80.0, side: float = 112.0, confidence: float = 0.99) -> Detection:
    return Detection(left, top, side, side, confidence, TEMPLATE * side / 112 + np.array([left, top]))


def drop_reasons(faces: list[Detection], frame: np.ndarray, rules: CuttingRules) -> list[str | None]:
    return [reason for reason, _ in cut_faces(frame, faces, rules)]


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        (face(), None),
        (face(confidence=0.89), "low confidence"),
        (face(side=19.0), "too small"),
        (face(left=-45.0), "outside the frame"),
        (face(top=215.0), "outside the frame"),
    ],
    ids=["kept", "confidence", "small", "left", "below"],
)
def test_reason_is_named(detection: Detection, reason: str | None) -> None:
    assert drop_reasons([detection], FRAME, CuttingRules()) == [reason]


def test_eyes_too_close_are_dropped_unless_landmarks_are_not_used() -> None:
    profile = face()
    profile.landmarks[1] = profile.landmarks[0] + 2
    assert drop_reasons([profile], FRAME, CuttingRules()) == ["eyes too close"]
    assert drop_reasons([profile], FRAME, CuttingRules(template="none")) == [None]


def test_tilted_and_turned_faces_are_dropped_when_bounded() -> None:
    tilted, turned = face(), face()
    tilted.landmarks[1, 1] += 20  # 35 pixels between the eyes: 30 degrees
    turned.landmarks[2, 0] += 9  # of 17.6 from the middle to an eye
    rules = CuttingRules(max_roll_deg=25.0, max_yaw=0.4)
    assert drop_reasons([face(), tilted, turned], FRAME, rules) == [None, "tilted", "turned aside"]
    assert drop_reasons([tilted, turned], FRAME, CuttingRules()) == [None, None]


def test_flat_crop_is_blurred_and_noise_is_not() -> None:
    rules = CuttingRules(max_blur=0.6)
    assert drop_reasons([face()], FRAME, rules) == ["blurred"]
    assert drop_reasons([face()], NOISE, rules) == [None]
    assert drop_reasons([face()], FRAME, CuttingRules()) == [None]


def test_blurred_face_takes_no_place_among_the_largest() -> None:
    frame = NOISE.copy()
    frame[:, :200] = 0
    faces = [face(10.0, 20.0, 120.0), face(220.0, 20.0, 60.0), face(300.0, 20.0, 80.0)]
    rules = CuttingRules(max_blur=0.6, max_faces=1)
    cuts = cut_faces(frame, faces, rules)
    assert [reason for reason, _ in cuts] == ["blurred", "too many faces", None]
    assert [cut is not None for _, cut in cuts] == [True, False, True]


def test_only_the_largest_faces_are_kept_when_bounded() -> None:
    faces = [face(0.0, 0.0, 40.0), face(100.0, 0.0, 80.0), face(200.0, 0.0, 60.0), face(300.0, 0.0, 90.0, 0.5)]
    reasons = drop_reasons(faces, FRAME, CuttingRules(max_faces=2))
    assert reasons == ["too many faces", None, None, "low confidence"]


def test_cut_holds_the_affine_that_brings_the_landmarks_home() -> None:
    cut = cut_face(FRAME, face(), CuttingRules())
    np.testing.assert_allclose(apply(cut.affine, face().landmarks), TEMPLATE, atol=1e-6)


def test_roll_is_that_of_the_frame_not_of_the_crop() -> None:
    tilted = face()
    tilted.landmarks[:] = tilted.landmarks[:, ::-1] * [-1, 1] + [300, 0]  # a quarter turn clockwise
    cut = cut_face(FRAME, tilted, CuttingRules())
    assert cut.roll == pytest.approx(90, abs=1)


def test_cut_without_template_is_the_box() -> None:
    cut = cut_face(NOISE, face(), CuttingRules(template="none"))
    np.testing.assert_array_equal(cut.image, NOISE[80:192, 100:212])


def test_small_picture_is_enlarged_by_its_shorter_side() -> None:
    image, factor = enlarge_small(NOISE[:20, :50], 40)
    assert (image.shape, factor) == ((40, 100, 3), 2.0)


def test_picture_large_enough_stays_as_it_is() -> None:
    image, factor = enlarge_small(NOISE[:40, :50], 40)
    assert factor == 1.0
    assert np.array_equal(image, NOISE[:40, :50])


def test_detection_in_an_enlarged_picture_is_told_in_pixels_of_the_picture_before() -> None:
    # The middle of four pixels made of the first one lies at 0.5, that of the first at 0.
    found = Detection(10.0, 20.0, 30.0, 40.0, 0.9, np.full((5, 2), 0.5))
    back = shrunk_back(found, 2.0)
    assert (back.left, back.top, back.width, back.height, back.confidence) == (5.0, 10.0, 15.0, 20.0, 0.9)
    assert np.array_equal(back.landmarks, np.zeros((5, 2)))
