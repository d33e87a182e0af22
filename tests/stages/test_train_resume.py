from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fercli.core.errors import InputError, ProjectError, UsageError
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.runs import RunRecord, list_runs, read_run, write_record
from fercli.core.settings import RecordedPath
from fercli.stages.train import TrainSettings, train
from fercli.stages.train import work as train_work
from fercli.stages.train.identity import inputs_of
from fercli.stages.train.result import TrainResult, record_result
from fercli.stages.train.resume import check_named, settings_of
from fercli.stages.train.settings import given_text
from fercli.vision.images import write_png
from tests.cli.run import run_fer
from tests.drawn import must, tree
from tests.stages.train_project import drawn_project, quick


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return drawn_project(tmp_path / "mine")


@pytest.fixture
def stopped(project: Project) -> Path:
    """Folder of a run that was stopped in its first epoch."""
    return project.root / "runs" / train(project, quick(time_limit_s=0.001)).run


@pytest.mark.parametrize(("num", "more"), [(1, ""), (2, " --procs 2")])
def test_stopped_run_is_what_to_go_on_with_next(project: Project, num: int, more: str) -> None:
    stopped = train(project, quick(time_limit_s=0.001))
    (run,) = list_runs(project.root)
    record = replace(run.record, decided={**run.record.decided, "num_processes": num})
    assert record_result(run.folder, record).next_command == f"fer train --resume {stopped.run}{more}"
    assert stopped.next_command == f"fer train --resume {stopped.run}"
    finished = train(project, TrainSettings(), resume=stopped.run)
    assert (finished.status, finished.next_command) == ("finished", "fer eval --confusion")


@pytest.mark.parametrize("is_gone", [False, True], ids=["damaged", "gone"])
def test_run_without_an_unharmed_state_is_trained_anew_as_its_hint_says(
    project: Project, stopped: Path, is_gone: bool
) -> None:
    train(project, quick(time_limit_s=0.001))
    states = sorted((stopped / "checkpoints").glob("state-*.safetensors"))
    assert len(states) == 2
    for path in states:
        path.unlink() if is_gone else path.write_bytes(b"cut off")
    with pytest.raises(InputError, match=r"state-.\.safetensors'") as caught:
        train(project, quick())
    assert "the same settings with --force, without --resume" in caught.value.hint
    anew = train(project, quick(), force=True)
    assert (anew.status, anew.run == stopped.name) == ("finished", False)
    assert train(project, quick()).run == anew.run


def between_look_up_and_training(monkeypatch: pytest.MonkeyPatch, happen: Any) -> None:
    """Let something happen once after a run was looked up, and before it is gone on with."""
    true_training = train_work.run_training

    def late(*args: Any, **more: Any) -> TrainResult:
        monkeypatch.setattr(train_work, "run_training", true_training)
        happen()
        return true_training(*args, **more)

    monkeypatch.setattr(train_work, "run_training", late)


def test_run_that_another_process_finished_meanwhile_is_left_as_it_is(
    project: Project, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trees = []

    def finish() -> None:
        assert train(project, quick()).status == "finished"
        trees.append(tree(stopped))

    between_look_up_and_training(monkeypatch, finish)
    result = train(project, quick())
    assert (result.run, result.is_unchanged, result.epochs) == (stopped.name, True, 2)
    assert trees == [tree(stopped)]


@pytest.mark.parametrize(
    "changes",
    [{"status": "failed"}, {"inputs": {"faces": "others"}}, {"decided": {"num_processes": 2}}],
    ids=["failed", "inputs", "machine"],
)
def test_run_that_another_process_changed_meanwhile_is_refused(
    project: Project, stopped: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    between_look_up_and_training(
        monkeypatch, lambda: write_record(stopped, replace(read_run(stopped).record, **changes))
    )
    with pytest.raises(ProjectError, match=f"run '{stopped.name}' was changed by another process just now"):
        train(project, quick())
    assert len(list_runs(project.root)) == 1


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        ("epochs = 2", "epochs = 9", r" \(epochs\)"),
        ("seed = 0", "seed = 5", r" \(seed\)"),
        ('targets = "hard"', 'targets = "soft"', r" \(targets\)"),
        ("batch_size = 8", "batch_size = 8\nlr = 0.5", r" \(lr\)"),
        ("width = 16", "width = 8", ""),
    ],
    ids=["epochs", "seed", "default", "added", "table"],
)
def test_run_whose_config_was_altered_is_not_resumed(
    project: Project, stopped: Path, before: str, after: str, name: str
) -> None:
    config = stopped / "config.toml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(ProjectError, match=rf"config\.toml' was altered since it began{name}$") as caught:
        train(project, quick(), resume=stopped.name)
    assert f"fer train --config '{config}'" in caught.value.hint
    config.write_text(text, encoding="utf-8")
    assert train(project, quick(), resume=stopped.name).status == "finished"


