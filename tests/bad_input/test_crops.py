"""Crops that are cut off or gone: every command that reads them says the same, with the same way out."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import MediaError
from fercli.core.project import open_project
from fercli.core.rows import Face
from fercli.data.crops import CropFiles, open_crop
from fercli.vision.images import read_image
from tests.cli.run import run_fer
from tests.stages.trained import evaluated, trained_project

PACKED = {
    "align": ("align", "--realign", "--device", "cpu"),
    "split": ("split",),
    "labels export": ("labels", "export"),
    "check all": ("check", "all"),
    "check images": ("check", "images"),
    "check leakage": ("check", "leakage"),
    "train": ("train", "--epochs", "1", "--device", "cpu", "--set", "image_size=24"),
    "eval": ("eval", "--device", "cpu"),
    "gradcam": ("gradcam", "--device", "cpu"),
    "report": ("report",),
}
# These compare bytes, and look at no pixels.
SINGLE = {name: words for name, words in PACKED.items() if name not in ("align", "split", "check leakage")}
ADD_AGAIN = "Add the dataset again: fer add PATH --source SOURCE --name set --force"
ALIGN_AGAIN = "Delete the file, if it is there, and run: fer align"
PACK = "faces/set.npy"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = trained_project(tmp_path_factory.mktemp("template") / "mine")
    evaluated(project, num_wrong=3)
    return project.root


@pytest.fixture
def single(tmp_path: Path, template: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "mine"))


@pytest.fixture
def packed(single: Path) -> Path:
    """The same project with its crops in a pack, as a dataset brings them."""
    project = open_project(single)
    faces = project.rows(Face)
    np.save(single / PACK, np.stack([read_image(single / face.path) for face in faces]))
    rows = [
        dataclasses.replace(face, path=f"{PACK}#{row}", status="given", frame_id="") for row, face in enumerate(faces)
    ]
    project.write_rows(rows, Face)
    return single


def said(*words: object) -> str:
    """All that a command says, in one line."""
    code, out, err = run_fer(*words)
    # A page and a table can do without crops; nothing else can.
    assert code in ((0,) if words[0] == "report" else (4, 5, 6)), err
    assert "Traceback" not in out + err
    return " ".join((out + err).split())


@pytest.mark.parametrize("command", PACKED)
def test_pack_that_is_cut_off_is_one_error_with_one_way_out(packed: Path, command: str) -> None:
    data = (packed / PACK).read_bytes()
    (packed / PACK).write_bytes(data[: len(data) // 2])
    text = said(*PACKED[command], "-p", packed)
    assert f"packed crops '{PACK}' cannot be read, the file is cut off or damaged" in text
    assert ADD_AGAIN in text
    assert "run: fer align" not in text.lower()


@pytest.mark.parametrize("command", [name for name in PACKED if name not in ("split", "check leakage")])
def test_pack_that_is_gone_is_one_error_with_one_way_out(packed: Path, command: str) -> None:
    (packed / PACK).unlink()
    text = said(*PACKED[command], "-p", packed)
    assert f"packed crops '{PACK}' are missing" in text
    assert ADD_AGAIN in text
    assert "run: fer align" not in text.lower()


@pytest.mark.parametrize("command", SINGLE)
def test_crop_that_is_cut_off_is_one_error_with_one_way_out(single: Path, command: str) -> None:
    for face in open_project(single).rows(Face):
        data = (single / face.path).read_bytes()
        (single / face.path).write_bytes(data[: len(data) // 2])
    text = said(*SINGLE[command], "-p", single)
    assert "truncated, corrupt or not an image" in text
    assert ALIGN_AGAIN in text
    assert "add the dataset" not in text.lower()


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("faces/lesson-1/f000123-0.png", ALIGN_AGAIN),
        ("faces/fer2013/000007.png", f"{ALIGN_AGAIN} --realign"),
        ("faces/affectnet7/000/000007.jpg", ADD_AGAIN.replace("set --force", "affectnet7 --force")),
        ("faces/fer2013.npy#7", ADD_AGAIN.replace("set --force", "fer2013 --force")),
    ],
)
def test_way_out_goes_by_where_the_crop_comes_from(single: Path, path: str, hint: str) -> None:
    with pytest.raises(MediaError, match="missing") as caught:
        open_crop(open_project(single), Face("x", "", "", path=path))
    assert caught.value.hint == hint


@pytest.mark.parametrize("row", ["99", "-1", "x", ""])
def test_row_that_a_pack_does_not_have_is_named(packed: Path, row: str) -> None:
    with pytest.raises(MediaError, match=f"'{PACK}' has no row {row}"):
        CropFiles(packed).read(f"{PACK}#{row}")


def test_crop_is_the_same_from_its_file_and_from_a_pack(packed: Path) -> None:
    files = CropFiles(packed)
    alone, among = files.read("faces/lesson/f000001-2.png"), files.read(f"{PACK}#5")
    np.testing.assert_array_equal(alone, among)
    assert files.shape("faces/lesson/f000001-2.png") == files.shape(f"{PACK}#5") == (64, 64, 3)
