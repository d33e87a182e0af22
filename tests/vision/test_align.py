"""Upright faces: the transform against its inverse, the warp against other resamplers."""

import cv2
import numpy as np
import pytest
from PIL import Image

from fercli.core.errors import MediaError
from fercli.vision.align import TEMPLATE, apply, crop_box, crop_face, similarity, template, warp


def rotation(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def texture(height: int = 240, width: int = 320) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize("degrees", [0, 30, 90, 179, -120])
@pytest.mark.parametrize("scale", [0.1, 1, 7])
def test_similarity_undoes_the_transform_that_made_the_points(degrees: float, scale: float) -> None:
    moved = TEMPLATE @ rotation(degrees) * scale + [7, -3]
    np.testing.assert_allclose(apply(similarity(moved, TEMPLATE), moved), TEMPLATE, atol=1e-9)


def test_similarity_agrees_with_umeyamas_own_example() -> None:
    # Umeyama 1991, section V: R = [[.832, .555], [-.555, .832]], t = (-.8, .4), c = .721, mirror not allowed.
    points = np.array([[0, 0], [1, 0], [0, 2]], dtype=float)
    targets = np.array([[0, 0], [-1, 0], [0, 2]], dtype=float)
    affine = similarity(points, targets)
    np.testing.assert_allclose(affine[:, :2], 0.721 * np.array([[0.832, 0.555], [-0.555, 0.832]]), atol=2e-3)
    np.testing.assert_allclose(affine[:, 2], [-0.8, 0.4], atol=2e-3)


def test_similarity_never_mirrors() -> None:
    mirrored = TEMPLATE * [-1, 1]
    assert np.linalg.det(similarity(mirrored, TEMPLATE)[:, :2]) > 0


def test_similarity_of_coinciding_points_is_refused() -> None:
    with pytest.raises(ValueError, match="do not all coincide"):
        similarity(np.ones((5, 2)), TEMPLATE)


def test_face_already_in_place_comes_out_unchanged() -> None:
    image = texture(112, 112)
    crop, affine = crop_face(image, TEMPLATE)
    np.testing.assert_allclose(affine, [[1, 0, 0], [0, 1, 0]], atol=1e-9)
    np.testing.assert_array_equal(crop, image)


@pytest.mark.parametrize("size", [112, 224])
@pytest.mark.parametrize("margin", [0.0, 0.25])
def test_landmarks_land_on_the_template_of_the_size(size: int, margin: float) -> None:
    landmarks = TEMPLATE @ rotation(15) * 0.8 + [60, 20]
    crop, affine = crop_face(texture(), landmarks, size, margin)
    assert crop.shape == (size, size, 3)
    np.testing.assert_allclose(apply(affine, landmarks), template(size, margin), atol=1e-6)


def test_margin_keeps_the_template_centred_and_smaller() -> None:
    # With half a side on each side, the template takes the middle half of the crop.
    np.testing.assert_allclose(template(112, 0.5), TEMPLATE / 2 + 28)


def test_turned_face_stands_upright_again() -> None:
    image = texture()
    turn = cv2.getRotationMatrix2D((160, 120), 25, 1.0)
    turned = cv2.warpAffine(image, turn, (320, 240))
    landmarks = TEMPLATE + np.array([104, 64])
    straight, _ = crop_face(image, landmarks)
    again, _ = crop_face(turned, apply(turn, landmarks))
    assert np.abs(straight[20:92, 20:92].astype(int) - again[20:92, 20:92]).mean() < 6


def test_beyond_the_edge_the_crop_is_black() -> None:
    crop, _ = crop_face(np.full((200, 200, 3), 255, np.uint8), TEMPLATE - np.array([56, 0]))
    assert crop[:, :55].max() == 0
    assert crop[:, 57:].min() == 255


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_shrinking_averages_the_pixels_it_covers(factor: int) -> None:
    image = texture(112 * factor, 112 * factor)
    crop, _ = crop_box(image, (0.0, 0.0, 112.0 * factor, 112.0 * factor))
    expected = np.asarray(Image.fromarray(image).reduce(factor))
    assert np.abs(crop[1:-1, 1:-1].astype(int) - expected[1:-1, 1:-1]).max() <= 1


def test_fine_stripes_become_grey_instead_of_moire() -> None:
    stripes = np.zeros((800, 800, 3), np.uint8)
    stripes[:, ::2] = 255
    crop, _ = crop_face(stripes, TEMPLATE * 5 + 100)
    # Five columns hold two or three white ones: 102 or 153, never the 0 or 255 of point samples.
    assert set(np.unique(crop)) <= {101, 102, 103, 152, 153, 154}


def test_enlarging_agrees_with_opencvs_resize() -> None:
    image = texture(40, 40)
    crop, _ = crop_box(image, (0.0, 0.0, 40.0, 40.0), 112)
    expected = cv2.resize(image, (112, 112), interpolation=cv2.INTER_LINEAR)
    assert np.abs(crop[4:-4, 4:-4].astype(int) - expected[4:-4, 4:-4]).max() <= 4


def test_box_is_cut_as_the_square_about_its_centre() -> None:
    image = texture()
    crop, _ = crop_box(image, (50.0, 60.0, 56.0, 112.0), 112)
    np.testing.assert_array_equal(crop, image[60:172, 22:134])


def test_box_margin_widens_the_square() -> None:
    image = texture()
    crop, _ = crop_box(image, (100.0, 80.0, 56.0, 56.0), 112, margin=0.5)
    np.testing.assert_array_equal(crop, image[52:164, 72:184])


def test_warp_of_a_huge_face_stays_small_in_memory() -> None:
    assert warp(np.full((64, 64, 3), 9, np.uint8), np.array([[1e-3, 0, 0], [0, 1e-3, 0]]), 16).shape == (16, 16, 3)


def test_eyes_too_close_are_refused() -> None:
    landmarks = TEMPLATE.copy()
    landmarks[1] = landmarks[0] + [3.9, 0]
    with pytest.raises(MediaError, match=r"eye distance is 3\.9 pixels, below the minimum of 4"):
        crop_face(texture(), landmarks)


def test_box_without_area_is_refused() -> None:
    with pytest.raises(MediaError, match="has no area"):
        crop_box(texture(), (10.0, 10.0, 0.0, 5.0))
