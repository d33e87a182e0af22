"""A TensorFlow.js model as its converter writes it, made from numbers of our own."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

WIDTHS = (8, 12, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 16, 16)


def face_arrays(widths: tuple[int, ...] = WIDTHS, seed: int = 0) -> dict[str, np.ndarray]:
    """HSE-FaceRes' names and layouts (H, W, I, O), narrow, with normalisation folded to a factor and a shift."""
    draw = np.random.default_rng(seed)

    def noise(*shape: int, scale: float) -> np.ndarray:
        return draw.normal(0, scale, shape).astype(np.float32)

    arrays = {
        "age_pred/kernel": noise(4, 100, scale=1),
        "conv1/convolution/merged_input": noise(3, 3, 3, widths[0], scale=0.5),
        "conv1_bn/batchnorm_1/sub": noise(widths[0], scale=0.5),
        "conv1_relu/Cast": np.float32(6),
    }
    for block, (before, after) in enumerate(itertools.pairwise(widths), start=1):
        arrays[f"conv_dw_{block}/depthwise_kernel"] = noise(3, 3, before, 1, scale=0.4)
        arrays[f"conv_dw_{block}_bn/batchnorm_1/mul"] = 1 + noise(before, scale=0.2)
        arrays[f"conv_dw_{block}_bn/batchnorm_1/sub"] = noise(before, scale=0.5)
        arrays[f"conv_pw_{block}/convolution/merged_input"] = noise(1, 1, before, after, scale=(2 / before) ** 0.5)
        arrays[f"conv_pw_{block}_bn/batchnorm_1/sub"] = noise(after, scale=0.5)
    return arrays | {"global_pooling/Mean/reduction_indices": np.array([1, 2], np.int32)}


def write_tfjs(arrays: dict[str, np.ndarray], path: Path, *, stored: str = "", num_parts: int = 1) -> None:
    """Write model.json and .bin files; `stored` quantises floats: float16, uint8 or uint16."""
    entries, content = [], b""
    for name, array in arrays.items():
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": str(array.dtype)}
        if stored and array.dtype == np.float32:
            array, entry["quantization"] = _quantised(array, stored)
        entries.append(entry)
        content += array.tobytes()
    cuts = np.linspace(0, len(content), num_parts + 1).astype(int)
    names = [f"group1-shard{part + 1}of{num_parts}.bin" for part in range(num_parts)]
    for name, start, end in zip(names, cuts, cuts[1:], strict=False):
        (path.parent / name).write_bytes(content[start:end])
    manifest = [{"paths": names, "weights": entries}]
    path.write_text(json.dumps({"format": "graph-model", "weightsManifest": manifest}), encoding="utf-8")


def reference_map(arrays: dict[str, np.ndarray], image_BCHW: Tensor) -> Tensor:
    """The last map of the model that `arrays` describe, layer by layer, its "SAME" padding written out."""

    def convolve(x: Tensor, name: str, *, stride: int, is_depthwise: bool = False) -> Tensor:
        kernel = torch.from_numpy(arrays[name])
        weight = kernel.permute(2, 3, 0, 1) if is_depthwise else kernel.permute(3, 2, 0, 1)
        # In all, as many zeros as the last window lacks; the odd one at the far end.
        lacks = [max((-(-side // stride) - 1) * stride + weight.shape[-1] - side, 0) for side in x.shape[:1:-1]]
        x = torch.nn.functional.pad(x, [part for lack in lacks for part in (lack // 2, lack - lack // 2)])
        groups = weight.shape[0] if is_depthwise else 1
        return torch.nn.functional.conv2d(x, weight, stride=stride, groups=groups)

    def finish(x: Tensor, name: str) -> Tensor:
        factor, shift = arrays.get(f"{name}/batchnorm_1/mul"), arrays[f"{name}/batchnorm_1/sub"]
        if factor is not None:
            x = x * torch.from_numpy(factor)[:, None, None]
        return (x + torch.from_numpy(shift)[:, None, None]).clamp(0, 6)

    x = finish(convolve(image_BCHW, "conv1/convolution/merged_input", stride=2), "conv1_bn")
    for block in range(1, 14):
        stride = 2 if block in (2, 4, 6, 12) else 1
        x = convolve(x, f"conv_dw_{block}/depthwise_kernel", stride=stride, is_depthwise=True)
        x = finish(x, f"conv_dw_{block}_bn")
        x = finish(convolve(x, f"conv_pw_{block}/convolution/merged_input", stride=1), f"conv_pw_{block}_bn")
    return x


def _quantised(array: np.ndarray, stored: str) -> tuple[np.ndarray, dict[str, Any]]:
    if stored == "float16":
        return array.astype(np.float16), {"dtype": stored, "original_dtype": "float32"}
    low, steps = float(array.min()), np.iinfo(stored).max
    scale = (float(array.max()) - low) / steps or 1.0
    codes = np.round((array - low) / scale).astype(stored)
    return codes, {"dtype": stored, "scale": scale, "min": low, "original_dtype": "float32"}
