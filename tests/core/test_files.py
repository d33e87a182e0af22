import errno
import os
from pathlib import Path

import pytest

from fercli.core.errors import ProjectError
from fercli.core.files import (
    count_files,
    replace_text,
    replacing,
    sha256_of,
    slug,
    storage_error,
    sweep_temporaries,
    unused,
)


def test_a_failed_write_keeps_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    replace_text(path, "old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_says_so(tmp_path: Path) -> None:
    def fill() -> None:
        with replacing(tmp_path / "a.txt"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(ProjectError, match="disk full") as caught:
        fill()
    assert "Free some space" in caught.value.hint


def test_what_a_killed_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    with replacing(tmp_path / "a" / "lesson-1.mp4") as temporary:
        temporary.write_bytes(b"x")
        left = temporary.read_bytes(), temporary
    left[1].write_bytes(left[0])  # as if it had never been renamed
    kept = [
        tmp_path / "a" / name for name in (".notes~1.txt", "b~12345678.txt", ".hidden-12345678.txt", "lesson-1.mp4")
    ]
    for path in kept:
        path.write_bytes(b"x")
    sweep_temporaries(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_a_forbidden_folder_says_so() -> None:
    assert "permissions" in storage_error(PermissionError(errno.EACCES, "Permission denied"), Path("x")).hint


def test_files_are_counted_in_all_folders_below(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    for name in ("one", "a/two", "a/b/three"):
        (tmp_path / name).touch()
    assert (count_files(tmp_path), count_files(tmp_path / "missing")) == (3, 0)


def test_sha256_is_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lesson 1.mp4", "lesson-1-mp4"),
        ("Übung", "ubung"),
        ("../..", "x"),
        ("第一课", "u7b2cu4e00u8bfe"),
        ("a_b", "a_b"),
    ],
)
def test_slugs_are_safe_parts_of_ids(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_a_file_name_that_is_not_utf8_has_a_slug() -> None:
    assert slug(os.fsdecode(b"caf\xe9-1")) != ""


def test_unused_counts_on() -> None:
    assert unused("a", {"a", "a-2"}) == "a-3"
