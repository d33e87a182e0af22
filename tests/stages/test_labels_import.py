import json
from pathlib import Path

import pytest

from fercli.core.commit import log_lines
from fercli.core.errors import CheckError, InputError, MissingStageError, ProjectError, UsageError
from fercli.core.project import Project, create_project, open_project
from fercli.core.rows import Face, Label, Vote
from fercli.stages.labels.archive import read_imports
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.labels.vote import LabelsVoteSettings, labels_vote
from tests.stages.voted import CLASSES, face, make_faces, write_votes

AUTO = LabelsImportSettings()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_faces(tmp_path / "p")


def label_of(project: Project, face_id: str) -> tuple[str, str]:
    return next((label.label, label.status) for label in project.rows(Label) if label.face_id == face_id)


def test_votes_become_rows_under_pseudonyms_and_labels_at_once(project: Project, tmp_path: Path) -> None:
    path = write_votes(
        tmp_path / "votes.csv", {face(0, 0): "hhn", face(0, 1): "hnb", face(0, 2): "hh-", face(0, 3): "h--"}
    )
    result = labels_import(project, AUTO, [path])
    assert (result.num_votes, result.num_new, result.num_changed) == (9, 9, 0)
    assert result.formats == {"votes.csv": "csv-long: the header has face_id, annotator, label"}
    assert {vote.annotator for vote in project.rows(Vote)} == {"a1", "a2", "a3"}
    assert label_of(project, face(0, 0)) == ("happy", "ok")
    assert label_of(project, face(0, 1)) == ("", "tie")
    assert label_of(project, face(0, 3)) == ("", "too_few")
    assert result.by_status == {"ok": 2, "tie": 1, "too_few": 1}
    assert any("1 of 4 faces have no majority label (1 tie)" in warning for warning in result.warnings)


def test_file_is_kept_byte_for_byte_with_its_digest_and_names_only_there(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "votes.csv", {face(0, 0): "hh"}, annotators=["Zoë", "Amir"])  # type: ignore[arg-type]  # zips as well
    labels_import(project, AUTO, [path])
    (entry,) = json.loads((project.root / "labels/imports/imports.json").read_text(encoding="utf-8"))
    assert (project.root / entry["kept"]).read_bytes() == path.read_bytes()
    assert entry["kept"] == "labels/imports/import-1.csv"
    key = json.loads((project.root / "labels/imports/annotators.json").read_text(encoding="utf-8"))
    assert key == {"Zoë": "a1", "Amir": "a2"}
    manifests = "".join(table.read_text(encoding="utf-8") for table in (project.root / "manifests").glob("*.csv"))
    assert "Zoë" not in manifests


def test_same_file_again_does_nothing(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "votes.csv", {face(0, 0): "hhn"})
    labels_import(project, AUTO, [path])
    before = (project.root / "manifests/votes.csv").stat().st_mtime_ns
    again = labels_import(project, AUTO, [path])
    assert again.is_unchanged
    assert again.num_labelled == 1
    assert (project.root / "manifests/votes.csv").stat().st_mtime_ns == before


def test_renamed_copy_of_a_file_is_the_same_file(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "votes.csv", {face(0, 0): "hhn"})
    labels_import(project, AUTO, [path])
    copy = tmp_path / "other.csv"
    copy.write_bytes(path.read_bytes())
    assert labels_import(project, AUTO, [copy]).is_unchanged


def test_later_file_adds_votes_and_replaces_those_of_the_same_annotator(project: Project, tmp_path: Path) -> None:
    labels_import(project, AUTO, [write_votes(tmp_path / "1.csv", {face(0, 0): "hn", face(1, 0): "bb"})])
    result = labels_import(project, AUTO, [write_votes(tmp_path / "2.csv", {face(0, 0): "-hh"})])
    assert (result.num_new, result.num_changed) == (1, 1)
    assert label_of(project, face(0, 0)) == ("happy", "ok")
    assert label_of(project, face(1, 0)) == ("bored", "ok")


