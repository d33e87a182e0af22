import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fercli.core.errors import (
    CheckError,
    InputError,
    MissingStageError,
    ProjectError,
    SettingsError,
    UsageError,
)
from fercli.core.files import sha256_of
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Label, SplitRow
from fercli.core.runs import digest, list_runs, read_run, write_record
from fercli.core.tables import read_table, write_table
from fercli.learn.checkpoints import load_checkpoint
from fercli.learn.predict import load_run_model
from fercli.stages.train import TrainSettings, train
from fercli.stages.train.identity import on_gpus
from fercli.stages.train.settings import identity, read_settings
from fercli.stages.train.work import train_config
from tests.stages.train_project import Signaller, drawn_project, quick


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return drawn_project(tmp_path / "mine")


def weights(project: Project, run: str) -> dict[str, torch.Tensor]:
    return load_checkpoint(project.root / "runs" / run / "checkpoints" / "last.safetensors").tensors


def test_run_folder_holds_all_that_it_promises(project: Project) -> None:
    result = train(project, quick(name="First"))
    folder = project.root / "runs" / result.run
    assert result.run.endswith("-drf-msam-first")
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "checkpoints", "config.toml", "crops.csv", "curves.png", "env.json", "labels.csv", "metrics.csv",
        "model_card.md", "run.json", "split.csv",
    ]  # fmt: skip
    assert (result.status, result.epochs, result.num_train, result.num_val) == ("finished", 2, 24, 12)
    assert all((project.root / path).is_file() for path in result.outputs)
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == [
        "best.json", "best.safetensors", "last.json", "last.safetensors",
    ]  # fmt: skip


def test_split_of_the_run_is_the_one_it_used(project: Project) -> None:
    result = train(project, quick())
    rows = read_table(project.root / "runs" / result.run / "split.csv", SplitRow)
    assert rows == sorted(project.split_rows("default"), key=lambda row: row.face_id)


def test_same_settings_and_data_do_nothing(project: Project) -> None:
    first = train(project, quick())
    again = train(project, quick())
    assert again.is_unchanged
    # What the accuracy is worth is said again; what the training itself met is not.
    doubts = tuple(sentence for sentence in first.warnings if "majority-class baseline" in sentence)
    assert replace(again, is_unchanged=False) == replace(first, warnings=doubts)
    assert len(list_runs(project.root)) == 1


def test_faces_of_clips_that_nobody_labelled_train_nothing_again(project: Project) -> None:
    first = train(project, quick())
    more = [Face(f"new/f00000{number}-0", f"new/f00000{number}", "new", 1.0, path="x.png") for number in range(3)]
    project.write_rows([*project.rows(Face), *more], Face)
    again = train(project, quick())
    assert (again.is_unchanged, again.run) == (True, first.run)
    project.write_rows([replace(row, blur=0.5) for row in project.rows(Face)], Face)
    assert train(project, quick()).run != first.run


def test_run_that_noted_all_faces_is_still_the_same_work(project: Project) -> None:
    """As versions before noted it."""
    first = train(project, quick())
    run = read_run(project.root / "runs" / first.run)
    inputs = {**run.record.inputs, "faces": sha256_of(project.table_path(Face))}
    write_record(run.folder, replace(run.record, inputs=inputs, fingerprint=digest(inputs)))
    assert train(project, quick()).is_unchanged
    assert train(project, quick(), resume=first.run).is_unchanged


