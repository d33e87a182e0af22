import json
import typing
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fercli.core.emotions import PRESETS
from fercli.core.errors import InputError, ProjectError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Label, SplitRow, Subject, Video, Vote
from fercli.data.samples import load_samples
from fercli.sources.registry import SOURCES
from fercli.stages.add import AddSourceSettings, SourceName, add_source
from fercli.stages.subjects import assign_subjects
from fercli.stages.train.prepare import data_set_of
from fercli.vision.images import read_image, write_png
from tests.sources.trees import (
    colour,
    grey,
    write_affectnet,
    write_class_folders,
    write_fer2013,
    write_rafdb,
    write_votes,
)

CLEAR = {"neutral": (9, 1, 0, 0, 0, 0, 0, 0, 0, 0), "happiness": (0, 9, 1, 0, 0, 0, 0, 0, 0, 0)}


def project_of(tmp_path: Path, preset: str) -> Project:
    return create_project(tmp_path / "project", name="test", classes=PRESETS[preset])


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return project_of(tmp_path, "fer2013")


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """Forty Training pictures of two classes, and six of PublicTest, two of which Training has as well."""
    training = [(3 + n % 2, grey(n), "Training") for n in range(40)]
    test = [(3, grey(100 + n if n > 1 else n), "PublicTest") for n in range(6)]
    return write_fer2013(tmp_path / "data" / "fer2013.csv", [*training, *test])


FER2013 = AddSourceSettings(source="fer2013")


def test_the_choices_are_the_registered_data_sets() -> None:
    assert typing.get_args(SourceName) == tuple(SOURCES)


def test_pictures_lie_in_one_pack_and_faces_name_their_row(project: Project, csv: Path) -> None:
    result = add_source(project, FER2013, csv)
    faces = project.rows(Face)
    assert (result.num_faces, result.num_labelled) == (46, 46)
    assert faces[7] == Face("fer2013/000007", "", "", path="faces/fer2013.npy#7", status="given", source_row=7)
    np.testing.assert_array_equal(np.load(project.root / "faces" / "fer2013.npy")[7], grey(7))


def test_labels_are_given(project: Project, csv: Path) -> None:
    add_source(project, FER2013, csv)
    assert project.rows(Label)[0] == Label("fer2013/000000", "happy", "given", "given", 0)
    assert Counter(label.label for label in project.rows(Label)) == {"happy": 26, "sad": 20}


def test_a_file_without_private_test_tests_on_public_test_and_draws_val(project: Project, csv: Path) -> None:
    result = add_source(project, FER2013, csv)
    assert (result.split, result.parts) == ("official", {"train": 36, "val": 4, "test": 6})
    record = json.loads((project.root / "manifests/splits/official.json").read_text(encoding="utf-8"))
    made = record["sets"]["fer2013"]
    assert made["parts"] == {"PublicTest": "test", "Training": "train"}
    assert (made["val"]["is_published"], made["val"]["share"], made["val"]["seed"]) == (False, 0.1, 0)


def test_a_leaking_published_split_is_kept_warned_of_and_recorded(project: Project, csv: Path) -> None:
    result = add_source(project, FER2013, csv)
    assert result.identical_across_splits == 2
    assert any("2 pictures of val or test are byte-identical" in warning for warning in result.warnings)
    leakage = json.loads((project.root / "manifests/splits/official.json").read_text(encoding="utf-8"))["leakage"]
    assert leakage["identical_across_splits"] == 2
    assert {copy["face_id"] for copy in leakage["identical"]} == {"fer2013/000040", "fer2013/000041"}


def test_counts_that_are_not_the_published_ones_are_told(project: Project, csv: Path) -> None:
    told = " ".join(add_source(project, FER2013, csv).warnings)
    assert "Training: 40 here, 28,709 published" in told
    assert "PrivateTest: 0 here, 3,589 published" in told


def test_classes_without_a_face_are_told(project: Project, csv: Path) -> None:
    told = " ".join(add_source(project, FER2013, csv).warnings)
    assert "No face has the label angry, disgust, fear, surprise, neutral." in told


def test_a_second_call_does_nothing(project: Project, csv: Path) -> None:
    first = add_source(project, FER2013, csv)
    before = (project.root / "faces" / "fer2013.npy").stat().st_mtime_ns
    second = add_source(project, FER2013, csv)
    assert second.is_unchanged
    assert second.parts == first.parts
    assert (project.root / "faces" / "fer2013.npy").stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x" * 64)])
