import copy
from pathlib import Path

import pytest
import torch
from torch import nn

from fercli.learn.checkpoints import load_checkpoint
from fercli.learn.norms import add_calibrated_norms, add_norms, plain_state
from fercli.learn.trainer import Training, fit
from fercli.models.build import build_model
from tests.learn.drawn import CLASSES, FORM, MACHINE, faces, plan


@pytest.mark.parametrize("name", ["drf-msam", "aer-cnn"])
def test_folded_weights_do_what_the_normed_network_does(name: str) -> None:
    torch.manual_seed(0)
    plain = build_model(name, num_classes=3)
    normed = copy.deepcopy(plain)
    assert add_norms(normed)
    images = torch.rand(16, 1, 48, 48)
    for _ in range(3):  # moves the statistics away from where they start
        normed(images * 2 + 1)
    for parameter in normed.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.02)
    plain.load_state_dict(plain_state(normed))
    torch.testing.assert_close(plain.eval()(images), normed.eval()(images), rtol=1e-3, atol=1e-4)


def test_names_and_number_of_parameters_stay_those_of_the_paper() -> None:
    plain = build_model("drf-msam", num_classes=7)
    before = {name: tensor.shape for name, tensor in plain.state_dict().items()}
    add_norms(plain)
    assert {name: tensor.shape for name, tensor in plain_state(plain).items()} == before
    numbers = [tensor for tensor in plain_state(plain).values() if tensor.is_floating_point()]
    assert sum(tensor.numel() for tensor in numbers) == 97_223


def test_normed_batch_has_zero_mean_and_unit_variance() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3))
    add_norms(model)
    maps = model(torch.rand(8, 1, 9, 9) * 50 + 10)
    torch.testing.assert_close(maps.mean((0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(maps.var((0, 2, 3), unbiased=False), torch.ones(4), atol=1e-2, rtol=0)


def test_network_with_norms_of_its_own_is_left_alone() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert not add_norms(model)
    assert type(model[0]) is nn.Conv2d


def test_run_with_added_norms_writes_a_network_that_loads_as_published(tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {"width": 8, "hidden": 16}
    model = build_model("drf-msam", num_classes=2, **options)
    how = plan(epochs=4, lr=1e-2, adds_norms=True, ema_decay=0.5)
    meta = {"classes": list(CLASSES)}
    training = Training(faces(32), faces(16, 1), how, form=FORM, machine=MACHINE, seed=0, folder=tmp_path, meta=meta)
    fit(model, training)
    saved = load_checkpoint(tmp_path / "checkpoints" / "best.safetensors")
    build_model("drf-msam", num_classes=2, **options).load_state_dict(saved.tensors)


@pytest.mark.parametrize("name", ["drf-msam", "aer-cnn"])
def test_calibrated_norms_change_nothing_of_what_was_learnt(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(name, num_classes=3)
    for parameter in model.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.05)
    images = torch.rand(16, 1, 48, 48) * 2 - 1
    before, names = model.eval()(images), {key for key, _ in model.named_parameters()}
    found = add_calibrated_norms(model, [images[:5], images[5:]])
    torch.testing.assert_close(model(images), before, rtol=1e-3, atol=1e-3)
    # A batch is normalised as those were, where plain norms would wipe out the weights' scales.
    torch.testing.assert_close(model.train()(images), before, rtol=1e-2, atol=1e-2)
    assert names <= set(found)
    assert set(found) == {key for key, _ in model.named_parameters()}
    assert add_norms(model)
    torch.testing.assert_close(model.eval()(images), before, rtol=1e-2, atol=1e-2)


def test_network_with_norms_of_its_own_is_not_calibrated() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    assert add_calibrated_norms(model, [torch.rand(2, 1, 5, 5)]) == []
    assert type(model[0]) is nn.Conv2d
