"""Files whose digests are remembered as long as they look untouched."""

import json
import os
import sys
import time
from pathlib import Path

import pytest

from fercli.core import digests as module
from fercli.core.digests import FileDigests

A, B = (
    "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",  # printf a | sha256sum
    "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FEW_FILES", 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "faces" / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"a")
    return path


def digest(root: Path, file: Path) -> str:
    with FileDigests(root) as digests:
        return digests.sha256(file)


def remember(root: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the file had lain there for a while."""
    monkeypatch.setattr(module, "_TOO_YOUNG_NS", -1)
    assert digest(root, file) == A
    monkeypatch.undo()


def test_young_file_is_read_again(tmp_path: Path, file: Path) -> None:
    # Whatever was written in the last two seconds may be written again without its time telling.
    os.utime(file, ns=(time.time_ns() + 10**9, time.time_ns() + 10**9))
    assert digest(tmp_path, file) == A
    known = json.loads((tmp_path / ".fer/cache/digests.json").read_text(encoding="utf-8"))
    assert known == {}


def test_untouched_file_is_not_read(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(tmp_path, file, monkeypatch)
    cache = tmp_path / ".fer/cache/digests.json"
    # What is remembered is believed: this is how one sees that nothing was read.
    cache.write_text(cache.read_text(encoding="utf-8").replace(A, "remembered"), encoding="utf-8")
    assert digest(tmp_path, file) == "remembered"


def test_touch_costs_one_reading_and_changes_nothing(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path, file, monkeypatch)
    os.utime(file, ns=(1, 1))
    assert digest(tmp_path, file) == A


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no time of status")
def test_bytes_that_changed_under_the_same_size_and_time_are_noticed(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path, file, monkeypatch)
    before = file.stat()
    file.write_bytes(b"b")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest(tmp_path, file) == B


@pytest.mark.parametrize("text", ["{", "[]", '{"faces/a.png": 5}', '{"faces/a.png": [1, 2, 3, 4]}'], ids=ascii)
def test_damaged_cache_is_made_again(tmp_path: Path, file: Path, text: str) -> None:
    cache = tmp_path / ".fer/cache/digests.json"
    cache.parent.mkdir(parents=True)
    cache.write_text(text, encoding="utf-8")
    assert digest(tmp_path, file) == A


def test_missing_file_and_folder_have_no_digest(tmp_path: Path, file: Path) -> None:
    assert (digest(tmp_path, tmp_path / "gone"), digest(tmp_path, file.parent)) == ("missing", "missing")


def test_names_of_files_elsewhere_are_not_kept(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "mine"
    remember(root, file, monkeypatch)
    text = (root / ".fer/cache/digests.json").read_text(encoding="utf-8")
    assert A in text
    assert "a.png" not in text


def test_few_files_write_nothing(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FEW_FILES", 2)
    assert digest(tmp_path, file) == A
    assert not (tmp_path / ".fer").exists()
