import numpy as np
import pytest

from fercli.demo.head import HeadSprite, paint_head
from fercli.demo.identity import Identity
from tests.demo.pupils import FRONT, SKIN, pupil

SCALE = 30.0


def head(identity: Identity | None = None, light: tuple[float, float, float] = FRONT, gain: float = 1.0) -> HeadSprite:
    return paint_head(identity or pupil(), SCALE, light, gain)


def at(plane: np.ndarray, painted: HeadSprite, x: float, y: float) -> np.ndarray:
    """The mean of a few pixels about a point of the face."""
    column, row = round(painted.origin[0] + x * SCALE), round(painted.origin[1] + y * SCALE)
    return np.asarray(plane[row - 1 : row + 2, column - 1 : column + 2].reshape(9, -1).mean(axis=0))


def test_head_is_solid_and_the_space_around_it_clear() -> None:
    painted = head()
    assert at(painted.alpha, painted, 0.0, 0.5) == 255
    assert at(painted.alpha, painted, 0.0, -1.5) == 255
    assert at(painted.alpha, painted, 1.05, 0.2) == 255  # an ear
    assert at(painted.alpha, painted, 1.7, 1.8) == 0
    assert not painted.rgb[painted.alpha == 0].any()


def test_nose_shifts_most_when_the_head_turns() -> None:
    painted = head()
    nose, cheek, edge = (at(painted.depth, painted, *place).item() for place in ((0, 0.55), (0.6, 0.5), (0.95, 0.5)))
    assert nose > cheek > edge


def test_pixels_begin_where_they_are() -> None:
    painted = head()
    assert painted.columns[5, 7] == 7
    assert painted.rows[5, 7] == 5
    assert at(painted.jaw, painted, 0.0, 0.0).item() == 0
    assert at(painted.jaw, painted, 0.0, 1.9).item() == 1


def test_cheek_has_the_colour_of_the_skin() -> None:
    painted = head()
    red, green, blue = at(painted.rgb, painted, 0.3, 0.85)
    assert abs(red / green - SKIN[0] / SKIN[1]) < 0.15
    assert abs(green / blue - SKIN[1] / SKIN[2]) < 0.15


def test_lids_have_the_colour_of_what_lies_over_the_eyes() -> None:
    painted = head()
    for side, color in zip((-1, 1), painted.lid_colors, strict=True):
        np.testing.assert_allclose(color, at(painted.rgb, painted, side * painted.shape.eye_x, -0.16), atol=6)


@pytest.mark.parametrize("side", [-1, 1])
def test_cheek_on_the_side_of_the_light_is_brighter(side: int) -> None:
    painted = head(light=(0.6 * side, 0.0, 0.8))
    lit, dark = (float(at(painted.rgb, painted, where * 0.7, 0.6).mean()) for where in (side, -side))
    assert lit > dark + 20


def test_dim_seat_gives_a_dim_head() -> None:
    bright, dim = head(), head(gain=0.5)
    ratio = at(dim.rgb, dim, 0.3, 0.85) / at(bright.rgb, bright, 0.3, 0.85)
    np.testing.assert_allclose(ratio, 0.5, atol=0.02)
    assert np.array_equal(bright.alpha, dim.alpha)


def test_beard_darkens_the_chin_and_not_the_cheek() -> None:
    shaved, bearded = head(), head(pupil(beard=0.8))
    for place, is_darker in (((0.0, 1.4), True), ((0.5, 0.2), False)):
        before, after = (float(at(one.rgb, one, *place).mean()) for one in (shaved, bearded))
        assert (after < 0.8 * before) == is_darker


def test_scarf_has_the_colour_of_clothes_and_hair_that_of_hair() -> None:
    for style, channel in (("scarf", 1), ("short", 0)):
        color = at(head(pupil(hair_style=style)).rgb, head(), 0.0, -1.5)
        assert int(np.argmax(color)) == channel
    dark = at(head().rgb, head(), 0.0, -1.5)
    assert dark.mean() < 80


def test_same_pupil_is_painted_alike_and_another_texture_differs() -> None:
    assert np.array_equal(head().rgb, head().rgb)
    assert not np.array_equal(head().rgb, head(pupil(texture_seed=6)).rgb)
