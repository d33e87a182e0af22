"""benchmarks/gpu.py in small, on the processor, in an interpreter that has nothing but what a bare GPU machine has."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.gpu import read_results
from benchmarks.packed import PackedFaces, read_packed, split_numbers, write_packed
from tests.learn.drawn import draw

ROOT = Path(__file__).parents[1]
# What fercli requires besides torch, numpy, safetensors and jaxtyping.
ABSENT = """
av cv2 defusedxml joblib lz4 matplotlib mtcnn openvino pandas PIL pytorch_grad_cam ray rich scipy sklearn starlette
threadpoolctl timm tomli_w torchvision typer uvicorn
"""
# An interpreter without them, and one call after the other in it.
CALLS = f"""
import sys
from importlib.machinery import PathFinder
class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {ABSENT.split()!r} else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
sys.path.insert(0, {str(ROOT)!r})
from benchmarks.gpu import main
words = ["run", "faces.packed", "out", "--device", "cpu", "--small", "--epochs", "1", "--networks", "fercli-compact"]
if __name__ == "__main__":
    assert main([*words, "--minutes", "0.01"]) == 0
    with open("out/results.json") as late, open("late.json", "w") as copy:
        copy.write(late.read())
    sys.exit(main([*words, "--minutes", "9"]))
"""


def packed(num: int) -> PackedFaces:
    images, targets = draw(num, 0)
    pixels = images.repeat(2, 1).repeat(2, 2)
    sides = split_numbers(["train", "train", "val", "test"] * (num // 4))
    return PackedFaces(pixels, targets.astype(np.uint8), sides, tuple("abcdefg"), "drawn")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """What a call left whose time was up before it began, and what a second one made of it."""
    folder = tmp_path_factory.mktemp("gpu")
    write_packed(folder / "faces.packed", packed(48), limit_bytes=10**6)
    (folder / "calls.py").write_text(CALLS, encoding="utf-8")
    called = subprocess.run(
        [sys.executable, "calls.py"],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert called.returncode == 0, called.stdout + called.stderr
    return SimpleNamespace(folder=folder, late=read(folder / "late.json"), results=read(folder / "out/results.json"))


def read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def test_no_part_begins_when_the_time_is_up(done: SimpleNamespace) -> None:
    assert done.late["parts"] == {}


def test_all_parts_are_done_without_opencv_and_the_like(done: SimpleNamespace) -> None:
    assert {name: part["status"] for name, part in done.results["parts"].items()} == dict.fromkeys(
        ("networks", "resume", "detection", "speed", "training"), "done"
    )
    assert done.results["calls"] == 2


def test_what_is_compared_is_close(done: SimpleNamespace) -> None:
    (row,) = done.results["parts"]["networks"]["rows"]
    assert (row["key"], row["objective"], row["is_close"]) == ("fercli-compact", "branches", True)
    # bf16 keeps eight bits: a difference of nothing would mean that nothing was compared.
    assert 0 < row["logits_bf16"] < 0.1


def test_a_resumed_training_has_the_same_bits(done: SimpleNamespace) -> None:
    rows = {row["key"]: row for row in done.results["parts"]["resume"]["rows"]}
    assert all(row["same_bits_resumed"] and row["same_bits_again"] for row in rows.values())
    assert set(rows) == {"fercli-compact"}


def test_the_training_is_scored_on_the_test_set(done: SimpleNamespace) -> None:
    (row,) = done.results["parts"]["training"]["rows"]
    assert (row["num_train"], row["num_test"], row["epochs"]) == (24, 12, 1)
    assert np.sum(row["confusion_matrix"]) == 12
    assert row["test_accuracy"] == np.trace(row["confusion_matrix"]) / 12
    with (done.folder / "out" / "metrics.csv").open(encoding="utf-8", newline="") as file:
        assert [line["epoch"] for line in csv.DictReader(file)] == ["1"]


def test_the_table_says_what_was_skipped_and_why(done: SimpleNamespace) -> None:
    table = (done.folder / "out" / "results.md").read_text(encoding="utf-8")
    assert "MTCNN: skipped, no GPU" in table
    assert "| fercli-compact, training, ours, bf16 |" in table


def test_results_of_other_data_are_not_mixed(done: SimpleNamespace) -> None:
    about = {**done.results["about"], "data": "another"}
    with pytest.raises(SystemExit, match=r"another machine, code or data \(data \w+, now another\)"):
        read_results(done.folder / "out", about)


def test_packed_faces_come_back_as_they_were(tmp_path: Path) -> None:
    faces = packed(40)
    write_packed(tmp_path / "faces", faces, limit_bytes=10**6)
    back = read_packed(tmp_path / "faces")
    assert np.array_equal(back.pixels, faces.pixels)
    assert np.array_equal(back.targets, faces.targets)
    assert np.array_equal(back.sides, faces.sides)
    assert (back.classes, back.data_set, back.num_left_out) == (faces.classes, "drawn", 0)


def test_training_crops_are_left_out_of_too_large_a_file_and_counted(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 48, 48), dtype=np.uint8)
    sides = split_numbers(["train"] * 60 + ["val"] * 10 + ["test"] * 10)
    faces = PackedFaces(noise, np.zeros(80, np.uint8), sides, ("a", "b"), "noise")
    kept = write_packed(tmp_path / "faces", faces, limit_bytes=100_000)
    back = read_packed(tmp_path / "faces")
    assert 0 < kept.num_left_out == back.num_left_out == 80 - len(back.targets)
    assert len(back.of("val")[0]) == len(back.of("test")[0]) == 10
    with pytest.raises(ValueError, match="alone are above the limit"):
        write_packed(tmp_path / "faces", faces, limit_bytes=10_000)
