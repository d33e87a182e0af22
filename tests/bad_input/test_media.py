"""Files that are no videos, pictures that are traps, names that are no text."""

import json
import os
import shutil
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.bad_input.refusal import refused
from tests.cli.run import run_fer
from tests.drawn import DrawnLesson, face_rows, must, read_csv, tree
from tests.vision.drawn import draw_room
from tests.vision.videos import write_video

needs_byte_names = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text here")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    must("init", tmp_path / "mine", "--classes", "happy,bored")
    return tmp_path / "mine"


def bomb(path: Path, side: int = 100_000) -> Path:
    """A PNG of a few bytes that declares `side` x `side` pixels."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", zlib.compress(bytes(1000))) + _chunk(b"IEND", b""))
    return path


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def room_video(path: Path, num: int = 8) -> Path:
    """A video in which nobody is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_video(path, [draw_room(120, 160)] * num, fps=2)


def png(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", draw_room(60, 80))[1].tobytes())
    return path


BAD_VIDEOS = {
    "empty": (b"", "is empty (0 bytes)"),
    "text": (b"hello " * 400, "corrupt or not a video"),
    "header only": (b"RIFF\0\0\0\0AVI LIST", "corrupt or not a video"),
}


@pytest.mark.parametrize("name", BAD_VIDEOS)
def test_file_that_is_no_video_is_refused_and_nothing_is_later(project: Path, tmp_path: Path, name: str) -> None:
    data, reason = BAD_VIDEOS[name]
    path = tmp_path / "lesson.mp4"
    path.write_bytes(data)
    refusal = refused(4, "add", path, "-p", project)
    assert reason in refusal.message
    assert "lesson.mp4" in refusal.message
    assert not (project / "manifests/videos.csv").exists()
    assert not list((project / "videos").iterdir())


def test_cut_off_mp4_without_its_index_is_refused(project: Path, tmp_path: Path, drawn_lesson: DrawnLesson) -> None:
    data = drawn_lesson.video.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    assert "truncated, corrupt or not a video" in refused(4, "add", tmp_path / "cut.mp4", "-p", project).message


def test_cut_off_video_that_still_plays_gives_its_frames_and_a_warning(project: Path, tmp_path: Path) -> None:
    # Noise, so that half of the bytes is about half of the frames.
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(40)]
    whole = write_video(tmp_path / "whole.mkv", frames, fps=10).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    code, out, _ = run_fer("add", tmp_path / "cut.mkv", "-p", project, "--json")
    assert code == 0
    assert any("cut" in warning for warning in json.loads(out)["warnings"])
    kept = must("extract-frames", "--every", "200ms", "-p", project)["result"]["num_frames"]
    assert 5 <= kept <= 15


def test_one_bad_video_of_several_is_named_and_the_others_come_in(project: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    good = room_video(tmp_path / "good.mp4")
    code, out, _ = run_fer("add", tmp_path / "bad.mp4", good, tmp_path / "gone.mp4", "-p", project, "--json")
    answer = json.loads(out)
    assert code == 6
    assert not answer["ok"]
    assert {failure["item"].rpartition("/")[2] for failure in answer["result"]["failures"]} == {"bad.mp4", "gone.mp4"}
    assert [row["video_id"] for row in read_csv(project / "manifests/videos.csv")] == ["good"]


def test_video_that_vanished_from_the_project_is_a_failed_item(project: Path, tmp_path: Path) -> None:
    must("add", room_video(tmp_path / "one.mp4"), room_video(tmp_path / "two.mp4", 6), "-p", project)
    (project / "videos/one.mp4").unlink()
    code, out, _ = run_fer("extract-frames", "-p", project, "--json")
    result = json.loads(out)["result"]
    assert code == 6
    assert [failure["item"] for failure in result["failures"]] == ["one"]
    assert result["num_frames"] == 2
    shutil.copy(tmp_path / "one.mp4", project / "videos/one.mp4")
    assert must("extract-frames", "-p", project)["result"]["num_frames"] == 2


def test_video_without_faces_is_told_and_later_stages_say_what_is_missing(project: Path, tmp_path: Path) -> None:
    must("add", room_video(tmp_path / "empty-room.mp4"), "-p", project)
    must("extract-frames", "-p", project)
    answer = must("align", "-p", project)
    assert answer["result"]["num_faces"] == 0
    assert any("No faces were kept" in warning for warning in answer["warnings"])
    for words in (("subjects",), ("labels", "export"), ("split",), ("train",)):
        refusal = refused(7, *words, "-p", project)
        assert "is empty" in refusal.message or "no labels" in refusal.message, words
        assert "fer" in refusal.hint


def test_files_of_foreign_type_are_counted_and_no_error(project: Path, tmp_path: Path) -> None:
    room_video(tmp_path / "lessons/one.mp4")
    for name in ("notes.txt", "votes.xlsx", "Thumbs.db"):
        (tmp_path / "lessons" / name).write_bytes(b"something else")
    result = must("add", tmp_path / "lessons", "-p", project)["result"]
    assert (result["num_videos"], result["num_foreign"]) == (1, 3)


def test_folder_of_foreign_files_only_is_refused_with_their_number(project: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").write_text("x", encoding="utf-8")
    assert "(1 other file: 1 .txt)" in refused(4, "add", tmp_path / "notes", "-p", project).message


def test_picture_bomb_is_refused_by_its_header(project: Path, tmp_path: Path) -> None:
    refusal = refused(4, "add", bomb(tmp_path / "bomb.png"), "-p", project)
    assert "10,000,000,000 pixels" in refusal.message
    png(tmp_path / "pics/good.png")
    bomb(tmp_path / "pics/bomb.png")
    code, out, _ = run_fer("add", tmp_path / "pics", "-p", project, "--json")
    assert code == 6
    assert json.loads(out)["result"]["num_pictures"] == 1


@needs_byte_names
def test_names_that_are_not_utf8_come_in_under_names_that_are(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    png(folder / os.fsdecode(b"face \xff.png"))
    video = room_video(tmp_path / "plain.mp4").rename(tmp_path / os.fsdecode(b"le\xe7on.mp4"))
    result = must("add", folder, video, "-p", project)["result"]
    assert (result["num_videos"], result["num_pictures"]) == (1, 1)
    must("extract-frames", "-p", project)
    must("align", "-p", project)
    assert len(read_csv(project / "manifests/frames.csv")) == 3
    assert all(name.isascii() for name in tree(project))


@needs_byte_names
def test_bad_file_with_a_name_that_is_not_utf8_can_still_be_named(project: Path, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"le\xe7on.mp4")
    path.write_bytes(b"")
    assert r"le\xe7on.mp4" in refused(4, "add", path, "-p", project).message


def test_broken_frame_is_a_failed_item_and_is_done_when_it_is_whole_again(aligned: Path) -> None:
    first = sorted((aligned / "frames/lesson-1").iterdir())[0]
    whole = first.read_bytes()
    first.write_bytes(whole[:200])
    code, out, _ = run_fer("align", "--force", "-p", aligned, "--json")
    result = json.loads(out)["result"]
    assert code == 6
    assert [failure["item"] for failure in result["failures"]] == ["lesson-1/f000000"]
    # What an earlier run had found there is kept.
    assert any(face["frame_id"] == "lesson-1/f000000" for face in face_rows(aligned))
    first.write_bytes(whole)
    again = must("align", "-p", aligned)["result"]
    assert (again["num_frames_done"], again["failures"]) == (1, [])
