"""A project that others write to, that may not be written, whose disk is full, or whose annotators have voted."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from tests.bad_input.refusal import read_refusal, refused
from tests.cli.run import run_fer
from tests.drawn import MAP, DrawnLesson, contents, face_rows, must, read_csv, tree, write_long

FER = (sys.executable, "-m", "fercli")
# A namespace of its own: what is mounted in it is gone when its process ends, however it ends.
NAMESPACE = ("unshare", "-r", "-m", "sh", "-c")


def _can_mount() -> bool:
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*NAMESPACE, "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def can_mount() -> None:
    if not _can_mount():
        pytest.skip("this system allows no mounts")


@pytest.fixture
def voted(aligned: Path, tmp_path: Path, drawn_lesson: DrawnLesson) -> Path:
    votes = write_long(tmp_path / "votes.csv", drawn_lesson, face_rows(aligned))
    must("labels", "import", votes, "--map", MAP, "-p", aligned)
    return aligned


def test_align_with_other_settings_keeps_the_ids_that_votes_hang_on(voted: Path) -> None:
    before = {face["face_id"] for face in face_rows(voted)}
    votes = (voted / "manifests/votes.csv").read_bytes()
    answer = must("align", "--size", "224", "--margin", "0.2", "-p", voted)
    assert {face["face_id"] for face in face_rows(voted)} == before
    assert (voted / "manifests/votes.csv").read_bytes() == votes
    assert any("size: 112 -> 224" in warning for warning in answer["warnings"])
    subjects = {face["subject_id"] for face in face_rows(voted)}
    assert "" not in subjects


def test_align_that_would_lose_voted_faces_is_refused_and_changes_nothing(voted: Path) -> None:
    before = contents(voted, "manifests", "faces")
    refusal = refused(5, "align", "--min-face", "150", "-p", voted)
    assert "faces with votes would be lost" in refusal.message
    assert "--force" in refusal.hint
    assert contents(voted, "manifests", "faces") == before
    assert must("align", "-p", voted)["result"]["is_unchanged"]


def test_align_forced_to_lose_voted_faces_keeps_their_votes_and_gets_them_back(voted: Path) -> None:
    before = {face["face_id"]: face["left"] for face in face_rows(voted)}
    votes = (voted / "manifests/votes.csv").read_bytes()
    answer = must("align", "--min-face", "150", "--force", "-p", voted)
    assert any("Faces that have votes are gone" in warning for warning in answer["warnings"])
    assert (voted / "manifests/votes.csv").read_bytes() == votes
    must("align", "-p", voted)
    assert {face["face_id"]: face["left"] for face in face_rows(voted)} == before


def test_frames_whose_faces_have_votes_are_not_thrown_away_in_passing(voted: Path) -> None:
    before = contents(voted, "manifests", "frames")
    refusal = refused(5, "extract-frames", "--start", "1s", "--end", "2s", "-p", voted)
    assert "would remove frames of" in refusal.message
    assert contents(voted, "manifests", "frames") == before


def test_second_writer_is_told_to_wait_and_readers_go_on(aligned: Path) -> None:
    with FileLock(aligned / ".fer/lock"):
        refusal = refused(3, "align", "--force", "-p", aligned)
        assert "another fer command is using" in refusal.message
        assert "Wait for it to finish" in refusal.hint
        for words in (("status",), ("stats",), ("models",), ("config", "show"), ("labels", "show")):
            assert run_fer(*words, "-p", aligned)[0] == 0, words
        # Nothing to write, nothing to wait for.
        assert must("align", "-p", aligned)["result"]["is_unchanged"]
    assert not must("align", "--force", "-p", aligned)["result"]["is_unchanged"]


WRITERS = {
    "extract-frames": ("extract-frames", "--every", "3s"),
    "align": ("align", "--size", "224"),
    "subjects": ("subjects", "--force"),
    "labels export": ("labels", "export"),
    "report": ("report",),
}


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every file written through core/files fails as on a full disk; the names that were asked for are collected."""
    asked: list[str] = []

    def refuse(path: Path, data: bytes = b"") -> None:
        asked.append(path.name)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("fercli.core.files.sync_file", refuse)
    monkeypatch.setattr("fercli.core.commit.write_synced", refuse)
    return asked


