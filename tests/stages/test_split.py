import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from fercli.core.errors import CheckError, InputError, MissingStageError, UsageError
from fercli.core.project import Project
from fercli.core.rows import Face, Label, Video
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.split import SplitSettings, split
from tests.stages.voted import all_votes, face, make_faces, write_votes


def labelled(root: Path, num_subjects: int = 6, num_frames: int = 6) -> Project:
    project = make_faces(root / "p", num_subjects, num_frames)
    votes = write_votes(root / "votes.csv", all_votes(num_subjects, num_frames))
    labels_import(project, LabelsImportSettings(), [votes])
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return labelled(tmp_path)


def subjects_of(project: Project, name: str = "default") -> dict[str, set[str]]:
    subject_of = {row.face_id: row.subject_id for row in project.rows(Face)}
    sides: dict[str, set[str]] = {}
    for row in project.split_rows(name):
        sides.setdefault(subject_of[row.face_id], set()).add(row.split)
    return sides


def test_every_subject_is_on_one_side_and_the_record_says_how(project: Project) -> None:
    result = split(project, SplitSettings())
    assert all(len(sides) == 1 for sides in subjects_of(project).values())
    assert set(result.parts) == {"train", "val", "test"}
    assert sum(result.parts.values()) == result.num_faces == 36
    record = json.loads((project.root / "manifests/splits/default.json").read_text(encoding="utf-8"))
    assert (record["group"], record["seed"], record["ratios"]) == ("subject", 0, [0.7, 0.15, 0.15])
    assert record["leakage"]["identical_across_splits"] == 0
    assert record["classes"]["train"].keys() == {"happy", "neutral", "bored"}
    assert result.outputs == ("manifests/splits/default.csv", "manifests/splits/default.json")


def test_second_call_does_nothing_and_other_labels_make_a_new_split(project: Project, tmp_path: Path) -> None:
    split(project, SplitSettings())
    before = (project.root / "manifests/splits/default.csv").read_bytes()
    assert split(project, SplitSettings()).is_unchanged
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "2.csv", {face(0, 0): "bbb"})])
    assert not split(project, SplitSettings()).is_unchanged
    assert split(project, SplitSettings(seed=1)).parts
    assert before


def test_split_made_before_labels_changed_is_noticed(project: Project, tmp_path: Path) -> None:
    split(project, SplitSettings())
    result = labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "2.csv", {face(0, 0): "hnb"})])
    expected = "Split 'default' is out of date (1 of its faces has no label any more"
    assert any(warning.startswith(expected) for warning in result.warnings)


@pytest.mark.parametrize("num_subjects", [1, 2])
def test_too_few_subjects_are_refused_with_the_number_needed(tmp_path: Path, num_subjects: int) -> None:
    project = labelled(tmp_path, num_subjects)
    with pytest.raises(InputError, match="needs at least 3 subjects") as caught:
        split(project, SplitSettings())
    assert "--ratios 0.8,0,0.2" in caught.value.hint
    assert not (project.root / "manifests/splits").exists() or not list((project.root / "manifests/splits").iterdir())


def test_two_subjects_can_be_train_and_test(tmp_path: Path) -> None:
    assert set(split(labelled(tmp_path, 2), SplitSettings(ratios=(0.8, 0.0, 0.2))).parts) == {"train", "test"}


def test_labels_of_which_none_is_usable_are_told(project: Project) -> None:
    project.write_rows([replace(label, label="", status="tie") for label in project.rows(Label)], Label)
    with pytest.raises(InputError, match="no labelled faces"):
        split(project, SplitSettings())


def test_faces_without_subjects_name_the_stage_that_is_missing(project: Project) -> None:
    project.write_rows([Face(row.face_id, "", row.video_id, path=row.path) for row in project.rows(Face)], Face)
    with pytest.raises(MissingStageError, match="subjects are not assigned") as caught:
        split(project, SplitSettings())
    assert "fer subjects track" in caught.value.hint
    assert split(project, SplitSettings(group="none")).num_faces == 36


def test_random_split_that_puts_a_subject_on_two_sides_is_refused(project: Project) -> None:
    with pytest.raises(CheckError, match=r"data leakage: \d subjects appear in more than one set, e\.g\. s00"):
        split(project, SplitSettings(group="none"))
    assert not (project.root / "manifests/splits/default.csv").exists()


def test_same_picture_of_two_subjects_stays_on_one_side(project: Project) -> None:
    for subject in (0, 3, 5):
        (project.root / f"faces/{face(0, subject)}.png").write_bytes(b"the same picture")
    result = split(project, SplitSettings())
    sides = subjects_of(project)
    assert sides["s001"] == sides["s004"] == sides["s006"]
    assert any(
        "3 subjects share byte-identical images: they stay in the same set and count as 1." in warning
        for warning in result.warnings
    )


