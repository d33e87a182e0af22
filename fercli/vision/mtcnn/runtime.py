"""Choose a runtime by the name of a device, and build MTCNN's three networks on it."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, UInt8

from fercli.core.errors import UsageError

OPENVINO = "openvino"
_INSTALL = "Install it: pip install 'fercli[openvino]', or use --device cpu."


@runtime_checkable
class Networks(Protocol):
    """PNet, RNet and ONet on one device; pixels are RGB, logits are those of face against none."""

    def propose(
        self, level: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float32[np.ndarray, "rows columns"], Float32[np.ndarray, "rows columns 4"]]:
        """PNet's logits and regressions, one cell for each 12x12 window at stride 2."""

    def refine(
        self, crops: UInt8[np.ndarray, "crops 24 24 3"]
    ) -> tuple[Float32[np.ndarray, " crops"], Float32[np.ndarray, "crops 4"]]:
        """RNet's logits and regressions."""

    def place(
        self, crops: UInt8[np.ndarray, "crops 48 48 3"]
    ) -> tuple[Float32[np.ndarray, " crops"], Float32[np.ndarray, "crops 4"], Float32[np.ndarray, "crops 10"]]:
        """ONet's logits, regressions and landmarks (five x, five y) in box widths."""


def choose_device(name: str = "auto", *, mode: str = "fast", is_shared: bool = False) -> str:
    """The device that `name` means here.

    Args:
        name: `auto` takes a CUDA GPU, else OpenVINO where it is installed, else the processor by torch; `openvino`
            computes in bf16 where the processor multiplies in it, `openvino:f32` and `openvino:bf16` as they say; all
            else is torch's name of a device.
        mode: `exact` runs in torch only.
        is_shared: other machines work with the same device, so `auto` takes none that they may lack: no GPU.

    Raises:
        UsageError: the device or the package is not there, or cannot run this mode.
    """
    if name == "auto":
        if torch.cuda.is_available() and not is_shared:
            return "cuda"
        name = OPENVINO if mode == "fast" and _has_openvino() else "cpu"
    if name.partition(":")[0] != OPENVINO:
        return str(torch_device(name))
    if mode == "exact":
        raise UsageError(
            f"device '{name}' does not support --mode exact, which runs on torch", hint="Use --device cpu."
        )
    if not _has_openvino():
        raise UsageError(
            f"device '{name}' needs the package openvino, 2025.0 or later, which is not installed", hint=_INSTALL
        )
    from fercli.vision.mtcnn.openvino import best_precision

    precision = name.partition(":")[2] or best_precision()
    if precision not in ("f32", "bf16"):
        raise UsageError(f"device '{name}' is not available", hint="Use openvino:f32 or openvino:bf16.")
    return f"{OPENVINO}:{precision}"


def _has_openvino() -> bool:
    try:
        # Other packages bring older versions, which keep their operations elsewhere.
        import fercli.vision.mtcnn.quiet_openvino  # noqa: F401  # only whether it is there
    except ImportError:
        return False
    return True


def make_networks(device: str, num_threads: int | None = None) -> Networks:
    """The networks on a device that `choose_device` gave; OpenVINO alone minds `num_threads`, torch has its own."""
    kind, _, precision = device.partition(":")
    if kind == OPENVINO:
        from fercli.vision.mtcnn.openvino import OpenVinoNetworks

        return OpenVinoNetworks(precision, num_threads)
    from fercli.vision.mtcnn.torch import TorchNetworks

    return TorchNetworks(torch_device(device))


def torch_device(name: str) -> torch.device:
    """Torch's device of this name.

    Raises:
        UsageError: it is not there.
    """
    try:
        device = torch.device(name)
        # Torch knows devices that hold no numbers, such as meta.
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        raise UsageError(f"device '{name}' is not available", hint="Use --device auto or cpu.") from error
    return device
