"""`fer subjects` as a user types it."""

import json
from pathlib import Path

from fercli.core.project import create_project
from fercli.core.rows import Face, Subject, Video
from tests.cli.run import run_fer


def make_project(root: Path) -> None:
    project = create_project(root, name="class", classes=("a", "b"))
    rows = [
        Face(f"v/f00000{i}-{n}", f"v/f00000{i}", "v", float(i), left=50.0 + 100 * n, top=50.0, width=40.0, height=50.0)
        for i in range(3)
        for n in range(2)
    ]
    project.write_rows(rows, Face)
    project.write_rows([Video("v", "videos/v.mp4", "", 1, 320, 180)], Video)


def test_subjects_alone_tracks_and_the_others_change_names(tmp_path: Path) -> None:
    make_project(tmp_path)
    code, out, err = run_fer("subjects", "--json", cwd=tmp_path)
    assert code == 0, err
    assert json.loads(out)["result"]["num_subjects"] == 2
    assert run_fer("subjects", "rename", "s001", "ann", cwd=tmp_path)[0] == 0
    (tmp_path / "pupils.csv").write_text("subject_id,subject\ns002,ben\n", encoding="utf-8")
    assert run_fer("subjects", "assign", "pupils.csv", cwd=tmp_path)[0] == 0
    rows = {row["subject_id"]: row["source"] for row in _subjects(tmp_path)}
    assert rows == {"ann": "manual", "ben": "csv"}
    assert run_fer("subjects", "merge", "ann", "ben", cwd=tmp_path)[0] == 0
    assert [row["subject_id"] for row in _subjects(tmp_path)] == ["ann"]


def test_unknown_subject_is_an_input_error_with_a_suggestion(tmp_path: Path) -> None:
    make_project(tmp_path)
    run_fer("subjects", "track", cwd=tmp_path)
    code, _, err = run_fer("subjects", "merge", "s001", "s0002", cwd=tmp_path)
    assert code == 4
    assert "subject 's0002' not found" in err


def test_table_with_unknown_faces_ends_partial(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / "pupils.csv").write_text("face_id,subject\nv/f000000-0,ann\nnowhere,ben\n", encoding="utf-8")
    code, out, _ = run_fer("subjects", "assign", "pupils.csv", cwd=tmp_path)
    assert code == 6
    assert "nowhere" in out


def test_subjects_before_faces_ends_with_the_command_to_run(tmp_path: Path) -> None:
    run_fer("init", tmp_path, "--classes", "a,b")
    code, _, err = run_fer("subjects", cwd=tmp_path)
    assert code == 7
    assert "fer align" in err


def _subjects(root: Path) -> list[dict[str, object]]:
    from fercli.core.project import open_project

    return [{"subject_id": row.subject_id, "source": row.source} for row in open_project(root).rows(Subject)]