def test_skipping_imports_no_torch(project: Project) -> None:
    train(project, quick())
    program = (
        "import sys; from pathlib import Path; from fercli.core.project import open_project\n"
        "from fercli.stages.train import TrainSettings, train\n"
        "s = TrainSettings(epochs=2, batch_size=8, precision='fp32', threads=1, image_size=24,"
        " model={'width': 16, 'hidden': 32})\n"
        "assert train(open_project(Path(sys.argv[1])), s).is_unchanged\n"
        "assert not {'torch', 'numpy', 'matplotlib', 'cv2', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, str(project.root)], check=True)


def test_force_trains_again_to_the_same_weights(project: Project) -> None:
    first = train(project, quick())
    second = train(project, quick(), force=True)
    assert first.run != second.run
    one, other = weights(project, first.run), weights(project, second.run)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_other_seed_is_another_run(project: Project) -> None:
    first, second = train(project, quick()), train(project, quick(seed=1))
    assert not torch.equal(weights(project, first.run)["dense.bias"], weights(project, second.run)["dense.bias"])


def test_changed_label_is_other_work(project: Project) -> None:
    train(project, quick())
    labels = project.rows(Label)
    project.write_rows([replace(labels[0], label="frown"), *labels[1:]], Label)
    assert not train(project, quick()).is_unchanged


def test_signal_is_an_interrupt_and_the_same_command_goes_on(project: Project, tmp_path: Path) -> None:
    whole = train(drawn_project(tmp_path / "other"), quick())
    with pytest.raises(KeyboardInterrupt):
        train(project, quick(), progress=Signaller(2))
    (run,) = list_runs(project.root)
    assert (run.status, run.record.reason) == ("interrupted", "interrupted")
    result = train(project, quick())
    assert (result.run, result.status, result.was_resumed) == (run.run_id, "finished", True)
    one = load_checkpoint(tmp_path / "other" / "runs" / whole.run / "checkpoints" / "last.safetensors").tensors
    other = weights(project, result.run)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_time_limit_is_partial_and_the_same_command_goes_on(project: Project) -> None:
    stopped = train(project, quick(time_limit_s=0.001))
    assert stopped.status == "interrupted"
    assert "stopped by the time limit after 0 epochs" in stopped.failures[0].reason
    assert train(project, quick()).run == stopped.run


def test_resume_by_name_uses_the_settings_of_the_run(project: Project) -> None:
    stopped = train(project, quick(time_limit_s=0.001))
    result = train(project, TrainSettings(), resume=stopped.run)
    assert (result.run, result.status, result.epochs) == (stopped.run, "finished", 2)


def test_resume_on_changed_data_names_what_changed(project: Project) -> None:
    stopped = train(project, quick(time_limit_s=0.001))
    labels = project.rows(Label)
    project.write_rows(labels[1:], Label)
    with pytest.raises(ProjectError, match=r"resumed: labels \(1 of the run's rows, first 'set/000000'\) changed"):
        train(project, quick(), resume=stopped.run)
    assert any(
        "was interrupted and not gone on with: labels changed" in text for text in train(project, quick()).warnings
    )


def test_resume_on_another_split_names_the_faces_that_moved(project: Project) -> None:
    stopped = train(project, quick(time_limit_s=0.001))
    rows = read_table(project.split_path("default"), SplitRow)
    moved = [replace(row, split="test") if row.face_id == "set/000001" else row for row in rows]
    write_table(project.split_path("default"), moved, SplitRow)
    with pytest.raises(ProjectError, match=r"resumed: split \(1 of the run's rows, first 'set/000001'\) changed"):
        train(project, quick(), resume=stopped.run)


def test_finished_run_is_not_resumed_by_mistake(project: Project) -> None:
    result = train(project, quick())
    before = weights(project, result.run)
    with pytest.raises(UsageError, match="resumes with its own settings: --epochs 2, not 9"):
        train(project, quick(epochs=9), resume=result.run)
    assert train(project, quick(), resume=result.run).is_unchanged
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(project, result.run).items())


def test_resume_obeys_what_was_decided(project: Project) -> None:
    stopped = train(project, quick(time_limit_s=0.001))
    folder = project.root / "runs" / stopped.run
    record = read_run(folder).record
    write_record(folder, replace(record, decided={**record.decided, "precision": "bf16"}))
    assert train(project, quick()).precision == "bf16"


def test_diverging_training_is_recorded_as_failed(project: Project) -> None:
    with pytest.raises(CheckError, match="diverged"):
        train(project, quick(lr=1e6, epochs=30, clip_norm=0.0, optimizer="sgd", ema_decay=0.0, schedule="constant"))
    (run,) = list_runs(project.root)
    assert run.status == "failed"
    assert "diverged" in run.record.reason