def test_a_damaged_pack_is_made_again(project: Project, csv: Path, damage: Callable[[Path], Any]) -> None:
    add_source(project, FER2013, csv)
    pack = project.root / "faces" / "fer2013.npy"
    before = pack.read_bytes()
    damage(pack)
    assert not add_source(project, FER2013, csv).is_unchanged
    assert pack.read_bytes() == before
    assert add_source(project, FER2013, csv).is_unchanged


def test_a_changed_file_is_read_again(project: Project, csv: Path) -> None:
    add_source(project, FER2013, csv)
    write_fer2013(csv, [(3, grey(n), "Training") for n in range(20)] + [(4, grey(99), "PublicTest")])
    result = add_source(project, FER2013, csv)
    assert not result.is_unchanged
    assert len(project.rows(Face)) == len(project.rows(Label)) == len(project.split_rows("official")) == 21


def test_the_same_seed_draws_the_same_val(tmp_path: Path, csv: Path) -> None:
    drawn = []
    for number, seed in enumerate((1, 1, 2)):
        project = create_project(tmp_path / f"p{number}", name="p", classes=PRESETS["fer2013"])
        add_source(project, AddSourceSettings(source="fer2013", seed=seed), csv)
        drawn.append([row.face_id for row in project.split_rows("official") if row.split == "val"])
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_dry_run_writes_nothing(project: Project, csv: Path) -> None:
    result = add_source(project, FER2013, csv, dry_run=True)
    assert result.plan == (f"add the faces of 'fer2013' from {csv}",)
    assert project.rows(Face) == []


def test_bad_rows_are_failures_and_the_others_come_in(project: Project, csv: Path) -> None:
    csv.write_text(csv.read_text(encoding="utf-8").replace("\n3,", "\n9,", 1), encoding="utf-8")
    result = add_source(project, FER2013, csv)
    assert [(f.item, f.reason) for f in result.failures] == [("fer2013.csv:2", "emotion code '9' is not 0..6")]
    assert result.num_faces == 45
    assert project.rows(Face)[0].face_id == "fer2013/000001"
    assert project.rows(Face)[0].path == "faces/fer2013.npy#0"


def test_a_project_of_other_classes_is_refused_and_stays_as_it_was(tmp_path: Path, csv: Path) -> None:
    project = project_of(tmp_path, "scfed")
    with pytest.raises(InputError, match="fer2013's class 'angry' is not a class of this project"):
        add_source(project, FER2013, csv)
    assert project.rows(Face) == []


def test_nothing_changes_when_the_files_do_not_belong_together(tmp_path: Path, csv: Path) -> None:
    project = project_of(tmp_path, "ferplus")
    write_votes(csv.parent / "fer2013new.csv", [("PublicTest", CLEAR["neutral"])] * 46)
    with pytest.raises(InputError, match="row 0 is PublicTest, but Training"):
        add_source(project, AddSourceSettings(source="ferplus"), csv.parent)
    assert list((project.root / "faces").iterdir()) == []


def test_ferplus_brings_soft_labels_votes_and_its_own_file(tmp_path: Path, csv: Path) -> None:
    project = project_of(tmp_path, "ferplus")
    tie = (5, 5, 0, 0, 0, 0, 0, 0, 0, 0)
    rows = [("Training", CLEAR["happiness"])] * 39 + [("Training", tie)] + [("PublicTest", CLEAR["neutral"])] * 6
    votes = write_votes(csv.parent / "fer2013new.csv", rows)
    result = add_source(project, AddSourceSettings(source="ferplus"), csv.parent)
    assert (result.num_faces, result.num_labelled) == (46, 45)
    labels = {label.face_id: label for label in project.rows(Label)}
    assert (labels["ferplus/000000"].label, labels["ferplus/000000"].rule) == ("happiness", "ferplus-majority")
    assert labels["ferplus/000000"].probabilities["surprise"] == 0.1
    assert (labels["ferplus/000039"].label, labels["ferplus/000039"].status) == ("", "no_majority")
    assert "ferplus/000039" not in {row.face_id for row in project.split_rows("official")}
    assert Counter(vote.label for vote in project.rows(Vote) if vote.face_id == "ferplus/000000") == {
        "happiness": 9,
        "surprise": 1,
    }
    (kept,) = (project.root / "labels/imports").glob("import-1.csv")
    assert kept.read_bytes() == votes.read_bytes()
    imports = json.loads((project.root / "labels/imports/imports.json").read_text(encoding="utf-8"))
    assert [(entry["name"], entry["format"], entry["num_votes"]) for entry in imports] == [
        ("fer2013new.csv", "ferplus", 460)
    ]


