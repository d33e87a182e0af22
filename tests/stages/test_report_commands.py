"""What the report says to make it again: every command that changed the project, in order, and nobody's name."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from fercli.core.commit import log_lines
from fercli.core.files import replace_text
from fercli.core.memory import remember
from fercli.core.project import Project, create_project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label
from fercli.core.runs import Run, RunRecord
from fercli.core.settings import plain_settings
from fercli.stages.add import AddSourceSettings
from fercli.stages.check.images import CheckImagesSettings, check_images
from fercli.stages.check.labels import CheckLabelsSettings, check_labels
from fercli.stages.evaluate import EvalSettings
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.report import ReportSettings
from fercli.stages.report.commands import Recipe, recipe_of
from fercli.stages.split import SplitSettings, split
from fercli.stages.subjects import assign_subjects, merge_subjects, rename_subject
from fercli.stages.subjects.names import read_names
from fercli.stages.train import TrainSettings
from fercli.vision.images import write_png
from tests.stages.voted import all_votes, face, make_faces, write_votes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_faces(tmp_path / "p", num_frames=3)
    for place, row in enumerate(project.rows(Face)):
        write_png(project.root / row.path, np.full((8, 8, 3), 40 + place, np.uint8))
    return project


def recipe(project: Project, run: Run | None = None, split_name: str = "default") -> Recipe:
    return recipe_of(project, run, ReportSettings(), split_name)


def commands(project: Project, run: Run | None = None, split_name: str = "default") -> list[str]:
    """Those between the first and the last, which every project has."""
    found = recipe(project, run, split_name).commands
    assert (found[0], found[-1]) == ("fer init . --classes happy,neutral,bored", "fer report")
    return list(found[1:-1])


def a_run(project: Project, split_name: str = "default") -> Run:
    folder = project.root / "runs" / "r1"
    replace_text(folder / "config.toml", f'[train]\nmodel_name = "sfer-mdfae"\nsplit = "{split_name}"\nepochs = 3\n')
    return Run(folder, RunRecord("r1", "sfer-mdfae", "finished", "2026-01-01", "f"))


def test_names_given_and_taken_back_and_given_again_are_all_told(project: Project) -> None:
    rename_subject(project, "s001", "p-12")
    rename_subject(project, "p-12", "s001")
    rename_subject(project, "s001", "p-12")
    there, back = "fer subjects rename s001 name-1", "fer subjects rename name-1 s001"
    assert commands(project) == [there, back, there]


def test_call_that_changed_nothing_is_neither_logged_nor_told(project: Project, tmp_path: Path) -> None:
    (tmp_path / "pupils.csv").write_text(f"face_id,subject\n{face(0, 0)},s009\n", encoding="utf-8")
    first = assign_subjects(project, tmp_path / "pupils.csv")
    second = assign_subjects(project, tmp_path / "pupils.csv")
    assert (first.is_unchanged, second.is_unchanged) == (False, True)
    assert commands(project) == ["fer subjects assign pupils.csv"]
    assert len(log_lines(project.root)) == 1


def test_file_that_was_read_again_is_told_with_the_number_of_each_reading(project: Project, tmp_path: Path) -> None:
    votes = write_votes(tmp_path / "votes.csv", all_votes(4, 3))
    labels_import(project, LabelsImportSettings(), [votes])
    labels_import(project, LabelsImportSettings(), [votes], force=True)
    assert commands(project) == ["fer labels import import-1", "fer labels import import-2"]


def test_splits_and_imports_stand_where_they_were_made(project: Project, tmp_path: Path) -> None:
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "votes.csv", all_votes(4, 3))])
    split(project, SplitSettings(seed=1))
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "more.csv", {face(0, 0): "bbb"})])
    split(project, SplitSettings(seed=1))
    assert commands(project) == [
        "fer labels import import-1",
        "fer split --seed 1",
        "fer labels import import-2",
        "fer split --seed 1",
    ]


def test_nobodys_name_stands_in_log_or_recipe_and_the_stand_ins_are_explained(project: Project) -> None:
    rename_subject(project, "s001", "anna")
    rename_subject(project, "s002", "ben")
    merge_subjects(project, "ben", ["anna", "s003"])
    found = recipe(project)
    assert list(found.commands[1:-1]) == [
        "fer subjects rename s001 name-1",
        "fer subjects rename s002 name-2",
        "fer subjects merge name-2 name-1 s003",
    ]
    assert any("name-1" in note and ".fer/subject-names.json" in note for note in found.notes)
    log = (project.root / ".fer/journal.jsonl").read_text(encoding="utf-8")
    assert not {"anna", "ben"} & set(log.replace('"', " ").split())
    assert read_names(project) == {"anna": "name-1", "ben": "name-2"}


def test_recipe_runs_as_it_stands(project: Project, tmp_path: Path) -> None:
    other = make_faces(tmp_path / "q", num_frames=3)
    rename_subject(project, "s001", "anna")
    merge_subjects(project, "anna", ["s002"])
    calls = {"rename": lambda old, new: rename_subject(other, old, new)}
    calls["merge"] = lambda keep, *others: merge_subjects(other, keep, list(others))
    for command in commands(project):
        _, _, verb, *words = shlex.split(command)
        calls[verb](*words)
    ours = [row.subject_id.replace("anna", "name-1") for row in project.rows(Face)]
    assert [row.subject_id for row in other.rows(Face)] == ours


def test_names_in_the_log_of_an_older_version_are_replaced_too(project: Project) -> None:
    with project.commit() as commit:
        commit.log("subjects-rename", {}, {}, ["s001", "anna"])
    with project.commit() as commit:
        commit.log("subjects-rename", {}, {}, ["anna", "s001"])
    assert commands(project) == ["fer subjects rename s001 name-1", "fer subjects rename name-1 s001"]


def test_project_without_names_or_imports_explains_none(project: Project) -> None:
    merge_subjects(project, "s001", ["s002"])
    assert recipe(project).notes == ()


@pytest.mark.parametrize("word", ["O'Neill", 'the "best"', "$HOME", "a b", "c;d", "e*"])
def test_words_survive_a_posix_shell(project: Project, word: str) -> None:
    with project.commit() as commit:
        commit.log("add", {"session": word}, {}, [f"{word}.mp4"])
    assert shlex.split(commands(project)[0]) == ["fer", "add", f"{word}.mp4", "--session", word]


def test_problems_that_a_check_fixed_are_told(project: Project, tmp_path: Path) -> None:
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "votes.csv", all_votes(4, 3))])
    check_images(project, CheckImagesSettings(fix=True))
    assert commands(project) == ["fer labels import import-1"]
    (project.root / f"faces/{face(0, 0)}.png").unlink()
    check_images(project, CheckImagesSettings(fix=True))
    rows = project.rows(Label)
    project.write_rows([Label(rows[1].face_id, "", "unknown", "majority", 3), *rows[2:]], Label)
    check_labels(project, CheckLabelsSettings(fix=True))
    assert commands(project)[1:] == ["fer check images --fix", "fer check labels --fix"]


def test_of_several_runs_and_splits_those_of_this_run_are_told(project: Project) -> None:
    run = a_run(project, "mine")
    for name, settings, counts in (
        ("split-default", SplitSettings(), {}),
        ("split-mine", SplitSettings(name="mine"), {}),
        ("train", TrainSettings(epochs=1), {"run": "r0"}),
        ("train", TrainSettings(epochs=3), {"run": "r1"}),
        ("train", TrainSettings(epochs=9), {"run": "r2"}),
        ("eval-r0-test", EvalSettings(), {}),
        ("eval-r1-test", EvalSettings(confusion=True), {}),
        ("eval-groups-r0-test", EvalSettings(by=("video",)), {}),
        ("eval-groups-r1-test", EvalSettings(by=("glasses", "camera")), {}),
    ):
        with project.commit() as commit:
            commit.log(name, plain_settings(settings), counts)
    assert commands(project, run, "mine") == [
        "fer split --name mine",
        "fer train --model sfer-mdfae --epochs 3 --split-name mine",
        "fer eval --confusion",
        "fer eval --by glasses,camera",
    ]


def test_order_of_the_classes_is_told(tmp_path: Path) -> None:
    project = create_project(tmp_path / "p", name="p", classes=("low", "high", "none"), order=("low", "high"))
    assert recipe(project).commands[0] == "fer init . --classes low,high,none --order low,high"


def test_run_that_was_resumed_is_trained_once(project: Project) -> None:
    run = a_run(project)
    for _ in range(2):
        with project.commit() as commit:
            commit.log("train", plain_settings(TrainSettings()), {"run": "r1"})
        with project.commit() as commit:
            remember(commit, "eval-r1-test", "mark", EvalSettings(), result=StageResult())
    assert commands(project, run).count("fer train --model sfer-mdfae --epochs 3 --split-name default") == 1


def test_split_without_copies_is_told_with_the_split_that_it_was_made_of(project: Project) -> None:
    for name, settings in (
        ("split-mine", {"name": "mine"}),
        ("check-leakage-mine", {"split": "mine", "drop_duplicates": True}),
        ("check-leakage-mine", {"split": "mine", "drop_duplicates": False}),
    ):
        with project.commit() as commit:
            commit.log(name, settings, {})
    assert commands(project, split_name="mine-deduplicated") == [
        "fer split --name mine",
        "fer check leakage --split-name mine --drop-duplicates",
    ]
    assert commands(project, split_name="mine") == ["fer split --name mine"]


def test_hidden_settings_are_set_and_shown_ones_are_options(project: Project) -> None:
    settings = plain_settings(TrainSettings(epochs=3, model={"topn": 10})) | {"augment": {"flip": 0}}
    run = a_run(project)
    replace_text(run.folder / "config.toml", f"[train]\n{_toml(settings)}")
    with project.commit() as commit:
        commit.log("add", {"link": True}, {}, ["lesson.mp4"])
    with project.commit() as commit:
        commit.log("train", settings, {"run": "r1"})
    assert commands(project, run)[0] == "fer add lesson.mp4 --set link=True"
    assert "--epochs 3" in commands(project, run)[1]
    assert "--set model.topn=10 --set augment.flip=0" in commands(project, run)[1]


def _toml(settings: dict[str, object]) -> str:
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items() if isinstance(value, int | str)]
    tables = [
        f"[train.{name}]\n" + "\n".join(f"{key} = {inner}" for key, inner in value.items())
        for name, value in settings.items()
        if isinstance(value, dict)
    ]
    return "\n".join([*lines, *tables]) + "\n"


def test_class_folders_are_to_be_added_again_as_such(project: Project) -> None:
    with project.commit() as commit:
        commit.log("add-pictures", plain_settings(AddSourceSettings(name="pictures")), {})
    assert commands(project) == ["fer add PATH --source folder --name pictures"]


def test_import_is_logged_by_its_number_and_its_file_is_not_remembered_by_name(
    project: Project, tmp_path: Path
) -> None:
    first = {face(0, 0): "hhn", face(9, 9): "nnn"}
    wide = tmp_path / "berta.csv"
    wide.write_text(f"face_id,cleo,dora\n{face(0, 1)},happy,happy\n{face(9, 1)},happy,happy\n", encoding="utf-8")
    labels_import(project, LabelsImportSettings(), [write_votes(tmp_path / "anna.csv", first), wide])
    line = log_lines(project.root)[-1]
    assert (line["stage"], line["arguments"]) == ("labels-import", ["import-1", "import-2"])
    remembered = (project.root / ".fer/stages/labels-import.json").read_text(encoding="utf-8")
    for text in (json.dumps(line), remembered):
        assert not [name for name in ("anna", "berta", "cleo", "dora") if name in text]
    formats = json.loads(remembered)["result"]["formats"]
    assert formats == {"import-1": "csv-long", "import-2": "csv-wide"}


def test_guess_of_an_annotators_name_is_said_but_not_remembered(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "anna.csv"
    path.write_text(f"face_id,label\n{face(0, 0)},happy\n", encoding="utf-8")
    result = labels_import(project, LabelsImportSettings(), [path])
    assert any("the file's name stands for one" in warning for warning in result.warnings)
    assert list(result.formats) == ["anna.csv"]
    stages = (project.root / ".fer/stages").glob("*.json")
    assert not any("anna" in path.read_text(encoding="utf-8") for path in stages)