def test_written_config_repeats_the_run(project: Project) -> None:
    settings = quick(name="x", augment={"flip": "0", "erase_area": [0.1, 0.2]}, fold=None, lr=0.5)
    result = train(project, settings)
    read = read_settings((project.root / "runs" / result.run / "config.toml").read_text(encoding="utf-8"))
    assert read == replace(settings, split="default", augment={"flip": 0, "erase_area": [0.1, 0.2]})
    assert train_config(project, settings) == (project.root / "runs" / result.run / "config.toml").read_text("utf-8")


def test_dry_run_writes_nothing(project: Project) -> None:
    result = train(project, quick(), dry_run=True)
    assert result.plan == ("train drf-msam as a new run",)
    assert list_runs(project.root) == []


def test_model_of_the_run_can_be_loaded_and_knows_its_options(project: Project) -> None:
    result = train(project, quick(model={"width": "8", "hidden": "16"}))
    loaded = load_run_model(project.root / "runs" / result.run, device="cpu")
    assert sum(parameter.numel() for parameter in loaded.model.parameters()) < 20_000


def test_limit_learns_from_fewer_faces(project: Project) -> None:
    result = train(project, quick(limit=10))
    assert (result.num_train, result.num_val) == (10, 10)  # of 24 and 12


@pytest.mark.parametrize(
    ("changes", "size"), [({"image_size": 20}, 20), ({"image_size": 24, "window": 0.9}, 22)], ids=str
)
def test_size_that_the_network_cannot_be_fed_is_refused(
    project: Project, changes: dict[str, object], size: int
) -> None:
    with pytest.raises(SettingsError, match=f"'fercli-compact' cannot be fed pictures of {size} pixels"):
        train(project, quick(model_name="fercli-compact", model={}, **changes))
    assert list_runs(project.root) == []


def test_unreadable_crop_is_a_failure_and_the_others_train(project: Project) -> None:
    faces = project.rows(Face)
    project.write_rows([replace(faces[0], path="faces/gone.png"), *faces[1:]], Face)
    result = train(project, quick())
    assert (result.num_train, [failure.item for failure in result.failures]) == (23, [faces[0].face_id])


def test_paper_recipe_leaves_flat_crops_out(project: Project) -> None:
    pack = np.load(project.root / "faces" / "pack.npy")
    pack[0] = 7
    np.save(project.root / "faces" / "pack.npy", pack)
    result = train(project, quick(recipe="paper"))
    assert (result.num_train, result.left_out) == (23, {"flat picture": 1})
    assert train(project, quick()).num_train == 24


def test_nothing_but_flat_crops_says_so(project: Project) -> None:
    pack = project.root / "faces" / "pack.npy"
    np.save(pack, np.full_like(np.load(pack), 128))
    with pytest.raises(InputError, match="24 of 24 faces to train on are flat"):
        train(project, quick(is_equalised=True))
    assert not list_runs(project.root)


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"batch_size": 8, "accumulate": 8}], ids=["batch", "part"])
def test_batch_of_one_face_is_refused_where_norms_need_more(project: Project, changes: dict[str, int]) -> None:
    words = "leave a batch of one face|batch normalisation needs more than one face per batch"
    with pytest.raises(UsageError, match=words) as caught:
        train(project, quick(**changes))
    assert "--batch-size" in caught.value.hint


def test_soft_targets_train(project: Project) -> None:
    assert train(project, quick(targets="soft")).status == "finished"


@pytest.mark.parametrize(
    ("name", "recipe"), [("drf-msam", "paper"), ("drf-msam", "fast"), ("fercli-compact", "paper")], ids=str
)
def test_a_changed_paper_recipe_is_told(name: str, recipe: str, project: Project) -> None:
    changes = {"model": {}, "epochs": 1, "augment": {"flip": 0.1}}
    result = train(project, quick(model_name=name, recipe=recipe, **changes))
    told = [sentence for sentence in result.warnings if "recipe was changed" in sentence]
    assert told == (
        ["The paper's recipe was changed: epochs, batch_size, augment.flip (see --print-config)."]
        if (name, recipe) == ("drf-msam", "paper")
        else []
    )


def test_weights_and_a_balanced_sampler_together_are_a_warning(project: Project) -> None:
    both = train(project, quick(epochs=1, class_weights="sqrt", sampler="balanced"), dry_run=False)
    assert any("both make up for rare classes" in sentence for sentence in both.warnings)
    one = train(project, quick(epochs=1, class_weights="none", sampler="balanced"))
    assert not any("both make up for rare classes" in sentence for sentence in one.warnings)


