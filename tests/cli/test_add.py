import json
from pathlib import Path

import pytest

from fercli.core.project import create_project
from tests.cli.run import run_fer
from tests.vision.videos import coded, write_video


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return create_project(tmp_path / "p", name="p", classes=("happy", "sad")).root


def test_add_says_what_came_in_and_what_is_next(root: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [coded(1)] * 5)
    code, out, _ = run_fer("add", video, "--session", "monday", "-p", root)
    assert code == 0
    assert "videos/a.mp4" in out
    assert "fer extract-frames" in out
    code, out, _ = run_fer("add", video, "--session", "monday", "-p", root)
    assert code == 0
    assert "nothing to do" in out


def test_add_links_when_asked(root: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [coded(1)] * 5)
    assert run_fer("add", "--link", video, "-p", root)[0] == 0
    assert (root / "videos" / "a.mp4").is_symlink()


def test_add_of_a_broken_file_beside_a_good_one_is_partial(root: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [coded(1)] * 5)
    (tmp_path / "b.mp4").write_text("no video", encoding="utf-8")
    code, out, _ = run_fer("add", video, tmp_path / "b.mp4", "-p", root, "--json")
    assert code == 6
    shown = json.loads(out)
    assert shown["result"]["num_videos"] == 1
    assert shown["result"]["failures"][0]["item"] == "b.mp4"


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"words " * 50, "cannot open video"), (None, "no file or folder")]
)
def test_add_of_nothing_readable_is_an_input_error(
    root: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "b.mp4").write_bytes(content)
    code, _, err = run_fer("add", tmp_path / "b.mp4", "-p", root)
    assert code == 4
    assert message in err
    assert "Traceback" not in err
