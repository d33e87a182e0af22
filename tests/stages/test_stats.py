from pathlib import Path

import pytest

from fercli.core.errors import MissingStageError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Label, SplitRow
from fercli.core.tables import write_table
from fercli.stages.stats import StatsSettings, stats
from fercli.vision.images import image_size

CLASSES = ("happy", "neutral", "bored")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Five faces of two subjects in two videos: one was dropped, one has a tie, one is in no part."""
    project = create_project(tmp_path / "mine", name="mine", classes=CLASSES)
    rows = [
        ("v1/f000000-0", "s001", "happy", "train"),
        ("v1/f000000-1", "s002", "happy", "test"),
        ("v2/f000000-0", "s001", "neutral", "train"),
        ("v2/f000000-1", "", "", ""),
    ]
    faces = [Face(face_id, face_id[:10], face_id[:2], subject_id=subject) for face_id, subject, _, _ in rows]
    faces.append(Face("v2/f000000-2", "v2/f000000", "v2", status="dropped", reason="too small"))
    project.write_rows(faces, Face)
    labels = [Label(face_id, word, "ok" if word else "tie", "majority", 3) for face_id, _, word, _ in rows]
    project.write_rows(labels, Label)
    parts = [SplitRow(face_id, part) for face_id, _, _, part in rows if part]  # type: ignore[arg-type]  # of Split
    write_table(project.split_path("default"), parts, SplitRow)
    return project


def counted(project: Project, by: str) -> dict[str, dict[str, int]]:
    table = stats(project, StatsSettings(by=(by,))).tables[by]  # type: ignore[arg-type]  # of By
    return {group: {name: number for name, number in row.items() if number} for group, row in table.items()}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (
            "split",
            {"train": {"happy": 1, "neutral": 1}, "test": {"happy": 1}, "in no part": {"no label": 1}},
        ),
        (
            "class",
            {"happy": {"train": 1, "test": 1}, "neutral": {"train": 1}, "bored": {}, "no label": {"in no part": 1}},
        ),
        ("subject", {"not known": {"no label": 1}, "s001": {"happy": 1, "neutral": 1}, "s002": {"happy": 1}}),
        ("video", {"v1": {"happy": 2}, "v2": {"neutral": 1, "no label": 1}}),
    ],
)
def test_faces_are_counted(project: Project, by: str, expected: dict[str, dict[str, int]]) -> None:
    assert counted(project, by) == expected


def test_groups_of_a_split_come_in_its_order(project: Project) -> None:
    assert list(counted(project, "split")) == ["train", "test", "in no part"]


def test_dropped_faces_are_told_with_their_reason_and_not_counted(project: Project) -> None:
    result = stats(project, StatsSettings())
    assert (result.num_faces, result.num_labelled, result.dropped) == (4, 3, {"too small": 1})
    assert result.label_statuses == {"ok": 3, "tie": 1}


def test_a_class_without_a_face_is_a_warning(project: Project) -> None:
    assert stats(project, StatsSettings()).warnings == ("No face is labelled bored.",)


def test_plots_are_pictures_in_reports(project: Project) -> None:
    result = stats(project, StatsSettings(by=("split", "class", "subject", "video"), plot=True))
    names = ("split", "subject", "video", "dropped")
    assert result.outputs == tuple(f"reports/stats-{name}.png" for name in names)
    assert all(min(image_size(project.root / path)) > 100 for path in result.outputs)


def test_faces_without_a_split_are_counted_too(project: Project) -> None:
    project.split_path("default").unlink()
    result = stats(project, StatsSettings())
    assert (result.split, result.next_command) == ("", "fer add VIDEO")  # two subjects cannot be split
    assert list(result.tables["split"]) == ["in no part"]


def test_the_faces_of_a_data_set_are_counted_by_its_name(project: Project) -> None:
    project.write_rows([Face("fer2013/000000", "", "", status="given")], Face)
    assert counted(project, "video") == {"fer2013": {"no label": 1}}


def test_folds_count_each_face_once(project: Project) -> None:
    rows = [SplitRow("v1/f000000-0", part, fold) for fold, part in ((0, "test"), (1, "train"))]  # type: ignore[arg-type]
    write_table(project.split_path("folds"), rows, SplitRow)
    result = stats(project, StatsSettings(by=("split",), split="folds"))
    assert sum(result.tables["split"]["test"].values()) == 1


def test_a_split_that_is_not_there_is_told(project: Project) -> None:
    with pytest.raises(MissingStageError, match="split 'other' not found"):
        stats(project, StatsSettings(split="other"))


def test_a_project_without_faces_names_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError, match="no faces"):
        stats(create_project(tmp_path / "new", name="new", classes=CLASSES), StatsSettings())