def test_without_val_faces_it_warns(project: Project) -> None:
    rows = [row for row in project.split_rows("default") if row.split != "val"]
    write_table(project.split_path("default"), rows, SplitRow)
    result = train(project, quick())
    assert result.val_accuracy is None
    assert any("validation set is empty" in warning for warning in result.warnings)


def test_class_without_faces_is_a_warning(project: Project) -> None:
    labels = [label for label in project.rows(Label) if label.label != "frown" or label.face_id < "set/000003"]
    project.write_rows(labels, Label)
    result = train(project, quick())
    assert any("No val face is labelled frown" in warning for warning in result.warnings)
    assert result.left_out == {"no votes": 23}


def test_nothing_to_train_on_says_why(project: Project) -> None:
    project.write_rows([replace(label, label="", status="tie") for label in project.rows(Label)], Label)
    with pytest.raises(InputError, match=r"leaves 0 faces to train on \(label: tie: 48\)"):
        train(project, quick())


def test_one_class_alone_cannot_be_learnt(project: Project) -> None:
    project.write_rows([replace(label, label="smile") for label in project.rows(Label)], Label)
    with pytest.raises(InputError, match="same label"):
        train(project, quick())


def test_missing_split_is_named_with_those_that_exist(project: Project) -> None:
    with pytest.raises(MissingStageError, match="split 'nosuch' not found") as caught:
        train(project, quick(split="nosuch"))
    assert "default" in caught.value.hint


def test_only_split_is_taken_whatever_its_name(project: Project) -> None:
    project.split_path("default").rename(project.split_path("official"))
    assert train(project, quick()).status == "finished"


def test_untouched_project_is_told_what_to_run(tmp_path: Path) -> None:
    empty = create_project(tmp_path, name="x", classes=("a", "b"))
    with pytest.raises(MissingStageError, match="no faces"):
        train(empty, quick())


def test_emonext_means_its_base_size(project: Project) -> None:
    settings = quick(model_name="emonext", model={}, image_size=None)
    assert train(project, settings, dry_run=True).model == "emonext-base"


