import pytest
import torch

from fercli.models.networks.msff_cnn import Fusion, MsffCnn
from tests.models.shapes import output_shapes


def full() -> MsffCnn:
    with torch.device("meta"):
        return MsffCnn(7)


def test_it_has_33368135_parameters_and_1600_running_statistics() -> None:
    model = full()
    assert sum(p.numel() for p in model.parameters()) == 33_368_135
    running = [value for key, value in model.named_buffers() if "running" in key]
    assert sum(value.numel() for value in running) == 1_600


def test_maps_have_the_sizes_of_the_notebook() -> None:
    with torch.device("meta"):
        model = full()
        shapes = output_shapes(model, torch.zeros(1, 1, 48, 48))
    assert [shapes[f"branches.{i}"] for i in range(3)] == [(1, 32, 24, 24), (1, 64, 12, 12), (1, 128, 6, 6)]
    assert [shapes[f"branches.2.{i}"] for i in (0, 4, 8)] == [(1, 128, 48, 48), (1, 128, 24, 24), (1, 128, 12, 12)]
    assert [shapes[f"branches.1.{i}"] for i in (0, 4)] == [(1, 64, 48, 48), (1, 64, 24, 24)]
    assert shapes["fusion"] == (1, 224, 24, 24)
    assert shapes["dense"] == shapes["norm"] == (1, 256)
    assert shapes["classify"] == (1, 7)


def test_a_branch_is_convolution_relu_norm_pool() -> None:
    kinds = [type(layer) for layer in full().branches[0]]  # type: ignore[arg-type]  # a Sequential
    assert kinds == [torch.nn.Conv2d, torch.nn.ReLU, torch.nn.BatchNorm2d, torch.nn.MaxPool2d]


def test_small_maps_are_enlarged_by_repeating_pixels() -> None:
    large, small = torch.zeros(1, 1, 4, 4), torch.arange(4.0).reshape(1, 1, 2, 2)
    fused = Fusion()([large, small])
    assert fused[0, 1].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]


@pytest.mark.parametrize("branch", range(3))
def test_each_branch_has_its_own_channels_of_the_fusion(branch: int) -> None:
    torch.manual_seed(0)
    model, image = MsffCnn(7, width=4, hidden=8).eval(), torch.rand(1, 1, 48, 48)

    def fused() -> torch.Tensor:
        return model.fusion([part(image) for part in model.branches])  # type: ignore[no-any-return]  # a module's call

    with torch.no_grad():
        before = fused()
        for parameter in model.branches[branch].parameters():
            parameter.add_(0.2)
        moved = (fused() != before).any(dim=(0, 2, 3)).nonzero().flatten().tolist()
    start, width = (0, 4, 12)[branch], (4, 8, 16)[branch]
    assert moved
    assert set(moved) <= set(range(start, start + width))


def test_norms_are_those_of_keras() -> None:
    model = MsffCnn(7, width=4, hidden=8)
    assert (model.norm.eps, model.norm.momentum) == (1e-3, 0.01)


def test_dropout_is_an_option() -> None:
    assert MsffCnn(7, width=4, hidden=8, dropout=0.3).dropout.p == 0.3


def test_an_odd_size_is_refused() -> None:
    with pytest.raises(ValueError, match="must be divisible by 8"):
        MsffCnn(7, image_size=50)
