"""Crops, frames and images whose bytes change after a command has looked at them; a mere touch is no change."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from fercli.core.files import sha256_of
from fercli.core.project import open_project
from fercli.core.rows import Face, Frame
from fercli.vision.images import read_image, write_jpeg, write_png
from tests.cli.run import run_fer
from tests.drawn import must
from tests.stages.trained import drawn_face, evaluated, trained_project

LOOKING = {
    "eval": ("eval", "--device", "cpu"),
    "gradcam": ("gradcam", "--per-class", "1", "--device", "cpu"),
    "report": ("report",),
    "check leakage": ("check", "leakage"),
    "split": ("split",),
    "labels export": ("labels", "export", "--to", "csv"),
    "predict": ("predict", "class", "--cropped", "--out", "csv", "--device", "cpu"),
    "gradcam of images": ("gradcam", "--images", "class", "--device", "cpu"),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = trained_project(tmp_path_factory.mktemp("template") / "mine")
    evaluated(project, num_wrong=6)
    return project.root


@pytest.fixture
def root(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project, beside a folder of images; the current folder is the one above."""
    monkeypatch.chdir(tmp_path)
    write_png(tmp_path / "class" / "a.png", drawn_face(2, 1))
    root = Path(shutil.copytree(template, tmp_path / "mine"))
    # A run that recorded its crops refuses others; one of the version before cannot know.
    for path in root.glob("runs/*/crops.csv"):
        path.unlink()
    return root


def is_unchanged(*words: object) -> bool:
    answer = must(*words)
    return bool(answer["result"]["is_unchanged"])


def touch(root: Path) -> None:
    for path in [*root.rglob("*.png"), *root.rglob("*.jpg"), *root.parent.glob("class/*")]:
        os.utime(path, (time.time() + 5, time.time() + 5))


def darken(path: Path) -> None:
    """Other pixels under the old size and time of change, where the system lets one."""
    before = path.stat()
    write = write_png if path.suffix == ".png" else write_jpeg
    write(path, np.asarray(read_image(path) // 2))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def seen_by(command: str, root: Path) -> list[Path]:
    if command in ("predict", "gradcam of images"):
        return [root.parent / "class" / "a.png"]
    project = open_project(root)
    part = {row.face_id for row in project.split_rows("default") if row.split == "test"}
    return [root / face.path for face in project.rows(Face) if face.face_id in part]


@pytest.mark.parametrize("command", LOOKING)
def test_touch_is_no_change_and_other_bytes_are(root: Path, command: str) -> None:
    words = (*LOOKING[command], "-p", root)
    assert not is_unchanged(*words)
    assert is_unchanged(*words)
    touch(root)
    assert is_unchanged(*words)
    for path in seen_by(command, root):
        darken(path)
    assert not is_unchanged(*words)
    assert is_unchanged(*words)


def test_eval_predicts_again_what_it_has_not_seen(root: Path) -> None:
    words = ("eval", "--device", "cpu", "-p", root)
    must(*words)
    predictions = root / next(iter(root.glob("runs/*/eval/test/predictions.csv"))).relative_to(root)
    before = predictions.read_bytes()
    must(*words, "--seed", "1")
    assert predictions.read_bytes() == before
    for path in seen_by("eval", root):
        write_png(path, drawn_face(9, 2))
    # Another seed alone would take the predictions that are there.
    must(*words, "--seed", "2")
    assert predictions.read_bytes() != before


def test_status_tells_that_crops_have_changed(root: Path) -> None:
    def state() -> str:
        steps = must("status", "-p", root)["result"]["steps"]
        return str(next(step["state"] for step in steps if step["words"] == "eval"))

    must("eval", "--device", "cpu", "-p", root)
    assert state() == "done"
    darken(seen_by("eval", root)[0])
    assert state() == "to do"


def test_align_makes_a_crop_again_whose_bytes_have_changed(aligned: Path) -> None:
    faces = [face for face in open_project(aligned).rows(Face) if face.status == "ok"]
    crop = aligned / faces[3].path
    before, table = crop.read_bytes(), (aligned / "manifests/faces.csv").read_bytes()
    touch(aligned)
    assert is_unchanged("align", "-p", aligned)
    darken(crop)
    assert "detect faces in 1 of" in must("align", "--dry-run", "-p", aligned)["result"]["plan"][0]
    assert not is_unchanged("align", "-p", aligned)
    assert crop.read_bytes() == before
    assert (aligned / "manifests/faces.csv").read_bytes() == table
    assert is_unchanged("align", "-p", aligned)


def test_align_looks_again_at_a_frame_whose_bytes_have_changed(aligned: Path) -> None:
    frame = next(frame for frame in open_project(aligned).rows(Frame))
    darken(aligned / frame.path)
    assert must("align", "-p", aligned)["result"]["num_frames_done"] == 1
    assert is_unchanged("align", "-p", aligned)


def test_record_that_names_a_file_outside_is_not_believed(root: Path, tmp_path: Path) -> None:
    words = ("eval", "--device", "cpu", "-p", root)
    must(*words)
    (tmp_path / "secret").write_bytes(b"secret")
    record = next(iter((root / ".fer/stages").glob("eval-*.json")))
    values = json.loads(record.read_text(encoding="utf-8"))
    del values["digest"]
    values["reads"]["../secret"] = sha256_of(tmp_path / "secret")
    record.write_text(json.dumps(values), encoding="utf-8")
    assert not is_unchanged(*words)


def test_project_of_an_older_version_is_up_to_date(root: Path) -> None:
    words = ("eval", "--device", "cpu", "-p", root)
    must(*words)
    record = next(iter((root / ".fer/stages").glob("eval-*.json")))
    values = json.loads(record.read_text(encoding="utf-8"))
    del values["digest"], values["reads"]
    record.write_text(json.dumps(values), encoding="utf-8")
    assert is_unchanged(*words)
    code, _, err = run_fer("status", "-p", root)
    assert code == 0, err
