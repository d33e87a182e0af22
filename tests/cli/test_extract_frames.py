import json
from pathlib import Path

import pytest

from fercli.core.project import create_project
from fercli.core.rows import Frame
from tests.cli.run import run_fer
from tests.vision.videos import coded, write_video


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = create_project(tmp_path / "p", name="p", classes=("happy", "sad")).root
    video = write_video(tmp_path / "a.mp4", [coded(i) for i in range(30)], fps=10)
    assert run_fer("add", video, "-p", root)[0] == 0
    return root


def test_durations_are_read_and_frames_are_counted(root: Path) -> None:
    code, out, _ = run_fer("extract-frames", "--every", "500ms", "--start", "1s", "-p", root, "--json")
    assert code == 0
    assert json.loads(out)["result"]["num_frames"] == 4


def test_unreadable_video_makes_the_command_partial(root: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "b.mp4", [coded(i) for i in range(5)])
    run_fer("add", video, "-p", root)
    (root / "videos" / "b.mp4").write_bytes(b"")
    code, out, _ = run_fer("extract-frames", "-p", root)
    assert code == 6
    assert "changed since it was added" in out
    assert (root / "manifests" / "frames.csv").exists()


def test_unknown_method_is_a_usage_error(root: Path) -> None:
    code, _, err = run_fer("extract-frames", "--method", "best", "-p", root)
    assert code == 2
    assert "every, uniform, change, kmeans, scene" in err


def test_project_without_videos_names_the_stage_that_is_missing(tmp_path: Path) -> None:
    root = create_project(tmp_path / "q", name="q", classes=("happy", "sad")).root
    code, _, err = run_fer("extract-frames", "-p", root)
    assert code == 7
    assert "Run: fer add" in err


def test_dry_run_makes_no_table(root: Path) -> None:
    code, out, _ = run_fer("extract-frames", "--dry-run", "-p", root)
    assert code == 0
    assert "would extract frames of 'a'" in out
    assert not (root / "manifests" / f"{Frame.__name__.lower()}s.csv").exists()
