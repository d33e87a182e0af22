"""`fer subjects`: seats to subjects, names that stay, tables from elsewhere, and what a person decides."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError, MissingStageError, UsageError
from fercli.core.files import replace_text
from fercli.core.people import subject_sources, unmatched_videos
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Frame, Split, SplitRow, Subject, Video
from fercli.core.splits import labels_mark
from fercli.core.tables import write_table
from fercli.stages.report import ReportSettings
from fercli.stages.report.commands import recipe_of
from fercli.stages.subjects import (
    SubjectsResult,
    TrackSettings,
    assign_subjects,
    confirm_subjects,
    merge_subjects,
    rename_subject,
    split_subject,
    track_subjects,
    undo_subjects,
)
from fercli.stages.subjects import tables as subject_tables
from fercli.stages.subjects.history import read_steps
from fercli.vision.images import read_image, write_png

SEATS = {"left": 50.0, "middle": 150.0, "right": 250.0}


def seen(video_id: str, index: int, *lefts: float, width: float = 40.0, number: int = 0) -> list[Face]:
    """Faces of one frame, numbered in the order given."""
    frame_id = f"{video_id}/f{index:06d}"
    return [
        Face(
            f"{frame_id}-{number + place}", frame_id, video_id, 2.0 * index, left=left, top=60.0, width=width,
            height=width * 1.2, path=f"faces/{frame_id}-{number + place}.png",
        )
        for place, left in enumerate(lefts)
    ]  # fmt: skip


def make_project(root: Path, faces: list[Face], sessions: dict[str, str] | None = None) -> Project:
    project = create_project(root / "class", name="class", classes=("a", "b"))
    sessions = sessions or {}
    ids = sorted({face.video_id for face in faces})
    videos = [Video(name, f"videos/{name}.mp4", "", 1, 320, 180, session=sessions.get(name, "")) for name in ids]
    project.write_rows(videos, Video)
    project.write_rows(faces, Face)
    for place, face in enumerate(faces):
        if face.path:
            write_png(project.root / face.path, np.full((8, 8, 3), 40 + place, np.uint8))
    return project


@pytest.fixture
def lesson(tmp_path: Path) -> Project:
    """Three seats, three frames, detected in another order each time; the middle pupil is away once."""
    left, middle, right = SEATS.values()
    frames = [
        seen("v", 0, left, middle, right),
        seen("v", 1, right + 4, left - 3),
        seen("v", 2, middle + 2, right, left),
    ]
    return make_project(tmp_path, [face for frame in frames for face in frame])


def seats_of(project: Project) -> dict[str, set[str]]:
    """For each subject the seats that its faces are nearest to."""
    found: dict[str, set[str]] = {}
    for face in project.rows(Face):
        seat = min(SEATS, key=lambda name: abs(SEATS[name] - (face.left or 0)))
        found.setdefault(face.subject_id, set()).add(seat)
    return found


def subject_at(project: Project, seat: str, video_id: str = "v") -> str:
    faces = [face for face in project.rows(Face) if face.video_id == video_id]
    return min(faces, key=lambda face: abs((face.left or 0) - SEATS[seat])).subject_id


def test_each_seat_is_one_subject_from_left_to_right(lesson: Project) -> None:
    result = track_subjects(lesson, TrackSettings())
    assert (result.num_subjects, result.num_faces, result.num_changed) == (3, 8, 8)
    assert seats_of(lesson) == {"s001": {"left"}, "s002": {"middle"}, "s003": {"right"}}


def test_table_of_subjects_counts_their_faces(lesson: Project) -> None:
    track_subjects(lesson, TrackSettings())
    assert lesson.rows(Subject)[1] == Subject("s002", "tracks", 2, 1, "v", "v/f000000-1")


def test_contact_sheet_shows_every_subjects_faces(lesson: Project) -> None:
    result = track_subjects(lesson, TrackSettings())
    sheet = read_image(lesson.root / "reports" / "subjects.png")
    assert "reports/subjects.png" in result.outputs
    assert all((sheet == 40 + place).all(axis=2).sum() >= 75 * 75 for place in range(8))


def test_sheet_that_fewer_subjects_do_not_need_goes(lesson: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject_tables, "_ROWS_A_SHEET", 1)
    result = track_subjects(lesson, TrackSettings())
    sheets = [path for path in result.outputs if path.startswith("reports/")]
    assert sheets == ["reports/subjects.png", *(f"reports/subjects-{page}.png" for page in range(2, len(sheets) + 1))]
    assert len(sheets) > 1
    monkeypatch.setattr(subject_tables, "_ROWS_A_SHEET", 99)
    track_subjects(lesson, TrackSettings(), force=True)
    assert [path.name for path in (lesson.root / "reports").glob("subjects*")] == ["subjects.png"]


def test_second_run_has_nothing_to_do(lesson: Project) -> None:
    first = track_subjects(lesson, TrackSettings())
    second = track_subjects(lesson, TrackSettings())
    assert second.is_unchanged
    assert second.num_subjects == first.num_subjects


def test_dry_run_changes_nothing(lesson: Project) -> None:
    before = lesson.rows(Face)
    assert "8 faces" in track_subjects(lesson, TrackSettings(), dry_run=True).plan[0]
    assert lesson.rows(Face) == before


def test_other_video_has_other_subjects(tmp_path: Path) -> None:
    project = make_project(tmp_path, [*seen("v", 0, 50.0), *seen("w", 0, 50.0)])
    track_subjects(project, TrackSettings())
    assert subject_at(project, "left", "v") != subject_at(project, "left", "w")


@pytest.mark.parametrize(("session", "is_same"), [("monday", True), ("", False)])
def test_seat_is_one_subject_through_a_session_when_asked(tmp_path: Path, session: str, is_same: bool) -> None:
    faces = [*seen("v", 0, 50.0), *seen("w", 0, 50.0)]
    project = make_project(tmp_path, faces, {"v": session, "w": session})
    track_subjects(project, TrackSettings(join_sessions=True))
    assert (subject_at(project, "left", "v") == subject_at(project, "left", "w")) is is_same


@pytest.mark.parametrize(("looks", "number"), [((40, 40, 40), 1), ((40, 40, 200), 2), ((40, 120, 200), 3)])
def test_moving_camera_tells_people_by_their_looks(tmp_path: Path, looks: tuple[int, ...], number: int) -> None:
    times = {(0, 1): 50.0, (2, 3, 4, 5, 6, 7, 8, 9): 250.0, (10, 11): 50.0}
    parts = [[face for index in own for face in seen("v", index, left)] for own, left in times.items()]
    project = make_project(tmp_path, [face for part in parts for face in part])
    for part, look in zip(parts, looks, strict=True):
        for face in part:
            write_png(project.root / face.path, np.full((8, 8, 3), look, np.uint8))
    assert track_subjects(project, TrackSettings(max_missed=3)).num_subjects == 2
    result = track_subjects(project, TrackSettings(max_missed=3, camera="moving"), force=True)
    assert result.num_subjects == number


@pytest.mark.parametrize(
    ("across", "source", "is_known"), [(False, "session", False), (True, "seats", True)], ids=["within", "across"]
)
def test_seats_are_joined_across_sessions_where_asked(
    tmp_path: Path, across: bool, source: str, is_known: bool
) -> None:
    faces = [face for name in "uvw" for face in (*seen(name, 0, 50.0, 150.0), *seen(name, 1, 50.0, 150.0))]
    project = make_project(tmp_path, faces, {"u": "monday", "v": "monday", "w": "tuesday"})
    result = track_subjects(project, TrackSettings(join_sessions=True, across_sessions=across))
    assert result.num_subjects == (2 if across else 4)
    assert set(sources_of(project).values()) == {source}
    assert (unmatched_videos(project, project.rows(Face), sources_of(project)) == ()) is is_known
    alone = [face for face in project.rows(Face) if face.video_id != "w"]
    assert unmatched_videos(project, alone, sources_of(project)) == ()


def test_new_frames_join_the_subjects_that_are_there(lesson: Project) -> None:
    track_subjects(lesson, TrackSettings())
    rename_subject(lesson, "s002", "zoe")
    lesson.write_rows([*lesson.rows(Face), *seen("v", 3, *SEATS.values()), *seen("a", 0, 50.0)], Face)
    track_subjects(lesson, TrackSettings())
    assert seats_of(lesson) == {"s001": {"left"}, "zoe": {"middle"}, "s003": {"right"}, "s004": {"left"}}


def test_force_numbers_tracked_subjects_anew_and_keeps_what_a_person_decided(lesson: Project) -> None:
    shuffled = {"left": "s009", "middle": "s008", "right": "s007"}
    faces = []
    for face in lesson.rows(Face):
        seat = min(SEATS, key=lambda name: abs(SEATS[name] - (face.left or 0)))
        faces.append(dataclasses.replace(face, subject_id=shuffled[seat]))
    lesson.write_rows(faces, Face)
    track_subjects(lesson, TrackSettings())
    assert seats_of(lesson) == {"s009": {"left"}, "s008": {"middle"}, "s007": {"right"}}
    rename_subject(lesson, "s008", "zoe")
    track_subjects(lesson, TrackSettings(), force=True)
    assert subject_at(lesson, "middle") == "zoe"
    assert not {"s009", "s007"} & set(seats_of(lesson))


def test_merged_subjects_stay_one_when_tracked_again(lesson: Project) -> None:
    track_subjects(lesson, TrackSettings())
    result = merge_subjects(lesson, "s001", ["s002"])
    assert result.num_subjects == 2
    assert "seen twice in one frame: s001" in result.warnings[0]
    track_subjects(lesson, TrackSettings())
    assert seats_of(lesson) == {"s001": {"left", "middle"}, "s003": {"right"}}


def test_merging_with_itself_or_with_nobody_is_refused(lesson: Project) -> None:
    track_subjects(lesson, TrackSettings())
    with pytest.raises(UsageError, match="cannot be merged with itself"):
        merge_subjects(lesson, "s001", ["s001"])
    with pytest.raises(InputError, match="subject 's01' not found in this project") as caught:
        merge_subjects(lesson, "s001", ["s01"])
    assert "Did you mean" in caught.value.hint


@pytest.mark.parametrize(
    ("new", "message"), [("Zoë", "is not a subject id"), ("s002", "subject 's002' already exists")]
)
def test_impossible_new_name_is_refused(lesson: Project, new: str, message: str) -> None:
    track_subjects(lesson, TrackSettings())
    with pytest.raises(InputError, match=message):
        rename_subject(lesson, "s001", new)


@pytest.mark.parametrize(
    "text",
    [
        "face_id,subject\nv/f000000-0,Ann\nv/f000000-1,Ben\n",
        "track_id;pupil\nv/t000;Ann\nv/t001;Ben\n",
        '\ufeff"subject_id","subject"\ns001,ann\ns002,ben\n',
        "face_id\tsubject_id\nv/f000000-0\tann\nv/f000000-1\tben\n",
        "face_id, subject\nv/f000000-0, Ann\nv/f000000-1, Ben\n",
        '"face_id" ,"subject" \nv/f000000-0,Ann\nv/f000000-1,Ben\n',
    ],
    ids=["faces", "tracks", "subjects", "tabs", "spaces", "quotes"],
)
def test_table_names_subjects(lesson: Project, tmp_path: Path, text: str) -> None:
    track_subjects(lesson, TrackSettings())
    (tmp_path / "pupils.csv").write_text(text, encoding="utf-8")
    assert not assign_subjects(lesson, tmp_path / "pupils.csv").failures
    assert {"ann", "ben"} <= set(seats_of(lesson))
    assert {row.subject_id: row.source for row in lesson.rows(Subject)}["ann"] == "csv"


def test_table_that_is_assigned_again_changes_nothing_and_says_so(lesson: Project, tmp_path: Path) -> None:
    (tmp_path / "pupils.csv").write_text("face_id,subject\nv/f000000-0,Ann\nx/f1-0,ben\n", encoding="utf-8")
    first = assign_subjects(lesson, tmp_path / "pupils.csv")
    log = (lesson.root / ".fer/journal.jsonl").read_bytes()
    again = assign_subjects(lesson, tmp_path / "pupils.csv")
    assert (first.is_unchanged, again.is_unchanged) == (False, True)
    assert (again.num_subjects, again.num_faces, again.failures) == (
        first.num_subjects,
        first.num_faces,
        first.failures,
    )
    assert (lesson.root / ".fer/journal.jsonl").read_bytes() == log


def test_tracking_joins_a_seats_new_faces_to_the_named_subject(lesson: Project, tmp_path: Path) -> None:
    (tmp_path / "pupils.csv").write_text("face_id,subject\nv/f000000-0,Ann\n", encoding="utf-8")
    assign_subjects(lesson, tmp_path / "pupils.csv")
    track_subjects(lesson, TrackSettings())
    assert seats_of(lesson)["ann"] == {"left"}
    assert len([face for face in lesson.rows(Face) if face.subject_id == "ann"]) == 3


def test_items_of_a_table_that_are_not_there_are_listed(lesson: Project, tmp_path: Path) -> None:
    (tmp_path / "pupils.csv").write_text("face_id,subject\nv/f000000-0,ann\nx/f1-0,ben\n", encoding="utf-8")
    assert [failure.item for failure in assign_subjects(lesson, tmp_path / "pupils.csv").failures] == ["x/f1-0"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,who\na,b\n", "the columns are picture, who"),
        ("face_id,subject\nv/f000000-0,\n", "no row names a subject"),
        ("face_id,subject\nv/f000000-0,ann\nv/f000000-0,ben\n", "is given to 'ann' and to 'ben'"),
        ("face_id,subject\nv/f000000-0,Zoë\nv/f000000-1,Zoe\n", "would both be subject 'zoe'"),
        ("", "is empty"),
        (
            'face_id,subject\n"v/f000000-0' + ",1" * 70_000 + "\n",
            "cannot be parsed as CSV: field larger than field limit",
        ),
    ],
    ids=["columns", "empty", "conflict", "collision", "no-header", "quote"],
)
def test_table_that_cannot_be_used_is_refused(lesson: Project, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pupils.csv").write_text(text, encoding="utf-8")
    before = lesson.rows(Face)
    with pytest.raises(InputError, match=message):
        assign_subjects(lesson, tmp_path / "pupils.csv")
    assert lesson.rows(Face) == before


def test_missing_table_is_named(lesson: Project, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv"):
        assign_subjects(lesson, tmp_path / "none.csv")


def test_dropped_faces_and_pictures_without_time_have_no_subject(tmp_path: Path) -> None:
    dropped = [dataclasses.replace(face, status="dropped", path="") for face in seen("v", 0, 250.0, number=5)]
    untimed = [dataclasses.replace(face, time_s=None) for face in seen("pictures", 0, 50.0)]
    project = make_project(tmp_path, [*seen("v", 0, 50.0), *dropped, *untimed])
    result = track_subjects(project, TrackSettings())
    assert (result.num_subjects, result.num_faces_without_subject) == (1, 1)
    assert any("Images without time" in warning for warning in result.warnings)


def test_rarely_seen_subjects_are_pointed_out(lesson: Project) -> None:
    result = track_subjects(lesson, TrackSettings())
    assert "fewer than 3 faces (s002)" in result.warnings[0]


def test_subjects_changed_after_a_split_are_pointed_out(lesson: Project) -> None:
    sides: tuple[Split, ...] = ("train", "test")
    rows = [SplitRow(face.face_id, sides[place % 2]) for place, face in enumerate(lesson.rows(Face))]
    write_table(lesson.split_path("default"), rows, SplitRow)
    record = {"labels_mark": labels_mark([]), "group": "subject"}
    replace_text(lesson.split_path("default").with_suffix(".json"), json.dumps(record))
    result = track_subjects(lesson, TrackSettings())
    assert any("in more than one of its sets" in text and "`fer split`" in text for text in result.warnings)


def test_missing_crop_is_partial_not_fatal(lesson: Project) -> None:
    (lesson.root / lesson.rows(Face)[0].path).unlink()
    result = track_subjects(lesson, TrackSettings())
    assert len(result.failures) == 1
    assert result.num_subjects == 3


def test_project_without_faces_names_the_command_that_makes_them(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="empty", classes=("a", "b"))
    with pytest.raises(MissingStageError, match="no faces") as caught:
        track_subjects(project, TrackSettings())
    assert "fer align" in caught.value.hint


def test_frames_without_any_face_end_a_track_too(tmp_path: Path) -> None:
    project = make_project(tmp_path, [*seen("v", 0, 50.0), *seen("v", 20, 52.0)])
    project.write_rows([Frame(f"v/f{index:06d}", "v", index, 2.0 * index, "") for index in range(21)], Frame)
    track_subjects(project, TrackSettings(camera="moving"))
    assert len({face.track_id for face in project.rows(Face)}) == 2
    track_subjects(project, TrackSettings(camera="moving", max_missed=30), force=True)
    assert len({face.track_id for face in project.rows(Face)}) == 1


def by_face(project: Project) -> dict[str, str]:
    return {face.face_id: face.subject_id for face in project.rows(Face)}


def sources_of(project: Project) -> dict[str, str]:
    return {subject.subject_id: subject.source for subject in project.rows(Subject)}


@pytest.fixture
def two_days(tmp_path: Path) -> Project:
    faces = [face for name in ("v", "w") for index in range(3) for face in seen(name, index, 50.0, 150.0)]
    project = make_project(tmp_path, faces)
    track_subjects(project, TrackSettings())
    return project


def test_confirmed_pair_is_one_person_whoever_is_named_first(two_days: Project) -> None:
    result = confirm_subjects(two_days, ["s004=s001"])
    assert (result.num_subjects, result.num_changed) == (3, 3)
    assert sources_of(two_days) == {"s001": "matched", "s002": "tracks", "s003": "tracks"}
    assert confirm_subjects(two_days, distinct=True).num_changed == 0
    assert set(sources_of(two_days).values()) == {"matched"}


def test_pairs_join_in_a_row_and_a_given_name_stays(tmp_path: Path) -> None:
    project = make_project(tmp_path, [face for name in "uvw" for face in seen(name, 0, 50.0)])
    track_subjects(project, TrackSettings())
    rename_subject(project, "s003", "ann")
    confirm_subjects(project, ["s001=s002", "s002=ann"])
    assert sources_of(project) == {"ann": "manual"}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["s001"], "'s001' is not a pair"),
        (["s001=s001"], "'s001=s001' is not a pair"),
        (["s001=s009"], "subject 's009' not found"),
        (["s001=s002"], "both seen in frame v/f000000"),
        (["s001=s003", "s003=s002"], "both seen in frame v/f000000"),
        ([], "nothing to confirm"),
    ],
)
def test_pair_that_cannot_be_is_refused(two_days: Project, pairs: list[str], message: str) -> None:
    before = by_face(two_days)
    with pytest.raises((InputError, UsageError), match=message):
        confirm_subjects(two_days, pairs)
    assert by_face(two_days) == before


def test_subject_is_split_into_its_tracks(tmp_path: Path) -> None:
    """Two people take the same seat one after the other: two tracks, one subject."""
    frames = [seen("v", 0, 50.0), seen("v", 1, 50.0), seen("v", 20, 52.0), seen("v", 21, 52.0)]
    others = [seen("v", index, 250.0, number=5) for index in range(2, 20)]
    project = make_project(tmp_path, [face for frame in (*frames, *others) for face in frame])
    track_subjects(project, TrackSettings())
    assert subject_at(project, "left") == "s001"
    assert split_subject(project, "s001").num_changed == 2
    assert [by_face(project)[f"v/f{index:06d}-0"] for index in (0, 1, 20, 21)] == ["s001", "s001", "s003", "s003"]


def test_subject_is_split_at_a_face(two_days: Project) -> None:
    split_subject(two_days, "s001", ["v/f000001-0"])
    assert [by_face(two_days)[f"v/f{index:06d}-0"] for index in range(3)] == ["s001", "s005", "s005"]
    assert sources_of(two_days)["s005"] == "split"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("s001",), "has only one track"),
        (("s001", ["w/t000"]), "has no track or face 'w/t000'"),
        (("s001", ["v/t000"]), "no face of subject 's001' would be left"),
        (("s009",), "subject 's009' not found"),
    ],
)
def test_split_that_cannot_be_is_refused(two_days: Project, words: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_subject(two_days, *words)


def test_each_step_by_hand_is_undone_from_the_last_to_the_first(two_days: Project, tmp_path: Path) -> None:
    table = tmp_path / "pupils.csv"
    table.write_text("subject_id,subject\ns002,ben\n", encoding="utf-8")
    steps = [
        lambda: confirm_subjects(two_days, distinct=True),
        lambda: merge_subjects(two_days, "s001", ["s003"]),
        lambda: rename_subject(two_days, "s004", "ann"),
        lambda: assign_subjects(two_days, table),
        lambda: split_subject(two_days, "s001", ["w/t000"]),
    ]
    states = []
    for step in steps:
        states.append((by_face(two_days), sources_of(two_days)))
        step()
    for state in reversed(states):
        result = undo_subjects(two_days)
        assert (by_face(two_days), sources_of(two_days)) == state
        assert "Undone: fer subjects" in result.warnings[0]
    assert undo_subjects(two_days).done_before.startswith("there is no step to undo")


@pytest.mark.parametrize(
    "step",
    [
        lambda project: confirm_subjects(project, ["s001=s003"]),
        lambda project: confirm_subjects(project, distinct=True),
        lambda project: merge_subjects(project, "s001", ["s003"]),
        lambda project: rename_subject(project, "s004", "ann"),
        lambda project: split_subject(project, "s001", ["v/f000001-0"]),
        lambda project: undo_subjects(project, forget=True),
    ],
    ids=["confirm", "confirm distinct", "merge", "rename", "split", "forget"],
)
def test_step_that_is_made_again_is_done_already(two_days: Project, step: Callable[[Project], SubjectsResult]) -> None:
    step(two_days)
    before = by_face(two_days), sources_of(two_days), read_steps(two_days)
    again = step(two_days)
    assert again.is_unchanged
    assert again.done_before
    assert (again.num_changed, again.num_subjects) == (0, len(before[1]))
    assert (by_face(two_days), sources_of(two_days), read_steps(two_days)) == before


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (lambda project: confirm_subjects(project, ["s001=s003"], dry_run=True), "merge 1 subject into another"),
        (lambda project: merge_subjects(project, "s001", ["s003"], dry_run=True), "merge s003 into s001"),
        (lambda project: rename_subject(project, "s004", "ann", dry_run=True), "rename s004 to ann"),
        (lambda project: split_subject(project, "s001", ["v/f000001-0"], dry_run=True), "move 2 of 3 faces of s001"),
        (lambda project: undo_subjects(project, dry_run=True), "undo: fer subjects rename s002 ben"),
    ],
    ids=["confirm", "merge", "rename", "split", "undo"],
)
def test_dry_run_of_a_step_says_what_it_would_do(
    two_days: Project, step: Callable[[Project], SubjectsResult], line: str
) -> None:
    rename_subject(two_days, "s002", "ben")
    before = {path: path.read_bytes() for path in two_days.root.rglob("*") if path.is_file()}
    assert line in step(two_days).plan[0]
    assert {path: path.read_bytes() for path in two_days.root.rglob("*") if path.is_file()} == before


def test_step_that_was_undone_is_not_done_already(two_days: Project) -> None:
    merge_subjects(two_days, "s001", ["s003"])
    undo_subjects(two_days)
    assert merge_subjects(two_days, "s001", ["s003"]).num_changed == 3


def test_subject_that_another_became_is_named(two_days: Project) -> None:
    merge_subjects(two_days, "s001", ["s003"])
    with pytest.raises(InputError, match="subject 's003' not found") as caught:
        rename_subject(two_days, "s003", "ann")
    assert caught.value.hint == "It became s001 by: fer subjects merge s001 s003"


def test_undo_leaves_faces_alone_that_have_changed_since(two_days: Project) -> None:
    merge_subjects(two_days, "s001", ["s003"])
    faces = [dataclasses.replace(face, subject_id="s002") if face.face_id == "w/f000000-0" else face
             for face in two_days.rows(Face)]  # fmt: skip
    two_days.write_rows(faces, Face)
    result = undo_subjects(two_days)
    assert by_face(two_days)["w/f000000-0"] == "s002"
    assert by_face(two_days)["w/f000001-0"] == "s003"
    assert any("1 face" in sentence for sentence in result.warnings)


def test_damaged_note_of_steps_is_no_step(two_days: Project) -> None:
    merge_subjects(two_days, "s001", ["s003"])
    (two_days.root / ".fer" / "subjects.json").write_text('[{"words": 1}]', encoding="utf-8")
    with pytest.raises(InputError, match="the note of earlier steps is damaged"):
        undo_subjects(two_days)


def test_report_replays_every_step_by_hand(two_days: Project) -> None:
    for _ in range(2):
        confirm_subjects(two_days, ["s001=s003"])
        undo_subjects(two_days)
    split_subject(two_days, "s001", ["v/f000001-0"])
    confirm_subjects(two_days, distinct=True)
    recipe = recipe_of(two_days, None, ReportSettings(), "default")
    commands = [line for line in recipe.commands if line.startswith("fer subjects")]
    assert commands == [
        "fer subjects track",
        *["fer subjects confirm s001=s003", "fer subjects undo"] * 2,
        "fer subjects split s001 v/f000001-0",
        "fer subjects confirm --distinct",
    ]


@pytest.mark.parametrize("force", [False, True], ids=["plain", "forced"])
def test_tracking_again_does_not_join_what_was_split(two_days: Project, force: bool) -> None:
    split_subject(two_days, "s001", ["v/f000001-0"])
    before = by_face(two_days)
    track_subjects(two_days, TrackSettings(), force=force)
    assert by_face(two_days)["v/f000000-0"] == before["v/f000000-0"] == "s001"
    assert by_face(two_days)["v/f000001-0"] == before["v/f000001-0"] != "s001"


def test_split_subject_is_still_known_within_its_video_only(two_days: Project) -> None:
    def open_videos() -> tuple[str, ...]:
        return unmatched_videos(two_days, two_days.rows(Face), subject_sources(two_days))

    assert open_videos() == ("v", "w")
    split_subject(two_days, "s001", ["v/f000001-0"])
    split_subject(two_days, "s002", ["v/f000001-1"])
    assert sources_of(two_days)["s001"] == sources_of(two_days)["s002"] == "split"
    assert open_videos() == ("v", "w")
