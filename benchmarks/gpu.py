"""What fercli does on a CUDA GPU, in a fixed number of minutes: correctness, speed, and a training of sfer-mdfae.

    python -m benchmarks.gpu pack PROJECT faces.packed     # where fercli is installed: a project's crops as one file
    python -m benchmarks.gpu run faces.packed OUT          # on the GPU machine: nine minutes
    python -m benchmarks.gpu run faces.packed OUT          # the same again goes on with what is not done

Run it from the root of a checkout. The GPU machine needs torch, numpy, safetensors and jaxtyping, and no network;
faces are also detected where OpenCV, joblib, lz4 and the files of mtcnn are. Without a GPU everything runs on the
processor, and correctness then compares torch's two memory formats.

Each part has its share of the time and runs in a process of its own, which is ended when the share is used up: what it
has found until then is kept. What a part leaves goes to the training, which is the last. After each part OUT holds
results.json and results.md (for docs/results), beside them metrics.csv of the training; OUT/work is not to be kept.
"""

import argparse
import copy
import dataclasses
import hashlib
import importlib
import json
import math
import multiprocessing
import os
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import fercli
from benchmarks.machine import processor
from benchmarks.packed import PackedFaces, read_packed, split_numbers, write_packed
from benchmarks.steps import CLASSES, StepTimes, noise
from fercli.core.progress import SilentProgress
from fercli.data.batches import RamCrops
from fercli.data.transforms import InputFormat
from fercli.learn.checkpoints import load_checkpoint
from fercli.learn.device import Machine, choose_machine
from fercli.learn.evaluate import predict_logits
from fercli.learn.objectives import OBJECTIVES, LossOptions
from fercli.learn.recipe import Plan, fast_plan, fast_size, with_changes
from fercli.learn.trainer import Faces, FitResult, Training, fit
from fercli.metrics.confusion import confusion_matrix
from fercli.metrics.scores import macro_f1
from fercli.models.build import build_model
from fercli.models.table.specs import MODELS, ModelSpec

SCHEMA = "fer.gpu/1"
LIMIT_BYTES = 50_000_000
# Of the largest value, in float64 but for a few steps: two orders of summing differ by less.
LIMIT = 1e-5
# Of the largest logit, in float32 without TF32.
LIMIT_FP32 = 1e-2
SPEED = ("fercli-compact", "drf-msam", "sfer-mdfae")
TRAINED = "sfer-mdfae"
# Seconds that ending a process and writing the results take at most.
RESERVE_S = 2.0
# Forked where that is safe: this process never touches the GPU, and importing torch again takes seconds.
CONTEXT: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
# What sfer-mdfae is fed where everything is small.
_SMALL_SIDE = 48

Row = dict[str, Any]  # JSON values
Measures = dict[str, Callable[[], Row]]


@dataclass(frozen=True)
class Job:
    """What a part is given.

    Attributes:
        networks: that are compared.
        is_small: narrow networks, few images and steps, for a machine without a GPU.
        epochs: of the training; 0 for as many as fit.
        until: when the part is to be done, by `time.monotonic`.
    """

    data: Path
    out: Path
    device: str
    networks: tuple[str, ...]
    is_small: bool
    epochs: int
    until: float

    @property
    def left_s(self) -> float:
        """Seconds that are left to the part."""
        return self.until - time.monotonic()

    @property
    def work(self) -> Path:
        """Where files that are not to be kept lie."""
        return self.out / "work"

    def build(self, spec: ModelSpec, **options: object) -> nn.Module:
        """The network with the same fresh weights at every call."""
        torch.manual_seed(0)
        small = spec.small_options if self.is_small else {}
        return build_model(spec.name, num_classes=CLASSES, **{**small, **options})

    def form(self, spec: ModelSpec) -> InputFormat:
        """What it is fed."""
        size = fast_size(spec)
        if self.is_small:
            size = _SMALL_SIDE if spec.name == TRAINED else spec.small_size or spec.input_size
        return InputFormat.of_spec(spec, size=size)


