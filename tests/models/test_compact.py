import pytest
import torch

from fercli.core.errors import SettingsError
from fercli.models.build import build_model
from fercli.models.networks.compact import FerCompact, ResidualBlock
from tests.models.shapes import output_shapes
from tests.models.small import pictures, small_model


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
    shapes = output_shapes(FerCompact(7, branches=2), torch.zeros(1, 1, 48, 48))
    assert shapes["stem"] == (1, 32, 48, 48)
    assert shapes["stages.0"] == (1, 64, 24, 24)
    assert [shapes[f"branches.1.{place}"] for place in range(2)] == [(1, 128, 12, 12), (1, 256, 6, 6)]
    assert shapes["maps"] == (1, 512, 6, 6)


def test_the_verdict_is_the_mean_probability_of_the_branches() -> None:
    found = small_model("fercli-compact", branches=3).forward_features(pictures("fercli-compact"))  # type: ignore[operator]  # its own method
    assert found.branch_logits_BNK.shape == (2, 3, 7)
    torch.testing.assert_close(found.logits_BK.softmax(1), found.branch_logits_BNK.softmax(2).mean(1))
    torch.testing.assert_close(found.logits_BK.exp().sum(1), torch.ones(2))


@pytest.mark.parametrize(("shared", "is_moved"), [(0, [True, False, False]), (1, [True, False, True])])
def test_branches_share_what_comes_before_them(shared: int, is_moved: list[bool]) -> None:
    model = small_model("fercli-compact", branches=2, shared=shared)
    features = model.forward_features(pictures("fercli-compact"))  # type: ignore[operator]  # its own method
    features.branch_logits_BNK[:, 0].sum().backward()
    parts = [*model.branches, model.stages]  # type: ignore[misc]  # a ModuleList
    assert [any(bool(p.grad is not None and p.grad.any()) for p in part.parameters()) for part in parts] == is_moved


def test_one_branch_is_a_plain_network() -> None:
    found = small_model("fercli-compact").forward_features(pictures("fercli-compact"))  # type: ignore[operator]  # its own method
    torch.testing.assert_close(found.logits_BK, found.branch_logits_BNK[:, 0].log_softmax(1))


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


@pytest.mark.parametrize("options", [{"branches": 0}, {"shared": 3}, {"shared": -1}])
def test_each_branch_has_a_stage_of_its_own(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one of each own"):
        FerCompact(7, **options)
