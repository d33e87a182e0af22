"""Class activation maps, computed with the grad-cam package.

Axes: B images, C channels, H and W pixels of the input.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pytorch_grad_cam import EigenCAM, GradCAM, GradCAMPlusPlus, HiResCAM, LayerCAM
from pytorch_grad_cam.base_cam import BaseCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from fercli.cam.layers import as_map, find_layer, probe_layer
from fercli.core.errors import UsageError

# Score-CAM is left out: it runs the network once per channel, 512 times a face for the paper's networks.
CamMethod = Literal["gradcam", "gradcam++", "layercam", "eigencam", "hirescam"]


def compute_cams(
    model: nn.Module,
    layer: str,
    images_BCHW: Float[Tensor, "B C H W"],
    targets: Int[Tensor, " B"],
    *,
    method: CamMethod = "gradcam",
    token_grid: tuple[int, int] | None = None,
    batch_size: int = 16,
) -> Float[np.ndarray, "B H W"]:
    """Map how much each pixel's place speaks for the target class, 0 to 1 within each image.

    The map has the layer's resolution, enlarged bilinearly to the input's. It is stretched to 0..1 image by
    image, so maps of two images cannot be compared in strength; an image whose layer speaks nowhere for the
    target gets zeros. The model comes back as it was: mode, gradients, hooks.

    Args:
        model: `forward(image_BCHW) -> logits_BK`; runs in eval mode where its parameters lie.
        layer: dotted name of a module, as `list_layers` prints it.
        images_BCHW: as the network takes them, normalised.
        targets: class index per image; `eigencam` has no class and ignores it.
        method: one of `CamMethod`.
        token_grid: rows and columns of a layer that gives tokens (B T D); None takes a square.
        batch_size: images per backward pass.

    Raises:
        UsageError: no such method or layer, or the layer gives no map or has no part in the logits.

    Source: Selvaraju et al., ICCV 2017 (gradcam); Chattopadhay et al., WACV 2018 (gradcam++); Jiang et al.,
    TIP 2021 (layercam); Muhammad and Yeasin, IJCNN 2020 (eigencam); Draelos and Carin, 2020 (hirescam).
    """
    engine = _engine_of(method)
    module = find_layer(model, layer)
    if len(images_BCHW) == 0:
        return np.zeros((0, *images_BCHW.shape[2:]), np.float32)
    with _set_aside(model):
        probe_layer(model, layer, images_BCHW[:1], token_grid)
        cam = engine(model, [module], reshape_transform=lambda output: as_map(output, token_grid))
        # The package's own `with` prints and swallows an IndexError; its hooks are released here instead.
        try:
            parts = [
                _cams_of_batch(cam, images, classes)
                for images, classes in zip(
                    torch.split(images_BCHW, batch_size), torch.split(targets, batch_size), strict=True
                )
            ]
        finally:
            cam.activations_and_grads.release()
    return np.concatenate(parts)


class _SignedEigenCAM(EigenCAM):  # type: ignore[misc]  # the package has no types
    """EigenCAM whose component points to where it is strongest; the sign of a singular vector is arbitrary."""

    def get_cam_image(self, *args: object) -> Float[np.ndarray, "B H W"]:
        """Flip each map whose largest absolute value is negative."""
        maps: np.ndarray = super().get_cam_image(*args)
        flat = maps.reshape(len(maps), -1)
        is_negative = np.abs(flat.min(axis=1)) > np.abs(flat.max(axis=1))
        return np.asarray(np.where(is_negative[:, None, None], -maps, maps), np.float32)


def _engine_of(method: str) -> type[BaseCAM]:
    engines: dict[str, type[BaseCAM]] = {
        "gradcam": GradCAM,
        "gradcam++": GradCAMPlusPlus,
        "layercam": LayerCAM,
        "eigencam": _SignedEigenCAM,
        "hirescam": HiResCAM,
    }
    if method not in engines:
        raise UsageError(f"unknown CAM method '{method}'", hint=f"Known: {', '.join(engines)}")
    return engines[method]


def _cams_of_batch(
    cam: BaseCAM, images_BCHW: Float[Tensor, "B C H W"], targets: Int[Tensor, " B"]
) -> Float[np.ndarray, "B H W"]:
    # A gradient that starts at the pixels reaches the layer even when all parameters are frozen.
    leaf = images_BCHW.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        maps = cam(input_tensor=leaf, targets=[ClassifierOutputTarget(int(target)) for target in targets])
    return np.clip(np.asarray(maps, np.float32), 0.0, 1.0)


@contextmanager
def _set_aside(model: nn.Module) -> Iterator[None]:
    """Put the model into eval mode without parameter gradients, and back; the package changes both for good."""
    modes = [(module, module.training) for module in model.modules()]
    kept = [(parameter, parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    model.eval()
    for parameter, _, _ in kept:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for module, was_training in modes:
            module.training = was_training
        for parameter, required_grad, grad in kept:
            parameter.requires_grad_(required_grad)
            parameter.grad = grad
