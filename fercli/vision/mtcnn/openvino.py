"""MTCNN's networks on OpenVINO's runtime: the packaged weights written as its models, in f32 or bf16.

The models are built from the weights by OpenVINO's own operations, so nothing is converted.
"""

from collections import OrderedDict
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from torch import nn

from fercli.vision.mtcnn.networks import ONet, PNet, RNet, load_networks
from fercli.vision.mtcnn.quiet_openvino import op, ov
from fercli.vision.mtcnn.torch import head_bias, head_weight, pool_size

Node = Any  # OpenVINO's nodes carry no types

# Crops at a time, always as many: models of one shape take a quarter less time than those for any, and new shapes cost
# milliseconds. Small chunks, because the last one is filled up with empty crops.
_RNET_CHUNK, _ONET_CHUNK = 16, 4
# A model for one size of picture is a third faster than one for any, and takes 40 ms to make: worth it for the large
# levels of a video, of which all frames have one size. By the size alone, so that the same picture gives the same bits.
_OWN_MODEL_PX = 40_000
_MOST_MODELS = 32


def best_precision() -> str:
    """`bf16` where the processor multiplies in it, else `f32`."""
    return "bf16" if "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"


class OpenVinoNetworks:
    """See `mtcnn_runtime.Networks`.

    Args:
        precision: f32 or bf16.
        num_threads: how many to use; OpenVINO's choice when not given.
    """

    def __init__(self, precision: str, num_threads: int | None = None) -> None:
        self._core = ov.Core()
        self._settings: dict[str, object] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if num_threads:
            self._settings["INFERENCE_NUM_THREADS"] = num_threads
        self._pnet, rnet, onet = load_networks()
        self._rnet = self._compiled(rnet, [_RNET_CHUNK, 24, 24, 3])
        self._onet = self._compiled(onet, [_ONET_CHUNK, 48, 48, 3])
        self._any_level = self._compiled(self._pnet, [1, -1, -1, 3])
        self._of_size: OrderedDict[tuple[int, int], ov.InferRequest] = OrderedDict()

    def propose(
        self, level: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float32[np.ndarray, "rows columns"], Float32[np.ndarray, "rows columns 4"]]:
        """See `Networks.propose`."""
        found = _run(self._model_for(level.shape[0], level.shape[1]), level[None])[0]
        return found[..., 0], found[..., 1:]

    def refine(
        self, crops: UInt8[np.ndarray, "crops 24 24 3"]
    ) -> tuple[Float32[np.ndarray, " crops"], Float32[np.ndarray, "crops 4"]]:
        """See `Networks.refine`."""
        found = _in_chunks(self._rnet, crops, _RNET_CHUNK)
        return found[:, 0], found[:, 1:]

    def place(
        self, crops: UInt8[np.ndarray, "crops 48 48 3"]
    ) -> tuple[Float32[np.ndarray, " crops"], Float32[np.ndarray, "crops 4"], Float32[np.ndarray, "crops 10"]]:
        """See `Networks.place`."""
        found = _in_chunks(self._onet, crops, _ONET_CHUNK)
        return found[:, 0], found[:, 1:5], found[:, 5:]

    def _model_for(self, height: int, width: int) -> ov.InferRequest:
        if height * width < _OWN_MODEL_PX:
            return self._any_level
        if (height, width) not in self._of_size:
            self._of_size[height, width] = self._compiled(self._pnet, [1, height, width, 3])
            if len(self._of_size) > _MOST_MODELS:
                self._of_size.popitem(last=False)
        self._of_size.move_to_end((height, width))
        return self._of_size[height, width]

    def _compiled(self, network: PNet | RNet | ONet, shape: list[int]) -> ov.InferRequest:
        model = _build(network, shape)
        return self._core.compile_model(model, "CPU", self._settings).create_infer_request()


def _run(request: ov.InferRequest, pixels: np.ndarray) -> np.ndarray:
    """A copy of the output: the request writes the next one to the same place."""
    # Written where the request reads: 30 microseconds a call less than handed over.
    there = request.get_input_tensor()
    if tuple(there.shape) != pixels.shape:
        there.shape = pixels.shape
    there.data[:] = pixels
    request.infer()
    return np.array(request.get_output_tensor().data)


def _in_chunks(request: ov.InferRequest, crops: np.ndarray, size: int) -> np.ndarray:
    num_chunks = max(1, -(-len(crops) // size))
    filled = np.zeros((num_chunks * size, *crops.shape[1:]), np.uint8)
    filled[: len(crops)] = crops
    parts = [_run(request, filled[start : start + size]) for start in range(0, len(filled), size)]
    return np.concatenate(parts)[: len(crops)]


def _build(network: PNet | RNet | ONet, shape: list[int]) -> ov.Model:
    """A model of `network` for pixels BHWC of this shape (-1: any); its output's columns are those of `head_weight`."""
    pixels = op.parameter(ov.PartialShape(shape), ov.Type.u8, name="pixels")
    # Whole numbers from -128 to 127 are exact in bf16; the rest of (x - 127.5) / 128 goes into the first kernel.
    features = op.transpose(op.subtract(op.convert(pixels, "f32"), _constant(128.0)), _order(0, 3, 1, 2))
    for place, layer in enumerate(network.body):
        features = _add_layer(layer, features, is_first=place == 0)
    weight, bias = head_weight(network).numpy(), head_bias(network).numpy()
    if isinstance(network, PNet):
        kernel = _constant(weight[:, :, None, None])
        heads = op.add(op.convolution(features, kernel, *_PLAIN), _constant(bias[:, None, None]))
        heads = op.transpose(heads, _order(0, 2, 3, 1))
    else:
        # The weights were trained on columns before rows, channels last.
        columns = op.transpose(features, _order(0, 3, 2, 1))
        kernel, shift, slopes = (parameter.numpy() for parameter in network.dense.parameters())
        hidden = _matmul(op.reshape(columns, _order(0, kernel.shape[1]), True), kernel, shift)
        heads = _matmul(op.prelu(hidden, _constant(slopes)), weight, bias)
    return ov.Model([op.result(heads)], [pixels], type(network).__name__)


_PLAIN = ([1, 1], [0, 0], [0, 0], [1, 1])


def _add_layer(layer: nn.Module, features: Node, *, is_first: bool) -> Node:
    if isinstance(layer, nn.MaxPool2d):
        size, rounding = pool_size(layer), "ceil" if layer.ceil_mode else "floor"
        return op.max_pool(features, [2, 2], [1, 1], [0, 0], [0, 0], [size, size], rounding).output(0)
    if isinstance(layer, nn.PReLU):
        return op.prelu(features, _constant(layer.weight.numpy()))
    weight, bias = (parameter.numpy() for parameter in layer.parameters())
    if is_first:
        weight, bias = weight / 128, bias + weight.sum((1, 2, 3)) * (0.5 / 128)
    return op.add(op.convolution(features, _constant(weight), *_PLAIN), _constant(bias[:, None, None]))


def _matmul(features: Node, weight: np.ndarray, bias: np.ndarray) -> Node:
    return op.add(op.matmul(features, _constant(weight), False, True), _constant(bias))


def _constant(values: np.ndarray | float) -> Node:
    return op.constant(np.ascontiguousarray(values, dtype=np.float32))


def _order(*axes: int) -> Node:
    return op.constant(np.array(axes))
