"""How many faces a second each network infers and trains on this machine, beside the machine's own peak.

    python benchmarks/models.py                                  # all networks, batch 32
    python benchmarks/models.py drf-msam ddamfn --results r.json # these two; figures are kept in r.json
    python benchmarks/models.py poster --kinds train --precisions fp32 --results r.json
    python benchmarks/models.py --show --results r.json          # the table of all that was measured so far
    python benchmarks/models.py --clock cpu                      # one thread, on a machine that others use too

Prints a Markdown table. Weights and pictures lie channels-last, as training and prediction lay them. "share of peak" is
what the multiply-adds of thop's count amount to, in inference, of a large matrix product measured in the same call; it
undercounts networks with attention, whose matrix products thop leaves out. A training step is forward, cross-entropy,
backward and a step of plain SGD; for want of memory `--chunk` cuts its batch and adds up the gradients of its parts.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from machine import processor
from torch import Tensor, nn

from fercli.models.build import build_model
from fercli.models.profile import profile_network
from fercli.models.table.specs import MODELS, find_spec

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}
KINDS = ("infer", "train")
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
Results = dict[str, dict[str, Any]]  # Any: figures and the setting they were taken in, as JSON holds them


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="NAME", help="networks; all when none is named")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--chunk", type=int, default=0, help="pictures of a batch at a time in training; 0 is all")
    parser.add_argument("--seconds", type=float, default=5.0, help="measure each figure for so long")
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu: seconds of the processor, 1 thread")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--precisions", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--results", type=Path, help="JSON to which figures are added")
    parser.add_argument("--show", action="store_true", help="measure nothing")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    results: Results = json.loads(args.results.read_text()) if args.results and args.results.exists() else {}
    if not args.show:
        device = torch.device(args.device)
        if args.clock == "cpu":
            # Threads that wait for each other spin, and their seconds would count.
            torch.set_num_threads(1)
        clock = CLOCKS[args.clock]
        peaks = {key: matmul_peak(device, PRECISIONS[key] or torch.float32, clock) for key in args.precisions}
        for name in [find_spec(word).name for word in args.models] or list(MODELS):
            for _ in measure(results.setdefault(name, {}), name, args, device, peaks=peaks):
                if args.results:
                    args.results.write_text(json.dumps(results, indent=1))
    print(table(results))


def measure(
    row: dict[str, Any], name: str, args: argparse.Namespace, device: torch.device, *, peaks: dict[str, float]
) -> Iterator[None]:
    """Add the figures of one network to its row, one at a time."""
    spec = find_spec(name)
    model = build_model(name, num_classes=7).to(device, memory_format=torch.channels_last)
    image = torch.rand(args.batch, spec.channels, spec.input_size, spec.input_size, device=device)
    image = image.contiguous(memory_format=torch.channels_last)
    where = f"{place(device)}, {args.clock} seconds"
    row |= {"macs": profile_network(model, image[:1]).macs, "batch": args.batch, "where": where}
    for kind in args.kinds:
        for key in args.precisions:
            chunk = args.chunk or args.batch
            run = inference(model, image, PRECISIONS[key])
            if kind == "train":
                run = training_step(model, image, PRECISIONS[key], chunk)
            best = shortest(run, args.seconds, device, CLOCKS[args.clock])
            row |= {f"{kind} {key}": args.batch / best, f"peak {key}": peaks[key]}
            if kind == "train":
                row["chunk"] = chunk
            print(f"{name}: {kind} {key} {row[f'{kind} {key}']:.2f} images/s", flush=True)
            yield


def table(results: Results) -> str:
    """Everything measured so far as Markdown, the networks in the order of the spec table."""
    rows = [(name, results[name]) for name in MODELS if name in results]
    columns = [(kind, key) for kind in KINDS for key in PRECISIONS]
    lines = [f"{where}, batch {batch}" for where, batch in sorted({(row["where"], row["batch"]) for _, row in rows})]
    for key in PRECISIONS:
        peaks = sorted(row[f"peak {key}"] / 1e12 for _, row in rows if f"peak {key}" in row)
        if peaks:
            lines.append(f"matmul peak {key}: {peaks[0]:.2f} to {peaks[-1]:.2f} TFLOP/s")
    lines += ["", "| model | input | G MACs | " + " | ".join(f"{kind} {key}" for kind, key in columns) +
              " | share of peak fp32, bf16 |", "|---|" + "---:|" * 7]  # fmt: skip
    for name, row in rows:
        figures = " | ".join(in_three_digits(row.get(f"{kind} {key}")) for kind, key in columns)
        lines.append(f"| {name} | {find_spec(name).input_size} | {row['macs'] / 1e9:.3f} | {figures} | {shares(row)} |")
    return "\n".join(lines)


def shares(row: dict[str, Any]) -> str:
    """How much of the matmul peak inference turns into the multiply-adds of thop's count."""
    found = [2 * row["macs"] * row[f"infer {key}"] / row[f"peak {key}"] for key in PRECISIONS if f"infer {key}" in row]
    return ", ".join(f"{share:.0%}" for share in found)


def in_three_digits(value: float | None) -> str:
    """A figure of the table; nothing where it was not measured."""
    if value is None:
        return ""
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def place(device: torch.device) -> str:
    """What the table was measured on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def inference(model: nn.Module, image: Tensor, dtype: torch.dtype | None) -> Callable[[], object]:
    """A call that classifies one batch."""
    model.eval()

    def run() -> object:
        with torch.inference_mode(), precision(image, dtype):
            return model(image)

    return run


def training_step(model: nn.Module, image: Tensor, dtype: torch.dtype | None, chunk: int) -> Callable[[], object]:
    """Forward, cross-entropy, backward, a step of plain SGD; `chunk` pictures at a time."""
    model.train()
    targets = torch.arange(len(image), device=image.device) % 7
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-4)

    def run() -> object:
        optimizer.zero_grad()
        for images, classes in zip(image.split(chunk), targets.split(chunk), strict=True):
            with precision(image, dtype):
                logits = model(images)
            (F.cross_entropy(logits.float(), classes) * len(images) / len(image)).backward()
        optimizer.step()
        return None

    return run


def precision(image: Tensor, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """A context that computes in `dtype`; none computes as it comes."""
    return nullcontext() if dtype is None else torch.autocast(image.device.type, dtype=dtype)


def shortest(run: Callable[[], object], seconds: float, device: torch.device, clock: Callable[[], float]) -> float:
    """Seconds of the fastest run in `seconds`; one that takes longer runs once, for its start weighs little then."""
    first = elapsed(run, device, clock)
    if first > seconds:
        return first
    best, until = elapsed(run, device, clock), clock() + seconds
    while clock() < until:
        best = min(best, elapsed(run, device, clock))
    return best


def elapsed(run: Callable[[], object], device: torch.device, clock: Callable[[], float]) -> float:
    """Seconds of one call, until the device is done."""
    start = clock()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - start


def matmul_peak(device: torch.device, dtype: torch.dtype, clock: Callable[[], float], size: int = 2048) -> float:
    """Floating-point operations a second of one large matrix product, the best of ten."""
    a, b = (torch.rand(size, size, device=device).to(dtype) for _ in range(2))
    best = min(elapsed(lambda: a @ b, device, clock) for _ in range(10))
    return 2 * size**3 / best


if __name__ == "__main__":
    main()
