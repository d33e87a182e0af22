"""Class activation maps of aligned faces, overlaid on them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from fercli.cam.gradcam import CamMethod, compute_cams
from fercli.cam.overlay import overlay_cam
from fercli.data.dataset import make_reader, prepare_alone
from fercli.data.transforms import InputFormat, to_input
from fercli.models.table.specs import ModelSpec

# The crops of a list need not be of one size.
Crop = UInt8[np.ndarray, "_ _ 3"]


def read_faces(root: Path, paths: Sequence[str], form: InputFormat) -> list[Crop]:
    """Faces of the project as they are stored, in RGB; grey ones get three equal channels.

    Raises:
        InputError: a crop is missing or damaged.
    """
    reader = make_reader(root, paths, form)
    crops = [reader.read_raw(place) for place in range(len(paths))]
    return [crop if crop.ndim == 3 else np.repeat(crop[:, :, None], 3, axis=2) for crop in crops]


def input_of(crops: Sequence[Crop], form: InputFormat) -> Float[Tensor, "B C H W"]:
    """Faces as the network was fed them in training, without random changes."""
    if not crops:
        return to_input(torch.zeros(0, form.channels, form.size, form.size, dtype=torch.uint8), form)
    # Each at its own size: no crop is scaled by what lies beside it.
    return torch.cat([to_input(torch.from_numpy(prepare_alone(crop, form))[None], form) for crop in crops])


def overlay_faces(
    model: nn.Module,
    spec: ModelSpec,
    crops: Sequence[Crop],
    targets: Sequence[int],
    *,
    form: InputFormat,
    layer: str = "",
    method: CamMethod = "gradcam",
) -> list[Crop]:
    """Lay over each face the map of what speaks for its target class.

    Args:
        model: in float32, on any device.
        spec: names the layer that is looked at when `layer` is empty.
        crops: RGB.
        targets: class index of each face.
        form: what the network was fed in training.
        layer: dotted name of a module.
        method: see `compute_cams`.

    Raises:
        UsageError: the layer is not there or gives no map.
    """
    device = next(model.parameters()).device
    images_BCHW = input_of(crops, form).to(device)
    is_own_layer = layer in ("", spec.cam_layer)
    cam_BHW = compute_cams(
        model,
        layer or spec.cam_layer,
        images_BCHW,
        torch.tensor(list(targets), dtype=torch.int64),
        method=method,
        token_grid=spec.cam_grid if is_own_layer else None,
    )
    # What lies beside the window was not looked at.
    before = (form.size - form.side) // 2
    rim = (before, form.size - form.side - before)
    return [overlay_cam(crop, np.pad(cam, rim)) for crop, cam in zip(crops, cam_BHW, strict=True)]
