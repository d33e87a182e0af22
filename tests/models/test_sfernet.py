import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fercli.models.networks.sfernet import (
    DualAttentionGate,
    ExpertStem,
    GeneralisedMean,
    PatchMerging,
    SferBlock,
    SferNet,
    SuperpixelAttention,
    gather_pixels,
    join_cells,
    neighbour_cells,
    split_cells,
)
from tests.models.shapes import output_shapes


def test_maps_have_the_sizes_of_the_figure() -> None:
    with torch.device("meta"):
        model = SferNet(5)
        shapes = output_shapes(model, torch.zeros(1, 3, 224, 224))
    assert shapes["stem"] == (1, 96, 56, 56)
    assert [shapes[f"stages.{i}"] for i in range(4)] == [
        (1, 96, 56, 56),
        (1, 192, 28, 28),
        (1, 384, 14, 14),
        (1, 768, 7, 7),
    ]
    assert shapes["tokens"] == (1, 49, 768)
    assert [len(stage) for stage in model.stages] == [2, 2, 6, 2]  # type: ignore[arg-type]  # Sequentials


@pytest.mark.parametrize(("width", "parameters"), [(96, 29.24e6), (48, 7.40e6)])
def test_sizes_are_near_those_of_the_prototype(width: int, parameters: float) -> None:
    with torch.device("meta"):
        model = SferNet(5, width=width)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(parameters, rel=0.01)


def attend_by_hand(module: SuperpixelAttention, x: Tensor) -> Tensor:
    """SPAA one pixel and one superpixel at a time, on "height width channels"."""
    height, width, channels = x.shape
    size = module.size
    rows, columns = height // size, width // size

    def near(i: int, j: int) -> list[tuple[int, int]]:
        around = [(i // size + a, j // size + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
        return [(r, c) for r, c in around if 0 <= r < rows and 0 <= c < columns]

    centres = {
        (r, c): x[r * size : (r + 1) * size, c * size : (c + 1) * size].reshape(-1, channels).mean(0)
        for r in range(rows)
        for c in range(columns)
    }
    shares: dict[tuple[int, int], dict[tuple[int, int], float]] = {}
    for _ in range(module.num_rounds):
        for i in range(height):
            for j in range(width):
                places = near(i, j)
                scores = torch.stack([x[i, j] @ centres[place] for place in places]) * channels**-0.5
                shares[i, j] = dict(zip(places, torch.softmax(scores, 0).tolist(), strict=True))
        sums = {place: torch.zeros(channels) for place in centres}
        totals = dict.fromkeys(centres, 0.0)
        for (i, j), share in shares.items():
            for place, weight in share.items():
                sums[place] += weight * x[i, j]
                totals[place] += weight
        centres = {place: sums[place] / totals[place] for place in centres}
    tokens = torch.stack([centres[r, c] for r in range(rows) for c in range(columns)])
    answers = self_attention_by_hand(module, tokens, rows, columns)
    out = torch.zeros_like(x)
    for (i, j), share in shares.items():
        out[i, j] = sum((weight * answers[r * columns + c] for (r, c), weight in share.items()), torch.zeros(channels))
    return out


def self_attention_by_hand(module: SuperpixelAttention, tokens: Tensor, rows: int, columns: int) -> Tensor:
    channels = tokens.shape[1]
    heads, depth = module.num_heads, channels // module.num_heads
    query, key, value = (tokens @ module.qkv.weight.T + module.qkv.bias).split(channels, dim=1)
    padded = F.pad(query.T.reshape(1, channels, rows, columns), (2, 2, 2, 2))[0]
    kernel, norm = module.interact[0].weight, module.interact[1]
    mixed_query = torch.empty_like(query)
    for r in range(rows):
        for c in range(columns):
            value_at = (padded[:, r : r + 5, c : c + 5] * kernel[:, 0]).sum((1, 2))  # type: ignore[index]  # a weight
            scaled = (value_at - norm.running_mean) / (norm.running_var + norm.eps) ** 0.5  # type: ignore[operator]  # buffers
            mixed_query[r * columns + c] = scaled * norm.weight + norm.bias  # type: ignore[operator]  # parameters
    parts = [slice(h * depth, (h + 1) * depth) for h in range(heads)]
    scores = torch.stack([mixed_query[:, p] @ key[:, p].T * depth**-0.5 for p in parts])
    mixer, bias = module.mix_heads.weight[:, :, 0, 0], module.mix_heads.bias
    assert bias is not None
    mixed_scores = torch.stack([sum(mixer[g, h] * scores[h] for h in range(heads)) + bias[g] for g in range(heads)])  # type: ignore[arg-type,misc]  # a sum of tensors
    answers = [torch.softmax(mixed_scores[h], dim=1) @ value[:, parts[h]] for h in range(heads)]
    return torch.cat(answers, 1) @ module.project.weight.T + module.project.bias


@pytest.mark.parametrize(("height", "width", "size"), [(8, 8, 2), (6, 9, 3), (8, 4, 4)], ids=["4x4", "2x3", "2x1"])
def test_superpixel_attention_is_the_per_pixel_definition(height: int, width: int, size: int) -> None:
    torch.manual_seed(size)
    module = SuperpixelAttention(6, 3, size).eval()
    norm = module.interact[1]
    with torch.no_grad():
        norm.running_mean.uniform_(-1, 1)  # type: ignore[union-attr,operator]  # a buffer
        norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr,operator]  # a buffer
        x = torch.randn(2, height, width, 6)
        expected = torch.stack([attend_by_hand(module, one) for one in x])
        torch.testing.assert_close(module(x), expected, atol=1e-5, rtol=1e-4)


def test_with_size_one_pixels_are_the_superpixels() -> None:
    torch.manual_seed(0)
    module, x = SuperpixelAttention(6, 2, 1).eval(), torch.randn(1, 3, 4, 6)
    with torch.no_grad():
        expected = self_attention_by_hand(module, x[0].reshape(12, 6), 3, 4).reshape(3, 4, 6)
        torch.testing.assert_close(module(x)[0], expected)


def test_shares_sum_to_one_and_stay_inside() -> None:
    torch.manual_seed(0)
    module = SuperpixelAttention(6, 3, 2)
    found = module.associate(split_cells(torch.randn(1, 8, 8, 6), 2), 4, 4)
    torch.testing.assert_close(found.weight_BSP9.sum(-1), torch.ones(1, 16, 4))
    assert not found.weight_BSP9.transpose(2, 3)[0][~found.is_inside_S9].any()


def test_the_shares_carry_no_gradient_but_the_pixels_do() -> None:
    torch.manual_seed(0)
    module = SuperpixelAttention(6, 3, 2)
    cells = split_cells(torch.randn(1, 4, 4, 6), 2).requires_grad_()
    found = module.associate(cells, 2, 2)
    assert not found.weight_BSP9.requires_grad
    gather_pixels(cells, found).sum().backward()
    assert cells.grad is not None


def test_neighbours_of_a_corner_cell() -> None:
    index, is_inside = neighbour_cells(2, 3, torch.device("cpu"))
    assert is_inside[0].tolist() == [False, False, False, False, True, True, False, True, True]
    assert index[0][is_inside[0]].tolist() == [0, 1, 3, 4]


def test_cells_are_cut_in_reading_order_and_joined_again() -> None:
    x = torch.arange(24.0).reshape(1, 4, 6, 1)
    cells = split_cells(x, 2)
    assert cells[0, 1, :, 0].tolist() == [2, 3, 8, 9]
    assert torch.equal(join_cells(cells, 2, 3, 2), x)


@pytest.mark.parametrize("power", [1.0, 3.0, 5.0])
def test_gem_is_the_root_of_the_mean_power(power: float) -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 9, 4) + 0.1
    expected = sum((x[:, i] ** power for i in range(9)), torch.zeros(2, 4)).div(9) ** (1 / power)
    torch.testing.assert_close(GeneralisedMean(power)(x), expected)


