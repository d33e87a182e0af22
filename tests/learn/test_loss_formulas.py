"""Losses and their gradients by the papers' formulas, on the plain forward passes, in float64."""

import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from fercli.learn.objectives import OBJECTIVES, LossOptions
from fercli.learn.optim import SharpnessAware
from tests.models.wiring import test_aer_cnn as aer_cnn
from tests.models.wiring import test_compact as compact
from tests.models.wiring import test_ddamfn as ddamfn
from tests.models.wiring import test_eac as eac
from tests.models.wiring import test_emonext as emonext
from tests.models.wiring import test_poster as poster
from tests.models.wiring.mobilefacenet import is_head
from tests.models.wiring.plain import (
    Weights,
    assert_same_gradients,
    in_double,
    layer_norm,
    linear,
    of_this_batch,
    pictures,
    shaken,
    weights_of,
)

HARD = torch.tensor([2, 0])
SOFT = torch.tensor([[0.5, 0.3, 0.2, 0, 0, 0, 0], [0, 0, 0.1, 0, 0, 0.9, 0]], dtype=torch.float64)
CLASS_WEIGHTS = torch.tensor([0.5, 1.5, 2, 1, 0.25, 1, 0.75], dtype=torch.float64)
TOLERANCE = 1e-8

Loss = Callable[[Weights, Tensor], Tensor]


def losses(logits: Tensor) -> Tensor:
    """Minus the logarithm of each class's probability."""
    return logits.exp().sum(-1, keepdim=True).log() - logits


def plain(logits: Tensor) -> Tensor:
    return losses(logits)[torch.arange(len(logits)), HARD].mean()


def smoothed(logits: Tensor, share: float) -> Tensor:
    """Cross-entropy with `share` of the target spread over all classes."""
    return (1 - share) * plain(logits) + share * losses(logits).mean()


def check(objective: str, model: nn.Module, image: Tensor, loss: Loss, **given: Any) -> None:
    """Fail unless value and gradients are those of `loss`."""
    weights = weights_of(model)
    expected = loss(weights, image)
    options = LossOptions(given.get("label_smoothing", 0.0), given.get("weights_K"))
    with in_double():
        value, _ = OBJECTIVES[objective](model, image, given.get("targets", HARD), options)
    torch.testing.assert_close(value, expected, rtol=TOLERANCE, atol=0)
    value.backward()
    expected.backward()
    assert_same_gradients(model, weights)


def soft_loss(logits: Tensor) -> Tensor:
    return (SOFT * losses(logits)).sum(1).mean()


def weighted_loss(logits: Tensor) -> Tensor:
    """A mean in which each picture counts as much as its class."""
    counts = CLASS_WEIGHTS[HARD]
    return (losses(logits)[[0, 1], HARD] * counts).sum() / counts.sum()


def weighted_soft_loss(logits: Tensor) -> Tensor:
    return (CLASS_WEIGHTS * SOFT * losses(logits)).sum(1).mean()


@pytest.mark.parametrize(
    ("loss", "given"),
    [
        pytest.param(plain, {}, id="hard"),
        pytest.param(soft_loss, {"targets": SOFT}, id="soft"),
        pytest.param(lambda logits: smoothed(logits, 0.1), {"label_smoothing": 0.1}, id="smoothed"),
        pytest.param(weighted_loss, {"weights_K": CLASS_WEIGHTS}, id="weighted"),
        pytest.param(weighted_soft_loss, {"targets": SOFT, "weights_K": CLASS_WEIGHTS}, id="soft and weighted"),
    ],
)
def test_cross_entropy(loss: Callable[[Tensor], Tensor], given: dict[str, Any]) -> None:
    model = shaken("aer-cnn", width=8)
    image = pictures("aer-cnn", 48)
    check("cross-entropy", model, image, lambda weights, x: loss(aer_cnn.reference(weights, x)), **given)


def eac_loss(weights: Weights, image: Tensor) -> Tensor:
    """Cross-entropy of the picture + 5 x the mean squared difference of its class maps and its mirror image's.

    A class map weighs the last map by the layer's weights, which get no gradient from it. Zhang et al., eq. 4 and 5.
    """
    there = eac.features(weights, image)
    mirrored = eac.features(weights, image.flip(3))
    head = weights["fc.weight"].detach()
    maps, others = (torch.einsum("kc,bchw->bkhw", head, x) for x in (there, mirrored))
    consistency = (maps - others.flip(3)).square().mean()
    return plain(linear(weights, "fc", there.mean((2, 3)))) + 5 * consistency


