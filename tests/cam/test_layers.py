import pytest
import torch

from fercli.cam.layers import as_map, find_layer, list_layers, probe_layer
from fercli.core.errors import UsageError
from tests.cam.networks import Tokens, TwoCorners, corner_images


def test_layers_are_listed_in_the_order_they_run_with_the_shape_of_their_map() -> None:
    layers = list_layers(TwoCorners(), corner_images()[:1])
    assert [(layer.name, layer.kind, layer.shape) for layer in layers] == [
        ("unused", "Conv2d", (2, 8, 8)),
        ("colours", "Conv2d", (2, 8, 8)),
        ("bend", "ReLU", (2, 8, 8)),
    ]


def test_token_layers_that_fill_a_square_are_listed() -> None:
    layers = list_layers(Tokens(class_token=True), corner_images()[:1])
    assert [(layer.name, layer.shape) for layer in layers][-1] == ("mixer", (2, 4, 4))


def test_listing_leaves_mode_and_hooks_alone() -> None:
    model = TwoCorners().train()
    list_layers(model, corner_images()[:1])
    assert model.training
    assert all(not module._forward_hooks for module in model.modules())


def test_misspelt_layer_is_answered_with_the_right_one() -> None:
    with pytest.raises(UsageError, match="layer 'colors' not found in TwoCorners") as caught:
        find_layer(TwoCorners(), "colors")
    assert "Did you mean colours" in caught.value.hint


def test_layer_unlike_any_is_answered_with_the_first_ones() -> None:
    with pytest.raises(UsageError) as caught:
        find_layer(TwoCorners(), "zzzzzzzzzzzz")
    assert "The first layers are: colours, bend" in caught.value.hint


@pytest.mark.parametrize(("layer", "shape"), [("pool", "2 x 1 x 1"), ("head", "2")])
def test_layer_without_a_map_is_refused_with_its_shape(layer: str, shape: str) -> None:
    with pytest.raises(UsageError, match=f"layer '{layer}' cannot be used for CAM: its output is {shape} per image"):
        probe_layer(TwoCorners(), layer, corner_images()[:1], None)


def test_layer_beside_the_way_to_the_logits_is_refused() -> None:
    with pytest.raises(UsageError, match="layer 'unused' does not contribute to the output"):
        probe_layer(TwoCorners(), "unused", corner_images()[:1], None)


def test_tokens_fill_the_grid_row_by_row() -> None:
    tokens_BTD = torch.arange(7.0).reshape(1, 7, 1)
    assert as_map(tokens_BTD, (2, 3))[0, 0].tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_tokens_that_do_not_fit_the_grid_are_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="is not a map"):
        as_map(torch.zeros(1, 9, 4), (2, 3))
