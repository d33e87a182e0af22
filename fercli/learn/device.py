"""Choose the device, precision and memory format of a training from what the machine offers."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch

from fercli.core.errors import UsageError

Precision = Literal["fp32", "bf16"]
_CPUINFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class Machine:
    """Decided once at the start of a training, written into run.json, obeyed when it is resumed.

    `reason` is that of the precision; `is_compiled` and its reason come from learn/compiling.py.
    """

    device: str
    precision: Precision
    reason: str
    num_threads: int
    device_name: str = ""
    is_compiled: bool = False
    compile_reason: str = ""

    def to_json(self) -> dict[str, object]:
        """Plain values for run.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "Machine":
        """The inverse of `to_json`; what else run.json says beside it is left out."""
        names = {column.name for column in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})  # type: ignore[arg-type]  # JSON has no types

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which the network runs."""
        kind = torch.device(self.device).type
        return torch.autocast(kind, dtype=torch.bfloat16, enabled=self.precision == "bf16")


def choose_machine(device: str = "auto", precision: str = "auto", num_threads: int | None = None) -> Machine:
    """Decide on device and precision.

    Args:
        device: "auto" takes a CUDA GPU, else an Apple one, else the processor; else torch's name for it.
        precision: "auto" takes bf16 where the hardware multiplies in it, else fp32.
        num_threads: None leaves torch's number.

    Raises:
        UsageError: there is no such device here.
    """
    chosen = _device(device)
    if precision == "auto":
        kind, reason = _best_precision(chosen)
    else:
        kind, reason = ("bf16" if precision == "bf16" else "fp32"), "as asked"
    return Machine(str(chosen), kind, reason, num_threads or torch.get_num_threads(), _device_name(chosen))


def apply_threads(machine: Machine) -> None:
    """Use as many threads as were decided; sums of floats depend on it."""
    if torch.get_num_threads() != machine.num_threads:
        torch.set_num_threads(machine.num_threads)


def ask_for_same_bits(machine: Machine) -> None:
    """On a CUDA GPU, take kernels whose sums are in a fixed order, as far as torch has them."""
    if torch.device(machine.device).type != "cuda":
        return
    # cuBLAS reads this when it is first used.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.use_deterministic_algorithms(True, warn_only=True)
    warnings.filterwarnings("ignore", message=".*does not have a deterministic implementation")


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Let torch compute with `number` threads, in this thread and in those that begin meanwhile."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _device(name: str) -> torch.device:
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        # Torch knows devices that hold no numbers, such as meta.
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device '{name}' is not available: {reason}", hint="Use --device auto or cpu.") from error
    return device


def _best_precision(device: torch.device) -> tuple[Precision, str]:
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return "bf16", "the GPU multiplies in bf16"
        return "fp32", "the GPU has no bf16"
    if device.type != "cpu":
        return "fp32", "bf16 has not been tested on this kind of device"
    features = _processor_features()
    for feature, name in (("amx_bf16", "AMX"), ("avx512_bf16", "AVX-512")):
        if features.get(feature):
            return "bf16", f"the processor multiplies in bf16 ({name})"
    return "fp32", "the processor has no bf16 multiplication"


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"{_processor_features().get('cpu_name', 'processor')}, {os.cpu_count()} threads"


def _processor_features() -> Mapping[str, object]:
    """What the processor can do; older versions of torch do not tell, but Linux does, in the same words."""
    if hasattr(torch.cpu, "get_capabilities"):
        return torch.cpu.get_capabilities()
    lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines() if _CPUINFO.exists() else []
    flags = next((line.partition(":")[2] for line in lines if line.startswith("flags")), "")
    return dict.fromkeys(flags.split(), True)
