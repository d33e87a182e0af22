import pytest
import torch

from fercli.core.errors import SettingsError
from fercli.models.build import build_model
from fercli.models.compact import FerCompact, ResidualBlock
from tests.models.shapes import output_shapes


def test_it_has_as_many_parameters_as_its_layers_add_up_to() -> None:
    def block(before: int, channels: int, has_match: bool) -> int:
        match = before * channels + 2 * channels if has_match else 0
        return 9 * before * channels + 9 * channels**2 + 4 * channels + match

    stem = 9 * 32 + 2 * 32
    stages = sum(
        block(before, channels, has_match=True) + block(channels, channels, has_match=False)
        for before, channels in ((32, 64), (64, 128), (128, 256))
    )
    assert sum(p.numel() for p in FerCompact(7).parameters()) == stem + stages + 257 * 7


def test_each_stage_halves_the_map() -> None:
    shapes = output_shapes(FerCompact(7), torch.zeros(1, 1, 48, 48))
    assert shapes["stem"] == (1, 32, 48, 48)
    assert [shapes[f"stages.{place}"] for place in range(3)] == [(1, 64, 24, 24), (1, 128, 12, 12), (1, 256, 6, 6)]


def test_a_block_whose_last_norm_is_silent_is_its_shortcut() -> None:
    block = ResidualBlock(3, 3, 1).eval()
    with torch.no_grad():
        block.norm2.weight.zero_()
        x = torch.randn(2, 3, 4, 4)
        torch.testing.assert_close(block(x), x.relu())


def test_the_shortcut_of_a_halving_block_is_the_mean_of_four_pixels() -> None:
    block = ResidualBlock(2, 2, 2).eval()
    x = torch.rand(1, 2, 4, 4)
    with torch.no_grad():
        block.norm2.weight.zero_()
        block.shortcut[1].weight.copy_(torch.eye(2)[:, :, None, None])  # type: ignore[index, operator]  # a Sequential
        block.shortcut[2].eps = 0.0  # type: ignore[index]  # a Sequential
        found = block(x)
    torch.testing.assert_close(found, x.unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5)))


def test_dropout_rests_in_evaluation() -> None:
    torch.manual_seed(0)
    model, images = FerCompact(7, stem=8, widths=(8, 8), depths=(1, 1), dropout=0.5), torch.rand(2, 1, 16, 16)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


def test_each_stage_needs_a_width_and_a_depth() -> None:
    with pytest.raises(SettingsError, match="3 widths for 2 depths"):
        build_model("fercli-compact", num_classes=7, depths=(1, 1))
