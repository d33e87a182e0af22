"""EmoNeXt: a spatial transformer, then a ConvNeXt with squeeze-and-excitation blocks.

B pictures, C channels, H W pixels, K classes.
"""

# A module's call has no return type in torch.
# mypy: disable-error-code="no-any-return"

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fercli.models.networks.layers import LayerNorm2d, Mlp, SqueezeExcitation, StochasticDepth, full_precision


class EmoNextFeatures(NamedTuple):
    """Logits, the pooled vectors they come from, and the attention among the pictures of the batch."""

    logits_BK: Tensor
    pooled_BC: Tensor
    attention_BB: Tensor


class SpatialTransformer(nn.Module):
    """Warp a picture by an affine map that a small network reads off it; the identity before training.

    `image_size` 224 gives the paper's 10 x 52 x 52 = 27,040 inputs of the regressor. Always float32: half precision
    would move pixels.

    Source: Jaderberg et al., NeurIPS 2015; layers of EmoNeXt.
    """

    def __init__(self, image_size: int = 224) -> None:
        super().__init__()
        side = ((image_size - 6) // 2 - 4) // 2
        if side < 1:
            raise ValueError(f"image_size is {image_size}; the spatial transformer needs at least 18")
        self.locate = nn.Sequential(
            nn.Conv2d(3, 8, 7),
            nn.BatchNorm2d(8),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 10, 5),
            nn.BatchNorm2d(10),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
        )
        self.regress = nn.Sequential(nn.Linear(10 * side * side, 32), nn.ReLU(inplace=True), nn.Linear(32, 6))

    def reset(self) -> None:
        """Make it the identity."""
        last = self.regress[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """The warped picture, of the same size; zeros where it looks beyond the edge."""
        theta_B23 = self.regress(self.locate(image_BCHW).flatten(1)).view(-1, 2, 3)
        with full_precision(image_BCHW):
            grid = F.affine_grid(theta_B23.float(), list(image_BCHW.shape), align_corners=True)
            warped = F.grid_sample(image_BCHW.float(), grid, align_corners=True)
        return warped.to(image_BCHW.dtype)


class ConvNextBlock(nn.Module):
    """Depthwise 7x7, LayerNorm, pointwise MLP of ratio 4, layer scale; added to the input.

    Source: Liu et al., A ConvNet for the 2020s, CVPR 2022, figure 4.
    """

    def __init__(self, channels: int, drop_path: float, layer_scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.mlp = Mlp(channels, 4 * channels)
        self.scale = nn.Parameter(torch.full((channels,), layer_scale))
        self.drop_path = StochasticDepth(drop_path)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """A map of the same shape."""
        y_BHWC = self.norm(self.depthwise(x_BCHW).permute(0, 2, 3, 1))
        y_BHWC = self.scale * self.mlp(y_BHWC)
        return x_BCHW + self.drop_path(y_BHWC.permute(0, 3, 1, 2))


class BatchAttention(nn.Module):
    """Attention of each picture's vector to those of its batch; only its weights are used, by the objective.

    Weights are softmax(q k^T C^-1/4), the root of the root as in the authors' code. The value projection is applied
    there too and thrown away; it is kept, without gradient, so that parameters and counts are theirs.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels).requires_grad_(False)

    def forward(self, x_BC: Float[Tensor, "batch channels"]) -> Float[Tensor, "batch batch"]:
        """Weights; each row sums to 1."""
        x_BC = self.norm(x_BC)
        self.value(x_BC)
        scores = self.query(x_BC) @ self.key(x_BC).T
        return torch.softmax(scores.float() * x_BC.shape[1] ** -0.25, dim=-1)


class EmoNext(nn.Module):
    """El Boudouri and Bohi, EmoNeXt: an Adapted ConvNeXt for Facial Emotion Recognition, MMSP 2023.

    Base at 6 classes: 91,708,042 parameters and 15,438,156,056 multiply-adds as thop counts the authors' code, whose
    own LayerNorm and layer scale thop does not see; ours uses torch's LayerNorm, so thop sees those too (+0.05 % of
    the parameters, +0.1 % of the multiply-adds). The authors' forward gives predictions and logits; ours logits, and
    the attention among the batch goes to the objective by `forward_features`: logits never depend on the batch.

    Args:
        num_classes: of the last layer.
        depths, widths: blocks and channels of the four stages.
        drop_path: rate of the last block; blocks before have less, rising linearly.
        layer_scale: start of the scale of each block's branch.
        image_size: the spatial transformer reads every pixel, so it is fixed.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        depths: tuple[int, int, int, int] = (3, 3, 27, 3),
        widths: tuple[int, int, int, int] = (128, 256, 512, 1024),
        drop_path: float = 0.1,
        layer_scale: float = 1e-6,
        image_size: int = 224,
    ) -> None:
        super().__init__()
        self.transformer = SpatialTransformer(image_size)
        rates = iter(torch.linspace(0, drop_path, sum(depths), device="cpu").tolist())
        self.downsample = nn.ModuleList(_downsample(i, widths) for i in range(4))
        self.stages = nn.ModuleList(
            nn.Sequential(*(ConvNextBlock(width, next(rates), layer_scale) for _ in range(depth)))
            for depth, width in zip(depths, widths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        self.attention = BatchAttention(widths[-1])
        self.head = nn.Linear(widths[-1], num_classes)
        self._init_weights()

    def forward_features(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> EmoNextFeatures:
        """Everything the regulariser needs."""
        x = self.transformer(image_BCHW)
        for downsample, stage in zip(self.downsample, self.stages, strict=True):
            x = stage(downsample(x))
        pooled = self.norm(x.mean((2, 3)))
        return EmoNextFeatures(self.head(pooled), pooled, self.attention(pooled))

    def forward(self, image_BCHW: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """RGB in [0, 1] to logits."""
        return self.forward_features(image_BCHW).logits_BK

    def _init_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.transformer.reset()


def _downsample(index: int, widths: tuple[int, int, int, int]) -> nn.Sequential:
    """The stem for index 0; else LayerNorm, 2x2 convolution of stride 2, squeeze and excitation."""
    width = widths[index]
    if index == 0:
        return nn.Sequential(nn.Conv2d(3, width, 4, 4), LayerNorm2d(width, eps=1e-6))
    before = widths[index - 1]
    return nn.Sequential(
        LayerNorm2d(before, eps=1e-6), nn.Conv2d(before, width, 2, 2), SqueezeExcitation(width, 16, bias=False)
    )
