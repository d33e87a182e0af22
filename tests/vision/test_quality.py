"""Sharpness, likeness, tilt."""

import cv2
import numpy as np
import pytest
from scipy.fft import dctn

from fercli.vision.quality import blur, hamming, phash, roll_deg, sharpness, yaw_share


def texture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    return cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)


def test_flat_picture_has_no_sharpness() -> None:
    assert sharpness(np.full((9, 9), 77, np.uint8)) == 0


def test_sharpness_of_one_bright_pixel_is_that_worked_out_by_hand() -> None:
    luma = np.zeros((5, 5), np.uint8)
    luma[2, 2] = 10
    # Laplacian: -40 at the pixel, 10 at its four neighbours; mean 0, so the variance is the mean square.
    assert sharpness(luma) == pytest.approx((40**2 + 4 * 10**2) / 25)


@pytest.mark.parametrize("height", [1, 2, 63, 64, 65, 128, 200])
def test_sharpness_of_strips_is_that_of_the_whole(height: int) -> None:
    luma = np.random.default_rng(height).integers(0, 256, (height, 90), np.uint8)
    edges = cv2.Laplacian(luma, cv2.CV_64F)
    assert sharpness(luma) == pytest.approx(edges.var(), rel=1e-12)


def test_blur_lowers_sharpness() -> None:
    assert sharpness(cv2.GaussianBlur(texture(), (0, 0), 3)) < sharpness(texture()) / 2


def test_sharpness_of_grey_rgb_is_that_of_its_luma() -> None:
    luma = texture()[:, :, 0]
    assert sharpness(np.repeat(luma[:, :, None], 3, axis=2)) == pytest.approx(sharpness(luma))


def test_blur_of_a_checkerboards_edges_is_that_worked_out_by_hand() -> None:
    # Each step of 90 becomes nine steps of 10, so it loses 80 of 90; what is left counts as blur.
    luma = np.where(np.add.outer(np.arange(40) // 20, np.arange(40) // 20) % 2, 90, 0).astype(np.uint8)
    assert blur(luma) == pytest.approx(1 / 9, abs=1e-6)


def test_blur_grows_with_blurring_and_stays_in_its_range() -> None:
    squares = np.kron(np.random.default_rng(0).integers(0, 256, (6, 8)), np.ones((40, 40))).astype(np.uint8)
    values = [blur(cv2.GaussianBlur(squares, (0, 0), sigma)) for sigma in (0.1, 1, 2, 4)]
    assert values == sorted(values)
    assert 0 <= values[0] < values[-1] <= 1


def test_flat_picture_is_all_blur() -> None:
    assert blur(np.full((20, 20), 9, np.uint8)) == 1


def test_hash_holds_the_signs_of_the_low_frequencies() -> None:
    luma = texture()[:, :, 0]
    low = dctn(cv2.resize(luma, (32, 32), interpolation=cv2.INTER_AREA).astype(float), norm="ortho")[:8, :8]
    bits = "".join("1" if value > np.median(low) else "0" for value in low.ravel())
    assert phash(luma) == f"{int(bits, 2):016x}"


def test_hash_survives_shrinking_and_brightness() -> None:
    darker = (cv2.resize(texture(), (160, 120), interpolation=cv2.INTER_AREA) * 0.8).astype(np.uint8)
    assert hamming(phash(texture()), phash(darker)) <= 4


def test_hashes_of_different_pictures_differ_in_many_bits() -> None:
    assert hamming(phash(texture(0)), phash(texture(1))) >= 16


@pytest.mark.parametrize(("first", "second", "bits"), [("00", "00", 0), ("0f", "00", 4), ("ff00", "00ff", 16)])
def test_hamming_counts_differing_bits(first: str, second: str, bits: int) -> None:
    assert hamming(first, second) == bits


@pytest.mark.parametrize(("right_eye", "expected"), [((10, 0), 0), ((10, 10), 45), ((10, -10), -45), ((0, 5), 90)])
def test_roll_is_the_angle_of_the_eye_line(right_eye: tuple[int, int], expected: float) -> None:
    landmarks = np.array([(0, 0), right_eye, (5, 5), (2, 8), (8, 8)], dtype=float)
    assert roll_deg(landmarks) == pytest.approx(expected)


@pytest.mark.parametrize(("nose", "expected"), [((5, 5), 0), ((10, 0), 1), ((0, 3), -1), ((7.5, 9), 0.5)])
def test_yaw_is_the_noses_place_between_the_eyes(nose: tuple[float, float], expected: float) -> None:
    landmarks = np.array([(0, 0), (10, 0), nose, (2, 8), (8, 8)], dtype=float)
    assert yaw_share(landmarks) == pytest.approx(expected)


def test_yaw_of_a_tilted_face_is_that_of_an_upright_one() -> None:
    upright = np.array([(0, 0), (10, 0), (7, 6), (2, 8), (8, 8)], dtype=float)
    quarter_turn = upright[:, ::-1] * [-1, 1]
    assert yaw_share(quarter_turn) == pytest.approx(yaw_share(upright))


def test_eyes_in_one_place_have_no_yaw() -> None:
    assert yaw_share(np.zeros((5, 2))) == 0
