from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from fercli.models.networks.mobilenet import FaceMobileNet
from fercli.models.pretrained.refit import refit_norms
from fercli.models.pretrained.weights import load_backbone_weights
from tests.models.tfjs_model import WIDTHS, face_arrays, write_tfjs


@pytest.fixture
def model(tmp_path: Path) -> nn.Module:
    write_tfjs(face_arrays(), tmp_path / "faceres.json")
    torch.manual_seed(0)
    network = FaceMobileNet(7, widths=WIDTHS, dropout=0)
    load_backbone_weights(network, tmp_path / "faceres.json")
    return network


IMAGES = torch.randn(6, 3, 64, 64, generator=torch.Generator().manual_seed(3))


def names(model: nn.Module) -> list[str]:
    return [name for name, _ in model.named_parameters()]


@torch.no_grad()
def test_what_the_network_says_stays(model: nn.Module) -> None:
    before = model.eval()(IMAGES)
    found = refit_norms(model, [IMAGES], names(model))
    assert len(found) == 2 * 27
    assert set(found) <= set(names(model))
    torch.testing.assert_close(model(IMAGES), before, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_batch_in_training_is_then_normalised_as_it_was(model: nn.Module) -> None:
    before = model.eval()(IMAGES)
    assert not torch.allclose(model.train()(IMAGES), before, atol=0.05)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    refit_norms(model, [IMAGES], names(model))
    torch.testing.assert_close(model.train()(IMAGES), before, atol=1e-3, rtol=1e-3)


def test_parts_of_a_batch_give_its_statistics(model: nn.Module) -> None:
    refit_norms(model, [IMAGES[:1], IMAGES[1:]], names(model))
    in_parts = {key: value.clone() for key, value in model.state_dict().items()}
    refit_norms(model, [IMAGES], names(model))
    for key, value in model.state_dict().items():
        torch.testing.assert_close(in_parts[key], value, atol=1e-4, rtol=1e-4)


def test_only_the_named_layers_change(model: nn.Module) -> None:
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert refit_norms(model, [IMAGES], ["backbone.norm.bias"]) == ["backbone.norm.weight", "backbone.norm.bias"]
    changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == {f"backbone.norm.{name}" for name in ("weight", "bias", "running_mean", "running_var")}


@pytest.mark.parametrize("is_training", [True, False])
def test_the_mode_stays_and_nothing_is_left_hanging(model: nn.Module, is_training: bool) -> None:
    def breaking_off() -> Iterator[Tensor]:
        yield IMAGES
        raise OSError("no more pictures")

    model.train(is_training)
    with pytest.raises(OSError, match="no more"):
        refit_norms(model, breaking_off(), names(model))
    assert model.training is is_training
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_a_silent_channel_stays_silent() -> None:
    layers = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2))
    with torch.no_grad():
        layers[0].weight.zero_()
        layers[1].bias.fill_(0.5)
    refit_norms(layers, [torch.randn(2, 1, 4, 4)], ["1.weight"])
    assert torch.equal(layers.eval()(torch.randn(1, 1, 4, 4)), torch.full((1, 2, 4, 4), 0.5))
