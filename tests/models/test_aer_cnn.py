import torch

from fercli.models.networks.aer_cnn import AerCnn, PixelGate
from tests.models.shapes import output_shapes


def test_it_has_24487_parameters() -> None:
    assert sum(p.numel() for p in AerCnn(7).parameters()) == 24_487


def test_maps_have_the_sizes_of_the_notebook() -> None:
    shapes = output_shapes(AerCnn(7), torch.zeros(1, 1, 48, 48))
    assert shapes["conv1"] == (1, 32, 48, 48)
    assert shapes["gate1"] == (1, 32, 24, 24)
    assert shapes["conv2"] == (1, 64, 24, 24)
    assert shapes["gate2"] == (1, 64, 12, 12)
    assert shapes["classify"] == (1, 7)


def test_the_gate_multiplies_by_a_sigmoid_of_the_pixel() -> None:
    torch.manual_seed(0)
    gate, x = PixelGate(3), torch.randn(1, 3, 2, 2)
    pixel = x[0, :, 1, 0]
    score = gate.score.weight[:, :, 0, 0] @ pixel + gate.score.bias
    torch.testing.assert_close(gate(x)[0, :, 1, 0], pixel / (1 + (-score).exp()))


def test_weights_start_as_keras_draws_them() -> None:
    torch.manual_seed(0)
    model = AerCnn(7)
    bound = (6 / (32 * 9 + 64 * 9)) ** 0.5
    assert model.conv2.weight.abs().max() <= bound
    assert model.conv2.weight.abs().max() > 0.98 * bound
    assert not model.conv2.bias.any()  # type: ignore[union-attr]  # built with a bias
