"""Checkpoints that were swapped, cut off, altered, or written to harm."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bad_input.refusal import refused
from tests.cli.run import run_fer
from tests.drawn import must, tree
from tests.stages.trained import RUN_ID, trained_project

BEST = f"runs/{RUN_ID}/checkpoints/best.safetensors"


class Harm:
    """What a hostile pickle does when it is loaded: it makes a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        import os

        return os.mkdir, (str(self.path),)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_project(tmp_path_factory.mktemp("trained") / "mine").root


@pytest.fixture
def project(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "mine"))


COMMANDS = {"eval": ("eval",), "gradcam": ("gradcam",), "predict": ("predict", "images.png", "--cropped")}


def words(project: Path, name: str) -> tuple[object, ...]:
    picture = next((project / "faces").rglob("*.png"))
    return tuple(picture if word == "images.png" else word for word in COMMANDS[name])


def flip_last_bit(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("name", COMMANDS)
def test_pickle_under_the_name_of_a_checkpoint_is_refused_and_never_run(
    project: Path, tmp_path: Path, name: str
) -> None:
    (project / BEST).write_bytes(pickle.dumps(Harm(tmp_path / "harmed")))
    refusal = refused(4, *words(project, name), "-p", project)
    assert "is corrupt or modified" in refusal.message
    assert "--checkpoint last, or train again" in refusal.hint
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_flipped_bit_is_refused_and_nothing_is_written(project: Path, name: str) -> None:
    (project / BEST).write_bytes(flip_last_bit((project / BEST).read_bytes()))
    before = tree(project)
    assert "SHA-256 mismatch" in refused(4, *words(project, name), "-p", project).message
    assert tree(project) == before


def test_pickle_named_with_its_own_note_is_refused_as_well(project: Path, tmp_path: Path) -> None:
    import hashlib

    data = pickle.dumps(Harm(tmp_path / "harmed"))
    (project / BEST).write_bytes(data)
    note = json.loads((project / BEST).with_suffix(".json").read_text(encoding="utf-8"))
    note["sha256"] = hashlib.sha256(data).hexdigest()
    (project / BEST).with_suffix(".json").write_text(json.dumps(note), encoding="utf-8")
    assert "is not a safetensors file" in refused(4, "eval", "-p", project).message
    assert not (tmp_path / "harmed").exists()


def test_checkpoint_of_another_kind_is_never_opened(project: Path, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(pickle.dumps(Harm(tmp_path / "harmed")))
    refusal = refused(4, "eval", "--checkpoint", tmp_path / "model.pt", "-p", project)
    assert "is not a fercli checkpoint" in refusal.message
    assert "Pickle files are never loaded" in refusal.hint
    assert not (tmp_path / "harmed").exists()


def test_pickle_as_backbone_weights_is_refused_and_never_run(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "resnet.pth"
    path.write_bytes(pickle.dumps(Harm(tmp_path / "harmed")))
    runs = sorted((project / "runs").iterdir())
    refusal = refused(4, "train", "--model", "eac", "--backbone-weights", path, "--epochs", "1", "-p", project)
    assert "resnet.pth" in refusal.message
    assert not (tmp_path / "harmed").exists()
    assert sorted((project / "runs").iterdir()) == runs


NOTES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no note": lambda note: None,
    "a list": lambda note: [],
    "meta is no table": lambda note: note | {"meta": 3},
    "model is no word": lambda note: note | {"meta": note["meta"] | {"model": ["x"]}},
    "no such model": lambda note: note | {"meta": note["meta"] | {"model": "resnet"}},
    "another model": lambda note: note | {"meta": note["meta"] | {"model": "aer-cnn"}},
    "fewer classes": lambda note: note | {"meta": note["meta"] | {"classes": ["happy", "bored"]}},
    "classes no list": lambda note: note | {"meta": note["meta"] | {"classes": 3}},
    "foreign option": lambda note: note | {"meta": note["meta"] | {"model_options": {"os": "system"}}},
    "options no table": lambda note: note | {"meta": note["meta"] | {"model_options": [1]}},
    "no form": lambda note: note | {"meta": note["meta"] | {"form": {}}},
    "form no table": lambda note: note | {"meta": note["meta"] | {"form": "grey"}},
    "epoch no number": lambda note: note | {"meta": note["meta"] | {"epoch": "last"}},
}


@pytest.mark.parametrize("name", NOTES)
def test_note_that_does_not_fit_is_one_clear_line(project: Path, name: str) -> None:
    path = (project / BEST).with_suffix(".json")
    changed = NOTES[name](json.loads(path.read_text(encoding="utf-8")))
    path.write_text(json.dumps(changed), encoding="utf-8")
    assert "best" in refused(4, "eval", "-p", project).message


def test_damaged_run_record_is_told_and_other_commands_go_on(project: Path) -> None:
    (project / f"runs/{RUN_ID}/run.json").write_text("{", encoding="utf-8")
    assert any(RUN_ID in warning for warning in must("runs", "-p", project)["warnings"])
    assert run_fer("status", "-p", project)[0] == 0
    assert "no finished run" in refused(7, "eval", "-p", project).message
    assert "run.json" in refused(3, "eval", project / "runs" / RUN_ID, "-p", project).message
