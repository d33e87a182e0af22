"""How many faces a second each network infers and trains on this machine, beside the machine's own peak.

    python benchmarks/models.py                        # all networks, batch 32
    python benchmarks/models.py --models drf-msam ddamfn --batch 8 --seconds 1

Prints a Markdown table. "work" is the share of the matmul peak that the multiply-adds of thop's count amount to; it
undercounts networks with attention, whose matrix products thop leaves out.
"""

import argparse
import platform
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fercli.models.build import build_model
from fercli.models.profile import profile_network
from fercli.models.specs import MODELS, find_spec

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=5.0, help="measure each figure for so long")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    device = torch.device(args.device)
    print(f"{processor(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}, batch {args.batch}\n")
    peaks = {name: matmul_peak(device, dtype or torch.float32) for name, dtype in PRECISIONS.items()}
    print("matmul peak: " + ", ".join(f"{name} {peak / 1e12:.2f} TFLOP/s" for name, peak in peaks.items()) + "\n")
    print("| model | input | G MACs | " + " | ".join(f"{kind} {name}, images/s" for kind in ("infer", "train")
          for name in PRECISIONS) + " | work fp32 / bf16 |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for name in args.models:
        print(row(name, args.batch, args.seconds, device, peaks), flush=True)


def row(name: str, batch: int, seconds: float, device: torch.device, peaks: dict[str, float]) -> str:
    """One line of the table."""
    spec = find_spec(name)
    model = build_model(name, num_classes=7).to(device, memory_format=torch.channels_last)
    image = torch.rand(batch, spec.channels, spec.input_size, spec.input_size, device=device)
    image = image.contiguous(memory_format=torch.channels_last)
    macs = profile_network(model, image[:1]).macs
    rates = {(kind, key): rate(make(model, image, dtype), batch, seconds, device)
             for kind, make in (("infer", inference), ("train", training_step))
             for key, dtype in PRECISIONS.items()}  # fmt: skip
    share = " / ".join(f"{2 * macs * rates['infer', key] / peak:.0%}" for key, peak in peaks.items())
    figures = " | ".join(f"{value:.1f}" if value < 100 else f"{value:.0f}" for value in rates.values())
    return f"| {spec.name} | {spec.input_size} | {macs / 1e9:.3f} | {figures} | {share} |"


def inference(model: nn.Module, image: Tensor, dtype: torch.dtype | None) -> Callable[[], object]:
    model.eval()

    def run() -> object:
        with torch.inference_mode(), precision(image, dtype):
            return model(image)

    return run


def training_step(model: nn.Module, image: Tensor, dtype: torch.dtype | None) -> Callable[[], object]:
    """Forward, cross-entropy, backward, a step of plain SGD."""
    model.train()
    targets = torch.arange(len(image), device=image.device) % 7
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-4)

    def run() -> object:
        optimizer.zero_grad()
        with precision(image, dtype):
            logits = model(image)
        loss = F.cross_entropy(logits.float(), targets)
        loss.backward()
        optimizer.step()
        return loss

    return run


def precision(image: Tensor, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    return nullcontext() if dtype is None else torch.autocast(image.device.type, dtype=dtype)


def rate(run: Callable[[], object], batch: int, seconds: float, device: torch.device) -> float:
    """Images a second of the fastest run after one warm-up."""
    best = float("inf")
    elapsed(run, device)
    until = time.perf_counter() + seconds
    while best == float("inf") or time.perf_counter() < until:
        best = min(best, elapsed(run, device))
    return batch / best


def elapsed(run: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def matmul_peak(device: torch.device, dtype: torch.dtype, size: int = 2048) -> float:
    """Floating-point operations a second of one large matrix product, the best of ten."""
    a, b = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
    best = min(elapsed(lambda: a @ b, device) for _ in range(10))
    return 2 * size**3 / best


def processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