@dataclass(frozen=True)
class Part:
    """A part of the run: what it measures, by key, and its share of the time (the last takes what is left)."""

    title: str
    measures: Callable[[Job], Measures]
    share: float


def networks(job: Job) -> Measures:
    """Every network with its paper's objective: logits, loss and gradients here and on the processor."""
    return {name: partial(compared, job, MODELS[name]) for name in job.networks}


def compared(job: Job, spec: ModelSpec) -> Row:
    """The differences of one network, in parts of the largest value, in evaluation mode: dropout draws differ."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    form, num = job.form(spec), 2
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(num, form.channels, form.size, form.size, generator=generator, dtype=torch.float64)
    targets = torch.arange(num) % CLASSES
    model = job.build(spec).double().eval()
    here = judged(model, spec, images, targets, "cpu", torch.contiguous_format)
    there = judged(copy.deepcopy(model), spec, images, targets, job.device, torch.channels_last)
    row = {
        "logits": difference([(here[0], there[0])]),
        "loss": difference([(here[1], there[1])]),
        "gradients": difference(list(zip(here[2], there[2], strict=True))),
    }
    single = model.float()
    with torch.inference_mode():
        plain = single(images.float())
        moved: Any = copy.deepcopy(single).to(job.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks this form
        row["logits_fp32"] = difference([(plain, moved(images.float().to(job.device)).cpu())])
        with torch.autocast(torch.device(job.device).type, torch.bfloat16):
            row["logits_bf16"] = difference([(plain, moved(images.float().to(job.device)).float().cpu())])
    exact = max(row["logits"], row["loss"], row["gradients"])
    return {"objective": spec.objective, **row, "is_close": exact < LIMIT and row["logits_fp32"] < LIMIT_FP32}


def judged(
    model: nn.Module, spec: ModelSpec, images: Tensor, targets: Tensor, device: str, layout: torch.memory_format
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Logits, loss and gradients of all weights on a device."""
    moved: Any = model.to(device, memory_format=layout)  # type: ignore[call-overload]  # torch's stub lacks this form
    image_BCHW = images.to(device).contiguous(memory_format=layout)
    loss, logits = OBJECTIVES[spec.objective](moved, image_BCHW, targets.to(device), LossOptions())
    loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
    gradients = [weight.grad for weight in moved.parameters() if weight.grad is not None]
    found = logits.detach().cpu(), loss.detach().cpu(), [gradient.cpu().clone() for gradient in gradients]
    moved.zero_grad()
    return found


def difference(pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
    """The largest difference in parts of the largest value; infinite where a value is no number."""
    largest = max(float(one.abs().max()) for one, _ in pairs)
    differs = max(float((one.double() - other.double()).abs().max()) for one, other in pairs)
    return differs / largest if math.isfinite(differs) and largest else math.inf


def resuming(job: Job) -> Measures:
    """Trainings that are the same twice, and after a stop and a resumption: bit for bit."""
    return {name: partial(resumed, job, MODELS[name]) for name in (TRAINED, "fercli-compact") if name in job.networks}


def resumed(job: Job, spec: ModelSpec) -> Row:
    """One network trained for two epochs: once, once more, and stopped in the second."""
    num = 16 if job.is_small else 1024
    train = faces_of(read_packed(job.data), "train", num)
    plan = with_changes(fast_plan(spec, num), {"epochs": 2, "batch_size": 8 if job.is_small else 64})
    steps = math.ceil(num / plan.batch_size)

    def weights(folder: str, *, stops: bool = False) -> dict[str, Tensor]:
        room = job.work / "resume" / f"{spec.name}-{folder}-{os.getpid()}"
        for stop_after in (steps, 0) if stops else (0,):
            torch.manual_seed(3)  # a resumption builds other weights, and must take the saved ones
            model = job.build(spec) if not stops or stop_after else build_model_again(job, spec)
            progress = StopAfter(stop_after) if stop_after else SilentProgress()
            result = trained(model, train, None, plan, job, spec, room, progress=progress)
            if result.status != ("interrupted" if stop_after else "finished"):
                raise RuntimeError(f"the training '{folder}' was {result.status} ({result.reason})")
        return load_checkpoint(room / "checkpoints" / "last.safetensors").tensors

    first, again, stopped = weights("first"), weights("again"), weights("stopped", stops=True)
    return {
        "steps": 2 * steps,
        "stopped_after": steps + 1,
        "again": difference([(first[name], again[name]) for name in first]),
        "resumed": difference([(first[name], stopped[name]) for name in first]),
        "same_bits_again": same_bits(first, again),
        "same_bits_resumed": same_bits(first, stopped),
    }


def build_model_again(job: Job, spec: ModelSpec) -> nn.Module:
    """The network with other fresh weights."""
    model = job.build(spec)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1)
    return model


