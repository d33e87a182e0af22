import json
from pathlib import Path

import numpy as np
import pytest

from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.split import SplitSettings, split
from fercli.vision.images import write_png
from tests.cli.run import run_fer
from tests.stages.voted import all_votes, make_faces, write_votes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_faces(tmp_path / "p", num_subjects=4, num_frames=3)
    rng = np.random.default_rng(0)
    for row in project.rows(Face):
        write_png(project.root / row.path, rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "votes.csv", all_votes(4, 3))])
    split(project, SplitSettings())
    return project


def test_bare_check_runs_all_checks(project: Project) -> None:
    code, out, _ = run_fer("check", "-p", project.root, "--json")
    assert code == 0
    assert json.loads(out)["result"]["leakage"]["default"]["identical_across_splits"] == 0


def test_leak_ends_with_five_and_json_tells_the_number(project: Project) -> None:
    part_of = {row.split: row.face_id for row in project.split_rows("default")}
    data = (project.root / f"faces/{part_of['train']}.png").read_bytes()
    (project.root / f"faces/{part_of['test']}.png").write_bytes(data)
    code, out, _ = run_fer("check", "leakage", "-p", project.root, "--json")
    assert code == 5
    shown = json.loads(out)
    assert shown["result"]["identical_across_splits"] == 1
    assert shown["ok"] is False
    code, out, _ = run_fer("check", "leakage", "-p", project.root)
    assert code == 5
    assert "check failed: 1 val or test faces are byte-identical" in out


def test_checks_of_images_and_labels_pass(project: Project) -> None:
    assert run_fer("check", "images", "-p", project.root)[0] == 0
    assert run_fer("check", "labels", "-p", project.root)[0] == 0
    assert run_fer("check", "labels", "--min", "0.9999", "-p", project.root)[0] == 5


def test_dry_run_of_a_mending_check_mends_nothing(project: Project) -> None:
    row = project.rows(Face)[0]
    (project.root / row.path).unlink()
    before = project.table_path(Face).read_bytes()
    assert run_fer("check", "images", "--fix", "--dry-run", "-p", project.root)[0] == 5
    assert run_fer("check", "--fix", "--dry-run", "-p", project.root)[0] == 5
    assert project.table_path(Face).read_bytes() == before
    assert run_fer("check", "images", "--fix", "-p", project.root)[0] == 0
    assert project.table_path(Face).read_bytes() != before
