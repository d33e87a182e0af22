import csv
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fercli.core.errors import CheckError, ProjectError, UsageError
from fercli.core.progress import SilentProgress
from fercli.data.batches import RamCrops, StreamedCrops
from fercli.data.dataset import make_reader
from fercli.data.transforms import InputFormat
from fercli.learn import stopping, trainer
from fercli.learn.checkpoints import load_checkpoint
from fercli.learn.ema import WeightAverage
from fercli.learn.recipe import Plan
from fercli.learn.step import StepMaker
from fercli.learn.trainer import Faces, FitResult, Training, fit
from fercli.models.build import build_model
from tests.learn.drawn import CLASSES, FORM, MACHINE, faces, plan, write_pack

SMALL = {"width": 16, "hidden": 32}
RICH = {
    "optimizer": "adamw",
    "schedule": "cosine",
    "warmup_epochs": 0.5,
    "ema_decay": 0.9,
    "mixup": 0.2,
    "adds_norms": True,
    "augmentation": {"flip": 0.5, "rotate_deg": 10.0, "erase": 0.5},
}
# Not 8: oneDNN of torch 2.15 corrupts memory in strided 1x1 convolutions of 8 channels, channels last, fp32.
TINY_SFER = {"widths": (16, 16, 32, 32), "blocks": (1, 1, 1, 1), "heads": 2, "topn": 5}
RGB = InputFormat(112, 3, (0.5,) * 3, (0.5,) * 3)


class Killed(BaseException):
    """Stands for a process that dies: nothing after it runs."""


class Watcher(SilentProgress):
    """Does something at the given step, or the given batch of val."""

    def __init__(self, at: int, action: Callable[[], None], *, counts_val: bool = False) -> None:
        self.count, self.at, self.action, self.counts_val = -1, at, action, counts_val

    def advance(self, num_items: int = 1, **fields: str) -> None:
        is_val, is_end = fields.get("epoch", "").endswith("of val"), bool(fields) and not num_items
        if is_val if self.counts_val else not is_end:
            self.count += 1
            if self.count == self.at:
                self.action()


def make(name: str, options: dict[str, object]) -> nn.Module:
    torch.manual_seed(0)
    return build_model(name, num_classes=2, **options)


def train(
    folder: Path,
    how: Plan,
    *,
    model: nn.Module | None = None,
    form: InputFormat = FORM,
    num: int = 32,
    seed: int = 0,
    val: Faces | None = None,
    **more: object,
) -> FitResult:
    plain: dict[str, object] = {"machine": MACHINE, "meta": {"classes": list(CLASSES)}}
    training = Training(
        faces(num),
        val or faces(16, seed=1),
        how,
        form=form,
        seed=seed,
        folder=folder,
        **{**plain, **more},  # type: ignore[arg-type]  # fields of Training
    )
    return fit(model or make("drf-msam", SMALL), training)


def test_weights_that_break_in_an_epochs_last_step_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = StepMaker.step

    def step(self: StepMaker, images: Tensor, targets: Tensor, epoch: int, number: int, **more: Any) -> Any:
        found = right(self, images, targets, epoch, number, **more)
        if (epoch, number) == (1, self.steps_per_epoch - 1):
            with torch.no_grad():
                next(iter(self.model.parameters())).fill_(float("inf"))
        return found

    monkeypatch.setattr(StepMaker, "step", step)
    with pytest.raises(CheckError, match=r"diverged in epoch 2: .* is NaN or infinite"):
        train(tmp_path, plan())
    for name in ("best", "last"):
        assert all(tensor.isfinite().all() for tensor in weights(tmp_path, name).values())
    assert load_checkpoint(tmp_path / "checkpoints" / "last.safetensors").meta["epoch"] == 1


def weights(folder: Path, name: str = "last") -> dict[str, Tensor]:
    return load_checkpoint(folder / "checkpoints" / f"{name}.safetensors").tensors


def assert_same_training(first: Path, second: Path) -> None:
    for name in ("best", "last"):
        one, other = weights(first, name), weights(second, name)
        assert [key for key in one if not torch.equal(one[key], other[key])] == []
    timed = {"seconds", "images_per_s", "data_wait", "cpu_s"}
    tables = []
    for folder in (first, second):
        with (folder / "metrics.csv").open(encoding="utf-8") as file:
            tables.append([{k: v for k, v in row.items() if k not in timed} for row in csv.DictReader(file)])
    assert tables[0] == tables[1]