class StopAfter(SilentProgress):
    """Asks for an end, as Ctrl-C does, after so many steps; the training ends with the step after."""

    def __init__(self, num_steps: int) -> None:
        self.left = num_steps

    def advance(self, num_items: int = 1, **fields: str) -> None:
        """Called after each step."""
        self.left -= 1 if fields and num_items else 0
        if self.left == 0:
            self.left = -1
            signal.raise_signal(signal.SIGINT)


def same_bits(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def detection(job: Job) -> Measures:
    """Faces that MTCNN finds here and on the processor, on sheets of the packed faces."""
    return {"MTCNN": partial(detected, job)}


def detected(job: Job) -> Row:
    if torch.device(job.device).type == "cpu":
        return {"reason": "skipped, no GPU: the processor would be compared with itself"}
    try:
        detector = importlib.import_module("fercli.vision.mtcnn.detector").FaceDetector
        finders = [detector(device=device, min_face_px=40) for device in ("cpu", job.device)]
    except Exception as error:  # what is not installed, or a file that is not there: told, not fatal
        return {"reason": f"skipped, {type(error).__name__}: {str(error).splitlines()[0]}"}
    faces = read_packed(job.data)
    sheets = [sheet_of(faces, number) for number in range(4)]
    here, there = (finder.detect(sheets) for finder in finders)
    pairs = [pair for sheet in zip(here, there, strict=True) for pair in zip(*sheet, strict=False)]
    apart = [float(np.abs(np.subtract(box(one), box(other))).max()) for one, other in pairs]
    return {
        "sheets": len(sheets),
        "faces_cpu": sum(map(len, here)),
        "faces_here": sum(map(len, there)),
        "largest_difference_px": max(apart, default=0.0),
        "is_close": [*map(len, here)] == [*map(len, there)] and max(apart, default=0.0) < 1,
    }


def box(face: Any) -> tuple[float, ...]:  # a Detection, whose module needs OpenCV
    return (face.left, face.top, face.width, face.height, *np.ravel(face.landmarks).tolist())


def sheet_of(faces: PackedFaces, number: int) -> np.ndarray:
    """A picture of a dozen faces, twice as large, on grey."""
    pixels, _ = faces.of("test")
    side = 2 * pixels.shape[1]
    sheet = np.full((3 * (side + 40), 4 * (side + 40), 3), 128, np.uint8)
    for place, face in enumerate(pixels[12 * number : 12 * (number + 1)]):
        top, left = (20 + (side + 40) * at for at in divmod(place, 4))
        sheet[top : top + side, left : left + side] = face.repeat(2, 0).repeat(2, 1)[:, :, None]
    return sheet


def speed(job: Job) -> Measures:
    """Images a second: a plain loop in fp32 (TF32 where torch has it on) and bf16, ours, ours compiled."""
    found: Measures = {}
    names = [name for name in SPEED if name in job.networks]
    for name in names:
        spec = MODELS[name]
        found |= {
            f"{name}, training, plain, fp32": partial(plain_training, job, spec, "fp32"),
            f"{name}, training, plain, bf16": partial(plain_training, job, spec, "bf16"),
            f"{name}, training, ours, bf16": partial(our_training, job, spec),
            f"{name}, inference, plain, fp32": partial(inference, job, spec, is_plain=True),
            f"{name}, inference, ours, bf16": partial(inference, job, spec),
        }
    for name in () if job.is_small else reversed(names):  # minutes on a processor
        spec = MODELS[name]
        found |= {
            f"{name}, inference, ours, bf16, compiled": partial(inference, job, spec, is_compiled=True),
            f"{name}, training, ours, bf16, compiled": partial(our_training, job, spec, is_compiled=True),
        }
    return found


def our_training(job: Job, spec: ModelSpec, *, is_compiled: bool = False) -> Row:
    """Our loop with its recipe."""
    batch, steps = (8, 3) if job.is_small else (128, 20)
    plan = with_changes(fast_plan(spec, 28_709), {"epochs": 1, "batch_size": batch})
    return rate(batch, our_step_s(job, spec, plan, steps, is_compiled=is_compiled), job.form(spec))


def rate(batch: int, seconds: float, form: InputFormat) -> Row:
    return {"images_per_s": round(batch / seconds, 1), "batch": batch, "size": form.size}


def our_step_s(job: Job, spec: ModelSpec, plan: Plan, steps: int, *, is_compiled: bool = False) -> float:
    """Seconds of a step of `fercli.learn.trainer.fit`, the first ones left out."""
    form, num = job.form(spec), (steps + 3) * plan.batch_size
    machine = dataclasses.replace(choose_machine(job.device, "bf16"), is_compiled=is_compiled)
    times = StepTimes(time.perf_counter, warm_up=3)
    faces = Faces(RamCrops(noise(num, form)), np.arange(num, dtype=np.int64) % CLASSES)
    room = job.work / "speed" / f"{spec.name}-{time.monotonic_ns()}"
    training = Training(
        faces, None, plan, form=form, machine=machine, seed=0, folder=room,
        meta={"classes": list(range(CLASSES))}, progress=times,
    )  # fmt: skip
    fit(job.build(spec), training)
    return times.seconds


class Crops(Dataset[tuple[Tensor, int]]):
    """Crops changed one at a time, as tutorials do: mirrored, enlarged, normalised."""

    def __init__(self, pixels: Tensor, form: InputFormat) -> None:
        self.pixels, self.form = pixels, form

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        image = self.pixels[place].float() / 255
        image = image.flip(-1) if torch.rand(1).item() < 0.5 else image
        return (image - self.form.mean[0]) / self.form.std[0], place % CLASSES


def plain_training(job: Job, spec: ModelSpec, precision: str) -> Row:
    """The usual loop: loader processes, Adam, torch's own memory format."""
    batch, steps = (8, 3) if job.is_small else (128, 20)
    form, machine = job.form(spec), choose_machine(job.device, precision)
    model = job.build(spec).to(job.device).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    workers = 0 if job.is_small else min(8, os.cpu_count() or 1)
    crops = Crops(noise((steps + 3) * batch, form), form)
    loader = DataLoader(
        crops, batch, shuffle=True, num_workers=workers, drop_last=True, pin_memory=job.device.startswith("cuda")
    )
    ends = []
    for images, targets in loader:
        optimizer.zero_grad()
        with machine.autocast():
            logits = model(images.to(job.device, non_blocking=True))
        loss = F.cross_entropy(logits.float(), targets.to(job.device))
        loss.backward()  # type: ignore[no-untyped-call]  # torch's stub
        optimizer.step()
        loss.item()
        ends.append(time.perf_counter())
    return rate(batch, statistics.median(np.diff(ends[2:]).tolist()), form)


def inference(job: Job, spec: ModelSpec, *, is_plain: bool = False, is_compiled: bool = False) -> Row:
    """The network alone on images that are there: fp32 as built, or bf16 in channels last."""
    batch, steps = (8, 3) if job.is_small else (256, 30)
    form = job.form(spec)
    images = torch.randn(batch, form.channels, form.size, form.size, device=job.device)
    model: Any = job.build(spec).to(job.device).eval()
    if not is_plain:
        model = model.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    if is_compiled:
        model = torch.compile(model, dynamic=False)
    machine = choose_machine(job.device, "fp32" if is_plain else "bf16")
    return rate(batch, inference_s(model, images, machine, steps), form)


def inference_s(model: Callable[[Tensor], Tensor], images: Tensor, machine: Machine, steps: int) -> float:
    """Median seconds of a batch."""
    seconds = []
    for _ in range(steps + 3):
        began = time.perf_counter()
        with torch.inference_mode(), machine.autocast():
            model(images)[0, 0].item()  # waits for the GPU
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[3:])


