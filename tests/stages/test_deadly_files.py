"""A file of which the decoder dies is one failed file: add, extract-frames, align and predict go on with the others.

No file is known that kills today's decoders, so Python itself, when it starts, is told to die at files with certain
words in them; this process, which is up already, must never open them.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from fercli.core.project import Project, create_project, open_project
from fercli.core.rows import Face, Frame, Video
from fercli.engine import guard
from fercli.stages.add import AddResult, AddSettings, AddSourceResult, add
from fercli.stages.align import AlignSettings, align
from fercli.stages.extract_frames import ExtractFramesSettings, extract_frames
from fercli.stages.predict import PredictSettings, predict
from tests.stages.filmed import film
from tests.stages.trained import drawn_face, trained_project

_DEADLY = """
import faulthandler, os, time
import av
import numpy as np
from PIL import Image

CRASH, HANG, EAT = b"cra" + b"sh", b"ha" + b"ng", b"ea" + b"t"

def behave(data):
    if CRASH in data:
        faulthandler._sigsegv()
    if HANG in data:
        time.sleep(1000)
    if EAT in data:
        held = [np.empty(10**8, np.uint8) for _ in range(40)]

def open_video(name, *args, _open=av.open, **more):
    behave(os.fsencode(os.path.basename(name)))
    return _open(name, *args, **more)

def open_image(file, *args, _open=Image.open, **more):
    behave(file.getvalue())
    return _open(file, *args, **more)

av.open, Image.open = open_video, open_image
"""
QUICK = AlignSettings(min_face=40, min_confidence=0.8, device="cpu")


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for number, name in enumerate(("a", "crash", "z")):
        film(folder / f"{name}.mp4", 6, seed=number)
    return folder


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, films: Path) -> Path:
    """A project with all three videos, brought in by decoders that are well."""
    project = create_project(tmp_path_factory.mktemp("filmed") / "p", name="p", classes=("happy", "sad"))
    add(project, AddSettings(), [films])
    return project.root


@pytest.fixture
def project(tmp_path: Path, filmed: Path) -> Project:
    return open_project(shutil.copytree(filmed, tmp_path / "p"))


@pytest.fixture
def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """From now on, decoders die of some files, and hang for a second only."""
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(_DEADLY, encoding="utf-8")
    guard._end_all()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "start"))
    monkeypatch.setattr(guard, "STALL_S", 3)
    yield
    guard._end_all()


def write_image(path: Path, word: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), drawn_face(len(path.name), len(path.name) % 3))
    path.write_bytes(path.read_bytes() + word)  # decoders stop before it
    return path


def test_add_takes_the_others(films: Path, tmp_path: Path, deadly: None) -> None:
    project = create_project(tmp_path / "p", name="p", classes=("happy", "sad"))
    for name in ("1.png", "2 hang.png", "3 eat.png", "4.png"):
        write_image(tmp_path / "images" / name, name.encode())
    result = add(project, AddSettings(), [films, tmp_path / "images"])
    assert isinstance(result, AddResult)
    reasons = {Path(failure.item).name: failure.reason for failure in result.failures}
    assert reasons.keys() == {"crash.mp4", "2 hang.png", "3 eat.png"}
    assert "the decoder crashed" in reasons["crash.mp4"]
    assert "made no progress for 3 seconds" in reasons["2 hang.png"]
    if sys.platform == "linux":
        assert "needs more than 1.5 GB of memory" in reasons["3 eat.png"]
    assert [video.video_id for video in project.rows(Video)] == ["a", "images", "z"]
    assert (result.num_videos, result.num_pictures) == (2, 2)


def test_extract_frames_keeps_those_of_the_others(project: Project, deadly: None) -> None:
    result = extract_frames(project, ExtractFramesSettings(every_s=1.0))
    assert [failure.item for failure in result.failures] == ["crash"]
    assert "cannot read 'crash': the decoder crashed" in result.failures[0].reason
    assert {frame.video_id for frame in project.rows(Frame)} == {"a", "z"}


@pytest.mark.parametrize("keep", [False, True])
def test_align_finds_the_faces_of_the_others(project: Project, keep: bool, request: pytest.FixtureRequest) -> None:
    extract_frames(project, ExtractFramesSettings(every_s=0.5, keep=keep))
    if keep:
        first = project.root / project.rows(Frame)[1].path
        first.write_bytes(first.read_bytes() + b"crash")
    request.getfixturevalue("deadly")
    result = align(project, QUICK)
    failed = {failure.item: failure.reason for failure in result.failures}
    lost = [frame.frame_id for frame in project.rows(Frame) if frame.video_id == "crash"]
    assert list(failed) == (["a/f000005"] if keep else lost)
    assert all("the decoder crashed" in reason for reason in failed.values())
    assert {face.frame_id for face in project.rows(Face)} == {
        frame.frame_id for frame in project.rows(Frame) if frame.frame_id not in failed
    }


def test_dataset_comes_in_without_the_image(tmp_path: Path, deadly: None) -> None:
    project = create_project(tmp_path / "p", name="p", classes=("happy", "sad"))
    for number, name in enumerate(("happy/a.png", "happy/b.png", "sad/c.png")):
        write_image(tmp_path / "set" / name, b"crash" if number == 1 else b"")
    result = add(project, AddSettings(source="folder"), [tmp_path / "set"])
    assert isinstance(result, AddSourceResult)
    assert [Path(failure.item).name for failure in result.failures] == ["b.png"]
    assert "the decoder crashed" in result.failures[0].reason
    assert len(project.rows(Face)) == 2


def test_predict_looks_at_the_others(films: Path, tmp_path: Path, deadly: None) -> None:
    project = trained_project(tmp_path / "mine")
    write_image(tmp_path / "images" / "1.png")
    write_image(tmp_path / "images" / "2.png", b"crash")
    settings = PredictSettings(out=("csv",), cropped=True, every_s=1.0)
    result = predict(project, settings, [str(films), str(tmp_path / "images")])
    assert [Path(failure.item).name for failure in result.failures] == ["crash.mp4", "2.png"]
    assert all("the decoder crashed" in failure.reason for failure in result.failures)
    assert result.num_media == 3
