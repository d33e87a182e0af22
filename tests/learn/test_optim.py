import math

import pytest
import torch
from torch import nn

from fercli.learn.optim import SharpnessAware, lr_at, make_optimizer, parameter_groups
from tests.learn.drawn import plan


def test_constant_schedule_never_moves() -> None:
    assert {lr_at(plan(lr=0.1), step, 5) for step in range(15)} == {0.1}


def test_one_cycle_agrees_with_torch() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], 0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=41, cycle_momentum=False)
    settings = plan(lr=0.1, schedule="one-cycle", epochs=41)
    for step in range(41):
        # torch puts the peak at 0.3 * 41 - 1 steps, we at 0.3 of the way: compared loosely around it.
        assert lr_at(settings, step, 1) == pytest.approx(schedule.get_last_lr()[0], abs=0.006)
        optimizer.step()
        schedule.step()
    assert lr_at(settings, 0, 1) == pytest.approx(0.1 / 25)
    assert lr_at(settings, 12, 1) == pytest.approx(0.1)
    assert lr_at(settings, 40, 1) == pytest.approx(0.1 / 25e4)


def test_cosine_warms_up_linearly_then_falls_along_half_a_cosine() -> None:
    settings = plan(lr=1.0, schedule="cosine", epochs=10, warmup_epochs=2.0)
    rates = [lr_at(settings, step, 2) for step in range(20)]
    assert rates[:4] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert rates[4] == 1.0
    assert rates[12] == pytest.approx(0.5)  # half of the 16 steps after the warm-up
    assert rates[19] == pytest.approx(0.5 * (1 + math.cos(math.pi * 15 / 16)))


def test_exponential_falls_once_an_epoch() -> None:
    settings = plan(lr=1.0, schedule="exponential", gamma=0.5)
    assert [lr_at(settings, step, 2) for step in range(6)] == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_step_schedule_falls_every_so_many_epochs() -> None:
    settings = plan(lr=1.0, schedule="step", gamma=0.1, step_epochs=2)
    assert [lr_at(settings, epoch, 1) for epoch in range(5)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW), ("sgd", torch.optim.SGD)]
)
def test_optimizer_is_the_named_one(name: str, kind: type) -> None:
    assert type(make_optimizer(nn.Linear(2, 2), plan(optimizer=name))) is kind


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_momentum_is_the_first_beta_of_adam(name: str) -> None:
    (group,) = make_optimizer(nn.Linear(2, 2), plan(optimizer=name, momentum=0.8)).param_groups
    assert group["betas"] == (0.8, 0.999)


@pytest.mark.parametrize("nesterov", [False, True], ids=["plain", "nesterov"])
def test_momentum_starts_as_that_of_torch_does(nesterov: bool) -> None:
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    optimizers = (
        make_optimizer(ours, plan(optimizer="sgd", lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.01)),
        torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.01, foreach=False),
    )
    for _ in range(3):
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            model(torch.ones(1, 3)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
    torch.testing.assert_close(ours.weight, theirs.weight)


def test_biases_and_norms_are_spared_from_decay_when_asked() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    decayed, spared = parameter_groups(model, plan(weight_decay=0.1, decays_norms=False))
    assert [parameter.ndim for parameter in decayed["params"]] == [2]  # type: ignore[attr-defined]  # a list
    assert (len(spared["params"]), spared["weight_decay"]) == (3, 0.0)  # type: ignore[arg-type]  # a list


def test_frozen_parameters_are_not_optimised() -> None:
    model = nn.Linear(2, 2).requires_grad_(False)
    model.bias.requires_grad_(True)
    (group,) = parameter_groups(model, plan())
    assert group["params"] == [model.bias]


def test_sam_takes_the_gradient_at_the_top_of_the_slope() -> None:
    # f(w) = w1^2 + w2^2 at (3, 4): gradient (6, 8) of norm 10; with rho 0.5 the top is (3.3, 4.4).
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, 4.0]]))
    model.weight.square().sum().backward()
    sharpness = SharpnessAware(model, 0.5)
    sharpness.climb()
    torch.testing.assert_close(model.weight.detach(), torch.tensor([[3.3, 4.4]]))
    model.weight.square().sum().backward()
    sharpness.come_back()
    assert model.weight.tolist() == [[3.0, 4.0]]
    torch.testing.assert_close(model.weight.grad, torch.tensor([[6.6, 8.8]]))


def test_restarts_rise_evenly_and_fall_along_half_a_cosine_again_and_again() -> None:
    settings = plan(lr=1.0, schedule="cosine-restarts", warmup_steps=4, restart_steps=12)
    rates = [lr_at(settings, step, 5) for step in range(24)]
    assert rates[:5] == pytest.approx([0, 0.25, 0.5, 0.75, 1.0])
    assert rates[8] == pytest.approx(0.5)  # half of the 8 steps after the rise
    assert rates[11] == pytest.approx(0.5 * (1 + math.cos(math.pi * 7 / 8)))
    assert rates[12:] == rates[:12]