def training(job: Job) -> Measures:
    """sfer-mdfae from fresh weights on the packed faces, as many epochs as fit; the test set once, when it is done."""
    return {TRAINED: partial(train_on_faces, job)}


def train_on_faces(job: Job) -> Row:
    faces, spec = read_packed(job.data), MODELS[TRAINED]
    train, val = faces_of(faces, "train"), faces_of(faces, "val")
    plan_path, room = job.work / "plan.json", job.work / "training"
    batch = 16 if job.is_small else 128
    plan = with_changes(fast_plan(spec, len(train.targets)), {"batch_size": batch, "lr": 1e-3})
    if job.epochs:
        epochs = job.epochs
    elif plan_path.exists():
        epochs = int(json.loads(plan_path.read_text(encoding="utf-8"))["epochs"])
    else:
        epochs, epoch_s = epochs_that_fit(job, spec, plan, len(train.targets), len(val.targets))
        if not epochs:
            reason = f"not begun: {job.left_s:.0f} s are left, and an epoch takes about {epoch_s:.0f} s"
            return {"reason": reason, "is_open": True}
        plan_path.write_text(json.dumps({"epochs": epochs}), encoding="utf-8")
    plan = with_changes(plan, {"epochs": epochs, "patience": 0, "warmup_epochs": min(2.0, epochs / 10)})
    result = trained(job.build(spec), train, val, plan, job, spec, room, limit_s=0.9 * job.left_s)
    (job.out / "metrics.csv").write_bytes((room / "metrics.csv").read_bytes())
    if result.status != "finished":
        reason = f"stopped after {len(result.history)} of {epochs} epochs: run again to go on"
        return {"reason": reason, "is_open": True}
    return {
        "epochs": epochs,
        "size": job.form(spec).size,
        "batch": batch,
        "num_train": len(train.targets),
        "num_left_out": faces.num_left_out,
        "seconds": round(sum(row.seconds for row in result.history), 1),
        "best_epoch": result.best.epoch if result.best else None,
        "val_accuracy": result.best.val_accuracy if result.best else None,
        **test_scores(job, faces, room),
    }


