"""`fer eval --by`: scores by group, differences with tests, and what is said of small groups."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import UsageError
from fercli.core.project import Project
from fercli.core.rows import Attribute, Face, Prediction, SplitRow
from fercli.core.runs import find_run
from fercli.core.tables import read_table, write_table
from fercli.stages.evaluate import EvalSettings, evaluate
from fercli.stages.groups import GroupsResult, groups
from fercli.stages.groups.page import group_tables
from fercli.vision.images import read_image
from tests.cli.run import run_fer
from tests.drawn import must, read_csv
from tests.stages.trained import RUN_ID, trained_project, write_run

EVAL = f"runs/{RUN_ID}/eval/test"
WIDTHS = (24.0, 60.0, 200.0)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Eight subjects of two videos, seven in the test set; faces of three sizes; glasses and cameras are attached."""
    project = trained_project(tmp_path_factory.mktemp("groups") / "mine", num_subjects=8)
    faces = [
        dataclasses.replace(
            face, left=1.0, top=1.0, width=WIDTHS[int(face.face_id[-1])], height=20.0, blur=0.1,
            video_id="late" if face.subject_id > "s004" else "lesson",
        )
        for face in project.rows(Face)
    ]  # fmt: skip
    project.write_rows(
        [*faces, dataclasses.replace(faces[0], face_id="x/f0-0", status="dropped", reason="blurred")], Face
    )
    rows = [SplitRow(face.face_id, "train" if face.subject_id == "s000" else "test") for face in faces]
    write_table(project.split_path("default"), rows, SplitRow)
    attributes = [Attribute("subject", f"s00{n}", "glasses", "yes" if n < 3 else "no") for n in range(7)]
    attributes += [Attribute("subject", f"s00{n}", "age", str(10 + n)) for n in range(8)]
    attributes += [Attribute("subject", f"s00{n}", "twin", "yes" if n == 6 else "no") for n in range(8)]
    attributes += [Attribute("video", video, "camera", video[:2]) for video in ("lesson", "late")]
    project.write_rows(attributes, Attribute)
    write_run(project)
    return project


def by(project: Project, *columns: str) -> GroupsResult:
    return groups(project, EvalSettings(by=columns))


def of_column(result: GroupsResult, name: str) -> dict[str, object]:
    return next(column for column in result.columns if column["column"] == name)


def predictions(project: Project) -> list[Prediction]:
    return read_table(project.root / EVAL / "predictions.csv", Prediction)


def test_each_group_has_the_scores_of_its_faces(evaluated: Project) -> None:
    result = by(evaluated, "glasses")
    rows = predictions(evaluated)
    found = {one["group"]: one for one in of_column(result, "glasses")["groups"]}  # type: ignore[attr-defined]  # JSON
    for name, subjects in (("yes", {"s001", "s002"}), ("no", {"s003", "s004", "s005", "s006"})):
        mine = [row for row in rows if row.subject_id in subjects]
        share = np.mean([row.label == row.predicted for row in mine])
        assert found[name]["accuracy"]["value"] == pytest.approx(share, abs=1e-12)
        assert (found[name]["num_faces"], found[name]["num_units"]) == (len(mine), len(subjects))
    assert of_column(result, "glasses")["num_unknown"] == 3


def test_columns_of_subjects_are_tested_between_them_and_those_of_faces_within(evaluated: Project) -> None:
    result = by(evaluated, "glasses", "face-size")
    tests = {
        column["column"]: {one["test"] for one in column["differences"] if one["score"] == "accuracy"}
        for column in result.columns
    }
    assert tests == {"glasses": {"permutation over subjects"}, "face-size": {"paired within subjects"}}
    assert [one["group"] for one in of_column(result, "face-size")["groups"]] == ["24", "60", "200"]  # type: ignore[attr-defined]  # JSON


def test_p_values_are_corrected_over_all_columns_of_a_call(evaluated: Project) -> None:
    differences = [one for column in by(evaluated, "glasses", "face-size").columns for one in column["differences"]]
    accuracies = [one for one in differences if one["score"] == "accuracy"]
    assert len(accuracies) == 4
    smallest = min(accuracies, key=lambda one: one["p"])
    assert smallest["p_holm"] == pytest.approx(min(1.0, 4 * smallest["p"]))


def test_small_groups_are_warned_of_and_the_smallest_loudest(evaluated: Project) -> None:
    said = by(evaluated, "glasses", "twin").warnings
    assert (
        "By glasses, 'yes' has only 6 faces of 2 subjects, 'no' has only 12 faces of 4 subjects: no interval, and "
        "other subjects may give other scores."
    ) in said
    assert (
        "By twin, 'yes' has only 3 faces of 1 subject: the scores of a single subject must not be taken for those of a "
        "group."
    ) in said
    assert "By twin, some p cannot be smaller than 0.143: there are too few subjects." in said


