import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import MissingStageError, UsageError
from fercli.core.progress import SilentProgress
from fercli.core.project import Project, open_project
from fercli.core.rows import Face, Label, SplitRow, Vote
from fercli.core.tables import write_table
from fercli.stages.check.all import CheckAllSettings, check_all
from fercli.stages.check.images import CheckImagesSettings, check_images
from fercli.stages.check.labels import CheckLabelsSettings, check_labels
from fercli.stages.check.leakage import CheckLeakageSettings, check_leakage
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.labels.vote import LabelsVoteSettings, labels_vote
from fercli.stages.split import SplitSettings, split
from fercli.vision.images import write_png
from tests.stages.voted import all_votes, face, make_faces, write_votes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Six subjects with labels and a split; every crop is noise of its own."""
    project = make_faces(tmp_path / "p", num_subjects=6, num_frames=3)
    rng = np.random.default_rng(0)
    for row in project.rows(Face):
        write_png(project.root / row.path, rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "votes.csv", all_votes(6, 3))])
    split(project, SplitSettings())
    return project


def sides(project: Project) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in project.split_rows("default"):
        found.setdefault(row.split, []).append(row.face_id)
    return found


def copy_crop(project: Project, source: str, target: str) -> None:
    (project.root / f"faces/{target}.png").write_bytes((project.root / f"faces/{source}.png").read_bytes())


def test_sound_project_passes_every_check(project: Project) -> None:
    result = check_all(project, CheckAllSettings())
    assert result.failed_checks == ()
    assert result.leakage["default"]["identical_across_splits"] == 0
    assert (result.images["num_faces"], result.labels["num_labels"]) == (18, 18)
    assert (result.images["num_identical_groups"], result.images["num_conflicting_groups"]) == (0, 0)


def test_picture_on_two_sides_is_a_failed_check_with_both_faces(project: Project) -> None:
    parts = sides(project)
    copy_crop(project, parts["train"][0], parts["test"][0])
    result = check_leakage(project, CheckLeakageSettings())
    assert result.identical_across_splits == 1
    assert result.identical_by_parts == {"test and train": 1}
    assert result.examples[0]["face_id"] == parts["test"][0]
    assert result.failed_checks == (
        "1 val or test faces are byte-identical to faces in another set of split 'default'.",
    )


def test_training_copies_are_left_out_in_a_split_of_another_name(project: Project) -> None:
    parts = sides(project)
    copy_crop(project, parts["train"][0], parts["test"][0])
    result = check_leakage(project, CheckLeakageSettings(drop_duplicates=True))
    assert (result.num_dropped, result.new_split) == (1, "default-deduplicated")
    assert parts["train"][0] not in {row.face_id for row in project.split_rows("default-deduplicated")}
    assert check_leakage(project, CheckLeakageSettings(split="default-deduplicated")).failed_checks == ()


def test_split_of_the_users_own_is_not_overwritten_by_one_without_copies(project: Project) -> None:
    parts = sides(project)
    copy_crop(project, parts["train"][0], parts["test"][0])
    split(project, SplitSettings(name="default-deduplicated"))
    before = project.split_path("default-deduplicated").read_bytes()
    with pytest.raises(UsageError, match="split 'default-deduplicated' already exists"):
        check_leakage(project, CheckLeakageSettings(split="default", drop_duplicates=True))
    assert project.split_path("default-deduplicated").read_bytes() == before


def test_nearly_identical_picture_is_a_warning(project: Project) -> None:
    parts = sides(project)
    image = np.tile(np.linspace(0, 250, 24, dtype=np.uint8)[:, None, None], (1, 24, 3))
    write_png(project.root / f"faces/{parts['train'][0]}.png", image)
    write_png(project.root / f"faces/{parts['test'][0]}.png", image + np.uint8(1))
    result = check_leakage(project, CheckLeakageSettings())
    assert (result.identical_across_splits, result.near_across_splits) == (0, 1)
    assert result.failed_checks == ()
    assert any("1 val or test faces are near-duplicates" in warning for warning in result.warnings)
    assert check_leakage(project, CheckLeakageSettings(near=0)).near_across_splits == 0


def test_subject_on_two_sides_is_a_failed_check_even_where_somebody_edited_the_file(project: Project) -> None:
    rows = project.split_rows("default")
    first = next(row for row in rows if row.split == "train")
    write_table(
        project.split_path("default"), [SplitRow(first.face_id, "test"), *(r for r in rows if r != first)], SplitRow
    )
    result = check_leakage(project, CheckLeakageSettings())
    assert result.subjects_across_splits == 1
    assert "1 subject appears in more than one set of split 'default', e.g. s00" in result.failed_checks[0]


def test_published_split_is_named_as_such(project: Project) -> None:
    parts = sides(project)
    copy_crop(project, parts["train"][0], parts["test"][0])
    path = project.split_path("default").with_suffix(".json")
    path.write_text(json.dumps({"official": True}), encoding="utf-8")
    result = check_leakage(project, CheckLeakageSettings())
    assert result.is_published
    assert result.failed_checks[0].endswith("The split is official and is kept as it is.")


def test_second_check_recalls_the_first(project: Project) -> None:
    check_leakage(project, CheckLeakageSettings())
    assert check_leakage(project, CheckLeakageSettings()).is_unchanged


def test_check_of_no_split_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError) as caught:
        check_leakage(make_faces(tmp_path / "p"), CheckLeakageSettings())
    assert caught.value.hint == "Run: fer split"


def test_missing_broken_and_blank_crops_are_told_apart_and_fixed(project: Project) -> None:
    missing, broken, blank = face(0, 0), face(0, 1), face(0, 2)
    (project.root / f"faces/{missing}.png").unlink()
    (project.root / f"faces/{broken}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    write_png(project.root / f"faces/{blank}.png", np.full((8, 8, 3), 7, dtype=np.uint8))
    result = check_images(project, CheckImagesSettings())
    assert (result.num_missing, result.num_unreadable, result.num_blank, result.blank) == (1, 1, 1, (blank,))
    assert result.failed_checks[0].startswith("2 crops are missing or unreadable: ")
    fixed = check_images(project, CheckImagesSettings(fix=True))
    assert (fixed.num_fixed, fixed.failed_checks) == (2, ())
    status = {row.face_id: (row.status, row.reason) for row in project.rows(Face)}
    assert status[missing] == ("dropped", "the crop is missing")
    assert status[broken][0] == "dropped"
    assert check_images(project, CheckImagesSettings()).failed_checks == ()


def test_identical_crops_with_different_labels_are_a_warning(project: Project) -> None:
    copy_crop(project, face(0, 0), face(1, 0))
    result = check_images(project, CheckImagesSettings())
    assert (result.num_identical_groups, result.num_conflicting_groups) == (1, 1)
    assert result.warnings == ("Different labels on byte-identical crops: 1 group.",)


def test_identical_crops_with_one_label_are_counted_and_no_conflict(project: Project) -> None:
    label_of = {row.face_id: row.label for row in project.rows(Label)}
    first = face(0, 0)
    other = next(name for name, label in label_of.items() if name != first and label == label_of[first])
    copy_crop(project, first, other)
    result = check_images(project, CheckImagesSettings())
    assert (result.num_identical_groups, result.num_conflicting_groups) == (1, 0)
    assert result.warnings == ()


class _Meanwhile(SilentProgress):
    """Lets something happen once the crops have been read, before anything is decided."""

    def __init__(self, change: Callable[[], object]) -> None:
        self.change = change

    def start(self, task: str, total: int | None = None) -> None:
        if task == "comparing crops":
            self.change()


def test_crop_that_comes_back_before_the_fix_is_kept(project: Project) -> None:
    lost, back = (project.root / f"faces/{face(0, place)}.png" for place in (0, 1))
    data = back.read_bytes()
    lost.unlink()
    back.unlink()
    progress = _Meanwhile(lambda: back.write_bytes(data))
    result = check_images(project, CheckImagesSettings(fix=True), progress=progress)
    assert (result.num_missing, result.num_unreadable, result.num_fixed) == (1, 0, 1)
    assert [row.face_id for row in project.rows(Face) if row.status == "dropped"] == [face(0, 0)]


def test_nothing_is_fixed_where_all_crops_came_back(project: Project) -> None:
    path = project.root / f"faces/{face(0, 0)}.png"
    data, before = path.read_bytes(), project.table_path(Face).read_bytes()
    path.unlink()
    progress = _Meanwhile(lambda: path.write_bytes(data))
    result = check_images(project, CheckImagesSettings(fix=True), progress=progress)
    assert (result.num_missing, result.num_fixed, result.failed_checks, result.outputs) == (0, 0, (), ())
    assert project.table_path(Face).read_bytes() == before


def test_dry_run_of_all_checks_shows_no_counts_of_what_it_did_not_look_at(project: Project) -> None:
    result = check_all(project, CheckAllSettings(), dry_run=True)
    assert (result.leakage, result.plan) == ({}, ("check split 'default' for leakage",))
    check_all(project, CheckAllSettings())
    assert check_all(project, CheckAllSettings(), dry_run=True).leakage["default"]["subjects_across_splits"] == 0


def test_label_that_votes_do_not_give_is_found_and_fixed(project: Project) -> None:
    rows = project.rows(Label)
    other = "bored" if rows[0].label != "bored" else "happy"
    project.write_rows([Label(rows[0].face_id, other, "ok", "majority", 3), *rows[1:]], Label)
    result = check_labels(project, CheckLabelsSettings())
    assert result.num_outdated == 1
    assert result.failed_checks[0].startswith("1 label is out of date with the votes")
    assert check_labels(project, CheckLabelsSettings(fix=True)).num_fixed == 1
    assert check_labels(project, CheckLabelsSettings()).failed_checks == ()


def test_fix_hides_no_check_that_still_fails(project: Project) -> None:
    rows = project.rows(Label)
    other = "bored" if rows[0].label != "bored" else "happy"
    project.write_rows([Label(rows[0].face_id, other, "ok", "majority", 3), *rows[1:]], Label)
    fixed = check_labels(project, CheckLabelsSettings(fix=True, minimum=1.0))
    assert fixed.num_fixed == 1
    assert any("Krippendorff" in sentence for sentence in fixed.failed_checks)


def test_label_by_another_rule_is_not_judged(project: Project) -> None:
    rows = project.rows(Label)
    project.write_rows([Label(rows[0].face_id, "", "unknown", "ferplus", 3), *rows[1:]], Label)
    assert check_labels(project, CheckLabelsSettings()).num_outdated == 0


def test_label_of_a_face_that_is_gone_and_of_no_class_are_failed_checks(project: Project) -> None:
    faces = [row for row in project.rows(Face) if row.face_id != face(0, 0)]
    project.write_rows(faces, Face)
    config = project.root / "fer.toml"
    config.write_text(config.read_text(encoding="utf-8").replace('"bored"', '"sleepy"'), encoding="utf-8")
    result = check_labels(open_project(project.root), CheckLabelsSettings())
    assert result.num_without_face == 1
    assert result.num_foreign_labels > 0
    assert result.num_foreign_votes > 0
    text = " ".join(result.failed_checks)
    assert "labels are not a class of this project: bored. Fix fer.toml." in text
    assert "1 label belongs to removed or dropped faces" in text


def test_agreement_below_the_bound_is_a_failed_check(project: Project) -> None:
    assert "below the required 0.999" in check_labels(project, CheckLabelsSettings(minimum=0.999)).failed_checks[0]
    assert check_labels(project, CheckLabelsSettings(minimum=0.0)).failed_checks == ()


def test_other_rule_of_the_last_vote_is_the_one_that_counts(project: Project) -> None:
    labels_vote(project, LabelsVoteSettings(min_agreement=0.9, tie="drop"))
    assert check_labels(project, CheckLabelsSettings()).num_outdated == 0


def test_votes_for_no_face_are_no_reason_to_fail(project: Project) -> None:
    votes = [*project.rows(Vote), Vote("lesson-9/f000000-0", "a1", "happy", "happy")]
    project.write_rows(votes, Vote)
    assert check_labels(project, CheckLabelsSettings()).num_outdated == 0


def test_check_before_faces_is_refused_and_before_labels_goes_on(tmp_path: Path) -> None:
    project = make_faces(tmp_path / "p")
    for row in project.rows(Face):
        write_png(project.root / row.path, np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    result = check_all(project, CheckAllSettings())
    assert (result.labels, result.leakage, result.failed_checks) == ({}, {}, ())