@pytest.mark.parametrize("name", WRITERS)
def test_full_disk_is_one_line_and_no_table_changes(aligned: Path, full_disk: list[str], name: str) -> None:
    before = contents(aligned, "manifests", "frames", "faces", "videos")
    refusal = refused(3, *WRITERS[name], "-p", aligned)
    assert "disk full" in refusal.message
    assert "Free some space and run the same command again" in refusal.hint
    assert full_disk
    assert contents(aligned, "manifests", "frames", "faces", "videos") == before
    assert not [path for path in tree(aligned) if path.rpartition("/")[2].startswith(".")]


def test_disk_that_fills_up_in_the_middle_loses_nothing_and_goes_on(
    can_mount: None, aligned_template: Path, tmp_path: Path
) -> None:
    script = f"""
    set -u
    mount -t tmpfs -o size=$3k tmpfs "$1" && cp -a "$2" "$1/mine" || exit 99
    {sys.executable} -m fercli align --size 224 --force -p "$1/mine"; echo "code $?"
    cat "$1/mine/manifests/faces.csv" > "$1.after"
    find "$1/mine" -name '.*.png' | head -3
    mount -o remount,size=100m "$1"
    {sys.executable} -m fercli align --size 224 --force -p "$1/mine"; echo "code $?"
    ls "$1/mine/faces/lesson-1" | wc -l
    """
    (tmp_path / "disk").mkdir()
    size = sum(path.stat().st_size // 4096 * 4 + 4 for path in aligned_template.rglob("*")) + 300
    done = subprocess.run(
        [*NAMESPACE, script, "sh", str(tmp_path / "disk"), str(aligned_template), str(size)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert "code 3" in lines, (done.stdout, done.stderr)
    assert "disk full" in done.stderr
    assert "Traceback" not in done.stderr
    before = (aligned_template / "manifests/faces.csv").read_text(encoding="utf-8")
    assert (tmp_path / "disk.after").read_text(encoding="utf-8") == before
    assert lines[-2] == "code 0"
    assert int(lines[-1]) == len(face_rows(aligned_template))


def test_read_only_project_is_one_line_and_can_still_be_read(can_mount: None, aligned_template: Path) -> None:
    script = f"""
    mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" || exit 99
    {sys.executable} -m fercli align --force -p "$1"; echo "code $?"
    {sys.executable} -m fercli status -p "$1" > /dev/null; echo "code $?"
    {sys.executable} -m fercli align -p "$1" > /dev/null; echo "code $?"
    """
    done = subprocess.run(
        [*NAMESPACE, script, "sh", str(aligned_template)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout.splitlines() == ["code 3", "code 0", "code 0"], (done.stdout, done.stderr)
    refusal = read_refusal(3, 3, "", done.stderr)
    assert "could not write '" in refusal.message
    assert "': Read-only file system" in refusal.message
    assert "permissions" in refusal.hint


def test_project_whose_memory_is_damaged_works_it_out_again(aligned: Path) -> None:
    before = read_csv(aligned / "manifests/faces.csv")
    for path in (aligned / ".fer/stages").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    assert run_fer("status", "-p", aligned)[0] == 0
    must("align", "-p", aligned)
    assert read_csv(aligned / "manifests/faces.csv") == before


def test_project_without_its_hidden_folder_keeps_what_it_holds(aligned: Path) -> None:
    before = read_csv(aligned / "manifests/faces.csv")
    shutil.rmtree(aligned / ".fer")
    for words in (("extract-frames", "--end", "7s"), ("align",), ("subjects",)):
        must(*words, "-p", aligned)
    assert read_csv(aligned / "manifests/faces.csv") == before


def test_reader_of_the_output_that_leaves_early_is_no_error(aligned: Path) -> None:
    fer = subprocess.Popen([*FER, "status", "-p", str(aligned)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert fer.stdout is not None
    fer.stdout.close()
    _, err = fer.communicate(timeout=60)
    assert fer.returncode == 0
    assert b"Traceback" not in err
    assert b"BrokenPipe" not in err