def test_training_learns_drawn_faces_by_heart(tmp_path: Path) -> None:
    result = train(tmp_path, plan(epochs=30, lr=1e-2, optimizer="adamw", schedule="one-cycle"), num=64)
    assert result.status == "finished"
    assert result.history[-1].train_accuracy > 0.95
    assert result.best is not None
    assert result.best.val_accuracy is not None
    assert result.best.val_accuracy > 0.8


def test_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        train(tmp_path / name, plan(epochs=2, **RICH), seed=seed)
    assert_same_training(tmp_path / "a", tmp_path / "b")
    assert not torch.equal(weights(tmp_path / "a")["dense.weight"], weights(tmp_path / "c")["dense.weight"])


@pytest.mark.parametrize("saves_each_step", [False, True], ids=["between-epochs", "within-an-epoch"])
@pytest.mark.parametrize(
    ("name", "options", "form", "changes"),
    [
        ("drf-msam", SMALL, FORM, RICH),
        (
            "sfer-mdfae",
            TINY_SFER,
            RGB,
            {"optimizer": "sgd", "sam_rho": 0.05, "clip_norm": 1.0, "schedule": "one-cycle"},
        ),
    ],
    ids=["drf-msam", "sfer-mdfae"],
)
def test_killed_and_resumed_equals_uninterrupted(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: dict[str, object],
    form: InputFormat,
    changes: dict[str, object],
    saves_each_step: bool,
) -> None:
    how = plan(epochs=3, batch_size=8, **changes)
    train(tmp_path / "whole", how, model=make(name, options), form=form, num=24)
    monkeypatch.setattr(trainer, "_SAVE_SHORT_EPOCHS_EVERY_S", -1.0)
    if saves_each_step:
        monkeypatch.setattr(trainer, "_SAVE_EVERY_S", -1.0)

    def kill() -> None:
        raise Killed

    with pytest.raises(Killed):
        train(tmp_path / "cut", how, model=make(name, options), form=form, num=24, progress=Watcher(5, kill))
    result = train(tmp_path / "cut", how, model=make(name, options), form=form, num=24)
    assert result.was_resumed
    assert_same_training(tmp_path / "whole", tmp_path / "cut")


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.learn.drawn import plan
from tests.learn.test_trainer import RICH, Watcher, train, trainer
trainer._SAVE_SHORT_EPOCHS_EVERY_S = -1.0
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
train(Path(sys.argv[1]), plan(epochs=3, batch_size=8, **RICH), num=24, progress=Watcher(7, kill))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_process_killed_by_the_system_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    how = plan(epochs=3, batch_size=8, **RICH)
    train(tmp_path / "whole", how, num=24)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "cut")], check=False, env=environment)
    assert ended.returncode == -signal.SIGKILL
    assert train(tmp_path / "cut", how, num=24).was_resumed
    assert_same_training(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_the_step_saves_and_resumes_to_the_same_weights(tmp_path: Path, number: signal.Signals) -> None:
    how = plan(epochs=2, batch_size=8, **RICH)
    train(tmp_path / "whole", how)
    before = signal.getsignal(number)
    result = train(tmp_path / "cut", how, progress=Watcher(2, lambda: signal.raise_signal(number)))
    assert (result.status, result.reason) == ("interrupted", "interrupted")
    assert signal.getsignal(number) is before
    assert train(tmp_path / "cut", how).status == "finished"
    assert_same_training(tmp_path / "whole", tmp_path / "cut")


def test_signal_ends_a_validation_which_is_made_anew(tmp_path: Path) -> None:
    how, val = plan(epochs=3, batch_size=8, **RICH), faces(80, seed=1)  # val is two batches
    train(tmp_path / "whole", how, val=val)
    stop = Watcher(2, lambda: signal.raise_signal(signal.SIGTERM), counts_val=True)
    result = train(tmp_path / "cut", how, val=val, progress=stop)
    assert (result.status, len(result.history)) == ("interrupted", 1)
    result = train(tmp_path / "cut", how, val=val)
    assert (result.status, len(result.history)) == ("finished", 3)
    assert_same_training(tmp_path / "whole", tmp_path / "cut")


def twice() -> None:
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)


