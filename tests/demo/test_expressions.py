import numpy as np
import pytest

from fercli.demo.expressions import EMOTIONS, REST, Expression, draw_expression, mix_expressions

NUM_DRAWS = 60


def drawn(emotion: str, intensity: float = 1.0) -> list[Expression]:
    rng = np.random.default_rng(5)
    return [draw_expression(emotion, intensity, rng) for _ in range(NUM_DRAWS)]


def mean(faces: list[Expression], name: str) -> float:
    return float(np.mean([getattr(face, name) for face in faces]))


def test_happy_faces_smile_and_no_others_do() -> None:
    curves = {emotion: mean(drawn(emotion), "mouth_curve") for emotion in EMOTIONS}
    assert curves.pop("happy") > 0.5
    assert max(curves.values()) < 0.1


def test_tired_lids_hang_lowest() -> None:
    lids = {emotion: mean(drawn(emotion), "lid_left") for emotion in EMOTIONS}
    assert min(lids, key=lambda emotion: lids[emotion]) == "tired"


def test_confused_brows_stand_at_different_heights() -> None:
    gaps = {e: float(np.mean([abs(f.brow_left - f.brow_right) for f in drawn(e)])) for e in EMOTIONS}
    assert gaps["confused"] > 3 * max(gap for emotion, gap in gaps.items() if emotion != "confused")


def test_bored_eyes_look_aside() -> None:
    sides = {e: float(np.mean([abs(f.gaze_x) for f in drawn(e)])) for e in EMOTIONS}
    assert sides["bored"] > 2 * max(side for emotion, side in sides.items() if emotion != "bored")


def test_dedicated_lips_are_pressed() -> None:
    assert mean(drawn("dedicated"), "lip_press") > 0.6 > mean(drawn("neutral"), "lip_press")


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_no_intensity_is_a_face_at_rest(emotion: str) -> None:
    faces = drawn(emotion, 0.0)
    assert abs(mean(faces, "mouth_curve")) < 0.1
    assert mean(faces, "lid_left") > 0.9
    assert mean(faces, "mouth_open") == 0


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_no_two_draws_are_the_same(emotion: str) -> None:
    assert len(set(drawn(emotion))) == NUM_DRAWS


def test_mixing_half_way_halves_every_movement() -> None:
    full = Expression(mouth_curve=1.0, lid_left=0.0, roll=8.0)
    half = mix_expressions(REST, full, 0.5)
    assert (half.mouth_curve, half.lid_left, half.roll, half.lid_right) == (0.5, 0.5, 4.0, 1.0)
