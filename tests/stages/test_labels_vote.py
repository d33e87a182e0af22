from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fercli.core.commit import Commit
from fercli.core.errors import CheckError, MissingStageError, UsageError
from fercli.core.project import Project
from fercli.core.rows import Face, Label, SplitRow, Vote
from fercli.core.tables import write_table
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.labels.show import LabelsShowSettings, labels_show
from fercli.stages.labels.vote import LabelsVoteSettings, labels_vote
from fercli.stages.next_steps import after_labels
from fercli.vision.images import read_image
from tests.stages.voted import all_votes, face, make_faces, write_votes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_faces(tmp_path / "p")
    votes = {face(0, 0): "hhn", face(0, 1): "hnb", face(0, 2): "hh-", face(0, 3): "h--", face(1, 0): "uuh"}
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "votes.csv", votes)])
    return project


def test_other_settings_give_other_labels_and_the_change_is_counted(project: Project) -> None:
    result = labels_vote(project, LabelsVoteSettings(min_votes=3))
    assert (result.num_labelled, result.num_changed) == (1, 1)
    assert result.by_status == {"ok": 1, "tie": 1, "too_few": 2, "unknown": 1}


def test_second_call_does_nothing_and_says_the_same(project: Project) -> None:
    first = labels_vote(project, LabelsVoteSettings(min_votes=3))
    second = labels_vote(project, LabelsVoteSettings(min_votes=3))
    assert not first.is_unchanged
    assert second.is_unchanged
    assert second.by_status == first.by_status


def test_labels_that_the_import_has_decided_by_the_same_rule_are_not_written_again(project: Project) -> None:
    before = project.table_path(Label).stat().st_mtime_ns
    assert labels_vote(project, LabelsVoteSettings(), dry_run=True).is_unchanged
    assert labels_vote(project, LabelsVoteSettings()).is_unchanged
    assert project.table_path(Label).stat().st_mtime_ns == before


def test_dry_run_writes_nothing(project: Project) -> None:
    before = project.rows(Label)
    result = labels_vote(project, LabelsVoteSettings(min_votes=3), dry_run=True)
    assert result.plan == (
        "write 5 labels by majority, at least 3 votes, agreement 0.5, ties unknown, 1 of them changed",
    )
    assert project.rows(Label) == before


def test_tie_rules_reach_the_table(project: Project) -> None:
    labels_vote(project, LabelsVoteSettings(tie="drop"))
    assert face(0, 1) not in {label.face_id for label in project.rows(Label)}
    labels_vote(project, LabelsVoteSettings(tie="soft"))
    assert {label.rule for label in project.rows(Label) if label.status == "tie"} == {"majority+soft"}
    with pytest.raises(CheckError, match="1 face has no majority"):
        labels_vote(project, LabelsVoteSettings(tie="error"))


def test_class_without_a_face_is_a_warning_with_numbers(project: Project) -> None:
    warnings = labels_vote(project, LabelsVoteSettings()).warnings
    assert "Class 'bored' has 1 vote but no labelled face (0 outvoted, 1 on faces without a majority)." in warnings


def test_vote_before_import_names_the_stage_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError) as caught:
        labels_vote(make_faces(tmp_path / "p"), LabelsVoteSettings())
    assert caught.value.hint == "Run: fer labels import FILE (or label faces here: fer annotate)"


def test_show_counts_faces_votes_and_agreement(project: Project) -> None:
    result = labels_show(project)
    assert (result.num_usable_faces, result.num_without_votes, result.num_votes) == (24, 19, 12)
    assert result.annotators == {"a1": 5, "a2": 4, "a3": 3}
    # Pairs alike: 1 of 3, 0 of 3, 1 of 1, 1 of 3; the face with one vote has none.
    assert result.percent == pytest.approx(3 / 10)
    # hhn: the n is held against h h; uuh: the others of h say unknown, which is no class. The rest has no majority.
    assert result.ceiling == 0.0


def test_show_works_before_any_vote(tmp_path: Path) -> None:
    result = labels_show(make_faces(tmp_path / "p"))
    assert (result.num_votes, result.krippendorff, result.num_without_votes) == (0, None, 24)


