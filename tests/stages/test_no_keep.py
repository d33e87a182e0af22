"""Frames that are chosen but not written: `fer extract-frames --no-keep` and what reads frames afterwards."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fercli.core.project import Project, open_project
from fercli.core.rows import Face, Frame
from fercli.stages.align import AlignSettings, align
from fercli.stages.extract_frames import ExtractFramesSettings, extract_frames
from fercli.stages.trace import trace
from fercli.vision.images import read_image
from fercli.vision.video.reader import VideoReader
from tests.cli.run import run_fer
from tests.stages.filmed import film, filmed_project
from tests.stages.lesson import PLACES

QUICK = AlignSettings(min_face=40, min_confidence=0.8, device="cpu")
UNKEPT = ExtractFramesSettings(every_s=1.0, keep=False)
KEPT = ExtractFramesSettings(every_s=1.0)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("films")
    return [film(folder / "a.mp4"), film(folder / "b.mp4", 15, seed=1)]


@pytest.fixture
def project(tmp_path: Path, videos: list[Path]) -> Project:
    return filmed_project(tmp_path / "project", videos)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, videos: list[Path]) -> Project:
    """A project whose faces were found in one go; leave it alone."""
    project = filmed_project(tmp_path_factory.mktemp("whole") / "project", videos)
    extract_frames(project, UNKEPT)
    align(project, QUICK)
    return project


@pytest.fixture
def aligned(whole: Project, tmp_path: Path) -> Project:
    """A copy of it."""
    return open_project(Path(shutil.copytree(whole.root, tmp_path / "aligned")))


def test_rows_stand_where_files_do_not(project: Project) -> None:
    result = extract_frames(project, UNKEPT)
    assert (result.num_frames, result.num_frames_in_project) == (5, 5)
    assert [frame.frame_index for frame in project.rows(Frame)] == [0, 10, 20, 0, 10]
    assert {frame.path for frame in project.rows(Frame)} == {""}
    assert not list(project.root.glob("frames/**/*.jpg"))
    assert extract_frames(project, UNKEPT).is_unchanged


def test_rows_are_those_of_kept_frames_without_a_path(project: Project, tmp_path: Path, videos: list[Path]) -> None:
    other = filmed_project(tmp_path / "other", videos)
    extract_frames(project, UNKEPT)
    extract_frames(other, KEPT)
    assert [dataclasses.replace(frame, path="") for frame in other.rows(Frame)] == project.rows(Frame)


def test_frames_that_were_kept_are_taken_away_and_come_back(project: Project) -> None:
    extract_frames(project, KEPT)
    files = sorted(project.root.glob("frames/*/*.jpg"))
    assert len(files) == 5
    assert extract_frames(project, UNKEPT).warnings[0].endswith("(changed: keep: True -> False)")
    assert not list(project.root.glob("frames/*/*.jpg"))
    extract_frames(project, KEPT)
    assert sorted(project.root.glob("frames/*/*.jpg")) == files


def test_faces_are_found_in_the_video_itself(aligned: Project) -> None:
    faces = aligned.rows(Face)
    assert len(faces) == 10
    for frame in aligned.rows(Frame):
        found = sorted(face.left + face.width / 2 for face in faces if face.frame_id == frame.frame_id)  # type: ignore[operator]
        assert found == pytest.approx([x for x, _ in PLACES], abs=15)
    assert align(aligned, QUICK).is_unchanged


def test_crops_show_the_pixels_of_their_frame(aligned: Project) -> None:
    import cv2

    frames = {frame.index: frame.rgb() for frame in VideoReader(aligned.root / "videos/a.mp4")}
    for face in (face for face in aligned.rows(Face) if face.video_id == "a"):
        affine = np.array([[face.m00, face.m01, face.m02], [face.m10, face.m11, face.m12]], float)
        expected = cv2.warpAffine(frames[int(face.frame_id[-6:])], affine, (112, 112), flags=cv2.INTER_LINEAR)
        shown = read_image(aligned.root / face.path)
        assert np.abs(shown.astype(int) - expected)[8:-8, 8:-8].mean() < 3


def test_two_processes_make_the_same_bytes(aligned: Project, tmp_path: Path, videos: list[Path]) -> None:
    other = filmed_project(tmp_path / "other", videos)
    extract_frames(other, dataclasses.replace(UNKEPT, workers=2))
    align(other, dataclasses.replace(QUICK, workers=2))
    for name in ("frames.csv", "faces.csv"):
        assert (aligned.root / "manifests" / name).read_bytes() == (other.root / "manifests" / name).read_bytes()
    crops = [
        sorted((path.name, path.read_bytes()) for path in one.root.glob("faces/*/*.png")) for one in (aligned, other)
    ]
    assert crops[0] == crops[1]


def test_only_new_frames_are_decoded_for_faces(aligned: Project) -> None:
    extract_frames(aligned, dataclasses.replace(UNKEPT, every_s=0.5))
    result = align(aligned, QUICK)
    assert (result.num_frames, result.num_frames_done, result.num_faces) == (9, 4, 18)


def test_missing_video_is_a_failure_of_its_frames_and_not_of_others(project: Project) -> None:
    extract_frames(project, UNKEPT)
    (project.root / "videos/a.mp4").unlink()
    result = align(project, QUICK)
    assert [failure.item for failure in result.failures] == ["a/f000000", "a/f000010", "a/f000020"]
    assert "not found" in result.failures[0].reason
    assert result.num_faces == 4


def test_frame_that_is_not_in_the_video_is_named(project: Project) -> None:
    extract_frames(project, UNKEPT)
    frames = project.rows(Frame)
    project.write_rows([*frames, dataclasses.replace(frames[2], frame_id="a/f000999", frame_index=999)], Frame)
    result = align(project, QUICK)
    assert [(failure.item, failure.reason) for failure in result.failures] == [
        ("a/f000999", "frame 999 of 'videos/a.mp4' cannot be decoded")
    ]
    assert result.num_faces == 10


def test_trace_and_doctor_know_that_there_is_no_file(aligned: Project) -> None:
    face_id = aligned.rows(Face)[0].face_id
    assert trace(aligned, face_id).frame == aligned.rows(Frame)[0]
    code, out, _ = run_fer("trace", face_id, "-p", aligned.root)
    assert code == 0
    assert "not saved, decoded from the video" in out
    code, out, _ = run_fer("doctor", "-p", aligned.root, "--json")
    findings = {finding["name"]: finding for finding in json.loads(out)["result"]["findings"]}
    assert findings["frames files"]["state"] == "ok"


def test_command_takes_the_option(project: Project) -> None:
    code, _, err = run_fer("extract-frames", "--no-keep", "--every", "1s", "-p", project.root)
    assert (code, project.rows(Frame)[0].path) == (0, ""), err
