import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from fercli.core.errors import InputError, MissingStageError, ProjectError
from fercli.core.locks import LOCK_NAME, is_held
from fercli.core.runs import (
    RunRecord,
    RunStatus,
    changed_inputs,
    create_run_folder,
    digest,
    find_own_run,
    find_run,
    holding,
    list_runs,
    newest_finished,
    next_number,
    read_run,
    same_work,
    sweep_run_folders,
    write_record,
)

NOON = datetime(2024, 5, 6, 12, 0, 0)


def make_run(root: Path, model: str, status: RunStatus, ended_at: str = "", fingerprint: str = "f") -> Path:
    folder = create_run_folder(root, model, now=NOON)
    record = RunRecord(folder.name, model, status, "2024-05-06T12:00:00", fingerprint, ended_at=ended_at)
    write_record(folder, record)
    return folder


def test_folder_is_named_by_time_model_and_name(tmp_path: Path) -> None:
    assert create_run_folder(tmp_path, "drf-msam", "First Try", now=NOON).name == "20240506-120000-drf-msam-first-try"


def test_second_run_of_one_second_gets_its_own_folder(tmp_path: Path) -> None:
    names = [create_run_folder(tmp_path, "eac", now=NOON).name for _ in range(3)]
    assert names == ["20240506-120000-eac", "20240506-120000-eac-2", "20240506-120000-eac-3"]


def test_record_comes_back_as_written(tmp_path: Path) -> None:
    record = RunRecord("r", "eac", "finished", "t", "f", classes=("a", "b"), inputs={"data": "1"}, result={"epoch": 3})
    write_record(tmp_path, record)
    assert read_run(tmp_path).record == record


def test_newest_finished_goes_by_the_end_and_passes_over_unfinished(tmp_path: Path) -> None:
    make_run(tmp_path, "a", "finished", "2024-05-06T13:00:00")
    wanted = make_run(tmp_path, "b", "finished", "2024-05-06T15:00:00")
    make_run(tmp_path, "c", "failed", "2024-05-06T16:00:00")
    assert newest_finished(tmp_path).folder == wanted


def test_newest_run_is_the_newest_in_every_time_zone(tmp_path: Path) -> None:
    make_run(tmp_path, "a", "finished", "2024-05-06T15:00:00+08:00")
    wanted = make_run(tmp_path, "b", "finished", "2024-05-06T09:00:00+00:00")
    make_run(tmp_path, "c", "finished", "")
    assert newest_finished(tmp_path).folder == wanted


def test_runs_are_listed_in_the_order_they_began_in_every_time_zone(tmp_path: Path) -> None:
    stamps = {"a": "2024-05-06T09:00:00+00:00", "b": "2024-05-06T15:00:00+08:00", "c": "2024-05-06T08:00:00-02:00"}
    for model, stamp in stamps.items():
        folder = make_run(tmp_path, model, "finished")
        write_record(folder, replace(read_run(folder).record, created_at=stamp))
    assert [run.record.model for run in list_runs(tmp_path)] == ["b", "a", "c"]


def test_project_without_finished_run_says_train_first(tmp_path: Path) -> None:
    make_run(tmp_path, "a", "interrupted")
    with pytest.raises(MissingStageError, match="no finished run"):
        newest_finished(tmp_path)


def test_run_is_found_by_path_id_and_unique_end(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "a", "finished")
    make_run(tmp_path, "b", "finished")
    assert [find_run(tmp_path, text).folder for text in (str(folder), folder.name, "-a")] == [folder] * 3


def test_ambiguous_run_is_refused_and_lists_the_choices(tmp_path: Path) -> None:
    make_run(tmp_path, "a", "finished")
    make_run(tmp_path, "b", "finished")
    with pytest.raises(InputError, match="several runs") as caught:
        find_run(tmp_path, "2024")
    assert "20240506-120000-a, 20240506-120000-b" in caught.value.hint