def test_session_keeps_its_videos_together(tmp_path: Path) -> None:
    project = labelled(tmp_path)
    faces = [Face(row.face_id, "", f"v{int(row.subject_id[1:]) % 6}", path=row.path) for row in project.rows(Face)]
    videos = [Video(f"v{place}", "", "", 1, 1, 1, session=f"day-{place // 2}") for place in range(6)]
    project.write_rows(faces, Face)
    project.write_rows(videos, Video)
    split(project, SplitSettings(group="session"))
    session_of = {row.face_id: int(row.video_id[1:]) // 2 for row in faces}
    sides: dict[int, set[str]] = {}
    for row in project.split_rows("default"):
        sides.setdefault(session_of[row.face_id], set()).add(row.split)
    assert all(len(parts) == 1 for parts in sides.values())


def test_folds_test_every_face_once(project: Project) -> None:
    result = split(project, SplitSettings(kfold=3, name="cv"))
    rows = project.split_rows("cv")
    assert result.num_folds == 3
    assert set(Counter(row.face_id for row in rows if row.split == "test").values()) == {1}
    assert result.next_command == "fer train --split-name cv --fold all"


def test_leave_one_out_has_a_fold_for_each_subject(project: Project) -> None:
    assert split(project, SplitSettings(leave_one_out=True, name="loso")).num_folds == 6


def own_split(path: Path, project: Project, side_of: dict[str, str]) -> Path:
    lines = [f"{row.face_id},{side_of[row.subject_id]}\n" for row in project.rows(Face)]
    path.write_text("face_id,split\n" + "".join(lines), encoding="utf-8")
    return path


SIDES = {"s001": "train", "s002": "train", "s003": "train", "s004": "val", "s005": "test", "s006": "test"}


def test_own_split_is_taken_as_it_is(project: Project, tmp_path: Path) -> None:
    path = own_split(tmp_path / "mine.csv", project, SIDES)
    result = split(project, SplitSettings(from_file=path, name="mine"))
    assert result.parts == {"train": 18, "val": 6, "test": 12}
    assert {subject: side for subject, (side,) in subjects_of(project, "mine").items()} == SIDES


def test_own_split_that_leaks_a_subject_is_refused(project: Project, tmp_path: Path) -> None:
    path = own_split(tmp_path / "mine.csv", project, SIDES)
    path.write_text(
        path.read_text(encoding="utf-8").replace(f"{face(0, 0)},train", f"{face(0, 0)},test"), encoding="utf-8"
    )
    with pytest.raises(CheckError, match=r"1 subject appears in more than one set, e\.g\. s001"):
        split(project, SplitSettings(from_file=path))


def test_own_split_of_unknown_subjects_must_not_share_out_one_video(project: Project, tmp_path: Path) -> None:
    faces = project.rows(Face)
    path = own_split(tmp_path / "mine.csv", project, SIDES)
    project.write_rows([replace(face, subject_id="") for face in faces], Face)
    with pytest.raises(CheckError, match="faces of one video appear in more than one set") as caught:
        split(project, SplitSettings(from_file=path))
    assert "fer subjects track" in caught.value.hint
    assert split(project, SplitSettings(from_file=path, group="none")).parts == {"train": 18, "val": 6, "test": 12}


def test_own_split_that_leaks_a_picture_is_refused_or_its_training_copy_dropped(
    project: Project, tmp_path: Path
) -> None:
    for subject in (0, 5):
        (project.root / f"faces/{face(0, subject)}.png").write_bytes(b"the same picture")
    path = own_split(tmp_path / "mine.csv", project, SIDES)
    with pytest.raises(CheckError, match="1 val or test faces are byte-identical") as caught:
        split(project, SplitSettings(from_file=path))
    assert "--drop-duplicates" in caught.value.hint
    result = split(project, SplitSettings(from_file=path, drop_duplicates=True))
    assert result.num_dropped == 1
    assert face(0, 0) not in {row.face_id for row in project.split_rows("default")}


def test_published_split_is_not_written_over(project: Project) -> None:
    folder = project.root / "manifests/splits"
    folder.mkdir(exist_ok=True)
    (folder / "official.json").write_text('{"official": true}', encoding="utf-8")
    with pytest.raises(UsageError, match="'official' is a dataset's official split"):
        split(project, SplitSettings(name="official"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (SplitSettings(ratios=(0.8, 0.2)), "needs three values"),
        (SplitSettings(kfold=3, leave_one_out=True), "are mutually exclusive"),
        (SplitSettings(kfold=3, from_file=Path("x.csv")), "already defines the folds"),
    ],
    ids=["two ratios", "two kinds of folds", "folds of a file"],
)
def test_options_that_do_not_go_together_are_refused(project: Project, settings: SplitSettings, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        split(project, settings)


def test_class_that_a_part_lacks_is_a_warning(project: Project) -> None:
    subject_of = {row.face_id: row.subject_id for row in project.rows(Face)}
    labels = [
        Label(row.face_id, "bored" if subject_of[row.face_id] == "s001" else "happy", "ok", "majority", 3)
        for row in project.rows(Label)
    ]
    project.write_rows(labels, Label)
    warnings = " ".join(split(project, SplitSettings()).warnings)
    assert warnings.count("face is labelled bored; ") == 2
    assert "The test set has only 1 of 6 subjects; confidence intervals need at least 5." in warnings


def test_split_before_labels_names_the_stage_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError) as caught:
        split(make_faces(tmp_path / "p"), SplitSettings())
    assert caught.value.hint == "Run: fer labels import FILE (or label faces here: fer annotate)"


def test_dry_run_writes_nothing(project: Project) -> None:
    result = split(project, SplitSettings(), dry_run=True)
    assert result.plan[0].endswith("in splits/default.csv")
    assert not (project.root / "manifests/splits/default.csv").exists()


def test_video_without_a_session_is_a_group_of_its_own(project: Project) -> None:
    faces = [replace(row, video_id=f"v{row.subject_id[-1]}") for row in project.rows(Face)]
    project.write_rows(faces, Face)
    sessions = {"v1": "monday", "v2": "monday"}
    videos = [Video(f"v{place}", "", "", 1, 1, 1, session=sessions.get(f"v{place}", "")) for place in range(1, 7)]
    project.write_rows(videos, Video)
    result = split(project, SplitSettings(group="session", accept_unknown_subjects=True))
    # Monday, and four videos on their own; nobody is left out.
    assert sum(result.groups.values()) == 5
    assert (result.num_faces, result.num_left_out) == (36, 0)
    assert not any("have no session" in warning for warning in result.warnings)
