from typing import get_args

import numpy as np
import pytest

from fercli.demo.canvas import Canvas
from fercli.demo.hair import hair_mask, strand_texture
from fercli.demo.head import EXTENT
from fercli.demo.identity import HairStyle
from tests.demo.pupils import pupil

CANVAS = Canvas.spanning(EXTENT, 30.0)
STYLES = get_args(HairStyle)


def mask(style: str, seed: int = 0) -> np.ndarray:
    return hair_mask(pupil(hair_style=style), CANVAS, np.random.default_rng(seed))


def at(plane: np.ndarray, x: float, y: float) -> float:
    return float(plane[round(CANVAS.origin[1] + y * CANVAS.scale), round(CANVAS.origin[0] + x * CANVAS.scale)])


@pytest.mark.parametrize("style", STYLES)
def test_hair_covers_the_crown_and_leaves_the_face_free(style: str) -> None:
    covered = mask(style)
    assert covered.min() >= 0
    assert covered.max() <= 1
    assert at(covered, 0.0, -1.5) > 0.9
    assert max(at(covered, x, y) for x, y in ((0, 0), (-0.45, 0), (0.45, 0), (0, 0.6), (0, 1.0))) < 0.05
    assert max(at(covered, x, 0.0) for x in (-1.7, 1.7)) < 0.05


@pytest.mark.parametrize(("style", "reaches"), [("short", False), ("bob", True), ("long", True), ("scarf", True)])
def test_only_some_hair_hangs_beside_the_jaw(style: str, reaches: bool) -> None:
    assert (at(mask(style), 1.08, 0.8) > 0.5) == reaches


def test_a_bun_stands_above_the_head() -> None:
    assert at(mask("bun"), 0.0, -2.05) > 0.9
    assert at(mask("short"), 0.0, -2.05) < 0.1


def test_fringe_hides_more_of_the_forehead() -> None:
    assert at(mask("fringe"), 0.0, -0.8) > 0.9
    assert at(mask("parted"), 0.3, -0.55) < 0.3


def test_wide_face_has_wide_hair() -> None:
    widths = []
    for width in (0.92, 1.06):
        covered = hair_mask(pupil(face_width=width), CANVAS, np.random.default_rng(0))
        widths.append(int((covered.max(axis=0) > 0.5).sum()))
    assert np.isclose(widths[1] / widths[0], 1.06 / 0.92, atol=0.04)


def test_a_parting_is_on_either_side() -> None:
    sides = {bool(at(mask("parted", seed), 0.35, -0.8) > at(mask("parted", seed), -0.35, -0.8)) for seed in range(12)}
    assert sides == {False, True}


@pytest.mark.parametrize("style", STYLES)
def test_strands_are_about_as_bright_as_the_hair(style: str) -> None:
    texture = strand_texture(pupil(hair_style=style), CANVAS, np.random.default_rng(0))
    assert texture.shape == (CANVAS.height, CANVAS.width)
    assert abs(texture.mean() - 1) < 0.1
    assert 0.03 < texture.std() < 0.4


def test_strands_run_away_from_the_crown() -> None:
    texture = strand_texture(pupil(hair_style="long"), CANVAS, np.random.default_rng(0))
    # Beside the crown they lie along the rows, below it along the columns.
    beside = texture[round(CANVAS.origin[1] - 1.5 * 30) - 6 :][:12, -30:]
    below = texture[-40:, round(CANVAS.origin[0] + 3) - 8 :][:, :16]
    assert np.abs(np.diff(beside, axis=1)).mean() < np.abs(np.diff(beside, axis=0)).mean()
    assert np.abs(np.diff(below, axis=0)).mean() < np.abs(np.diff(below, axis=1)).mean()