def test_gem_counts_negative_values_as_tiny() -> None:
    assert float(GeneralisedMean()(torch.full((1, 4, 1), -2.0)).detach()) == pytest.approx(1e-6)


def test_gem_of_power_three_is_trainable() -> None:
    module = GeneralisedMean()
    module(torch.rand(1, 4, 2)).sum().backward()
    assert module.power.item() == 3.0
    assert module.power.grad is not None


def test_dual_gate_is_local_times_global() -> None:
    torch.manual_seed(0)
    gate, x = DualAttentionGate(8), torch.randn(1, 2, 3, 8)
    normed = F.layer_norm(x, (8,)).reshape(6, 8)
    local = F.gelu(normed @ gate.local.weight.T + gate.local.bias)
    weights = torch.softmax((normed @ gate.context.weight.T + gate.context.bias)[:, 0], 0)
    summary = F.gelu((weights @ normed) @ gate.summary.weight.T + gate.summary.bias)
    channel = torch.sigmoid(summary @ gate.channel_gate.weight.T + gate.channel_gate.bias)
    both = torch.cat([local, summary.expand(6, -1)], 1)
    spatial = torch.sigmoid(both @ gate.spatial_gate.weight.T + gate.spatial_gate.bias)
    torch.testing.assert_close(gate(x).reshape(6, 8), x.reshape(6, 8) * channel * spatial)


def test_experts_are_weighed_by_the_switcher() -> None:
    torch.manual_seed(0)
    stem, x = ExpertStem(4, 3).eval(), torch.randn(2, 4, 5, 5)
    entered = stem.enter(x)
    weights = torch.softmax(entered.mean((2, 3)) @ stem.switch.weight.T + stem.switch.bias, dim=1)
    total = torch.zeros_like(x)
    for expert in range(3):
        # Depthwise output c * 3 + e belongs to channel c of expert e.
        depth_kernel = stem.depthwise.weight[expert::3]
        depth = F.conv2d(entered, depth_kernel, padding=1, groups=4)
        point = F.conv2d(depth, stem.pointwise.weight[4 * expert : 4 * expert + 4]) * (1 + 1e-5) ** -0.5
        total += weights[:, expert, None, None, None] * F.gelu(point)
    joined = F.conv2d(torch.cat([x, total], 1), stem.join.weight, stem.join.bias)
    torch.testing.assert_close(stem(x), x + joined, atol=1e-5, rtol=1e-4)


def test_patch_merging_reads_two_by_two_patches() -> None:
    torch.manual_seed(0)
    merging, x = PatchMerging(3, 6), torch.randn(1, 3, 4, 4)
    patch = x[0, :, 2:4, 0:2].permute(1, 2, 0).reshape(12)
    expected = F.layer_norm(patch, (12,)) @ merging.reduce.weight.T
    torch.testing.assert_close(merging(x)[0, :, 1, 0], expected)


def test_a_block_is_post_norm() -> None:
    torch.manual_seed(0)
    block, x = SferBlock(6, 3, 2, 2.0).eval(), torch.randn(1, 6, 4, 4)
    first = x.permute(0, 2, 3, 1) + F.layer_norm(block.attention(x.permute(0, 2, 3, 1)), (6,))
    expected = first + block.gate(block.mlp(first))
    torch.testing.assert_close(block(x), expected.permute(0, 3, 1, 2))


def test_heads_that_do_not_divide_are_refused() -> None:
    with pytest.raises(ValueError, match="heads is 5"):
        SferNet(5, heads=5)