def test_any_spelling_of_a_setting_is_found_again_in_the_config(project: Project) -> None:
    augment = {"flip": "0", "shift": 0, "erase_area": (0.1, 0.2)}
    run = train(project, quick(time_limit_s=0.001, name="Übung", lr=1, fold=None, augment=augment)).run
    assert train(project, TrainSettings(), resume=run).status == "finished"


def test_altered_config_of_a_finished_run_changes_nothing(project: Project) -> None:
    config = project.root / "runs" / train(project, quick()).run / "config.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("epochs = 2", "epochs = 9"), encoding="utf-8")
    assert train(project, quick(), resume=config.parent.name).is_unchanged


def test_weights_that_only_a_file_of_settings_names_are_shown_and_not_opened(tmp_path: Path) -> None:
    root, elsewhere = drawn_project(tmp_path / "mine").root, tmp_path / "gone.pth"
    config = tmp_path / "config.toml"
    config.write_text(f'[train]\nbackbone_weights = "{elsewhere.as_posix()}"\n', encoding="utf-8")
    code, _, err = run_fer("train", "--config", config, "-p", root)
    # To open it would be another error: there is no such file.
    assert (code, "it is not opened" in err, "--backbone-weights" in err) == (2, True, True)
    code, _, err = run_fer("train", "--config", config, "--backbone-weights", elsewhere, "-p", root)
    assert (code, "no such weights file" in err) == (4, True)


def test_path_of_weights_in_a_runs_record_is_none_that_was_named(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine")
    folder = project.root / "runs" / "r"
    record = RunRecord("r", "drf-msam", "interrupted", "2026-01-01T00:00:00", "f", inputs={"backbone": "abc"})
    write_record(folder, record)
    elsewhere = tmp_path / "elsewhere.pth"
    (folder / "config.toml").write_text(given_text(quick(backbone_weights=elsewhere)), encoding="utf-8")
    run = read_run(folder)
    own = settings_of(run, quick())
    assert isinstance(own.backbone_weights, RecordedPath)
    assert inputs_of(project, replace(own, split="default"), run)["backbone"] == "abc"
    with pytest.raises(UsageError, match="it is not opened"):
        check_named(project, own, run)
    named = settings_of(run, quick(backbone_weights=elsewhere)).backbone_weights
    assert not isinstance(named, RecordedPath)


def test_a_setting_that_is_not_the_runs_own_is_refused(project: Project, stopped: Path) -> None:
    with pytest.raises(UsageError, match=r"resumes with its own settings: --batch-size 8, not 4, --lr None, not 0\.5"):
        train(project, TrainSettings(lr=0.5, batch_size=4), resume=stopped.name)
    assert read_run(stopped).status == "interrupted"


def test_the_runs_own_settings_may_be_given_again(project: Project, stopped: Path) -> None:
    asked = quick(model={"width": "16"}, workers=0, time_limit_s=1000.0, device="cpu")
    assert train(project, asked, resume=stopped.name).status == "finished"


def test_what_fer_toml_says_by_now_does_not_hinder_a_resume(project: Project, stopped: Path) -> None:
    path = project.root / "fer.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\n[train]\nlr = 0.5\n", encoding="utf-8")
    assert must("train", "--resume", stopped.name, "-p", project.root)["result"]["status"] == "finished"
    code, _, err = run_fer("train", "--resume", stopped.name, "--lr", "0.4", "-p", project.root)
    assert (code, "--lr None, not 0.4" in err) == (2, True)


def as_files(project: Project) -> list[Path]:
    """Give each packed crop of the project a file of its own."""
    faces, files = [], []
    for face in project.rows(Face):
        name, _, row = face.path.partition("#")
        place = f"faces/{face.face_id}.png"
        files.append(project.root / place)
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        write_png(files[-1], np.repeat(np.load(project.root / name)[int(row)][:, :, None], 3, axis=2))
        faces.append(replace(face, path=place))
    project.write_rows(faces, Face)
    return files


@pytest.mark.parametrize("is_recorded", [True, False], ids=["recorded", "of an older version"])
def test_a_run_whose_crops_vanished_is_refused_with_the_difference(project: Project, is_recorded: bool) -> None:
    files = as_files(project)
    stopped = project.root / "runs" / train(project, quick(batch_size=4, time_limit_s=0.001)).run
    if not is_recorded:
        (stopped / "crops.csv").unlink()
    for path in files[:6]:  # of the first subjects, who train
        path.unlink()
    words = "6 of 36 are gone, first 'set/000000'" if is_recorded else "it had 24 train faces, of which 18"
    with pytest.raises(ProjectError, match=words):
        train(project, TrainSettings(), resume=stopped.name)
    assert read_run(stopped).status == "interrupted"


def test_a_crop_that_was_exchanged_is_refused_too(project: Project) -> None:
    files = as_files(project)
    stopped = train(project, quick(time_limit_s=0.001)).run
    write_png(files[0], np.zeros((48, 48, 3), np.uint8))
    with pytest.raises(ProjectError, match="1 of 36 have another crop, first 'set/000000'"):
        train(project, TrainSettings(), resume=stopped)
