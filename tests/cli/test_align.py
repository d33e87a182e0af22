"""`fer align` as a user types it."""

import json
from pathlib import Path

from tests.cli.run import run_fer
from tests.stages.lesson import make_lesson


def test_align_counts_faces_and_names_the_next_command(tmp_path: Path) -> None:
    make_lesson(tmp_path, num_frames=1)
    code, out, err = run_fer("align", "--min-face", 40, "--min-confidence", 0.8, "--device", "cpu", cwd=tmp_path)
    assert code == 0, err
    assert "faces" in out
    assert "fer subjects track" in out
    code, out, _ = run_fer(
        "align", "--min-face", 40, "--min-confidence", 0.8, "--device", "cpu", "--json", cwd=tmp_path
    )
    answer = json.loads(out)
    assert (code, answer["schema"], answer["result"]["num_faces"]) == (0, "fer.align/1", 2)
    assert answer["result"]["is_unchanged"]


def test_damaged_frame_ends_partial(tmp_path: Path) -> None:
    project = make_lesson(tmp_path, num_frames=2)
    next(project.root.glob("frames/*/f000000.jpg")).write_bytes(b"")
    code, out, _ = run_fer("align", "--min-face", 40, "--device", "cpu", cwd=tmp_path)
    assert code == 6
    assert "lesson-1/f000000" in out
    assert "is empty (0 bytes)" in out


def test_align_before_frames_ends_with_the_command_to_run(tmp_path: Path) -> None:
    run_fer("init", tmp_path, "--classes", "a,b")
    code, _, err = run_fer("align", cwd=tmp_path)
    assert code == 7
    assert "fer extract-frames" in err


def test_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    make_lesson(tmp_path, num_frames=1)
    code, _, err = run_fer("align", "--device", "cuda:99", cwd=tmp_path)
    assert code == 2
    assert "cuda:99" in err