def test_second_signal_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_ONE_REQUEST_S", -1.0)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path, plan(), progress=Watcher(2, twice))


def test_signal_that_comes_by_two_ways_is_one_request(tmp_path: Path) -> None:
    how = plan(epochs=2, batch_size=8)
    assert train(tmp_path / "cut", how, progress=Watcher(2, twice)).status == "interrupted"
    train(tmp_path / "whole", how)
    assert train(tmp_path / "cut", how).was_resumed
    assert_same_training(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize("num_steps", [3, 10], ids=["in the first epoch", "later"])
def test_a_training_whose_epochs_have_another_number_of_steps_does_not_go_on(tmp_path: Path, num_steps: int) -> None:
    stop = Watcher(num_steps, lambda: signal.raise_signal(signal.SIGTERM))
    assert train(tmp_path, plan(epochs=3, batch_size=4), progress=stop).status == "interrupted"
    # Eight steps an epoch before: the third of two would be trained for ever.
    with pytest.raises(ProjectError, match="and has 2 now"):
        train(tmp_path, plan(epochs=3, batch_size=4), num=8)


@pytest.mark.parametrize(("num", "batch_size", "hint"), [(5, 2, "--batch-size 3"), (4, 1, "--batch-size 2")])
def test_a_batch_of_one_face_is_refused_before_the_first_step(
    tmp_path: Path, num: int, batch_size: int, hint: str
) -> None:
    flat = FORM.channels * FORM.side**2
    model = nn.Sequential(nn.Flatten(), nn.Linear(flat, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    with pytest.raises(UsageError, match="leave a batch of one face") as caught:
        train(tmp_path, plan(epochs=1, batch_size=batch_size), num=num, model=model)
    assert hint in caught.value.hint
    assert not (tmp_path / "checkpoints").exists()


def test_a_batch_of_one_face_is_taken_by_a_network_that_can(tmp_path: Path) -> None:
    assert train(tmp_path, plan(epochs=1, batch_size=1), num=2).status == "finished"


def test_training_works_outside_the_main_thread(tmp_path: Path) -> None:
    results: list[FitResult] = []
    thread = threading.Thread(target=lambda: results.append(train(tmp_path, plan(epochs=1))))
    thread.start()
    thread.join()
    assert results[0].status == "finished"


def test_time_limit_saves_and_the_next_call_goes_on(tmp_path: Path) -> None:
    how = plan(epochs=2, batch_size=8)
    train(tmp_path / "whole", how)
    result = train(tmp_path / "cut", how, time_limit_s=1e-9)
    assert (result.status, result.reason) == ("interrupted", "time limit")
    train(tmp_path / "cut", how)
    assert_same_training(tmp_path / "whole", tmp_path / "cut")


@pytest.mark.parametrize(
    ("stop", "num_epochs"),
    [
        ({"time_limit_s": 1e-9}, 1),
        # It comes after the first step, and ends the validation.
        ({"progress": Watcher(1, lambda: signal.raise_signal(signal.SIGINT))}, 0),
    ],
    ids=["clock", "signal"],
)
def test_epoch_of_one_step_can_be_stopped_and_is_whole(
    tmp_path: Path, stop: dict[str, object], num_epochs: int
) -> None:
    how = plan(epochs=3, batch_size=64)
    train(tmp_path / "whole", how, num=24)
    result = train(tmp_path / "cut", how, num=24, **stop)
    assert (result.status, len(result.history)) == ("interrupted", num_epochs)
    assert len(train(tmp_path / "cut", how, num=24).history) == 3
    assert_same_training(tmp_path / "whole", tmp_path / "cut")


def test_training_whose_last_step_was_the_limit_is_finished(tmp_path: Path) -> None:
    result = train(tmp_path, plan(epochs=1, batch_size=64), num=24, time_limit_s=1e-9)
    assert (result.status, result.reason) == ("finished", "all epochs done")


def test_patience_ends_a_training_that_no_longer_improves(tmp_path: Path) -> None:
    result = train(tmp_path, plan(epochs=50, lr=0.0, patience=2))
    assert len(result.history) == 3
    assert result.reason == "no improvement in validation accuracy for 2 epochs (early stopping)"
    assert result.best is not None
    assert result.best.epoch == 1


def test_patience_is_remembered_across_a_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "_SAVE_SHORT_EPOCHS_EVERY_S", -1.0)

    def kill() -> None:
        raise Killed

    with pytest.raises(Killed):
        train(tmp_path, plan(epochs=50, lr=0.0, patience=3), progress=Watcher(5, kill))
    assert len(train(tmp_path, plan(epochs=50, lr=0.0, patience=3)).history) == 4


def test_best_weights_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    result = train(tmp_path, plan(epochs=6, lr=2e-2, metric="loss"))
    losses = [row.val_loss for row in result.history if row.val_loss is not None]
    assert result.best is not None
    assert result.best.epoch == 1 + int(np.argmin(losses))
    saved = load_checkpoint(tmp_path / "checkpoints" / "best.safetensors")
    assert saved.meta["epoch"] == result.best.epoch


def test_equal_accuracy_is_told_apart_by_the_loss(tmp_path: Path) -> None:
    # One val face: accuracy is 0 or 1, so among the epochs that are right the surest one must be kept.
    one = Faces(RamCrops(faces(1, seed=1).crops.images), faces(1, seed=1).targets)  # type: ignore[attr-defined]
    result = train(tmp_path, plan(epochs=8), val=one)
    right = [row for row in result.history if row.val_accuracy == 1.0]
    assert result.best == min(right or result.history, key=lambda row: row.val_loss or 0.0)


def test_without_val_faces_the_last_epoch_is_kept(tmp_path: Path) -> None:
    training = Training(
        faces(16), None, plan(patience=1), form=FORM, machine=MACHINE, seed=0,
        folder=tmp_path, meta={"classes": list(CLASSES)},
    )  # fmt: skip
    result = fit(make("drf-msam", SMALL), training)
    assert result.best == result.history[-1]
    assert len(result.history) == 3
    assert (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[3:6] == ["", "", ""]


@pytest.mark.parametrize(("every", "num_taken_in"), [(1, 8), (3, 2), (100, 0)])
def test_the_mean_takes_in_every_so_many_steps(
    every: int, num_taken_in: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    monkeypatch.setattr(WeightAverage, "update", lambda self: calls.append(1))
    # Two epochs of 32 faces in batches of 8: steps are counted over both.
    train(tmp_path, plan(epochs=2, batch_size=8, ema_decay=0.9, ema_every=every))
    assert len(calls) == num_taken_in


def test_training_never_sees_the_val_faces(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 2)):
        train(tmp_path / name, plan(epochs=2), val=faces(16, seed=seed))
    one, other = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.equal(one[key], other[key]) for key in one)


class Spoilt(nn.Module):
    """Gives NaN, or grows without bound."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2))
        self.factor = factor
        self.calls = 0

    def forward(self, image_BCHW: Tensor) -> Tensor:
        self.calls += self.training
        return image_BCHW.mean((1, 2, 3))[:, None] * self.weight * self.factor**self.calls * torch.tensor([1.0, -1.0])


def test_loss_that_is_no_number_stops_with_the_place_and_a_hint(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"diverged in epoch 1, step 1: the loss is nan") as caught:
        train(tmp_path, plan(), model=Spoilt(float("nan")))
    assert "--lr, currently 0.003" in caught.value.hint


def test_loss_that_grows_without_bound_stops_and_keeps_the_best(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match=r"diverged in epoch \d+: its mean loss is"):
        train(tmp_path, plan(epochs=50, lr=1e-9), model=Spoilt(3.0))
    assert (tmp_path / "checkpoints" / "best.safetensors").exists()


def test_finished_training_keeps_its_state_for_whoever_records_the_end(tmp_path: Path) -> None:
    first = train(tmp_path, plan(epochs=1))
    again = train(tmp_path, plan(epochs=1))
    assert (again.status, again.was_resumed, again.history) == ("finished", True, first.history)


@pytest.mark.parametrize("is_cut", [False, True], ids=["finished", "broken-off"])
def test_streams_are_closed_after_the_training(tmp_path: Path, is_cut: bool) -> None:
    paths, targets = write_pack(tmp_path, 32, seed=0)
    crops = StreamedCrops(make_reader(tmp_path, paths, FORM), 0)
    seen: list[bool] = []

    def look() -> None:
        seen.append(crops._loader is not None)
        if is_cut:
            raise Killed

    with pytest.raises(Killed) if is_cut else nullcontext():
        train(tmp_path / "run", plan(epochs=1), val=Faces(crops, targets), progress=Watcher(0, look, counts_val=True))
    assert seen == [True]
    assert crops._loader is None


def test_soft_targets_are_learnt(tmp_path: Path) -> None:
    plain = faces(32)
    undecided = np.full((32, 2), 0.5, np.float32)
    training = Training(
        Faces(plain.crops, plain.targets, undecided), faces(16, seed=1), plan(epochs=25, lr=1e-2),
        form=FORM, machine=MACHINE, seed=0, folder=tmp_path, meta={"classes": list(CLASSES)},
    )  # fmt: skip
    result = fit(make("drf-msam", SMALL), training)
    # The best that can be done with half a vote for each of two classes is log 2.
    assert result.history[-1].train_loss == pytest.approx(np.log(2), abs=0.01)


def test_balanced_sampler_changes_what_is_seen(tmp_path: Path) -> None:
    for name, sampler in (("a", "shuffle"), ("b", "balanced")):
        train(tmp_path / name, plan(epochs=1, sampler=sampler))
    assert not torch.equal(weights(tmp_path / "a")["dense.weight"], weights(tmp_path / "b")["dense.weight"])


def test_batch_cut_into_parts_has_the_gradient_of_the_whole(tmp_path: Path) -> None:
    # Without batch normalisation the mean of the parts' gradients is the gradient of the batch.
    for name, parts in (("a", 1), ("b", 4)):
        train(tmp_path / name, plan(epochs=2, optimizer="sgd", lr=0.1, batch_size=16, accumulate=parts))
    one, other = weights(tmp_path / "a"), weights(tmp_path / "b")
    assert all(torch.allclose(one[key], other[key], atol=1e-5) for key in one)


def test_watcher_is_told_of_every_epoch_and_changes_nothing(tmp_path: Path) -> None:
    seen: list[int] = []
    train(tmp_path / "a", plan(), watch=lambda history, _best: seen.append(history[-1].epoch))
    train(tmp_path / "b", plan())
    assert seen == [1, 2, 3]
    assert_same_training(tmp_path / "a", tmp_path / "b")


def test_every_step_shows_speed_waiting_and_place(tmp_path: Path) -> None:
    shown: list[dict[str, str]] = []

    class Reader(SilentProgress):
        def advance(self, num_items: int = 1, **fields: str) -> None:
            shown.extend([fields] if fields else [])

    train(tmp_path, plan(epochs=2, batch_size=16), progress=Reader())
    assert [fields["epoch"] for fields in shown] == [
        *("epoch 1/2", "epoch 1/2", "epoch 1/2, 100% of val", "epoch 1/2"),
        *("epoch 2/2", "epoch 2/2", "epoch 2/2, 100% of val", "epoch 2/2"),
    ]
    for fields in shown[3:]:
        assert re.fullmatch(r"\d+ images/s", fields["speed"])
        assert re.fullmatch(r"\d+% data wait", fields["wait"])
        assert re.fullmatch(r"best val \d+\.\d%", fields["best"])


COMPILED = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.learn.drawn import MACHINE, plan
from tests.learn.test_trainer import Killed, Watcher, train, trainer
root, compiled = Path(sys.argv[1]), replace(MACHINE, is_compiled=True)
how = plan(epochs=3, batch_size=10, optimizer="sgd", lr=0.1)
train(root / "whole", how, num=24, machine=compiled)
trainer._SAVE_EVERY_S = -1.0
def kill():
    raise Killed
try:
    train(root / "cut", how, num=24, machine=compiled, progress=Watcher(5, kill))
except Killed:
    train(root / "cut", how, num=24, machine=compiled)
"""


@pytest.mark.slow  # a minute of compiling; in a process of its own, where nothing checks types between the layers
def test_compiled_training_resumes_to_the_same_weights_and_learns_what_eager_does(tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", COMPILED, str(tmp_path)], check=True, env=environment)
    assert_same_training(tmp_path / "whole", tmp_path / "cut")
    train(tmp_path / "eager", plan(epochs=3, batch_size=10, optimizer="sgd", lr=0.1), num=24)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "eager")
    assert all(torch.allclose(one[key], other[key], atol=1e-4) for key in one)
