"""`fer trace`, `fer doctor` and `fer config show` as a user types them."""

import json
from pathlib import Path

from fercli.core.project import create_project
from fercli.core.rows import Face, Video
from tests.cli.run import run_fer


def test_config_of_a_fresh_project_is_built_in(tmp_path: Path) -> None:
    create_project(tmp_path, name="mine", classes=("a", "b"))
    code, out, _ = run_fer("config", "show", "-p", tmp_path, "--json")
    assert code == 0
    settings = json.loads(out)["result"]["settings"]
    assert {setting["origin"] for setting in settings} == {"built-in"}


def test_doctor_finds_a_lost_file(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="mine", classes=("a", "b"))
    project.write_rows([Face("v/f1-0", "v/f1", "v", path="faces/v/f1-0.png")], Face)
    code, out, _ = run_fer("doctor", "-p", tmp_path, "--json")
    answer = json.loads(out)
    lost = [finding for finding in answer["result"]["findings"] if finding["name"] == "faces files"]
    assert lost[0]["state"] == "problem"
    assert "faces/v/f1-0.png" in lost[0]["detail"]
    assert code == 5
    assert not answer["ok"]


def test_doctor_finds_a_video_whose_bytes_changed(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="mine", classes=("a", "b"))
    (tmp_path / "videos" / "v.mp4").write_bytes(b"other")
    project.write_rows([Video("v", "videos/v.mp4", "0" * 64, 5, 64, 48)], Video)
    _, out, _ = run_fer("doctor", "-p", tmp_path, "--json")
    assert any("file changed since" in finding["detail"] for finding in json.loads(out)["result"]["findings"])


def test_doctor_works_outside_a_project(tmp_path: Path) -> None:
    _, out, _ = run_fer("doctor", "--json", cwd=tmp_path)
    names = {finding["name"] for finding in json.loads(out)["result"]["findings"]}
    assert {"python", "torch", "device", "H.264", "mtcnn weights"} <= names


def test_trace_says_where_a_face_comes_from(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="mine", classes=("a", "b"))
    project.write_rows([Face("v/f1-0", "v/f1", "v", status="given", source_row=17)], Face)
    code, out, _ = run_fer("trace", "v/f1-0", "-p", tmp_path)
    assert code == 0
    assert "source row 17" in out
