from dataclasses import replace
from pathlib import Path

import pytest

from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Frame, Label, Prediction
from fercli.stages.demo.material import SeenFace, Truth, truth_path
from fercli.stages.demo.truth import (
    compare_faces,
    judge_model,
    match_faces,
    overlap,
    subject_purity,
    vote_accuracy,
)

CLASSES = ("happy", "bored")
PUPIL = Truth(frame_index=0, pupil="p1", left=10, top=10, width=20, height=20, emotion="happy", intensity=1.0)
OTHER = replace(PUPIL, pupil="p2", left=60)


def face(number: int, left: float, **changes: object) -> Face:
    one = Face(f"v/f000000-{number}", "v/f000000", "v", left=left, top=10.0, width=20.0, height=20.0)
    return replace(one, path=f"faces/v/f000000-{number}.png", **changes)  # type: ignore[arg-type]


def seen(number: int, truth: Truth) -> SeenFace:
    return SeenFace(f"v/f000000-{number}", "", truth)


def test_boxes_that_share_a_third_overlap_by_a_third() -> None:
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (10, 0, 5, 5)) == 0


def test_each_true_face_is_found_once() -> None:
    pairs = match_faces([face(0, 11.0), face(1, 10.0), face(2, 61.0), face(3, 200.0)], [PUPIL, OTHER])
    assert [(pair.face_id, pair.truth.pupil) for pair in pairs] == [("v/f000000-1", "p1"), ("v/f000000-2", "p2")]


def test_face_that_overlaps_by_less_than_half_is_not_found() -> None:
    assert match_faces([face(0, 17.0)], [PUPIL]) == []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = create_project(tmp_path, name="p", classes=CLASSES)
    project.write_rows([Frame("v/f000000", "v", 0, 0.0, "frames/v/f000000.jpg")], Frame)
    path = truth_path(project.root, "v")
    path.parent.mkdir(parents=True)
    path.write_text(
        "frame_index,pupil,left,top,width,height,emotion,intensity\n"
        "0,p1,10,10,20,20,happy,1\n0,p2,60,10,20,20,bored,0.5\n1,p1,10,10,20,20,happy,1\n",
        encoding="utf-8",
    )
    return project


def test_recall_counts_kept_frames_and_precision_what_was_cut_out(project: Project) -> None:
    faces = [face(0, 10.0), face(1, 200.0), face(2, 60.0, status="dropped")]
    project.write_rows(faces, Face)
    found = compare_faces(project, ["v"])
    assert (found.num_true, found.num_faces, len(found.seen)) == (2, 2, 1)
    assert (found.recall, found.precision) == (0.5, 0.5)


def test_no_faces_give_no_recall_and_no_precision(project: Project) -> None:
    project.write_rows([], Face)
    found = compare_faces(project, ["v"])
    assert (found.recall, found.precision) == (0.0, 0.0)


def test_purity_is_the_share_of_faces_under_their_own_pupil() -> None:
    faces = [face(number, 10.0, subject_id=subject) for number, subject in enumerate(("s1", "s1", "s1", "s2"))]
    truths = [seen(0, PUPIL), seen(1, PUPIL), seen(2, OTHER), seen(3, OTHER)]
    assert subject_purity(faces, truths) == 0.75


def test_face_without_a_subject_lowers_purity() -> None:
    faces = [face(0, 10.0, subject_id="s1"), face(1, 10.0)]
    assert subject_purity(faces, [seen(0, PUPIL), seen(1, PUPIL)]) == 0.5


def test_votes_are_scored_where_they_agreed() -> None:
    labels = [
        Label("v/f000000-0", "happy", "ok", "majority", 5),
        Label("v/f000000-1", "bored", "ok", "majority", 5),
        Label("v/f000000-2", "", "tie", "majority", 4),
    ]
    assert vote_accuracy(labels, [seen(number, PUPIL) for number in range(3)]) == 0.5


def test_model_is_judged_by_the_truth_and_not_by_its_label() -> None:
    rows = [
        Prediction(f"v/f000000-{number}", f"s{number % 6}", "v", "test", "bored", "happy", {"happy": 0.9, "bored": 0.1})
        for number in range(12)
    ]
    truths = [seen(number, PUPIL if number % 6 else replace(PUPIL, emotion="bored")) for number in range(12)]
    figures = judge_model(rows, truths, CLASSES, seed=0)
    assert figures.accuracy == pytest.approx(10 / 12)
    assert figures.majority_rate == pytest.approx(10 / 12)
    assert figures.num_subjects == 6
    assert figures.low is not None
    assert figures.low < figures.accuracy


def test_few_subjects_give_no_interval_and_the_reason() -> None:
    rows = [Prediction("v/f000000-0", "s0", "v", "test", "happy", "happy", {"happy": 0.9, "bored": 0.1})]
    figures = judge_model(rows, [seen(0, PUPIL)], CLASSES, seed=0)
    assert figures.low is None
    assert "5" in figures.reason
