import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fercli.learn.objectives import OBJECTIVES, LossOptions, class_weights, target_loss
from fercli.models.table.specs import MODELS

PLAIN = LossOptions()
# Probabilities 0.8 and 0.2.
LOGITS = torch.tensor([[math.log(4.0), 0.0]])
TARGET = torch.tensor([0])
CROSS_ENTROPY = -math.log(0.8)


class Features(NamedTuple):
    logits_BK: Tensor
    class_maps_BKHW: Tensor = torch.zeros(1)
    attention_BB: Tensor = torch.zeros(1)
    heads: tuple[Tensor, ...] = ()
    branch_logits_BNK: Tensor = torch.zeros(1)


class Given(nn.Module):
    """A network that gives back what the test made up."""

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.features = features

    def forward_features(self, image_BCHW: Tensor) -> Features:
        return self.features

    def forward(self, image_BCHW: Tensor) -> Tensor:
        return self.features.logits_BK


def loss_of(name: str, features: Features, targets: Tensor = TARGET, options: LossOptions = PLAIN) -> float:
    images = torch.zeros(len(targets), 1, 2, 2)
    return float(OBJECTIVES[name](Given(features), images, targets, options)[0])


def test_every_objective_of_the_spec_table_exists() -> None:
    assert {spec.objective for spec in MODELS.values()} <= set(OBJECTIVES)


def test_cross_entropy_of_a_hard_target_is_minus_log_of_its_probability() -> None:
    assert loss_of("cross-entropy", Features(LOGITS)) == pytest.approx(CROSS_ENTROPY)


def test_cross_entropy_of_a_soft_target_weighs_both_classes() -> None:
    expected = -0.75 * math.log(0.8) - 0.25 * math.log(0.2)
    assert loss_of("cross-entropy", Features(LOGITS), torch.tensor([[0.75, 0.25]])) == pytest.approx(expected)


def test_label_smoothing_spreads_its_share_over_all_classes() -> None:
    expected = -0.9 * math.log(0.8) - 0.1 * math.log(0.2)  # 0.2 spread: 0.8 + 0.1 and 0.1
    assert loss_of("cross-entropy", Features(LOGITS), options=LossOptions(0.2)) == pytest.approx(expected)


def test_class_weights_make_a_weighted_mean() -> None:
    logits = LOGITS.repeat(2, 1)
    loss = target_loss(logits, torch.tensor([0, 1]), LossOptions(0.0, torch.tensor([1.0, 3.0])))
    assert float(loss) == pytest.approx((-math.log(0.8) - 3 * math.log(0.2)) / 4)


class Views(nn.Module):
    """A network that gives one answer after the other, and counts what it was shown."""

    def __init__(self, *answers: Features) -> None:
        super().__init__()
        self.answers, self.shown = list(answers), list[Tensor]()

    def forward_features(self, image_BCHW: Tensor) -> Features:
        self.shown.append(image_BCHW)
        return self.answers[len(self.shown) - 1]


def test_eac_adds_five_times_the_difference_of_mirrored_maps() -> None:
    # The map of the mirror image, mirrored back, is (2, 1): differences (1 - 2, 3 - 1), mean square 2.5; the second
    # class agrees: mean over both classes 1.25.
    maps = torch.tensor([[[[1.0, 3.0]], [[0.0, 5.0]]]])
    mirrored = torch.tensor([[[[1.0, 2.0]], [[5.0, 0.0]]]])
    model = Views(Features(LOGITS, class_maps_BKHW=maps), Features(-LOGITS, class_maps_BKHW=mirrored))
    image = torch.rand(1, 1, 2, 2)
    loss, logits = OBJECTIVES["eac"](model, image, TARGET, PLAIN)
    assert float(loss) == pytest.approx(CROSS_ENTROPY + 5 * 1.25)
    assert torch.equal(logits, LOGITS)
    assert torch.equal(model.shown[1], image.flip(-1))


def test_eac_moves_the_running_statistics_twice() -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm2d(1)

        def forward_features(self, image_BCHW: Tensor) -> Features:
            return Features(LOGITS.repeat(len(image_BCHW), 1), class_maps_BKHW=self.norm(image_BCHW))

    model = Normed().train()
    OBJECTIVES["eac"](model, torch.full((2, 1, 2, 2), 10.0), torch.tensor([0, 0]), PLAIN)
    assert model.norm.running_mean is not None
    # A tenth of the way, and a tenth of what is left.
    torch.testing.assert_close(model.norm.running_mean, torch.tensor([1.9]))


def test_emonext_adds_the_variance_of_the_attention() -> None:
    attention = torch.tensor([[0.9, 0.1], [0.5, 0.5]])  # mean 0.5, squares 0.16, 0.16, 0, 0
    loss = loss_of("emonext", Features(LOGITS.repeat(2, 1), attention_BB=attention), torch.tensor([0, 0]))
    assert loss == pytest.approx(CROSS_ENTROPY + 0.08)


def test_ddamfn_adds_a_tenth_of_the_inverse_difference_of_heads() -> None:
    heads = (torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 0.5))  # mean squared difference 0.25
    assert loss_of("ddamfn", Features(LOGITS, heads=heads)) == pytest.approx(CROSS_ENTROPY + 0.4)


def test_ddamfn_with_three_heads_takes_the_mean_over_pairs() -> None:
    heads = tuple(torch.full((1, 1, 1, 1), value) for value in (0.0, 0.5, 1.0))  # 0.25, 1, 0.25: mean 0.5
    assert loss_of("ddamfn", Features(LOGITS, heads=heads)) == pytest.approx(CROSS_ENTROPY + 0.2)


def test_ddamfn_with_one_head_is_plain() -> None:
    assert loss_of("ddamfn", Features(LOGITS, heads=(torch.ones(1),))) == pytest.approx(CROSS_ENTROPY)


def test_poster_adds_twice_the_smoothed_loss() -> None:
    smoothed = -0.9 * math.log(0.8) - 0.1 * math.log(0.2)
    assert loss_of("poster", Features(LOGITS)) == pytest.approx(CROSS_ENTROPY + 2 * smoothed)


@pytest.mark.parametrize("target", [torch.tensor([0]), torch.tensor([[1.0, 0.0]])])
def test_branches_are_judged_one_by_one(target: torch.Tensor) -> None:
    branches = torch.stack([LOGITS, LOGITS.flip(1)], dim=1)  # 0.8 and 0.2 of the right class
    expected = -(math.log(0.8) + math.log(0.2)) / 2
    assert loss_of("branches", Features(LOGITS, branch_logits_BNK=branches), target) == pytest.approx(expected)


def test_no_weights_for_none() -> None:
    assert class_weights(np.array([1, 2]), "none") is None


@pytest.mark.parametrize(
    ("rule", "ratio"),
    [("inverse", 4.0), ("sqrt", 2.0), ("effective", (1 - 0.999**400) / (1 - 0.999**100))],
)
def test_weight_of_a_class_four_times_as_rare(rule: str, ratio: float) -> None:
    counts = np.array([400, 100])
    weights = class_weights(counts, rule)  # type: ignore[arg-type]  # one of the rules
    assert weights is not None
    assert float(weights[1] / weights[0]) == pytest.approx(ratio, rel=1e-5)
    assert float((weights * torch.from_numpy(counts)).sum()) == pytest.approx(500)


def test_class_without_faces_weighs_nothing() -> None:
    weights = class_weights(np.array([5, 0]), "inverse")
    assert weights is not None
    assert weights.tolist() == [1.0, 0.0]
