import shutil
from pathlib import Path

import pytest

from fercli.core.errors import MissingStageError, ProjectError, SettingsError
from fercli.core.project import create_project, find_project, open_project
from fercli.core.rows import Frame, Video


def test_a_project_is_found_from_a_folder_inside_it(tmp_path: Path) -> None:
    create_project(tmp_path / "mine", name="mine", classes=("a", "b"))
    assert find_project(tmp_path / "mine" / "manifests") == (tmp_path / "mine").resolve()


def test_no_project_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="not a fercli project") as caught:
        find_project(tmp_path)
    assert "fer init" in caught.value.hint


def test_a_moved_project_still_reads_its_tables(tmp_path: Path) -> None:
    project = create_project(tmp_path / "old", name="mine", classes=("a", "b"))
    rows = [Frame("v/f000001", "v", 1, 0.5, "frames/v/f000001.jpg")]
    project.write_rows(rows, Frame)
    shutil.move(tmp_path / "old", tmp_path / "new")
    assert open_project(tmp_path / "new").rows(Frame) == rows


def test_making_a_project_again_with_other_classes_is_refused(tmp_path: Path) -> None:
    create_project(tmp_path, name="mine", classes=("a", "b"))
    assert create_project(tmp_path, name="mine", classes=("a", "b")).classes == ("a", "b")
    with pytest.raises(ProjectError, match="is already a project"):
        create_project(tmp_path, name="mine", classes=("a", "c"))


@pytest.mark.parametrize("word", ['"7" \\ #', "Größe\n[x]", "\x7f\t\x00", "=", "𝄞"], ids=ascii)
def test_odd_words_read_back_from_the_settings_file(tmp_path: Path, word: str) -> None:
    sections = {"train": {"name": word, "epochs": 3, "lr": 1e-05, "tensorboard": True}, word: {word: [word]}}
    shown = f"is {word}" if word.isprintable() else "a"
    create_project(tmp_path, name=word, classes=(shown, "b"), sections=sections)
    project = open_project(tmp_path)
    assert (project.name, project.classes) == (word, (shown, "b"))
    assert {name: dict(project.section(name)) for name in sections} == sections


def test_making_a_project_sweeps_up_what_a_kill_left(tmp_path: Path) -> None:
    (tmp_path / ".fer~0a1b2c3d.toml").write_text("[proj", encoding="utf-8")
    create_project(tmp_path, name="mine", classes=("a", "b"))
    assert [path.name for path in tmp_path.glob(".fer~*")] == []


def test_classes_that_will_not_do_leave_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at least two different words"):
        create_project(tmp_path / "mine", name="mine", classes=("a",))
    assert not (tmp_path / "mine").exists()


def test_a_missing_table_names_the_command_that_makes_it(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="mine", classes=("a", "b"))
    with pytest.raises(MissingStageError, match=r"'mine' has no videos yet") as caught:
        project.required_rows(Video)
    assert caught.value.hint == "Run: fer add VIDEO"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("[project\n", ProjectError, "not valid TOML"),
        ("[project]\nname='x'\n", SettingsError, "needs classes"),
        ("[project]\nclasses=['a','a']\n", SettingsError, "'a' is named twice"),
        ("[project]\nclasses=['a','b']\n[labels.aliases]\nx='c'\n", SettingsError, "alias 'x' maps to 'c'"),
        ("align=3\n[project]\nclasses=['a','b']\n", SettingsError, "'align' is a section, not a value"),
        ("project=3\n", SettingsError, "'project' is a section, not a value"),
        ("[project]\nclasses=['a','b']\n[labels]\naliases='x'\n", SettingsError, "aliases must be a table"),
        ("[project]\nclasses=['Happy','happy']\n", SettingsError, "'Happy' and 'happy' are equal"),
        ("[project]\nclasses=['happy','Unknown']\n", SettingsError, "'unknown' cannot be a class"),
    ],
    ids=[
        "broken",
        "no classes",
        "twice",
        "alias to nowhere",
        "value for a section",
        "value for the project",
        "aliases no table",
        "same but for case",
        "a word that is no class",
    ],
)
def test_a_wrong_config_is_one_clear_error(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    (tmp_path / "fer.toml").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=message):
        open_project(tmp_path)


def test_spellings_of_one_emotion_are_known_unless_they_are_doubtful(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="mine", classes=("happy", "sadness", "neutral"))
    assert project.aliases["happiness"] == "happy"
    assert project.aliases["sad"] == "sadness"


def test_only_one_process_writes(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="mine", classes=("a", "b"))
    with project.commit(), pytest.raises(ProjectError, match="another fer command"), project.commit():
        pass


def test_writer_after_a_killed_one_sweeps_up_and_one_after_an_ended_one_does_not(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="mine", classes=("a", "b"))
    left = project.root / "frames" / ".f000001~0123abcd.jpg"
    left.write_bytes(b"half")
    with project.commit():
        assert left.exists()
    (project.root / ".fer" / "writing").touch()  # what a killed writer leaves
    with project.commit():
        assert not left.exists()
    assert not (project.root / ".fer" / "writing").exists()


@pytest.mark.parametrize("word", ["=HYPERLINK(1)", "+1", "-happy", "@x", "sad\x1b[31m", "a\nb", "a\tb"])
def test_class_name_that_is_a_command_to_some_program_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(SettingsError, match="cannot be a class name"):
        create_project(tmp_path / "p", name="p", classes=("happy", word))
    assert not (tmp_path / "p").exists()
