import json
import shutil
from pathlib import Path

import pytest
import torch

from fercli.core.project import Project, create_project
from fercli.core.rows import Face
from fercli.learn.device import choose_machine
from fercli.stages import doctor as doctor_stage
from fercli.stages.doctor import Finding, doctor


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path / "mine", name="mine", classes=("a", "b"))


def finding(name: str, project: Project | None = None) -> Finding:
    return next(one for one in doctor(project).findings if one.name == name)


def test_machine_of_the_tests_is_well() -> None:
    problems = [one for one in doctor().findings if one.state == "problem" and one.name != "free disk"]
    assert problems == []


@pytest.mark.parametrize(("features", "state"), [({"amx_bf16": True}, "ok"), ({}, "note")], ids=["with", "without"])
def test_precision_is_that_of_a_training(
    monkeypatch: pytest.MonkeyPatch, features: dict[str, bool], state: str
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    found = finding("bf16 on the processor")
    assert (found.state, found.detail) == (state, choose_machine("cpu").reason)


def test_both_opencv_packages_are_a_problem_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_stage, "_is_installed", lambda name: name == "opencv-python")
    found = finding("opencv variants")
    assert found.state == "problem"
    assert "pip uninstall -y opencv-python opencv-python-headless" in found.hint


def test_look_that_breaks_is_a_finding_and_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Finding]:
        raise OSError("libGL.so.1: cannot open")

    broken.__name__ = "_opencv"
    monkeypatch.setattr(doctor_stage, "_opencv", broken)
    assert "libGL" in finding("opencv").detail
    assert finding("mtcnn weights").state == "ok"


def test_damaged_table_is_a_finding(project: Project) -> None:
    project.table_path(Face).write_text("no,columns\n1,2\n", encoding="utf-8")
    assert finding("tables", project).state == "problem"


def test_file_that_is_committed_and_waits_for_its_place_is_not_missed(project: Project) -> None:
    project.write_rows([Face("v/f000000-0", "v/f000000", "v", 0.0, path="faces/v/f000000-0.png")], Face)
    assert "1 of 1 file is gone" in finding("faces files", project).detail
    waiting = project.root / ".fer/running/align/faces/v/f000000-0.png"
    waiting.parent.mkdir(parents=True)
    waiting.write_bytes(b"crop")
    record = {"number": 1, "folders": [".fer/running/align"]}
    (project.root / ".fer/commit.json").write_text(json.dumps(record), encoding="utf-8")
    assert finding("faces files", project).state == "ok"


def test_interrupted_stage_is_told(project: Project) -> None:
    running = project.root / ".fer" / "running" / "align.jsonl"
    running.parent.mkdir(parents=True)
    lines = ('{"fingerprint": "mark"}', '{"item": "v/f000000", "record": {}}')
    running.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert "'fer align' was interrupted" in finding("stages", project).detail


@pytest.mark.parametrize(
    ("free_gb", "state"), [(5.1, "ok"), (5.0, "note"), (1.1, "note"), (1.0, "problem"), (0.0, "problem")]
)
def test_disk_is_well_above_five_gigabytes_and_a_problem_at_one(
    monkeypatch: pytest.MonkeyPatch, project: Project, free_gb: float, state: str
) -> None:
    # A disk of that size cannot be had for a test.
    usage = shutil.disk_usage(project.root)._replace(free=int(free_gb * 1e9))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    found = finding("free disk", project)
    assert (found.state, found.detail) == (state, f"{free_gb:.1f} GB")
    assert bool(found.hint) == (state != "ok")