def test_show_draws_what_became_of_the_votes_and_agreement(project: Project) -> None:
    result = labels_show(project, LabelsShowSettings(plot=True))
    names = {"reports/agreement.png", "reports/agreement-by-class.png", "reports/labels-outcomes.png"}
    assert set(result.outputs) == names
    assert all(read_image(project.root / name).std() > 10 for name in names)
    assert result.kappa_by_class.keys() == {*project.classes}


def test_labels_that_came_with_the_data_set_have_no_rule_of_ours(tmp_path: Path) -> None:
    project = make_faces(tmp_path / "p")
    face = project.rows(Face)[0]
    project.write_rows([Label(face.face_id, "happy", "given", "given", 0, 1.0, 0.0)], Label)
    assert labels_show(project).rule == "the labels came with the dataset"


def test_official_split_is_what_comes_after_labels(tmp_path: Path) -> None:
    project = make_faces(tmp_path / "p")
    labels = [Label(row.face_id, "happy", "given", "given", 0, 1.0, 0.0) for row in project.rows(Face)]
    assert after_labels(project, labels) == "fer split"
    write_table(project.split_path("official"), [SplitRow("x", "train")], SplitRow)
    assert after_labels(project, labels) == "fer train --split-name official"


@dataclass(frozen=True)
class Overtaken(Project):
    """A project in which another command gets in first whenever the lock is asked for."""

    first: Callable[[], object] = lambda: None

    @contextmanager
    def commit(self, *, patience_s: float = 0.2) -> Iterator[Commit]:
        self.first()
        with super().commit(patience_s=patience_s) as commit:
            yield commit


def overtaken(project: Project, first: Callable[[], object]) -> Project:
    return Overtaken(project.root, project.name, project.classes, project.aliases, project.config, first)


def test_labels_that_were_written_just_before_the_lock_are_kept(project: Project) -> None:
    given = Label(face(3, 0), "bored", "given", "given", 0, 1.0, 0.0)
    late = overtaken(project, lambda: project.write_rows([*project.rows(Label), given], Label))
    labels_vote(late, LabelsVoteSettings(min_votes=3))
    assert next(label for label in project.rows(Label) if label.face_id == given.face_id) == given


def test_votes_that_come_in_just_before_the_lock_are_counted(project: Project, tmp_path: Path) -> None:
    more = write_votes(tmp_path / "more.csv", {face(0, 1): "nn-", face(2, 0): "bbb"}, annotators="def")
    late = overtaken(project, lambda: labels_import(project, LabelsImportSettings(), [more]))
    labels_vote(late, LabelsVoteSettings(min_votes=3))
    found = {label.face_id: label.label for label in project.rows(Label)}
    assert (found[face(0, 1)], found[face(2, 0)]) == ("neutral", "bored")
    assert len(project.rows(Vote)) == 12 + 5


@pytest.mark.parametrize(
    "settings",
    [LabelsVoteSettings(method="ferplus", tie="error"), LabelsVoteSettings(method="ferplus", min_agreement=0.7)],
    ids=["tie", "min-agreement"],
)
def test_option_that_a_method_has_no_use_for_is_refused(tmp_path: Path, settings: LabelsVoteSettings) -> None:
    project = make_faces(tmp_path / "p")
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "v.csv", all_votes())])
    with pytest.raises(UsageError, match="--method ferplus has no use for --"):
        labels_vote(project, settings)


def test_votes_on_faces_that_a_dataset_labelled_say_what_they_replace(tmp_path: Path) -> None:
    project = make_faces(tmp_path / "p", num_frames=3)
    given = [Label(row.face_id, "happy", "given", "dataset", 0) for row in project.rows(Face)]
    project.write_rows(given, Label)
    votes = {face(0, 0): "nnn", face(1, 0): "h", face(2, 0): "hhh"}
    result = labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "v.csv", votes)])
    assert (
        "Votes replace the dataset's own label on 3 faces (left without a label: 1; with another one: 1). "
        "To take them back: fer labels remove."
    ) in result.warnings
