import json
from pathlib import Path

import pytest

from fercli.core import commit as commits
from fercli.core.batch import Batch, interrupted
from fercli.core.commit import Commit, finish_pending
from fercli.core.errors import ProjectError


def put(batch: Batch, path: str, text: str = "crop") -> None:
    place = batch.room / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")


def test_killed_stage_finds_its_finished_items_and_their_files_again(tmp_path: Path) -> None:
    with Batch(tmp_path, "align", "mark") as batch:
        put(batch, "faces/v/f1-0.png")
        batch.add("v/f1", {"key": "k", "paths": ["faces/v/f1-0.png"]})
    with Batch(tmp_path, "align", "mark") as batch:
        assert batch.is_finished("v/f1", "k", ["faces/v/f1-0.png"])
        assert not batch.is_finished("v/f1", "another key")
        assert not batch.is_finished("v/f1", "k", ["faces/v/lost.png"])
        assert not batch.is_finished("v/f2", "k")


def test_line_cut_by_a_kill_is_ignored(tmp_path: Path) -> None:
    with Batch(tmp_path, "align", "mark") as batch:
        batch.add("v/f1", {"key": "k"})
    path = tmp_path / ".fer" / "running" / "align.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + '{"item": "v/f2", "rec', encoding="utf-8")
    with Batch(tmp_path, "align", "mark") as batch:
        assert list(batch.finished) == ["v/f1"]
        batch.add("v/f2", {"key": "k"})
    with Batch(tmp_path, "align", "mark") as batch:
        assert list(batch.finished) == ["v/f1", "v/f2"]


def test_items_and_files_of_another_mark_are_thrown_away(tmp_path: Path) -> None:
    with Batch(tmp_path, "align", "old") as batch:
        put(batch, "faces/v/f1-0.png")
        batch.add("v/f1", {"key": "k"})
    with Batch(tmp_path, "align", "new") as batch:
        assert batch.finished == {}
        assert not batch.room.exists()


def test_committed_batch_has_its_files_in_place_and_no_journal(tmp_path: Path) -> None:
    commit = Commit(tmp_path)
    with Batch(tmp_path, "align", "mark") as batch:
        put(batch, "faces/v/f1-0.png")
        batch.add("v/f1", {"key": "k"})
        batch.commit_to(commit)
        commit.finish()
    assert (tmp_path / "faces/v/f1-0.png").read_text(encoding="utf-8") == "crop"
    assert not (tmp_path / ".fer" / "running").exists()
    assert interrupted(tmp_path) == []


def test_begun_and_not_ended_stage_is_called_interrupted_once_it_has_done_something(tmp_path: Path) -> None:
    with Batch(tmp_path, "add", "files"):
        pass
    assert not (tmp_path / ".fer" / "running").exists()
    with Batch(tmp_path, "align", "mark") as batch:
        batch.add("v/f1", {"key": "k"})
        assert interrupted(tmp_path) == []  # it is at work
    assert interrupted(tmp_path) == ["align"]


def test_second_process_of_the_same_stage_is_refused(tmp_path: Path) -> None:
    second = Batch(tmp_path, "align", "mark")
    with Batch(tmp_path, "align", "mark"), pytest.raises(ProjectError, match="is running this stage"), second:
        pass


def test_journal_of_the_version_before_is_read(tmp_path: Path) -> None:
    path = tmp_path / ".fer" / "running" / "align.jsonl"
    path.parent.mkdir(parents=True)
    lines = [{"fingerprint": "mark"}, {"item": "v/f1", "record": {"faces": [], "key": "k"}}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with Batch(tmp_path, "align", "mark") as batch:
        assert batch.is_finished("v/f1", "k")


def killed_after_its_record(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that was killed when its commit had happened and nothing had its place yet."""
    with Batch(root, "align", "mark") as batch:
        put(batch, "faces/v/f1-0.png")
        batch.add("v/f1", {"key": "k"})
        commit = Commit(root)
        batch.commit_to(commit)
        with monkeypatch.context() as patched:
            patched.setattr(commits, "apply", lambda *_: None)
            commit.finish()


@pytest.mark.parametrize("mark", ["mark", "another"])
def test_files_that_a_pending_commit_names_are_never_thrown_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str
) -> None:
    killed_after_its_record(tmp_path, monkeypatch)
    with pytest.raises(ProjectError, match="still waits"), Batch(tmp_path, "align", mark) as batch:
        batch.clear()
    finish_pending(tmp_path)
    assert (tmp_path / "faces/v/f1-0.png").read_text(encoding="utf-8") == "crop"
    with Batch(tmp_path, "align", mark) as batch:
        assert batch.finished == {}
