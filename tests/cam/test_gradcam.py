from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from fercli.cam.gradcam import CamMethod, compute_cams
from fercli.core.errors import UsageError
from fercli.models.table.specs import MODELS
from tests.cam.networks import Tokens, TwoCorners, corner_images
from tests.models.small import SMALL, pictures, small_model

# Networks whose map is tokens: how many of them lie side by side on the picture of the narrow instance.
GRIDS = {
    name: tuple(side * SMALL[name].size // spec.input_size for side in spec.cam_grid)
    for name, spec in MODELS.items()
    if spec.cam_grid
}
GRADIENT_METHODS: tuple[CamMethod, ...] = ("gradcam", "gradcam++", "layercam", "hirescam")
QUARTER = np.kron(np.array([[1.0, 0.0], [0.0, 0.0]]), np.ones((4, 4)))


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_map_lies_where_the_pixels_of_the_class_are(method: CamMethod) -> None:
    cam_BHW = compute_cams(TwoCorners(), "colours", corner_images(), torch.tensor([0, 1]), method=method)
    np.testing.assert_allclose(cam_BHW[0], QUARTER, atol=1e-5)
    np.testing.assert_allclose(cam_BHW[1], QUARTER[::-1, ::-1], atol=1e-5)


def test_eigencam_shows_the_strongest_part_in_the_positive_direction() -> None:
    image_BCHW = corner_images()[:1]
    image_BCHW[:, 1] = 0.0
    cam_BHW = compute_cams(TwoCorners(), "colours", image_BCHW, torch.tensor([1]), method="eigencam")
    np.testing.assert_allclose(cam_BHW[0], QUARTER, atol=1e-5)


@pytest.mark.parametrize("method", get_args(CamMethod))
def test_maps_have_the_size_of_the_input_and_lie_in_zero_to_one(method: CamMethod) -> None:
    images_BCHW = torch.rand(3, 3, 10, 14, generator=torch.Generator().manual_seed(1))
    cam_BHW = compute_cams(TwoCorners(), "colours", images_BCHW, torch.tensor([0, 1, 0]), method=method)
    assert cam_BHW.shape == (3, 10, 14)
    assert cam_BHW.dtype == np.float32
    assert cam_BHW.min() >= 0.0
    assert cam_BHW.max() <= 1.0


@pytest.mark.parametrize("name", MODELS)
def test_every_network_names_a_layer_that_gives_a_map(name: str) -> None:
    spec, model, images_BCHW = MODELS[name], small_model(name, 4), pictures(name)
    # Drawn weights may speak against one class everywhere; of four classes one is spoken for.
    maps = [
        compute_cams(model, spec.cam_layer, images_BCHW, torch.full((2,), target), token_grid=GRIDS.get(name))
        for target in range(4)
    ]
    assert {cam_BHW.shape for cam_BHW in maps} == {(2, *images_BCHW.shape[2:])}
    assert max(float(cam_BHW.std((1, 2)).min()) for cam_BHW in maps) > 0.01


@pytest.mark.parametrize("name", MODELS)
def test_a_gradient_reaches_the_layer_of_every_network(name: str) -> None:
    spec, model, images_BCHW = MODELS[name], small_model(name, 4), pictures(name)
    outputs: list[Tensor] = []
    model.get_submodule(spec.cam_layer).register_forward_hook(lambda _module, _args, output: outputs.append(output))
    logits_BK = model(images_BCHW)
    for target in range(4):
        (gradient,) = torch.autograd.grad(logits_BK[:, target].sum(), outputs[0], retain_graph=True)
        assert gradient.flatten(1).abs().amax(1).min() > 0


def test_result_does_not_depend_on_the_batch_size() -> None:
    images_BCHW = torch.rand(5, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    targets = torch.tensor([0, 1, 1, 0, 1])
    one, all_at_once = (compute_cams(TwoCorners(), "colours", images_BCHW, targets, batch_size=size) for size in (1, 5))
    np.testing.assert_allclose(one, all_at_once, atol=1e-6)


def test_a_layer_that_speaks_against_the_class_gives_zeros() -> None:
    model = TwoCorners()
    model.head.weight.data = -torch.eye(2)
    assert not compute_cams(model, "colours", corner_images(), torch.tensor([0, 0])).any()


def test_in_place_layer_behind_does_not_change_the_recorded_map() -> None:
    model = TwoCorners()
    model.colours.weight.data *= -1
    # All outputs of `colours` are <= 0 now, so the in-place ReLU behind it would leave nothing but zeros.
    cam_BHW = compute_cams(model, "colours", corner_images(), torch.tensor([0, 1]), method="eigencam")
    assert cam_BHW.any()


@pytest.mark.parametrize("class_token", [False, True], ids=["grid alone", "class token in front"])
def test_tokens_become_a_map(class_token: bool) -> None:
    model = Tokens(class_token=class_token)
    cam_BHW = compute_cams(model, "mixer", corner_images(), torch.tensor([0, 1]), token_grid=(4, 4))
    assert cam_BHW[0, :2, :2].min() == pytest.approx(1.0, abs=1e-5)
    assert cam_BHW[0, 5:, 5:].max() == pytest.approx(0.0, abs=1e-5)
    assert cam_BHW[1, 6:, 6:].min() == pytest.approx(1.0, abs=1e-5)


def test_frozen_parameters_still_give_a_map() -> None:
    model = TwoCorners().requires_grad_(False)
    cam_BHW = compute_cams(model, "colours", corner_images(), torch.tensor([0, 1]))
    np.testing.assert_allclose(cam_BHW[0], QUARTER, atol=1e-5)


def test_model_comes_back_as_it_was() -> None:
    model = TwoCorners().train()
    model.head.eval()
    model.head.weight.requires_grad_(False)
    grad = torch.ones_like(model.colours.weight)
    model.colours.weight.grad = grad
    compute_cams(model, "colours", corner_images(), torch.tensor([0, 1]))
    assert model.training
    assert not model.head.training
    assert model.colours.weight.grad is grad
    assert model.colours.weight.requires_grad
    assert not model.head.weight.requires_grad
    assert all(not module._forward_hooks for module in model.modules())


def test_no_hook_is_left_when_the_network_fails() -> None:
    model = TwoCorners()
    with pytest.raises(IndexError):
        compute_cams(model, "colours", corner_images(), torch.tensor([0, 7]))
    assert all(not module._forward_hooks for module in model.modules())


def test_gradients_may_be_switched_off_outside() -> None:
    with torch.no_grad():
        assert compute_cams(TwoCorners(), "colours", corner_images(), torch.tensor([0, 1])).any()


def test_no_images_give_no_maps() -> None:
    empty: Tensor = torch.zeros(0, 3, 8, 8)
    assert compute_cams(TwoCorners(), "colours", empty, torch.zeros(0, dtype=torch.int64)).shape == (0, 8, 8)


def test_unknown_method_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown CAM method 'rainbow'") as caught:
        compute_cams.__wrapped__(TwoCorners(), "colours", corner_images(), torch.tensor([0, 1]), method="rainbow")
    assert "gradcam++" in caught.value.hint