def epochs_that_fit(job: Job, spec: ModelSpec, plan: Plan, num_train: int, num_val: int) -> tuple[int, float]:
    """How many epochs the time that is left has room for, and what one takes, by three short ones that are measured."""
    steps, ends, times = (3 if job.is_small else 20), list[float](), StepTimes(time.perf_counter, warm_up=3)
    num, form = steps * plan.batch_size, job.form(spec)
    faces = Faces(RamCrops(noise(num, form)), np.arange(num, dtype=np.int64) % CLASSES)
    fit(
        job.build(spec),
        Training(
            faces, None, with_changes(plan, {"epochs": 3}), form=form, machine=choose_machine(job.device), seed=0,
            folder=job.work / f"epochs-{time.monotonic_ns()}", meta={"classes": list(range(CLASSES))}, progress=times,
            watch=lambda history, best: ends.append(time.perf_counter()),
        ),
    )  # fmt: skip
    # What an epoch takes besides its steps: weights and state are written. A validation only goes forward.
    beside_s = max(0.0, ends[2] - ends[1] - steps * times.seconds)
    epoch_s = times.seconds * (num_train + num_val / 3) / plan.batch_size + beside_s
    return min(60, math.floor(0.8 * job.left_s / epoch_s)), epoch_s


def test_scores(job: Job, faces: PackedFaces, room: Path) -> Row:
    """Accuracy and macro-F1 of the best weights on the test set."""
    test, spec = faces_of(faces, "test"), MODELS[TRAINED]
    saved = load_checkpoint(room / "checkpoints" / "best.safetensors")
    model = job.build(spec)
    model.load_state_dict(saved.tensors)
    machine = choose_machine(job.device)
    moved: Any = model.to(job.device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # as above
    logits = predict_logits(moved, test.crops, form=job.form(spec), machine=machine, batch_size=128)
    predicted = logits.argmax(1).numpy()
    matrix = confusion_matrix(test.targets, predicted, len(faces.classes))
    accuracy = float((predicted == test.targets).mean())
    spread = 1.96 * math.sqrt(accuracy * (1 - accuracy) / len(predicted))
    return {
        "num_test": len(predicted),
        "test_accuracy": accuracy,
        "test_low": accuracy - spread,
        "test_high": accuracy + spread,
        "test_macro_f1": float(macro_f1(matrix)),
        "confusion_matrix": matrix.tolist(),
    }


def trained(
    model: nn.Module,
    train: Faces,
    val: Faces | None,
    plan: Plan,
    job: Job,
    spec: ModelSpec,
    room: Path,
    *,
    limit_s: float | None = None,
    progress: SilentProgress | None = None,
) -> FitResult:
    """`fit` into a folder, going on with what lies there."""
    classes = list(range(CLASSES))
    return fit(
        model,
        Training(
            train, val, plan, form=job.form(spec), machine=choose_machine(job.device), seed=0, folder=room,
            meta={"classes": classes}, time_limit_s=limit_s, progress=progress or SilentProgress(),
        ),
    )  # fmt: skip


def faces_of(packed: PackedFaces, side: str, num: int | None = None) -> Faces:
    pixels, targets = packed.of(side)
    return Faces(RamCrops(torch.from_numpy(pixels[:num, None].copy())), targets[:num])


PARTS = {
    "networks": Part("Correctness: networks and objectives against the processor", networks, 0.15),
    "resume": Part("Correctness: the same bits again, and after a resumption", resuming, 0.1),
    "detection": Part("Correctness: face detection against the processor", detection, 0.05),
    "speed": Part("Speed", speed, 0.3),
    "training": Part("sfer-mdfae from scratch", training, 1.0),
}


def run(given: argparse.Namespace) -> int:
    """All parts that are not done, one after the other, each within its share; 1 where something differs."""
    end = time.monotonic() + 60 * given.minutes
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "work").mkdir(exist_ok=True)
    about = about_machine(given)
    results = read_results(given.out, about)
    results["calls"] += 1
    for name, part in PARTS.items():
        known = results["parts"].get(name, {"status": "", "rows": [], "seconds": 0.0})
        if known["status"] == "done":
            continue
        left_s = end - time.monotonic() - RESERVE_S
        if left_s <= 0:
            break
        budget_s = min(left_s, 60 * given.minutes * part.share)
        job = Job(
            given.data, given.out, given.device, networks_of(given), given.small, given.epochs,
            until=time.monotonic() + budget_s,
        )  # fmt: skip
        found = in_process(name, job, known["rows"])
        results["parts"][name] = {**found, "seconds": round(known["seconds"] + found["seconds"], 1)}
        write_results(given.out, results)
        print(f"{name}: {found['status']}, {found['seconds']:.0f} of {budget_s:.0f} s", flush=True)
    write_results(given.out, results)
    print(f"{given.out / 'results.md'}")
    rows = [row for part in results["parts"].values() for row in part["rows"]]
    return int(any(row.get("is_close") is False or row.get("is_failure") for row in rows))


