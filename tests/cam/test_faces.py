from pathlib import Path

import numpy as np
import pytest
import torch

from fercli.cam.faces import input_of, overlay_faces, read_faces
from fercli.cam.gradcam import compute_cams
from fercli.core.errors import FerError
from fercli.data.transforms import InputFormat, to_input
from fercli.models.build import build_model
from fercli.models.table.specs import MODELS
from fercli.vision.images import write_png
from tests.stages.trained import drawn_face

SPEC = MODELS["drf-msam"]
FORM = InputFormat.of_spec(SPEC)
FACES = [drawn_face(number, number % 3) for number in range(4)]


@pytest.fixture
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model("drf-msam", num_classes=3)


def test_overlay_differs_from_its_face_and_keeps_its_size(model: torch.nn.Module) -> None:
    overlays = overlay_faces(model, SPEC, FACES, [0, 1, 2, 0], form=FORM)
    assert [overlay.shape for overlay in overlays] == [face.shape for face in FACES]
    assert all((overlay != face).any() for overlay, face in zip(overlays, FACES, strict=True))


def test_maps_are_computed_at_the_models_own_layer_when_none_is_named(model: torch.nn.Module) -> None:
    own, named = (overlay_faces(model, SPEC, FACES, [0] * 4, form=FORM, layer=layer) for layer in ("", SPEC.cam_layer))
    np.testing.assert_array_equal(own, named)


def test_rim_beside_the_window_is_left_clear(model: torch.nn.Module) -> None:
    form = InputFormat.of_spec(SPEC, window=0.5)  # 24 of 48 pixels
    grey = np.random.default_rng(0).integers(0, 256, (48, 48, 1), np.uint8).repeat(3, axis=2)
    overlays = np.stack(overlay_faces(model, SPEC, [grey] * 3, [0, 1, 2], form=form))
    is_changed = (overlays != grey).any((0, 3))
    assert is_changed[12:36, 12:36].any()
    is_changed[12:36, 12:36] = False
    assert not is_changed.any()


def test_faces_enter_the_network_as_in_training() -> None:
    # 48x48 grey crops need neither resizing nor colour: what is left is the plain division of `to_input`.
    grey = np.random.default_rng(0).integers(0, 256, (2, 48, 48), np.uint8)
    crops = [np.repeat(picture[:, :, None], 3, axis=2) for picture in grey]
    expected = to_input(torch.from_numpy(grey[:, None]), FORM)
    torch.testing.assert_close(input_of(crops, FORM), expected, atol=1.01 / 255, rtol=0)


@pytest.mark.parametrize("name", ["sfer-mdfae", "drf-msam"])
def test_every_network_names_a_layer_that_gives_a_map_for_each_image(name: str) -> None:
    torch.manual_seed(1)
    spec = MODELS[name]
    model = build_model(name, num_classes=3)
    form = InputFormat.of_spec(spec, size=112 if name == "sfer-mdfae" else None)
    images = input_of(FACES[:2], form)
    cams = [
        compute_cams(model, spec.cam_layer, images, torch.full((2,), target), token_grid=spec.cam_grid)
        for target in range(3)
    ]
    assert cams[0].shape == (2, form.size, form.size)
    # Weights that nobody trained may speak against a class everywhere, but not against all of them.
    assert all(max(cam_BHW[image].std() for cam_BHW in cams) > 0 for image in range(2))


def test_packed_and_single_crops_are_read_in_colour(tmp_path: Path) -> None:
    write_png(tmp_path / "one.png", FACES[0])
    np.save(tmp_path / "pack.npy", np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4))
    single, packed = read_faces(tmp_path, ["one.png", "pack.npy#1"], FORM)
    np.testing.assert_array_equal(single, FACES[0])
    assert packed.shape == (4, 4, 3)
    assert packed[0, 0].tolist() == [16, 16, 16]


def test_missing_crop_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FerError, match="nowhere"):
        read_faces(tmp_path, ["nowhere.png"], FORM)
