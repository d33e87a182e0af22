"""What an up-to-date call says is true now, not when its result was made."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from fercli.core.files import replace_text
from fercli.core.project import Project
from fercli.core.rows import Face, Vote
from fercli.core.settings import plain_settings
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.labels.vote import LabelsVoteSettings, labels_vote
from fercli.stages.split import SplitSettings, split
from tests.cli.run import run_fer
from tests.stages.voted import all_votes, make_faces, write_votes

STALE = "Split 'default' is out of date"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_faces(tmp_path / "mine", num_subjects=6)
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "votes.csv", all_votes(6))])
    return project


def revoted(project: Project, tmp_path: Path) -> Path:
    """Other votes on two faces: the split that was made is out of date."""
    votes = dict.fromkeys(list(all_votes(6))[:2], "bbb")
    return write_votes(tmp_path / "more.csv", votes)


def test_vote_says_that_a_split_is_out_of_date_as_long_as_it_is(project: Project, tmp_path: Path) -> None:
    split(project, SplitSettings())
    labels_import(project, LabelsImportSettings(), [revoted(project, tmp_path)])
    first = labels_vote(project, LabelsVoteSettings())
    assert any(text.startswith(STALE) for text in first.warnings)
    assert first.next_command == "fer split"
    split(project, SplitSettings())
    again = labels_vote(project, LabelsVoteSettings())
    assert again.is_unchanged
    assert not any(text.startswith(STALE) for text in again.warnings)
    assert again.next_command == "fer train"


def test_vote_says_what_became_out_of_date_after_it(project: Project) -> None:
    labels_vote(project, LabelsVoteSettings(), force=True)
    split(project, SplitSettings())
    merged = [
        replace(row, subject_id="s001" if row.subject_id == "s002" else row.subject_id) for row in project.rows(Face)
    ]
    project.write_rows(merged, Face)
    again = labels_vote(project, LabelsVoteSettings())
    assert again.is_unchanged
    assert any(text.startswith(STALE) and "subjects have changed since" in text for text in again.warnings)
    assert again.next_command == "fer split"


def test_import_of_known_files_says_what_holds_now(project: Project, tmp_path: Path) -> None:
    split(project, SplitSettings())
    more = revoted(project, tmp_path)
    assert any(text.startswith(STALE) for text in labels_import(project, LabelsImportSettings(), [more]).warnings)
    split(project, SplitSettings())
    again = labels_import(project, LabelsImportSettings(), [more])
    assert again.is_unchanged
    assert not any(text.startswith(STALE) for text in again.warnings)
    assert again.next_command == "fer train"


def test_split_says_which_other_splits_are_out_of_date_as_long_as_they_are(project: Project, tmp_path: Path) -> None:
    split(project, SplitSettings())
    labels_import(project, LabelsImportSettings(), [revoted(project, tmp_path)])
    other = split(project, SplitSettings(name="other"))
    assert [text.startswith(STALE) for text in other.warnings] == [False] * (len(other.warnings) - 1) + [True]
    split(project, SplitSettings())
    again = split(project, SplitSettings(name="other"))
    assert again.is_unchanged
    assert not any("out of date" in text for text in again.warnings)


def test_split_says_which_of_its_faces_a_model_chose_by_now(project: Project) -> None:
    split(project, SplitSettings())
    held_out = {row.face_id for row in project.split_rows("default") if row.split == "test"}
    votes = [replace(vote, chosen="uncertain") if vote.face_id in held_out else vote for vote in project.rows(Vote)]
    project.write_rows(votes, Vote)
    again = split(project, SplitSettings())
    assert again.is_unchanged
    assert any(text.startswith(f"{len(held_out)} validation and test faces") for text in again.warnings)


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 3, "name": "mine"},
        {"kfold": 3, "stratify": False, "accept_unknown_subjects": True},
        {"ratios": (0.5, 0.25, 0.25), "drop_duplicates": True},
    ],
    ids=["seed", "kfold", "ratios"],
)
def test_a_split_out_of_date_is_told_with_the_command_that_makes_it_again(
    project: Project, tmp_path: Path, settings: dict[str, object]
) -> None:
    asked = SplitSettings(**settings)  # type: ignore[arg-type]  # fields of it
    split(project, asked)
    told = labels_import(project, LabelsImportSettings(), [revoted(project, tmp_path)])
    (sentence,) = (text for text in told.warnings if "out of date" in text)
    command = sentence.split("`")[1]
    state = project.root / f".fer/stages/split-{asked.name}.json"
    state.unlink()
    assert run_fer(*shlex.split(command)[1:], cwd=project.root)[0] == 0
    assert json.loads(state.read_text(encoding="utf-8"))["settings"] == plain_settings(asked)


def test_a_split_of_an_older_version_is_told_with_what_it_noted(project: Project, tmp_path: Path) -> None:
    split(project, SplitSettings(kfold=3, seed=4, name="cv"))
    path = project.split_path("cv").with_suffix(".json")
    known = json.loads(path.read_text(encoding="utf-8"))
    record = {name: value for name, value in known.items() if name not in ("command", "groups_mark")}
    replace_text(path, json.dumps(record))
    told = labels_import(project, LabelsImportSettings(), [revoted(project, tmp_path)])
    assert any("`fer split --kfold 3 --seed 4 --name cv`" in text for text in told.warnings)