def test_unmatched_items_are_failures_and_strict_refuses_them(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "v.csv", {face(0, 0): "hh", "lesson-9/f000000-0": "h"})
    with pytest.raises(InputError, match="1 item is no face of this project: 'lesson-9/f000000-0'"):
        labels_import(project, LabelsImportSettings(strict=True), [path])
    assert project.rows(Vote) == []
    result = labels_import(project, AUTO, [path])
    assert [failure.item for failure in result.failures] == ["v.csv: lesson-9/f000000-0"]
    assert (result.num_votes, result.num_unmatched) == (2, 1)


def test_unmatched_items_are_tried_again_when_there_are_new_faces(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "v.csv", {face(0, 0): "hh", "lesson-1/f000099-0": "hh"})
    labels_import(project, AUTO, [path])
    again = labels_import(project, AUTO, [path])
    assert again.is_unchanged
    assert "'v.csv': 2 votes match no face of this project." in again.warnings
    project.write_rows([*project.rows(Face), Face("lesson-1/f000099-0", "", "lesson-1")], Face)
    assert labels_import(project, AUTO, [path]).num_new == 2


def test_file_of_another_project_is_refused(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "v.csv", {"lesson-9/f000000-0": "h"})
    with pytest.raises(InputError, match=r"v\.csv: none of its items is a face of this project"):
        labels_import(project, AUTO, [path])


def test_names_that_several_videos_share_are_told(project: Project, tmp_path: Path) -> None:
    twin = Face("lesson-2/f000000-0", "", "lesson-2", path="faces/lesson-2/f000000-0.png")
    project.write_rows([*project.rows(Face), twin], Face)
    path = write_votes(tmp_path / "v.csv", {"f000000-0.png": "h"})
    with pytest.raises(InputError, match="none of its items") as caught:
        labels_import(project, AUTO, [path])
    assert "Several faces are called 'f000000-0.png'" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "hint"), [("imports.json", "import again"), ("annotators.json", "annotators cannot be told apart")]
)
def test_damaged_archive_is_named_and_no_vote_changes(project: Project, tmp_path: Path, name: str, hint: str) -> None:
    labels_import(project, AUTO, [write_votes(tmp_path / "one.csv", {face(0, 0): "hh"})])
    votes = project.rows(Vote)
    (project.root / "labels" / "imports" / name).write_text('[["', encoding="utf-8")
    with pytest.raises(ProjectError, match=rf"{name}' is corrupt") as caught:
        labels_import(project, AUTO, [write_votes(tmp_path / "two.csv", {face(0, 1): "nn"})])
    assert hint in caught.value.hint
    assert project.rows(Vote) == votes


def test_bad_file_beside_a_good_one_is_a_failure(project: Project, tmp_path: Path) -> None:
    good = write_votes(tmp_path / "good.csv", {face(0, 0): "hh"})
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,2\n", encoding="utf-8")
    result = labels_import(project, AUTO, [bad, good, tmp_path / "none.csv"])
    assert [failure.item for failure in result.failures] == ["bad.csv", "none.csv"]
    assert result.num_votes == 2


def test_unknown_label_changes_nothing_and_map_helps(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "v.csv", {face(0, 0): "xxh"})
    with pytest.raises(InputError, match=r"v\.csv: 1 label is not a class of this project: 'joyfull' \(2 votes"):
        labels_import(project, AUTO, [path])
    assert not list((project.root / "labels/imports").iterdir())
    result = labels_import(project, LabelsImportSettings(map=("joyfull=happy",)), [path])
    assert result.classes["happy"] == 1
    assert {vote.raw_label for vote in project.rows(Vote)} == {"joyfull", "happy"}


def test_map_without_equals_is_a_usage_error(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "v.csv", {face(0, 0): "hh"})
    with pytest.raises(UsageError, match="'--map joyfull' is no word=class"):
        labels_import(project, LabelsImportSettings(map=("joyfull",)), [path])


