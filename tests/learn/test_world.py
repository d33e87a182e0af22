import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fercli.core.errors import UsageError
from fercli.learn.checkpoints import load_checkpoint
from fercli.learn.world import ALONE, World, is_launched, joined_world
from tests.learn.drawn import FORM, MACHINE, faces

ROOT = Path(__file__).parents[2]

TOGETHER = """
import sys
from pathlib import Path
import numpy as np, torch
from fercli.learn.evaluate import predict_logits
from fercli.learn.world import joined_world
from fercli.models.build import build_model
from tests.learn.drawn import FORM, MACHINE, faces
torch.manual_seed(0)
model = build_model("drf-msam", num_classes=2, width=8, hidden=16)
with joined_world() as world:
    assert world.size == 2
    logits = predict_logits(model, faces(21).crops, form=FORM, machine=MACHINE, batch_size=4, world=world)
    assert world.from_main(lambda: f"from {world.rank}") == "from 0"
    assert world.sums(1.0, world.rank) == [2.0, 1.0]
    np.save(Path(sys.argv[1]) / f"{world.rank}.npy", logits.numpy())
    single = predict_logits(model, faces(1).crops, form=FORM, machine=MACHINE, batch_size=4, world=world)
    assert single.shape == (1, 2)
    assert torch.equal(single, world.from_main(lambda: single))
"""

TRAINED = """
import os, signal, sys
from pathlib import Path
from fercli.core.progress import SILENT
from fercli.core.project import open_project
from fercli.learn import trainer
from fercli.stages.train.work import train_together
from tests.learn.test_trainer import Watcher
from tests.stages.train_project import quick
trainer._SAVE_SHORT_EPOCHS_EVERY_S = -1.0
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
progress = Watcher(5, kill) if len(sys.argv) > 2 and os.environ["RANK"] == "1" else SILENT
train_together(open_project(Path(sys.argv[1])), quick(epochs=3, procs=2, lr=0.01), progress=progress)
"""


def launch(tmp_path: Path, program: str, *words: str) -> int:
    script = tmp_path / "program.py"
    script.write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TORCH_CPP_LOG_LEVEL": "ERROR"}
    return subprocess.run(command, check=False, env=environment, capture_output=True).returncode


def test_shares_of_a_batch_are_disjoint_whole_and_even() -> None:
    shares = [World(rank, 3).share(range(10)) for rank in range(3)]
    assert sorted(place for share in shares for place in share) == list(range(10))
    assert [len(share) for share in shares] == [4, 3, 3]


def test_one_process_needs_no_group() -> None:
    assert not is_launched()
    with joined_world() as world:
        assert world == ALONE
    assert ALONE.sums(1.0, 2.0) == [1.0, 2.0]
    assert ALONE.from_main(lambda: 3) == 3


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("WORLD_SIZE", "2"), ("LOCAL_WORLD_SIZE", "2"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="2 processes cannot share 1 GPUs"), joined_world("cuda"):
        pass


def test_processes_cannot_share_an_apple_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="multi-process training is not supported on 'mps'"), joined_world("mps"):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_that_diverge_say_so_in_the_run(tmp_path: Path) -> None:
    from fercli.core.runs import list_runs
    from tests.stages.train_project import drawn_project

    project = drawn_project(tmp_path / "mine")
    assert launch(tmp_path, TRAINED.replace("lr=0.01", "lr=1e30"), str(project.root)) != 0
    (run,) = list_runs(project.root)
    assert run.status == "failed"
    assert "training diverged in epoch 1" in run.record.reason


@pytest.mark.skipif(sys.platform == "win32", reason="gloo")
def test_two_processes_predict_what_one_does(tmp_path: Path) -> None:
    import numpy as np

    from fercli.learn.evaluate import predict_logits
    from fercli.models.build import build_model

    torch.manual_seed(0)
    model = build_model("drf-msam", num_classes=2, width=8, hidden=16)
    one = predict_logits(model, faces(21).crops, form=FORM, machine=MACHINE, batch_size=4).numpy()
    assert launch(tmp_path, TOGETHER, str(tmp_path)) == 0
    for rank in range(2):
        both = np.load(tmp_path / f"{rank}.npy")
        assert both.shape == (21, 2)
        np.testing.assert_allclose(both, one, atol=1e-5)
        assert (both.argmax(1) == one.argmax(1)).all()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_rank_stops_all_and_the_same_launch_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    from tests.stages.train_project import drawn_project

    whole, cut = drawn_project(tmp_path / "whole").root, drawn_project(tmp_path / "cut").root
    assert launch(tmp_path, TRAINED, str(whole)) == 0
    assert launch(tmp_path, TRAINED, str(cut), "kill") != 0
    assert launch(tmp_path, TRAINED, str(cut)) == 0
    (one,), (other,) = (list(root.glob("runs/*/checkpoints/last.safetensors")) for root in (whole, cut))
    first, second = load_checkpoint(one).tensors, load_checkpoint(other).tensors
    assert all(torch.equal(first[name], second[name]) for name in first)