def test_faces_with_votes_do_not_vanish_unasked(project: Project, csv: Path) -> None:
    add_source(project, FER2013, csv)
    project.write_rows([Vote("fer2013/000045", "a1", "happy", "happy")], Vote)
    write_fer2013(csv, [(3, grey(n), "Training") for n in range(20)])
    with pytest.raises(ProjectError, match="this would remove 1 face that has votes: fer2013/000045"):
        add_source(project, FER2013, csv)
    assert len(project.rows(Face)) == 46
    assert add_source(project, FER2013, csv, force=True).num_faces == 20


def test_the_last_word_of_a_person_outlives_reading_the_set_again(project: Project, csv: Path) -> None:
    add_source(project, FER2013, csv)
    decided = Label("fer2013/000000", "fear", "adjudicated", "majority", 3)
    project.write_rows([decided, *project.rows(Label)[1:]], Label)
    add_source(project, FER2013, csv, force=True)
    assert (project.rows(Label)[0].label, len(project.rows(Label))) == ("fear", 46)


def test_class_folders_without_parts_bring_no_split(tmp_path: Path) -> None:
    project = project_of(tmp_path, "scfed")
    folder = write_class_folders(tmp_path / "My Faces", ["happy", "bored"])
    result = add_source(project, AddSourceSettings(source="folder"), folder)
    assert (result.name, result.split, result.next_command) == ("my-faces", "", "fer split --group none")
    assert project.rows(Face)[0].path == "faces/my-faces.npy#0"


def test_people_of_class_folders_are_split_by_next(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path / "mine", ["happy", "bored"])
    for number, path in enumerate(sorted(path for path in folder.rglob("*.*") if path.is_file())):
        path.rename(path.with_name(f"p{number}_{path.name}"))
    settings = AddSourceSettings(source="folder", subject_from=r"name p(?P<subject>\d+)_")
    result = add_source(project_of(tmp_path, "scfed"), settings, folder)
    assert (result.num_without_subject, result.next_command) == (0, "fer split")


def test_two_sets_live_in_one_project(tmp_path: Path) -> None:
    project = project_of(tmp_path, "scfed")
    for name in ("one", "two"):
        folder = write_class_folders(tmp_path / name, ["train/happy", "val/happy", "test/bored"])
        add_source(project, AddSourceSettings(source="folder"), folder)
    assert Counter(face.face_id.partition("/")[0] for face in project.rows(Face)) == {"one": 6, "two": 6}
    assert Counter(row.split for row in project.split_rows("official")) == {"train": 4, "val": 4, "test": 4}


def test_pictures_of_several_sizes_keep_their_files(tmp_path: Path) -> None:
    project = project_of(tmp_path, "scfed")
    folder = write_class_folders(tmp_path / "mine", ["happy"])
    write_class_folders(folder, ["tired"], side=33)
    result = add_source(project, AddSourceSettings(source="folder"), folder)
    assert result.published_parts == {}
    paths = [face.path for face in project.rows(Face)]
    assert paths == [f"faces/mine/000/{n:06d}.png" for n in range(4)]
    np.testing.assert_array_equal(read_image(project.root / paths[2]), colour(0, side=33))


def test_rafdb_draws_val_from_train(tmp_path: Path) -> None:
    project = project_of(tmp_path, "raf-db")
    names = [(f"train_{n:05d}.jpg", 4 + n % 2) for n in range(1, 41)] + [("test_0001.jpg", 4)]
    result = add_source(project, AddSourceSettings(source="raf-db"), write_rafdb(tmp_path / "raf", names))
    assert result.parts == {"train": 36, "val": 4, "test": 1}
    assert result.published_parts == {"train": 40, "test": 1}


def test_affectnet_of_seven_classes_says_what_it_left_out(tmp_path: Path) -> None:
    project = project_of(tmp_path, "affectnet7")
    folder = write_affectnet(tmp_path / "affectnet", {"train_set": [0, 1, 7, 8], "val_set": [1]})
    result = add_source(project, AddSourceSettings(source="affectnet"), folder)
    assert result.left_out == {"contempt": 1, "none (code 8)": 1}
    assert any("contempt 1, none (code 8) 1" in warning for warning in result.warnings)
    assert result.parts["test"] == 1


def test_what_was_added_can_be_trained_on(project: Project, csv: Path) -> None:
    add_source(project, FER2013, csv)
    samples = load_samples(
        project.root,
        project.classes,
        faces=project.rows(Face),
        labels=project.rows(Label),
        split_rows=project.split_rows("official"),
    )
    assert len(samples) == 46
    assert samples.of_split("test").counts()["happy"] == 6


def test_split_rows_come_sorted(project: Project, csv: Path) -> None:
    add_source(project, FER2013, csv)
    rows: list[SplitRow] = project.split_rows("official")
    assert [row.face_id for row in rows] == sorted(row.face_id for row in rows)