def test_last_word_on_a_tie_is_an_adjudicated_label(project: Project, tmp_path: Path) -> None:
    labels_import(project, AUTO, [write_votes(tmp_path / "1.csv", {face(0, 0): "hn"})])
    final = write_votes(tmp_path / "2.csv", {face(0, 0): "b"}, annotators="z")
    labels_import(project, LabelsImportSettings(final=True), [final])
    assert label_of(project, face(0, 0)) == ("bored", "adjudicated")
    assert next(label.num_votes for label in project.rows(Label)) == 2


def test_gold_is_kept_apart(project: Project, tmp_path: Path) -> None:
    value = {"type": "choices", "from_name": "e", "value": {"choices": ["happy"]}}
    annotations = [
        {"completed_by": 1, "result": [value]},
        {"completed_by": 2, "result": [value], "ground_truth": True},
    ]
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps([{"data": {"face_id": face(0, 0)}, "annotations": annotations}]), encoding="utf-8")
    result = labels_import(project, AUTO, [path])
    assert (result.num_votes, result.num_gold) == (1, 1)
    assert "happy" in (project.root / "labels/gold.csv").read_text(encoding="utf-8")


def test_labels_that_came_with_a_data_set_stay_where_nobody_votes(project: Project, tmp_path: Path) -> None:
    project.write_rows([Label(face(5, 0), "bored", "given", "published", 0)], Label)
    labels_import(project, AUTO, [write_votes(tmp_path / "1.csv", {face(0, 0): "hh"})])
    assert label_of(project, face(5, 0)) == ("bored", "given")


def test_import_goes_on_with_the_rule_of_the_last_vote(project: Project, tmp_path: Path) -> None:
    labels_import(project, AUTO, [write_votes(tmp_path / "1.csv", {face(0, 0): "hhh", face(0, 1): "hh"})])
    labels_vote(project, LabelsVoteSettings(min_votes=3))
    result = labels_import(project, AUTO, [write_votes(tmp_path / "2.csv", {face(0, 2): "nn"})])
    assert result.rule.startswith("majority, at least 3 votes")
    assert label_of(project, face(0, 2)) == ("", "too_few")


def test_tie_rule_error_of_the_project_stops_the_import_and_changes_nothing(project: Project, tmp_path: Path) -> None:
    config = project.root / "fer.toml"
    config.write_text(config.read_text(encoding="utf-8") + '\n[labels-vote]\ntie = "error"\n', encoding="utf-8")
    with pytest.raises(CheckError, match="1 face has no majority"):
        labels_import(open_project(project.root), AUTO, [write_votes(tmp_path / "1.csv", {face(0, 0): "hn"})])
    assert project.rows(Vote) == []


def test_dry_run_says_what_would_come_in_and_writes_nothing(project: Project, tmp_path: Path) -> None:
    path = write_votes(tmp_path / "v.csv", {face(0, 0): "hh"})
    result = labels_import(project, AUTO, [path], dry_run=True)
    assert result.plan == ("import 2 votes from 'v.csv' (csv-long: the header has face_id, annotator, label)",)
    assert not list((project.root / "labels/imports").iterdir())


def test_import_before_faces_names_the_stage_that_is_missing(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="p", classes=CLASSES)
    with pytest.raises(MissingStageError) as caught:
        labels_import(project, AUTO, [write_votes(tmp_path / "v.csv", {face(0, 0): "hh"})])
    assert caught.value.hint == "Run: fer align"


def test_import_of_nothing_is_a_usage_error(project: Project) -> None:
    with pytest.raises(UsageError, match="no files given"):
        labels_import(project, AUTO, [])


def test_folder_is_imported_and_its_list_of_files_kept(project: Project, tmp_path: Path) -> None:
    for name in ("anna/happy/f000000-0.png", "anna/bored/f000001-0.png"):
        (tmp_path / "sorted" / name).parent.mkdir(parents=True)
        (tmp_path / "sorted" / name).write_bytes(b"x")
    result = labels_import(project, AUTO, [tmp_path / "sorted"])
    assert result.num_votes == 2
    (kept,) = (project.root / "labels/imports").glob("*.list")
    assert "anna/bored/f000001-0.png" in kept.read_text(encoding="utf-8")
    assert labels_import(project, AUTO, [tmp_path / "sorted"]).is_unchanged


