import math
from typing import Any

import numpy as np
import pytest
import torch

from fercli.core.errors import CheckError
from fercli.data.transforms import InputFormat
from fercli.learn.step import StepMaker
from fercli.models.build import build_model, find_spec
from tests.learn.drawn import MACHINE, plan

SMALL: dict[str, dict[str, Any]] = {
    "eac": {"width": 8, "blocks": (1, 1, 1, 1)},
    "emonext-tiny": {"widths": (16, 16, 32, 32), "depths": (1, 1, 1, 1), "image_size": 64},
    "ddamfn": {"width": 0.25, "repeats": (1, 1, 1)},
    "drf-msam": {"width": 8, "hidden": 16},
}


def make_step(name: str, side: int, **changes: object) -> StepMaker:
    torch.manual_seed(0)
    spec = find_spec(name)
    form = InputFormat.of_spec(spec, size=side)
    how = plan(objective=spec.objective, **changes)
    counts = np.array([4, 4, 4])
    model = build_model(name, num_classes=3, **SMALL[name])
    step = StepMaker(model, how, form, MACHINE, seed=0, class_counts=counts, steps_per_epoch=1)
    step.begin_epoch(0)
    return step


@pytest.mark.parametrize(("name", "side"), [("eac", 64), ("emonext-tiny", 64), ("ddamfn", 112), ("drf-msam", 48)])
@pytest.mark.parametrize(
    "changes", [{}, {"mixup": 0.4}, {"cutmix": 1.0}, {"accumulate": 2}, {"sam_rho": 0.05}], ids=str
)
def test_every_objective_learns_with_its_network(name: str, side: int, changes: dict[str, object]) -> None:
    step = make_step(name, side, **changes)
    before = {key: value.clone() for key, value in step.model.named_parameters()}
    images = torch.randint(0, 256, (6, 3, side, side), dtype=torch.uint8)
    loss_sum, num_right = step.step(images, torch.tensor([0, 1, 2, 0, 1, 2]), 0, 0)
    assert math.isfinite(loss_sum)
    assert 0 <= num_right <= 6
    moved = [key for key, value in step.model.named_parameters() if not torch.equal(value, before[key])]
    assert len(moved) > len(before) / 2


@pytest.mark.parametrize(("sam_rho", "num_passes"), [(0.0, 1), (0.05, 2)])
def test_running_statistics_see_both_passes_of_a_sharp_step(sam_rho: float, num_passes: int) -> None:
    step = make_step("ddamfn", 112, sam_rho=sam_rho)
    images = torch.randint(0, 256, (6, 3, 112, 112), dtype=torch.uint8)
    step.step(images, torch.tensor([0, 1, 2, 0, 1, 2]), 0, 0)
    counts = {int(value) for name, value in step.model.state_dict().items() if name.endswith("num_batches_tracked")}
    assert counts == {num_passes}


class Brightness(torch.nn.Module):
    """Tells dark pictures (class 0) from bright ones (class 1), without fail."""

    def __init__(self) -> None:
        super().__init__()
        self.sharpness = torch.nn.Parameter(torch.tensor(9.0))

    def forward(self, image_BCHW: torch.Tensor) -> torch.Tensor:
        bright = self.sharpness * image_BCHW.mean((1, 2, 3))
        return torch.stack([-bright, bright], dim=1)


def brightness_losses(epochs: int, **changes: object) -> list[tuple[float, float]]:
    """The loss and the count of right ones of each epoch, of one batch of eight dark and eight bright pictures."""
    form, how = InputFormat(8, 1, (0.5,), (0.5,)), plan(augmentation={}, epochs=epochs, **changes)
    step = StepMaker(Brightness(), how, form, MACHINE, seed=0, class_counts=np.array([8, 8]), steps_per_epoch=1)
    targets = torch.arange(16) % 2
    images = (targets * 255).to(torch.uint8)[:, None, None, None].expand(16, 1, 8, 8).contiguous()
    return [step.step(images, targets, epoch, 0) for epoch in range(epochs)]


def test_what_dropout_leaves_out_hangs_on_the_seed_alone() -> None:
    form, images = InputFormat(8, 1, (0.5,), (0.5,)), torch.arange(16 * 64).reshape(16, 1, 8, 8).to(torch.uint8)
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(64, 2))
    still, losses = {name: value.clone() for name, value in model.state_dict().items()}, []
    for drawn_before, seed in ((1, 0), (2, 0), (1, 5)):
        model.load_state_dict(still)
        how = plan(augmentation={})
        step = StepMaker(model, how, form, MACHINE, seed=seed, class_counts=np.array([8, 8]), steps_per_epoch=1)
        torch.manual_seed(drawn_before)
        losses.append(step.step(images, torch.arange(16) % 2, 0, 0)[0])
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("how", ["mixup", "cutmix"])
def test_mixed_pictures_are_judged_by_their_larger_part(how: str) -> None:
    assert [num_right for _, num_right in brightness_losses(5, **{how: 1.0})] == [16] * 5


