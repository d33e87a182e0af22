"""MTCNN's networks in torch, arranged so that a processor's vector units are busy; the same figures as the modules.

Axes: B crop, H row, W column, C channel; activations lie in memory as BHWC throughout (channels last).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from fercli.vision.mtcnn.networks import ONet, PNet, RNet, load_networks

# What keeps a network's activations in the second-level cache.
_STRIP_ROWS = 64
_RNET_CHUNK, _ONET_CHUNK = 64, 16
# A cell sees 12 pixels, so strips of a level overlap by 10.
_OVERLAP_ROWS = 10


class TorchNetworks:
    """See `mtcnn_runtime.Networks`."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        pnet, rnet, onet = load_networks()
        self._pnet, self._rnet, self._onet = (_Folded(network).to(device) for network in (pnet, rnet, onet))

    @torch.inference_mode()
    def propose(
        self, level: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float32[np.ndarray, "rows columns"], Float32[np.ndarray, "rows columns 4"]]:
        """See `Networks.propose`."""
        step = _STRIP_ROWS if self._device.type == "cpu" else len(level)
        starts = range(0, max(len(level) - _OVERLAP_ROWS, 1), step)
        strips = [level[None, start : start + step + _OVERLAP_ROWS] for start in starts]
        cells = torch.cat([self._pnet(self._pixels(strip))[0] for strip in strips])
        found: np.ndarray = cells.cpu().numpy()
        return found[..., 0], found[..., 1:]

    @torch.inference_mode()
    def refine(
        self, crops: UInt8[np.ndarray, "crops 24 24 3"]
    ) -> tuple[Float32[np.ndarray, " crops"], Float32[np.ndarray, "crops 4"]]:
        """See `Networks.refine`."""
        found = self._in_chunks(self._rnet, crops, _RNET_CHUNK)
        return found[:, 0], found[:, 1:]

    @torch.inference_mode()
    def place(
        self, crops: UInt8[np.ndarray, "crops 48 48 3"]
    ) -> tuple[Float32[np.ndarray, " crops"], Float32[np.ndarray, "crops 4"], Float32[np.ndarray, "crops 10"]]:
        """See `Networks.place`."""
        found = self._in_chunks(self._onet, crops, _ONET_CHUNK)
        return found[:, 0], found[:, 1:5], found[:, 5:]

    def _pixels(self, image_BHWC: np.ndarray) -> Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(image_BHWC)).to(self._device)
        return (pixels.float() - 127.5) / 128

    def _in_chunks(self, network: nn.Module, crops: np.ndarray, size: int) -> np.ndarray:
        starts = range(0, max(len(crops), 1), size)
        parts = [network(self._pixels(crops[start : start + size])) for start in starts]
        found: np.ndarray = torch.cat(parts).cpu().numpy()
        return found


class _Folded(nn.Module):
    """One of the networks with its heads in one layer: logit of face against none, regressions, landmarks."""

    def __init__(self, network: PNet | RNet | ONet) -> None:
        super().__init__()
        self._body = network.body.to(memory_format=torch.channels_last)
        self._dense = getattr(network, "dense", None)
        self.register_buffer("_weight", head_weight(network))
        self.register_buffer("_bias", head_bias(network))

    def forward(self, image_BHWC: Tensor) -> Tensor:
        """Columns as `head_weight` says; (B rows columns .) of PNet, (B .) of the others."""
        features = image_BHWC
        for layer in self._body:
            features = _LAYERS[type(layer)](layer, features)
        if self._dense is not None:
            # The weights were trained on columns before rows.
            features = self._dense(features.transpose(1, 2).flatten(1))
        return F.linear(features, self.get_buffer("_weight"), self.get_buffer("_bias"))


def head_weight(network: PNet | RNet | ONet) -> Tensor:
    """The heads' kernels as one matrix; a softmax over two classes is a sigmoid of their difference."""
    parts = [head.weight.flatten(1) for head in _heads(network)]
    return torch.cat([network.classes.weight.flatten(1).diff(dim=0), *parts])


def head_bias(network: PNet | RNet | ONet) -> Tensor:
    """The biases that belong to `head_weight`."""
    heads: list[nn.Module] = [network.classes, *_heads(network)]
    first, *others = (head.get_parameter("bias") for head in heads)
    return torch.cat([first.diff(), *others])


def _heads(network: PNet | RNet | ONet) -> Sequence[nn.Linear | nn.Conv2d]:
    return [network.regression, network.landmarks] if isinstance(network, ONet) else [network.regression]


def _convolve(layer: nn.Conv2d, features: Tensor) -> Tensor:
    # A permuted view of BHWC memory is what torch calls channels last: nothing is copied.
    found: Tensor = layer(features.permute(0, 3, 1, 2))
    return found.permute(0, 2, 3, 1)


def _bend(layer: nn.PReLU, features: Tensor) -> Tensor:
    if features.shape[-1] % 16 == 0 or features.ndim != 4:
        return F.prelu(features.movedim(-1, 1), layer.weight).movedim(1, -1)
    # Over whole rows: torch's PReLU is slow along few channels that do not fill its vectors (PNet: 1.8 -> 0.45 ms a
    # strip).
    rows = features.flatten(2).flatten(0, 1)
    return F.prelu(rows, layer.weight.repeat(features.shape[2])).view(features.shape)


def _pool(layer: nn.MaxPool2d, features: Tensor) -> Tensor:
    # As the larger of shifted copies, whole rows at once (PNet: 2.0 -> 0.25 ms a strip).
    return _pooled(_pooled(features, layer, axis=1), layer, axis=2)


def _pooled(features: Tensor, layer: nn.MaxPool2d, *, axis: int) -> Tensor:
    """Maxima of 2 or 3 neighbours at stride 2 along one axis; a last window that is not full counts in ceil mode."""
    size, length = pool_size(layer), features.shape[axis]
    count = -((size - length) // 2) + 1 if layer.ceil_mode else (length - size) // 2 + 1

    def every_second(first: int) -> Tensor:
        index = [slice(None)] * features.ndim
        index[axis] = slice(first, first + 2 * count - 1, 2)
        return features[tuple(index)]

    left, right = every_second(0), every_second(1)
    best = torch.maximum(left, right) if right.shape == left.shape else _at_least(left.clone(), right, axis)
    return _at_least(best, every_second(2), axis) if size == 3 else best


def pool_size(layer: nn.MaxPool2d) -> int:
    """The side of the layer's square windows."""
    assert isinstance(layer.kernel_size, int)
    return layer.kernel_size


def _at_least(best: Tensor, others: Tensor, axis: int) -> Tensor:
    there = best.narrow(axis, 0, others.shape[axis])
    torch.maximum(there, others, out=there)
    return best


_LAYERS: dict[type, Callable[..., Tensor]] = {nn.Conv2d: _convolve, nn.PReLU: _bend, nn.MaxPool2d: _pool}