def test_a_second_call_looks_again_once_a_video_has_the_name(project: Project, csv: Path) -> None:
    add_source(project, FER2013, csv)
    other = Video("lesson-1", "videos/lesson-1.mp4", "", 0, 0, 0)
    project.write_rows([other], Video)
    assert add_source(project, FER2013, csv).is_unchanged
    project.write_rows([other, Video("fer2013", "videos/fer2013.mp4", "", 0, 0, 0)], Video)
    with pytest.raises(ProjectError, match="'fer2013' is a video of this project"):
        add_source(project, FER2013, csv)


FOLDER = AddSourceSettings(source="folder", name="set")


def small_set(root: Path, *names: str) -> Path:
    for name in names:
        write_png(root / name, colour(sum(map(ord, name))))
    return root


def test_origin_of_each_face_is_kept_and_finds_it_again(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="t", classes=("happy", "bored"))
    add_source(project, FOLDER, small_set(tmp_path / "data", "happy/S010_1.png", "bored/S011_1.png"))
    assert {face.face_id: face.origin for face in project.rows(Face)} == {
        "set/000000": "bored/S011_1.png", "set/000001": "happy/S010_1.png",
    }  # fmt: skip
    table = tmp_path / "people.csv"
    table.write_text("path,subject\nS010_1.png,Ann\nbored/S011_1.png,Ben\nnowhere.png,Carl\n", encoding="utf-8")
    result = assign_subjects(project, table)
    assert {face.origin: face.subject_id for face in project.rows(Face)} == {
        "bored/S011_1.png": "ben", "happy/S010_1.png": "ann",
    }  # fmt: skip
    assert [failure.item for failure in result.failures] == ["nowhere.png"]


def test_faces_keep_their_ids_when_files_come_between(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="t", classes=("happy", "bored"))
    data = small_set(tmp_path / "data", "happy/b.png", "happy/d.png")
    add_source(project, FOLDER, data)
    before = {face.origin: face.face_id for face in project.rows(Face)}
    table = tmp_path / "people.csv"
    table.write_text("path,subject\nb.png,Ann\n", encoding="utf-8")
    assign_subjects(project, table)
    add_source(project, FOLDER, small_set(data, "happy/a.png", "happy/c.png"))
    after = {face.origin: face for face in project.rows(Face)}
    assert {origin: after[origin].face_id for origin in before} == before
    assert len({face.face_id for face in after.values()}) == 4
    assert after["happy/b.png"].subject_id == "ann"
    for origin, face in after.items():
        pack, _, row = face.path.partition("#")
        np.testing.assert_array_equal(np.load(project.root / pack)[int(row)], read_image(data / origin))


def test_names_give_subjects_and_map_gives_classes(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="t", classes=("happy", "bored"))
    pattern = r"(?P<subject>S\d+)_"
    settings = AddSourceSettings(source="folder", name="set", subject_from=pattern, map=("joyful=happy",))
    data = small_set(tmp_path / "d", "joyful/S010_1.png", "bored/S010_2.png", "bored/x.png")
    result = add_source(project, settings, data)
    assert (result.num_subjects, result.num_without_subject) == (1, 1)
    assert any("1 face has no subject" in warning for warning in result.warnings)
    assert [subject.subject_id for subject in project.rows(Subject)] == ["s010"]
    assert result.classes == {"happy": 1, "bored": 2}


def test_person_of_another_set_with_the_same_name_is_another_subject(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="t", classes=("happy", "bored"))
    for name in ("one", "two"):
        settings = AddSourceSettings(source="folder", name=name, subject_from="folder")
        add_source(project, settings, small_set(tmp_path / name, f"happy/S1/{name}.png"))
    assert {face.subject_id for face in project.rows(Face)} == {"s1", "two-s1"}


def test_folders_below_the_classes_are_told(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="t", classes=("happy", "bored"))
    result = add_source(project, FOLDER, small_set(tmp_path / "d", "happy/Ann/1.png", "bored/Ann/2.png"))
    assert any("2 images lie in folders below the class folders" in warning for warning in result.warnings)


def test_data_set_is_named_only_where_its_source_brought_it(tmp_path: Path, csv: Path) -> None:
    project = create_project(tmp_path / "p", name="t", classes=PRESETS["fer2013"])
    add_source(project, AddSourceSettings(source="fer2013", name="mine"), csv)
    own = small_set(tmp_path / "d", "happy/1.png", "sad/2.png")
    add_source(project, AddSourceSettings(source="folder", name="fer2013"), own)
    assert data_set_of(project, ["mine/000000", "mine/000001"]) == "fer2013"
    assert data_set_of(project, ["fer2013/000000"]) == ""
    assert data_set_of(project, ["mine/000000", "fer2013/000000"]) == ""