def test_unknown_model_gets_a_suggestion(project: Project) -> None:
    with pytest.raises(UsageError, match="unknown model 'drf-mas'") as caught:
        train(project, quick(model_name="drf-mas"))
    assert "drf-msam" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augment": {"flop": 1}}, "no change of pictures is called 'augment.flop'"),
        ({"augment": {"flip": "yes"}}, "'augment.flip' cannot be 'yes'"),
        ({"augment": {"flip": True}}, "'augment.flip' cannot be 'True'"),
        ({"augment": {"flip": 2}}, "'augment.flip' cannot be '2'"),
        ({"augment": {"flip": [0.1, 0.2]}}, "'augment.flip' cannot be"),
        ({"augment": {"shift": "nan"}}, "'augment.shift' cannot be 'nan'"),
        ({"augment": {"zoom": 1.0}}, "'augment.zoom' cannot be '1.0'"),
        ({"augment": {"contrast": -0.1}}, "'augment.contrast' cannot be '-0.1'"),
        ({"augment": {"erase_area": (0.1, 0.2, 0.3)}}, "'augment.erase_area' cannot be"),
        ({"augment": {"erase_area": 0.2}}, "'augment.erase_area' cannot be '0.2'"),
        ({"augment": {"erase_area": [0.9, 0.1]}}, "'augment.erase_area' cannot be"),
        ({"augment": {"erase_area": [0.1, "b"]}}, "'augment.erase_area' cannot be"),
        ({"model": {"widht": 3}}, "has no option 'widht'"),
        ({"model": {"num_classes": 3}}, "has no option 'num_classes'"),
        ({"objective": "eac"}, "objective 'eac' does not go with 'drf-msam'"),
    ],
)
def test_wrong_setting_is_refused_before_training(project: Project, changes: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        train(project, quick(**changes))
    assert list_runs(project.root) == []
    with pytest.raises(SettingsError, match=message):
        train_config(project, quick(**changes))
    with pytest.raises(SettingsError, match=message):
        train(project, quick(**changes), dry_run=True)


def test_dry_run_refuses_a_device_that_is_not_here(project: Project) -> None:
    with pytest.raises(UsageError, match="device 'meta' is not available"):
        train(project, quick(device="meta"), dry_run=True)


def test_dry_run_refuses_too_few_faces(project: Project) -> None:
    project.write_rows([replace(label, label="smile") for label in project.rows(Label)], Label)
    with pytest.raises(InputError, match="same label"):
        train(project, quick(), dry_run=True)


def test_test_faces_change_nothing_in_training(project: Project) -> None:
    first = train(project, quick())
    test_ids = {row.face_id for row in project.split_rows("default") if row.split == "test"}
    pack = np.load(project.root / "faces" / "pack.npy")
    for row, face in enumerate(project.rows(Face)):
        if face.face_id in test_ids:
            pack[row] = 0
    np.save(project.root / "faces" / "pack.npy", pack)
    second = train(project, quick(), force=True)
    one, other = weights(project, first.run), weights(project, second.run)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert (first.val_accuracy, first.val_macro_f1) == (second.val_accuracy, second.val_macro_f1)


def test_run_json_names_machine_and_versions(project: Project) -> None:
    result = train(project, quick())
    record = json.loads((project.root / "runs" / result.run / "run.json").read_text(encoding="utf-8"))
    assert record["decided"]["precision"] == "fp32"
    assert record["decided"]["reason"] == "as asked"
    assert {"fercli", "torch", "numpy"} <= set(record["versions"])


def train_on_full_disk(project: Project, monkeypatch: pytest.MonkeyPatch, writer: str) -> None:
    def full(*_: object, **_more: object) -> None:
        raise ProjectError("disk full", hint="Free some space and run the same command again.")

    with monkeypatch.context() as patch:
        patch.setattr(writer, full)
        with pytest.raises(ProjectError, match="disk full"):
            train(project, quick())


def test_full_disk_leaves_the_run_to_be_gone_on_with(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(drawn_project(tmp_path / "other"), quick())

    train_on_full_disk(project, monkeypatch, "fercli.learn.keeper.save_state")
    (run,) = list_runs(project.root)
    assert run.status == "interrupted"
    result = train(project, quick())
    assert (result.run, result.status) == (run.run_id, "finished")
    one = load_checkpoint(tmp_path / "other" / "runs" / whole.run / "checkpoints" / "last.safetensors").tensors
    assert all(torch.equal(one[name], tensor) for name, tensor in weights(project, result.run).items())


def test_end_that_could_not_be_written_down_is_reached_again_from_the_state(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_on_full_disk(project, monkeypatch, "fercli.stages.train.run.end_record")
    (run,) = list_runs(project.root)
    before = weights(project, run.run_id)
    progress = Signaller(7)
    result = train(project, quick(), progress=progress)
    assert (result.run, result.status, result.was_resumed, result.epochs) == (run.run_id, "finished", True, 2)
    assert progress.count == 6  # told where it stands, and not one step more
    assert all(torch.equal(before[name], tensor) for name, tensor in weights(project, run.run_id).items())
    assert not list((run.folder / "checkpoints").glob("state-*"))


def test_run_of_several_processes_is_not_gone_on_with_in_one(project: Project) -> None:
    stopped = train(project, quick(time_limit_s=0.001))
    (run,) = list_runs(project.root)
    write_record(run.folder, replace(run.record, decided={**run.record.decided, "num_processes": 2}))
    with pytest.raises(
        UsageError, match="was begun with --procs 2 and goes on in as many processes, not in 1"
    ) as caught:
        train(project, TrainSettings(), resume=stopped.run)
    assert "--procs 2" in caught.value.hint


def test_resume_on_another_fold_split_names_only_what_moved(project: Project) -> None:
    rows = project.split_rows("default")
    folds = [replace(row, fold=fold) for fold in (0, 1) for row in rows]
    write_table(project.split_path("default"), folds, SplitRow)
    stopped = train(project, quick(time_limit_s=0.001, fold=1))
    folds[-1] = replace(folds[-1], split="train")
    write_table(project.split_path("default"), folds, SplitRow)
    with pytest.raises(ProjectError, match=r"split \(1 of the run's rows, first 'set/000047'\) changed"):
        train(project, quick(), resume=stopped.run)


def test_model_card_says_whether_subjects_are_others(project: Project) -> None:
    first = train(project, quick())
    card = (project.root / "runs" / first.run / "model_card.md").read_text(encoding="utf-8")
    assert "12 faces of 3 other subjects" in card
    rows = project.split_rows("default")
    mixed = [replace(row, split="train" if place // 2 % 2 else "val") for place, row in enumerate(rows)]
    write_table(project.split_path("default"), mixed, SplitRow)
    second = train(project, quick())
    card = (project.root / "runs" / second.run / "model_card.md").read_text(encoding="utf-8")
    assert "24 faces of 12 subjects, of whom some are in both" in card


def test_numbers_spelled_as_words_are_the_same_work(project: Project) -> None:
    train(project, quick(model={"width": 16, "hidden": 32}))
    assert train(project, quick(model={"width": "16", "hidden": "32"})).is_unchanged


def test_compiled_or_not_is_decided_once_and_told(project: Project) -> None:
    stopped = train(project, quick(time_limit_s=0.001))
    folder = project.root / "runs" / stopped.run
    decided = read_run(folder).record.decided
    assert decided["is_compiled"] is False
    assert "too short" in str(decided["compile_reason"])
    write_record(folder, replace(read_run(folder).record, decided={**decided, "compile_reason": "written here"}))
    train(project, quick())
    assert read_run(folder).record.decided["compile_reason"] == "written here"


def test_missing_compiler_is_a_warning_and_the_run_says_so(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fercli.learn.compiling.find_failure", lambda _: "no C++ compiler was found")
    result = train(project, quick(compile="yes"))
    assert "Model not compiled: no C++ compiler was found" in " ".join(result.warnings)
    assert read_run(project.root / "runs" / result.run).record.decided["is_compiled"] is False


def test_what_a_run_is_depends_on_compiling_and_not_on_its_events() -> None:
    assert identity(quick(compile="yes")) != identity(quick())
    assert identity(quick(tensorboard=True)) == identity(quick())


def test_gpus_without_cuda_are_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="--gpus 2: torch finds 0 CUDA GPUs") as caught:
        train(project, quick(gpus=2))
    assert "--procs N" in caught.value.hint
    assert not list_runs(project.root)


def test_gpus_are_processes_with_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    settings = on_gpus(quick(gpus=4))
    assert (settings.procs, settings.device, settings.gpus) == (4, "cuda", None)


def test_gpus_do_not_go_with_processes(project: Project) -> None:
    with pytest.raises(UsageError, match="--gpus does not go with --procs or --device"):
        train(project, quick(gpus=2, procs=2))


def test_tensorboard_events_lie_in_the_run(project: Project) -> None:
    pytest.importorskip("tensorboard")
    result = train(project, quick(tensorboard=True))
    assert list((project.root / "runs" / result.run / "tensorboard").glob("events.*"))


def test_run_that_goes_on_under_another_torch_says_so(project: Project) -> None:
    folder = project.root / "runs" / train(project, quick(time_limit_s=0.001)).run
    record = read_run(folder).record
    assert record.decided["memory_format"] == "channels_last"
    write_record(folder, replace(record, versions={**record.versions, "torch": "1.0"}))
    result = train(project, quick())
    assert (result.run, result.was_resumed) == (folder.name, True)
    assert any("other versions (torch 1.0 before" in warning for warning in result.warnings)


def test_an_argument_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="unknown argument 'is_shared'"):
        train(drawn_project(tmp_path / "mine"), quick(), is_shared=True)


def test_second_call_says_again_what_the_accuracy_is_worth(project: Project) -> None:
    settings = quick(lr=1e-9, epochs=1)
    first, second = train(project, settings), train(project, settings)
    assert second.is_unchanged
    doubt = "does not exceed the majority-class baseline"
    assert [doubt in result.warnings[0] for result in (first, second)] == [True, True]
    assert first.warnings[0] == second.warnings[0]