def test_unknown_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="run 'x' not found"):
        find_run(tmp_path, "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ('{"schema": "other"}', "is not a fer.run/1 file"),
        ('{"schema": "fer.run/1", "status": "failed"}', "lacks a field: .*run_id"),
    ],
    ids=["no JSON", "other", "field"],
)
def test_damaged_record_is_refused_by_name_but_passed_over_in_lists(tmp_path: Path, text: str, message: str) -> None:
    folder = create_run_folder(tmp_path, "a")
    (folder / "run.json").write_text(text, encoding="utf-8")
    with pytest.raises(ProjectError, match=rf"run\.json' {message}"):
        read_run(folder)
    assert list_runs(tmp_path) == []


def test_folder_without_record_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="is not a run folder"):
        read_run(tmp_path)


def test_unknown_status_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "a", "finished")
    values = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps({**values, "status": "done"}), encoding="utf-8")
    with pytest.raises(ProjectError, match="'done' is not a run status"):
        read_run(folder)


def test_running_record_of_a_dead_process_reads_as_interrupted(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, "a", "running"))
    with holding(run.folder):
        assert run.status == "running"
    assert run.status == "interrupted"


def test_hold_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from fercli.core.runs import holding\n"
        "with holding(Path(sys.argv[1])):\n    os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    assert not is_held(tmp_path / LOCK_NAME)


def test_folder_of_a_training_that_never_began_is_taken_away_unless_it_is_held(tmp_path: Path) -> None:
    left, held = (create_run_folder(tmp_path, name) for name in ("a", "b"))
    (left / LOCK_NAME).touch()
    kept = make_run(tmp_path, "c", "finished")
    with holding(held):
        sweep_run_folders(tmp_path)
        assert sorted((tmp_path / "runs").iterdir()) == sorted([held, kept])


def test_run_in_training_cannot_be_held_twice(tmp_path: Path) -> None:
    with holding(tmp_path), pytest.raises(ProjectError, match="trained by another process"), holding(tmp_path):
        pass


def test_same_work_prefers_the_finished_run(tmp_path: Path) -> None:
    finished = make_run(tmp_path, "a", "finished")
    make_run(tmp_path, "b", "interrupted")
    make_run(tmp_path, "c", "failed", fingerprint="g")
    found = same_work(tmp_path, "f")
    assert found is not None
    assert found.folder == finished
    assert same_work(tmp_path, "g") is None


def test_digest_ignores_the_order_of_keys_but_not_of_items() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_changed_inputs_names_what_differs() -> None:
    assert changed_inputs({"data": "1", "split": "2"}, {"data": "1", "split": "3", "votes": "4"}) == ["split", "votes"]


def test_own_run_is_named_below_the_project_and_others_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path / "mine", "a", "finished")
    monkeypatch.chdir(tmp_path / "mine")
    assert find_own_run(tmp_path / "mine", f"runs/{folder.name}").folder == folder
    assert find_own_run(tmp_path / "mine").folder == folder
    other = make_run(tmp_path / "other", "b", "finished")
    with pytest.raises(InputError, match="belongs to another project"):
        find_own_run(tmp_path / "mine", str(other))


def test_newest_run_is_the_last_one_though_the_clock_was_set_back(tmp_path: Path) -> None:
    first = make_run(tmp_path, "a", "finished", "2024-05-06T13:00:00")
    write_record(first, replace(read_run(first).record, begun=1, ended=next_number(tmp_path, "ended")))
    second = make_run(tmp_path, "b", "finished", "2024-05-05T09:00:00")
    write_record(second, replace(read_run(second).record, begun=2, ended=next_number(tmp_path, "ended")))
    assert newest_finished(tmp_path).folder == second
    assert [run.folder for run in list_runs(tmp_path)] == [first, second]


def test_runs_of_older_versions_come_before_those_that_are_numbered(tmp_path: Path) -> None:
    make_run(tmp_path, "a", "finished", "2024-05-06T13:00:00")
    new = make_run(tmp_path, "b", "finished", "2024-05-06T12:00:00")
    write_record(new, replace(read_run(new).record, ended=1))
    assert newest_finished(tmp_path).folder == new


def test_baseline_is_told_from_a_run_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the baseline is not a run of this project") as caught:
        find_run(tmp_path, "baseline")
    assert "predict --model" in caught.value.hint