def narrow_eac() -> nn.Module:
    return shaken("eac", width=8, blocks=(1, 1, 1, 1))


def test_eac() -> None:
    check("eac", narrow_eac(), pictures("eac", 96), eac_loss)


def test_eac_normalises_each_view_by_itself() -> None:
    with mock.patch.object(eac, "batch_norm", of_this_batch):
        check("eac", narrow_eac().train(), pictures("eac", 96), eac_loss)


def emonext_loss(weights: Weights, image: Tensor) -> Tensor:
    """Cross-entropy + the variance of the pictures' attention to each other; scores are divided by C^(1/4)."""
    pooled = emonext.pooled(weights, image)
    x = layer_norm(weights, "attention.norm", pooled)
    scores = linear(weights, "attention.query", x) @ linear(weights, "attention.key", x).T
    shares = torch.softmax(scores / x.shape[1] ** 0.25, dim=-1)
    return smoothed(linear(weights, "head", pooled), 0.2) + (shares - shares.mean()).square().mean()


def test_emonext() -> None:
    model = emonext.narrow("emonext-tiny")
    # Blunter scores, or the shares are ones and zeros.
    with torch.no_grad():
        model.get_parameter("attention.query.weight").mul_(0.3)
        model.get_parameter("attention.query.bias").mul_(0.3)
    check("emonext", model, pictures("emonext-tiny", 64), emonext_loss, label_smoothing=0.2)


def ddamfn_loss(weights: Weights, image: Tensor) -> Tensor:
    """Cross-entropy + 0.1 x the number of pairs of heads / the sum of their mean squared differences."""
    gates = ddamfn.attention_maps(weights, ddamfn.features(weights.under("backbone"), image))
    pairs = [(gates[i] - gates[j]).square().mean() for i in range(len(gates)) for j in range(i)]
    apart = 0.1 * len(pairs) / (torch.stack(pairs).sum() + sys.float_info.epsilon)
    return plain(ddamfn.reference(weights, image)) + apart


@pytest.mark.parametrize("heads", [2, 3])
def test_ddamfn(heads: int) -> None:
    model = shaken("ddamfn", width=0.125, repeats=(1, 0, 0), heads=heads)
    check("ddamfn", model, pictures("ddamfn", 112), ddamfn_loss)


def test_poster() -> None:
    def loss(weights: Weights, image: Tensor) -> Tensor:
        logits = poster.reference(weights, image)
        return plain(logits) + 2 * smoothed(logits, 0.2)

    check("poster", shaken("poster", depth=1, **poster.NARROW), pictures("poster", 112), loss)


@pytest.mark.parametrize("branches", [1, 3])
def test_branches(branches: int) -> None:
    """Each branch is judged for itself, the loss is their mean."""

    def loss(weights: Weights, image: Tensor) -> Tensor:
        return torch.stack([plain(logits) for logits in compact.branch_logits(weights, image)]).mean()

    model = shaken("fercli-compact", stem=8, widths=(8, 8, 16), depths=(1, 1, 1), branches=branches)
    check("branches", model, pictures("fercli-compact", 48), loss)


def test_sam_takes_the_gradient_uphill_and_leaves_the_weights() -> None:
    """Foret et al., algorithm 1: the gradient at w + rho g / |g|, one norm over all weights together."""
    model, image, rho = shaken("aer-cnn", width=8), pictures("aer-cnn", 48), 0.05
    weights = weights_of(model)
    plain(aer_cnn.reference(weights, image)).backward()
    slopes = {key: x.grad for key, x in weights.state.items() if x.grad is not None}
    norm = torch.sqrt(torch.stack([slope.square().sum() for slope in slopes.values()]).sum())
    above = Weights({key: (x.detach() + rho * slopes[key] / norm).requires_grad_() for key, x in weights.state.items()})
    plain(aer_cnn.reference(above, image)).backward()

    sharpness = SharpnessAware(model, rho)
    with in_double():
        for turn in (sharpness.climb, sharpness.come_back):
            OBJECTIVES["cross-entropy"](model, image, HARD, LossOptions())[0].backward()
            turn()

    assert_same_gradients(model, above)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, weights.state[name]), name


def test_head_of_the_landmark_network_has_no_part_in_any_loss() -> None:
    model = shaken("poster", depth=1, **poster.NARROW)
    with in_double():
        OBJECTIVES["poster"](model, pictures("poster", 112), HARD, LossOptions())[0].backward()
    assert [name for name, parameter in model.named_parameters() if is_head(name) and parameter.grad is not None] == []
