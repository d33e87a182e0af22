from pathlib import Path

import pytest
import torch
from torch import nn

from fercli.core.errors import UsageError
from fercli.learn.checkpoints import load_checkpoint
from fercli.learn.freezing import check_something_learns, freeze, learnable, resting
from fercli.learn.norms import add_norms
from fercli.learn.trainer import Training, fit
from fercli.models.build import build_model
from tests.learn.drawn import CLASSES, FORM, MACHINE, faces, plan


def four_layers() -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(4)), nn.BatchNorm1d(2))


ALL = ["0.weight", "1.weight", "2.weight", "3.weight"]


@pytest.mark.parametrize(
    ("thaw", "epoch", "at_rest"),
    [
        ("at-once", 0, ALL),
        ("at-once", 3, ALL),
        ("at-once", 4, []),
        ("gradual", 0, ALL),
        ("gradual", 1, ALL[:3]),
        ("gradual", 3, ALL[:1]),
        ("gradual", 4, []),
    ],
)
def test_layers_wake_as_planned(thaw: str, epoch: int, at_rest: list[str]) -> None:
    how = plan(freeze_epochs=4, thaw=thaw)
    assert resting(four_layers(), ALL, how, epoch) == set(at_rest)


def test_parts_that_never_learn_are_not_woken() -> None:
    model = four_layers()
    model[0].requires_grad_(False)
    may_learn = learnable(model)
    freeze(model, may_learn, {"1.weight"})
    freeze(model, may_learn, set())
    assert not model[0].weight.requires_grad
    assert model[1].weight.requires_grad


def test_resting_batch_norm_keeps_its_statistics() -> None:
    model = four_layers().train()
    freeze(model, learnable(model), {"4.weight", "4.bias"})
    model(torch.rand(8, 2) + 3)
    assert model[4].running_mean.tolist() == [0, 0]


def test_head_alone_learns_while_the_rest_is_frozen(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build_model("drf-msam", num_classes=2, width=8, hidden=16)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    body = [name for name in before if not name.startswith("classify")]
    how = plan(epochs=2, freeze_epochs=2, optimizer="adamw", weight_decay=0.1)
    training = Training(
        faces(32), faces(16, 1), how, form=FORM, machine=MACHINE, seed=0, folder=tmp_path,
        meta={"classes": list(CLASSES)}, pretrained=body,
    )  # fmt: skip
    fit(model, training)
    after = load_checkpoint(tmp_path / "checkpoints" / "last.safetensors").tensors
    assert all(torch.equal(after[name], before[name]) for name in body)
    assert not torch.equal(after["classify.weight"], before["classify.weight"])


def test_resting_layer_with_added_norms_keeps_its_statistics() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(18, 2))
    add_norms(model)
    names = [name for name, _ in model.named_parameters()]
    freeze(model.train(), learnable(model), names)
    model(torch.rand(8, 1, 5, 5) + 3)
    assert model[0].running_mean.tolist() == [0, 0]
    assert not model[2].running_mean.any()


def test_rest_of_everything_is_refused() -> None:
    model = four_layers()
    everything = [name for name, _ in model.named_parameters()]
    check_something_learns(model, ALL, plan(freeze_epochs=4))
    check_something_learns(model, everything, plan())
    with pytest.raises(UsageError, match="would freeze the whole model"):
        check_something_learns(model, everything, plan(freeze_epochs=4))


@pytest.mark.parametrize("thaw", ["at-once", "gradual"])
@pytest.mark.parametrize("nesterov", [False, True], ids=["plain", "nesterov"])
def test_waking_parameters_learn_with_momentum_and_across_a_resume(tmp_path: Path, thaw: str, nesterov: bool) -> None:
    how = plan(epochs=4, freeze_epochs=2, thaw=thaw, optimizer="sgd", momentum=0.9, nesterov=nesterov)

    def train(folder: Path, limit_s: float) -> str:
        torch.manual_seed(0)
        model = build_model("drf-msam", num_classes=2, width=8, hidden=16)
        body = [name for name in model.state_dict() if not name.startswith("classify")]
        training = Training(
            faces(32), faces(16, 1), how, form=FORM, machine=MACHINE, seed=0, folder=folder,
            meta={"classes": list(CLASSES)}, pretrained=body, time_limit_s=limit_s,
        )  # fmt: skip
        return fit(model, training).status

    assert train(tmp_path / "whole", 600.0) == "finished"
    # Every call makes one of the eight steps, so the training stops before, at and after each waking.
    statuses = [train(tmp_path / "cut", 1e-9) for _ in range(8)]
    assert statuses == ["interrupted"] * 7 + ["finished"]
    whole, cut = (
        load_checkpoint(tmp_path / name / "checkpoints/last.safetensors").tensors for name in ("whole", "cut")
    )
    assert [name for name in whole if not torch.equal(whole[name], cut[name])] == []