def networks_of(given: argparse.Namespace) -> tuple[str, ...]:
    """The small ones first: where time is short, most of them are compared."""
    return tuple(given.networks or sorted(MODELS, key=lambda name: MODELS[name].parameters))


def in_process(name: str, job: Job, known: list[Row]) -> Row:
    """Run what is not done of a part in a process that is ended with its time: how it ended, its rows and seconds."""
    began, path = time.monotonic(), job.work / f"{name}.jsonl"
    path.write_text("", encoding="utf-8")
    rows = [row for row in known if not row.get("is_open")]
    keys = [key for key in PARTS[name].measures(job) if key not in {row["key"] for row in rows}]
    process = CONTEXT.Process(target=write_rows, args=(name, job, keys, path))
    process.start()
    process.join(job.left_s)
    is_late = process.is_alive()
    if is_late:
        process.kill()
        process.join()
    # The last line of a process that was ended may be cut off.
    rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    missing = [key for key in keys if key not in {row["key"] for row in rows if not row.get("is_open")}]
    status = "done" if not missing else "out of time" if is_late else "not done"
    return {"status": status, "seconds": time.monotonic() - began, "missing": missing, "rows": rows}


def write_rows(name: str, job: Job, keys: Sequence[str], path: Path) -> None:
    """The part itself: a line for each measure, as soon as it is taken; what fails becomes one too."""
    job = dataclasses.replace(job, device=choose_machine(job.device).device)
    measures = PARTS[name].measures(job)
    with path.open("a", encoding="utf-8") as file:
        for key in keys:
            began = time.monotonic()
            try:
                row = measures[key]()
            except Exception as error:  # the others must not suffer
                text = (str(error) or "no reason given").splitlines()[0]
                row = {"reason": f"failed, {type(error).__name__}: {text}", "is_open": True, "is_failure": True}
            file.write(json.dumps({"key": key, **row, "took_s": round(time.monotonic() - began, 1)}) + "\n")
            file.flush()