def test_conflicts_are_counted_and_listed(project: Project, tmp_path: Path) -> None:
    tags = '<tag label="happy" source="manual"/><tag label="bored" source="manual"/>'
    names = [face(frame, 0).replace("/", "__") for frame in (0, 1)]
    text = f'<image name="{names[0]}.png">{tags}</image><image name="{names[1]}.png"><tag label="happy"/></image>'
    path = tmp_path / "job.xml"
    path.write_text(f"<annotations>{text}</annotations>", encoding="utf-8")
    result = labels_import(project, AUTO, [path])
    assert (result.num_votes, result.num_conflicts) == (1, 1)
    assert [failure.reason for failure in result.failures] == ["two labels at once"]


def test_log_tells_the_numbers_of_the_files_that_came_in(project: Project, tmp_path: Path) -> None:
    bad = tmp_path / "anna.csv"
    bad.write_text("face_id,annotator,label\n", encoding="utf-8")
    good = write_votes(tmp_path / "ben.csv", {face(0, 0): "hh"})
    other = write_votes(tmp_path / "cleo.csv", {face(0, 1): "hh"})
    labels_import(project, LabelsImportSettings(annotator="dora"), [bad, good])
    labels_import(project, AUTO, [good, other])
    labels_import(project, AUTO, [good], force=True)
    told = [line["arguments"] for line in log_lines(project.root)]
    # The second call reads the first file as well, as it is told of another annotator; each reading has its number.
    assert told == [["import-1"], ["import-2", "import-3"], ["import-4"]]
    log = (project.root / ".fer/journal.jsonl").read_text(encoding="utf-8")
    assert not [name for name in ("anna", "ben", "cleo", "dora") if name in log]


def write_anonymous(path: Path, labels: dict[str, str]) -> Path:
    lines = [f"{face_id},{label}" for face_id, label in labels.items()]
    path.write_text("\n".join(["face_id,label", *lines]) + "\n", encoding="utf-8")
    return path


def test_two_people_who_agree_on_every_face_are_two(tmp_path: Path) -> None:
    project = make_faces(tmp_path / "p", num_frames=2)
    labels = {face(0, 0): "happy", face(1, 0): "bored"}
    files = [write_anonymous(tmp_path / f"{name}.csv", labels) for name in ("ann", "ben")]
    result = labels_import(project, AUTO, files)
    assert (result.num_new, result.imports) == (4, {"ann.csv": "import-1", "ben.csv": "import-2"})
    assert {vote.annotator for vote in project.rows(Vote)} == {"a1", "a2"}
    again = labels_import(project, AUTO, files)
    assert again.is_unchanged
    assert again.imports == {"ann.csv": "import-1", "ben.csv": "import-2"}


def test_one_who_comes_later_with_the_same_votes_is_another(tmp_path: Path) -> None:
    project = make_faces(tmp_path / "p", num_frames=2)
    labels = {face(0, 0): "happy", face(1, 0): "bored"}
    for number, name in enumerate(("ann", "ben"), start=1):
        result = labels_import(project, AUTO, [write_anonymous(tmp_path / f"{name}.csv", labels)])
        assert (result.num_new, result.imports) == (2, {f"{name}.csv": f"import-{number}"})


def test_a_copy_of_a_file_that_names_its_annotators_is_read_once(tmp_path: Path) -> None:
    project = make_faces(tmp_path / "p", num_frames=2)
    files = [write_votes(tmp_path / f"{name}.csv", {face(0, 0): "hh"}) for name in ("one", "copy")]
    assert labels_import(project, AUTO, files).num_new == 2
    assert len(read_imports(project)) == 1
    assert labels_import(project, AUTO, files).is_unchanged
