"""Training and inference of fercli beside a plain PyTorch loop of the usual kind, in one run on one machine.

    python benchmarks/training.py drf-msam                  # training, ours and plain, and what our loop adds
    python benchmarks/training.py sfer-mdfae --batch 16 --steps 4
    python benchmarks/training.py sfer-mdfae --inference --compile
    python benchmarks/training.py drf-msam --profile        # what a step's processor time goes into

The plain loop is what tutorials show: PNG files read by PIL, torchvision transforms a picture at a time in loader
processes, Adam, fp32, torch's default memory format. Both get the same pictures (noise), network, batch and threads.
Each figure is the best of several turns that alternate, because machines are shared and noisy: trust the ratios.
`--clock cpu` counts the processor time of one thread instead, which other work on the machine hardly stretches; the
plain loop then reads its pictures itself, without loader processes.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from steps import CLASSES, WARM_UP, StepTimes, noise
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from fercli.data.batches import RamCrops
from fercli.data.transforms import InputFormat
from fercli.learn.device import Machine, choose_machine
from fercli.learn.kernels import ease_kernels
from fercli.learn.optim import make_optimizer
from fercli.learn.recipe import Plan, fast_plan, fast_size, with_changes
from fercli.learn.trainer import Faces, Training, fit
from fercli.models.build import build_model
from fercli.models.table.specs import MODELS

# What torch's operators are counted as, by how their names begin; the first that fits.
KINDS = (
    ("convolution, backward", ("aten::convolution_backward", "aten::mkldnn_convolution_backward")),
    ("convolution, forward", ("aten::mkldnn_convolution", "aten::_convolution", "aten::_slow_conv", "aten::thnn_conv")),
    ("batch normalisation", ("aten::native_batch_norm", "aten::cudnn_batch_norm")),
    ("matrix products and attention", ("aten::mm", "aten::addmm", "aten::bmm", "aten::_scaled_dot", "aten::_flash")),
    ("activations, sums and pooling", ("aten::threshold", "aten::clamp", "aten::relu", "aten::_prelu", "aten::sigmoid",
                                       "aten::add", "aten::mul", "aten::max_pool", "aten::mean", "aten::sum")),
    ("copies and casts", ("aten::copy_", "aten::_to_copy", "aten::fill_", "aten::cat", "aten::empty", "aten::clone")),
    ("optimiser, running mean, clipping", ("aten::_fused", "aten::_foreach", "aten::lerp", "aten::linalg_vector_norm")),
    ("changes of the pictures", ("aten::grid_sampler", "aten::affine_grid")),
)  # fmt: skip
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class Pictures(Dataset[tuple[Tensor, int]]):
    """PNG files, transformed one at a time."""

    def __init__(self, paths: list[Path], form: InputFormat) -> None:
        self.paths, self.mode = paths, "L" if form.channels == 1 else "RGB"
        self.transform = transforms.Compose(
            [
                transforms.Resize((form.size, form.size)),
                transforms.RandomHorizontalFlip(),
                transforms.RandomAffine(10, (0.06, 0.06), (0.9, 1.1)),
                transforms.ColorJitter(0.15, 0.2),
                transforms.ToTensor(),
                transforms.Normalize(form.mean, form.std),
                transforms.RandomErasing(0.25, (0.02, 0.15)),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        return self.transform(Image.open(self.paths[place]).convert(self.mode)), place % CLASSES


def plain_step_s(name: str, form: InputFormat, paths: list[Path], given: argparse.Namespace) -> float:
    """Seconds of a step of the usual loop."""
    model = build_model(name, num_classes=CLASSES).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    loader = DataLoader(Pictures(paths, form), given.batch, shuffle=True, num_workers=given.workers, drop_last=True)
    ends: list[float] = []
    for images, targets in _endless(loader):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), targets)
        loss.backward()
        optimizer.step()
        loss.item()
        ends.append(CLOCKS[given.clock]())
        if len(ends) == WARM_UP + given.steps:
            break
    return statistics.median(np.diff(ends[WARM_UP - 1 :]).tolist())


def our_step_s(plan: Plan, form: InputFormat, machine: Machine, given: argparse.Namespace) -> float:
    """Seconds of a step of `fercli.learn.trainer.fit`, with all that belongs to it."""
    num = (WARM_UP + given.steps) * plan.batch_size
    times = StepTimes(CLOCKS[given.clock])
    with tempfile.TemporaryDirectory() as folder:
        training = Training(
            Faces(RamCrops(noise(num, form)), np.arange(num, dtype=np.int64) % CLASSES), None, plan, form=form,
            machine=machine, seed=0, folder=Path(folder), meta={"classes": list(range(CLASSES))}, progress=times,
        )  # fmt: skip
        fit(build_model(given.model, num_classes=CLASSES), training)
    return times.seconds


def bare_step_s(plan: Plan, form: InputFormat, machine: Machine, given: argparse.Namespace) -> float:
    """Seconds of forward, backward and step alone, on one batch that is already there."""
    model: Any = build_model(given.model, num_classes=CLASSES).train()  # Any: torch's stub lacks this form of `to`
    model = model.to(memory_format=torch.channels_last)
    if machine.precision == "bf16":
        ease_kernels(model)  # as `fit` does
    optimizer = make_optimizer(model, plan)
    images = torch.randn(plan.batch_size, form.channels, form.size, form.size)
    images = images.contiguous(memory_format=torch.channels_last)
    targets = torch.arange(plan.batch_size) % CLASSES

    def step() -> None:
        with machine.autocast():
            loss = F.cross_entropy(model(images).float(), targets, label_smoothing=plan.label_smoothing)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return median_s(step, given)


def inference_s(
    model: Callable[[Tensor], Tensor], images: Tensor, machine: Machine, given: argparse.Namespace
) -> float:
    """Seconds of a batch."""

    def run() -> None:
        with torch.inference_mode(), machine.autocast():
            model(images)

    return median_s(run, given)


def median_s(call: Callable[[], None], given: argparse.Namespace) -> float:
    """Median seconds of a call, warm-up left out."""
    clock, seconds = CLOCKS[given.clock], []
    for _ in range(WARM_UP + given.steps):
        began = clock()
        call()
        seconds.append(clock() - began)
    return statistics.median(seconds[WARM_UP:])


def write_pictures(folder: Path, num: int, form: InputFormat) -> list[Path]:
    """The same as PNG files."""
    paths = [folder / f"{number:05d}.png" for number in range(num)]
    for path, picture in zip(paths, noise(num, form), strict=True):
        Image.fromarray(picture[0].numpy() if form.channels == 1 else picture.permute(1, 2, 0).numpy()).save(path)
    return paths


def measure_training(name: str, given: argparse.Namespace) -> None:
    """Print images a second of both loops and of the bare step."""
    spec, machine = MODELS[name], choose_machine("cpu", given.precision, given.threads)
    form = InputFormat.of_spec(spec, size=fast_size(spec))
    plan = with_changes(fast_plan(spec, 28_709), {"epochs": 1, "batch_size": given.batch, "objective": spec.objective})
    same = with_changes(plan, {"adds_norms": False, "ema_decay": 0.0, "clip_norm": 0.0})
    bare = dataclasses.replace(same, augmentation={})
    best = {"plain": float("inf"), "ours": float("inf"), "bare": float("inf"), "loop": float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        paths = write_pictures(Path(folder), 8 * given.batch, form)
        for _ in range(given.turns):
            found = {
                "plain": plain_step_s(name, form, paths, given),
                "ours": our_step_s(plan, form, machine, given),
                "bare": bare_step_s(bare, form, machine, given),
                "loop": our_step_s(bare, form, machine, given),
            }
            best = {key: min(value, best[key]) for key, value in found.items()}
    speed = {key: given.batch / value for key, value in best.items()}
    print(f"{name}, batches of {given.batch} at {form.size} pixels, {machine.precision}, images/s:")
    ratio, added = best["plain"] / best["ours"], best["loop"] / best["bare"] - 1
    print(f"  plain loop {speed['plain']:.1f}, fer train (recipe fast) {speed['ours']:.1f}: {ratio:.2f}x")
    print(f"  bare step {speed['bare']:.1f}, our loop around it {speed['loop']:.1f}: {added:+.1%}")


def measure_inference(name: str, given: argparse.Namespace) -> None:
    """Print images a second: fp32 as built, ours, and ours compiled with what compiling took."""
    spec, machine = MODELS[name], choose_machine("cpu", given.precision, given.threads)
    size = fast_size(spec)
    images = torch.randn(given.batch, spec.channels, size, size)
    model: Any = build_model(name, num_classes=CLASSES).eval()  # Any: torch's stub lacks this form of `to`
    plain = inference_s(model, images, choose_machine("cpu", "fp32"), given)
    print(f"{name}, batches of {given.batch} at {size} pixels, inference, images/s:")
    print(f"  fp32, as built {given.batch / plain:.1f}")
    model, images = model.to(memory_format=torch.channels_last), images.contiguous(memory_format=torch.channels_last)
    ours = inference_s(model, images, machine, given)
    print(f"  {machine.precision}, channels last {given.batch / ours:.1f}: {plain / ours:.2f}x")
    if given.compile:
        began = time.perf_counter()
        compiled = torch.compile(model, dynamic=False)
        with torch.inference_mode(), machine.autocast():
            compiled(images)
        seconds = time.perf_counter() - began
        fast = inference_s(compiled, images, machine, given)
        print(f"  compiled {given.batch / fast:.1f}: {plain / fast:.2f}x; compiling took {seconds:.0f} s")


def measure_profile(name: str, given: argparse.Namespace) -> None:
    """Print the shares of a training's processor time by kind of operator, and the largest operators not in a kind."""
    spec, machine = MODELS[name], choose_machine("cpu", given.precision, given.threads)
    form = InputFormat.of_spec(spec, size=fast_size(spec))
    plan = with_changes(fast_plan(spec, 28_709), {"epochs": 1, "batch_size": given.batch, "objective": spec.objective})
    our_step_s(plan, form, machine, given)
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        our_step_s(plan, form, machine, given)
    shares: dict[str, float] = {}
    for event in profiler.key_averages():
        kind = next((kind for kind, names in KINDS if event.key.startswith(names)), f"other: {event.key}")
        shares[kind] = shares.get(kind, 0.0) + event.self_cpu_time_total
    total, known = sum(shares.values()), [kind for kind, _ in KINDS]
    print(f"{name}, batches of {given.batch} at {form.size} pixels, {machine.precision}, share of processor time:")
    for kind in known:
        print(f"  {100 * shares.pop(kind, 0.0) / total:5.1f} %  {kind}")
    print(f"  {100 * sum(shares.values()) / total:5.1f} %  everything else, most of it:")
    for kind, seconds in sorted(shares.items(), key=lambda item: -item[1])[:4]:
        print(f"    {100 * seconds / total:5.1f} %  {kind.removeprefix('other: ')}")


def _endless(loader: DataLoader[tuple[Tensor, int]]) -> Iterator[tuple[Tensor, Tensor]]:
    while True:
        yield from loader  # type: ignore[misc]  # the loader stacks targets into a tensor


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=list(MODELS))
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall")
    parser.add_argument("--precision", choices=["auto", "fp32", "bf16"], default="auto")
    given = parser.parse_args()
    if given.clock == "cpu":
        given.threads, given.workers = 1, 0
    torch.set_num_threads(given.threads)
    if given.profile:
        measure_profile(given.model, given)
    elif given.inference:
        measure_inference(given.model, given)
    else:
        measure_training(given.model, given)


if __name__ == "__main__":
    main()