def test_last_epochs_mix_nothing() -> None:
    mixed, *plain = [loss / 16 for loss, _ in brightness_losses(3, mixup=1.0, plain_epochs=2)]
    assert mixed > 0.1  # of a mixture the sharp network cannot be certain
    assert max(plain) < 1e-6


def test_share_of_a_batch_scales_its_gradient() -> None:
    whole = make_step("drf-msam", 48, optimizer="sgd", lr=0.1, momentum=0.0)
    half = make_step("drf-msam", 48, optimizer="sgd", lr=0.1, momentum=0.0)
    images, targets = torch.randint(0, 256, (6, 1, 48, 48), dtype=torch.uint8), torch.tensor([0, 1, 2, 0, 1, 2])
    start = whole.model.get_parameter("classify.weight").detach().clone()
    whole.step(images, targets, 0, 0)
    # Six of twelve faces, in a world of one: half the weight.
    half.step(images, targets, 0, 0, all_targets=targets.repeat(2))
    full_move = whole.model.get_parameter("classify.weight").detach() - start
    half_move = half.model.get_parameter("classify.weight").detach() - start
    torch.testing.assert_close(half_move, full_move / 2)


RARE = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.0, "class_weights": "inverse"}


@pytest.mark.parametrize("soft", [False, True])
def test_parts_of_a_batch_and_its_shares_give_gradient_and_loss_of_the_whole(*, soft: bool) -> None:
    form, counts = InputFormat(8, 1, (0.5,), (0.5,)), np.array([9, 1])
    images = (torch.arange(10) * 25).to(torch.uint8)[:, None, None, None].expand(10, 1, 8, 8).contiguous()
    hard = torch.tensor([0, 0, 0, 0, 0, 0, 0, 1, 0, 0])
    targets = torch.nn.functional.one_hot(hard, 2).float() if soft else hard

    def move(places: list[slice], **changes: object) -> tuple[float, float]:
        model = Brightness()
        how = plan(augmentation={}, **{**RARE, **changes})
        step = StepMaker(model, how, form, MACHINE, seed=0, class_counts=counts, steps_per_epoch=1)
        moves, losses = [], []
        for place in places:
            losses.append(step.step(images[place], targets[place], 0, 0, all_targets=targets)[0])
            moves.append(model.sharpness.item() - 9.0)
            torch.nn.init.constant_(model.sharpness, 9.0)
        return sum(moves), sum(losses)

    whole = move([slice(10)])
    assert abs(whole[0]) > 1e-3
    # Parts of 4, 3 and 3, and shares of 8 and 2, of which one alone holds the rare class.
    assert move([slice(10)], accumulate=3) == pytest.approx(whole, rel=1e-4)
    assert move([slice(8), slice(8, 10)]) == pytest.approx(whole, rel=1e-4)


def test_a_batch_is_cut_into_parts_as_equal_as_can_be() -> None:
    step = make_step("drf-msam", 48, accumulate=4)
    images, targets = torch.randint(0, 256, (9, 1, 48, 48), dtype=torch.uint8), torch.arange(9) % 3
    # 3, 2, 2, 2: no part is a face alone, which batch normalisation would refuse.
    assert math.isfinite(step.step(images, targets, 0, 0)[0])


def test_weights_that_are_no_numbers_stop_the_training() -> None:
    step = make_step("drf-msam", 48)
    step.check_weights(0)
    torch.nn.init.constant_(step.model.get_parameter("classify.bias"), math.inf)
    with pytest.raises(CheckError, match=r"diverged in epoch 3: 'classify\.bias' is NaN or infinite"):
        step.check_weights(2)


def test_clipped_gradient_moves_no_further_than_its_norm() -> None:
    step = make_step("drf-msam", 48, optimizer="sgd", lr=1.0, momentum=0.0, clip_norm=0.01)
    start = [value.detach().clone() for value in step.model.parameters()]
    step.step(torch.randint(0, 256, (6, 1, 48, 48), dtype=torch.uint8), torch.tensor([0, 1, 2, 0, 1, 2]), 0, 0)
    moved = sum(
        float((value.detach() - old).square().sum()) for value, old in zip(step.model.parameters(), start, strict=True)
    )
    assert 0 < moved**0.5 < 0.01 * 1.001


def test_loss_that_runs_away_stops_and_one_bad_epoch_does_not() -> None:
    step = make_step("drf-msam", 48)
    step.check_epoch([1.2, 9.0, 1.0])
    step.check_epoch([1.2, 9.0, 9.0])
    with pytest.raises(CheckError, match=r"diverged in epoch 4: its mean loss is 9, the first 1\.2"):
        step.check_epoch([1.2, 9.0, 9.0, 9.0])