def test_many_numbers_are_put_into_thirds(evaluated: Project) -> None:
    column = of_column(by(evaluated, "age"), "age")
    assert column["is_binned"] is True
    names = [one["group"] for one in column["groups"]]  # type: ignore[attr-defined]  # JSON
    assert names == ["low (11 to 13)", "middle (14 to 15)", "high (16 to 17)"]


def test_brightness_is_that_of_the_crops(evaluated: Project) -> None:
    column = of_column(by(evaluated, "brightness"), "brightness")
    values = [float(read_image(evaluated.root / f"faces/{row.face_id}.png").mean()) for row in predictions(evaluated)]
    first = column["groups"][0]["group"]  # type: ignore[index]  # JSON
    assert first.startswith(f"low ({min(values):.3g} to ")


def test_detection_counts_faces_found_and_dropped_by_video_and_size(evaluated: Project) -> None:
    result = by(evaluated, "video", "face-size")
    found = {(one["column"], one["group"]): one for one in result.detections}
    assert found["video", "lesson"]["num_dropped"] == 1
    assert found["video", "lesson"]["reasons"] == {"blurred": 1}
    assert found["video", "late"]["num_found"] == 9
    assert found["face-size", "160 px or more"]["num_kept"] == 8
    assert len(read_csv(evaluated.root / EVAL / "detections.csv")) == 5


def test_a_column_that_says_nothing_is_named(evaluated: Project) -> None:
    said = "\n".join(by(evaluated, "blur", "yaw", "agreement").warnings)
    assert "By blur there is nothing to compare: all faces are '0.1'." in said
    assert "By yaw there is nothing to compare: no face of this set has a value" in said


def test_all_takes_every_column(evaluated: Project) -> None:
    names = {column["column"] for column in by(evaluated, "all").columns}
    assert names == {"video", "face-size", "brightness", "age", "camera", "glasses", "twin"}


def test_files_hold_what_is_shown_and_a_second_call_does_nothing(evaluated: Project) -> None:
    result = by(evaluated, "glasses", "camera")
    record = json.loads((evaluated.root / EVAL / "groups.json").read_text(encoding="utf-8"))
    assert [column["column"] for column in record["columns"]] == ["glasses", "camera"]
    rows = read_csv(evaluated.root / EVAL / "groups.csv")
    assert [(row["column"], row["group"]) for row in rows] == [
        ("glasses", "no"), ("glasses", "yes"), ("camera", "la"), ("camera", "le"),
    ]  # fmt: skip
    caution = "'yes' has only 6 faces of 2 subjects, 'no' has only 12 faces of 4 subjects: no interval"
    assert caution in (evaluated.root / EVAL / "groups.md").read_text(encoding="utf-8")
    assert caution in group_tables(find_run(evaluated.root), "test")[0].note
    assert by(evaluated, "glasses", "camera").is_unchanged
    assert f"{EVAL}/groups.md" in result.outputs
    assert evaluate(evaluated, EvalSettings()).is_unchanged


def test_an_unknown_column_is_refused_with_a_hint(evaluated: Project) -> None:
    with pytest.raises(UsageError, match="--by glases: no such column") as caught:
        by(evaluated, "glases")
    assert "Did you mean 'glasses'?" in caught.value.hint


def test_the_command_line_shows_scores_and_groups(evaluated: Project) -> None:
    answer = must("eval", "--by", "glasses,face-size", "-p", evaluated.root)["result"]
    assert [column["column"] for column in answer["columns"]] == ["glasses", "face-size"]
    code, out, _ = run_fer("eval", "--by", "glasses,subject", "-p", evaluated.root)
    assert code == 0
    assert "majority-class baseline" in out
    assert "Differences between groups" in out
    code, _, err = run_fer("eval", "--folds", "--by", "glasses", "-p", evaluated.root)
    assert (code, "--by evaluates one run, not --folds" in err) == (2, True)


def test_nothing_is_written_by_a_dry_run(evaluated: Project, tmp_path: Path) -> None:
    shutil.copytree(evaluated.root, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / f"runs/{RUN_ID}/eval", ignore_errors=True)
    result = must("eval", "--by", "camera", "--dry-run", "-p", tmp_path / "copy")["result"]
    assert result["plan"] == [f"evaluate run {RUN_ID} on the test faces, by camera"]
    assert not (tmp_path / "copy" / EVAL).exists()


def test_the_report_shows_the_groups_of_its_predictions_alone(evaluated: Project, tmp_path: Path) -> None:
    by(evaluated, "glasses", "video")
    run = find_run(evaluated.root)
    assert [table.caption for table in group_tables(run, "test")] == [
        "By glasses", "By video", "Differences between groups", "Faces found and dropped",
    ]  # fmt: skip
    shutil.copytree(run.folder, tmp_path / "runs" / RUN_ID)
    other = find_run(tmp_path)
    path = other.folder / "eval/test/predictions.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("0.3", "0.2"), encoding="utf-8")
    assert group_tables(other, "test") == ()