def about_machine(given: argparse.Namespace) -> Row:
    """What results depend on: where they differ, two calls do not go into one folder."""
    with CONTEXT.Pool(1) as pool:
        device = pool.apply(describe, (given.device,))
    digest = hashlib.sha256()
    package = Path(fercli.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return {
        **device,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "fercli": fercli.__version__,
        "code": digest.hexdigest()[:16],
        "data": hashlib.sha256(given.data.read_bytes()).hexdigest()[:16],
        "is_small": given.small,
        "networks": list(networks_of(given)),
        "epochs": given.epochs,
    }


def describe(device: str) -> Row:
    """The device, in a process of its own: one that has touched a GPU cannot be forked."""
    machine = choose_machine(device)
    name = machine.device_name if machine.device.startswith("cuda") else processor()
    return {"device": machine.device, "name": name, "cuda": torch.version.cuda, "precision": machine.precision}


def read_results(out: Path, about: Row) -> Row:
    """What an earlier call left in the folder.

    Raises:
        SystemExit: it was another machine, other code or other data.
    """
    path = out / "results.json"
    if not path.exists():
        return {"schema": SCHEMA, "about": about, "calls": 0, "parts": {}}
    results: Row = json.loads(path.read_text(encoding="utf-8"))
    changed = [name for name, value in about.items() if results["about"].get(name) != value]
    if changed:
        told = ", ".join(f"{name} {results['about'].get(name)}, now {about[name]}" for name in changed)
        raise SystemExit(f"{path} is of another machine, code or data ({told}): name another folder")
    return results


def write_results(out: Path, results: Row) -> None:
    for name, text in (("results.json", json.dumps(results, indent=1) + "\n"), ("results.md", table(results))):
        (out / f"{name}.new").write_text(text, encoding="utf-8")
        (out / f"{name}.new").replace(out / name)


def table(results: Row) -> str:
    """The results as Markdown."""
    about = results["about"]
    lines = [
        f"# {about['name']}",
        "",
        f"torch {about['torch']}, CUDA {about['cuda'] or 'none'}, precision {about['precision']}, fercli "
        f"{about['fercli']} (code {about['code']}), data {about['data']}, calls: {results['calls']}"
        + (", small networks" if about["is_small"] else "")
        + ".",
    ]
    for name, part in results["parts"].items():
        missing = f"; not done: {'; '.join(part['missing'])}" if part["missing"] else ""
        lines += ["", f"## {PARTS[name].title}", "", f"{part['status']}, {part['seconds']:.0f} s{missing}", ""]
        lines += rows_table([row for row in part["rows"] if "reason" not in row])
        told = [row for row in part["rows"] if "reason" in row]
        lines += [f"* {row['key']}: {row['reason']}" for row in told]
    absent = [part.title for name, part in PARTS.items() if name not in results["parts"]]
    lines += ["", f"Not begun: {'; '.join(absent)}"] if absent else []
    return "\n".join(lines) + "\n"


def rows_table(rows: Sequence[Row]) -> list[str]:
    """Rows as a table, a column for each name that any has."""
    names = list(dict.fromkeys(name for row in rows for name in row if name != "confusion_matrix"))
    if not rows:
        return []
    head = ["" if name == "key" else name.replace("_", " ") for name in names]
    body = [[cell(row.get(name, "")) for name in names] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(names), *body)] + [""]


def cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def pack(given: argparse.Namespace) -> int:
    """A project's labelled crops, by a split, as one file."""
    # What reads a project needs all of fercli, which the GPU machine lacks.
    projects, samples_of, crops_of = (
        importlib.import_module(f"fercli.{name}") for name in ("core.project", "data.samples", "data.dataset")
    )
    rows = importlib.import_module("fercli.core.rows")
    project = projects.open_project(given.project)
    samples = samples_of.load_samples(
        project.root, project.classes, faces=project.required_rows(rows.Face),
        labels=project.required_rows(rows.Label), split_rows=project.split_rows(given.split),
    )  # fmt: skip
    form = InputFormat(given.side, 1, (0.5,), (0.25,))
    read = crops_of.load_crops(crops_of.CropReader(project.root, samples.paths, form, 1, given.side))
    if read.failures:
        raise SystemExit(f"{len(read.failures):,} crops cannot be read: {next(iter(read.failures.values()))}")
    faces = PackedFaces(
        read.images[:, 0].numpy(), samples.targets, split_numbers(samples.splits), samples.classes, project.name
    )
    faces = write_packed(given.out, faces, limit_bytes=given.limit)
    left_out = f"; {faces.num_left_out:,} training crops left out for that size" if faces.num_left_out else ""
    print(f"{given.out}: {len(faces.targets):,} crops, {given.out.stat().st_size:,} bytes{left_out}")
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line and pack or run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    packing = commands.add_parser("pack", help="write a project's crops as one file")
    packing.add_argument("project", type=Path)
    packing.add_argument("out", type=Path)
    packing.add_argument("--split", default="official-deduplicated")
    packing.add_argument("--side", type=int, default=48)
    packing.add_argument("--limit", type=int, default=LIMIT_BYTES, help="largest size, bytes")
    packing.set_defaults(call=pack)
    running = commands.add_parser("run", help="measure and train")
    running.add_argument("data", type=Path)
    running.add_argument("out", type=Path)
    running.add_argument("--minutes", type=float, default=9.0)
    running.add_argument("--device", default="auto")
    running.add_argument("--networks", nargs="+", choices=list(MODELS), help="compare these (default: all)")
    running.add_argument("--epochs", type=int, default=0, help="train so long (default: as many epochs as fit)")
    running.add_argument("--small", action="store_true", help="narrow networks and few steps")
    running.set_defaults(call=run)
    given = parser.parse_args(words)
    return int(given.call(given))


if __name__ == "__main__":
    sys.exit(main())
