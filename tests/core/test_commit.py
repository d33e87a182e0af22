import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fercli.core import commit as commits
from fercli.core.commit import (
    LOG,
    RECORD,
    ROOM,
    Commit,
    apply,
    current_path,
    finish_pending,
    log_lines,
    read_record,
    read_settled,
)
from fercli.core.errors import ProjectError
from fercli.core.project import Project, create_project
from fercli.core.rows import Label, Vote


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "votes.csv").write_text("old votes", encoding="utf-8")
    (tmp_path / "manifests" / "labels.csv").write_text("old labels", encoding="utf-8")
    (tmp_path / "old.png").write_bytes(b"old")
    return tmp_path


def prepared(root: Path) -> Commit:
    """A commit of two tables, a folder with a crop, a deletion and a line of the log."""
    commit = Commit(root)
    commit.text(root / "manifests" / "votes.csv", "new votes")
    commit.text(root / "manifests" / "labels.csv", "new labels")
    crop = root / ".fer" / "running" / "align" / "faces" / "v" / "f1.png"
    crop.parent.mkdir(parents=True)
    crop.write_bytes(b"new")
    commit.folder(root / ".fer" / "running" / "align")
    commit.delete(root / "old.png")
    commit.log("align", {"size": 112}, {"num_faces": 1}, ["lesson.mp4"])
    return commit


OLD = {"manifests/votes.csv": "old votes", "manifests/labels.csv": "old labels", "old.png": "old"}
NEW = {"manifests/votes.csv": "new votes", "manifests/labels.csv": "new labels", "faces/v/f1.png": "new"}


def contents(root: Path) -> dict[str, str]:
    files = [path for path in root.rglob("*") if path.is_file() and ".fer" not in path.relative_to(root).parts]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_everything_changes_at_once_and_nothing_is_left_behind(root: Path) -> None:
    commit = prepared(root)
    assert contents(root) == OLD
    commit.finish()
    assert contents(root) == NEW
    assert not (root / ROOM).exists()
    assert not (root / ".fer/running/align").exists()
    assert json.loads((root / RECORD).read_text(encoding="utf-8")) == {"number": 1}
    (line,) = log_lines(root)
    assert (line["commit"], line["stage"], line["arguments"]) == (1, "align", ["lesson.mp4"])


def kill_at(monkeypatch: pytest.MonkeyPatch, number: int) -> Callable[[], int]:
    """Kill at the `number`-th operation on a file that the commit makes; the counter of operations comes back."""
    num_calls = 0

    def counted(true_call: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            nonlocal num_calls
            num_calls += 1
            if num_calls == number:
                raise Killed
            return true_call(*args, **more)

        return call

    for name in ("write_synced", "sync_folder", "_replace", "_append_to_log"):
        monkeypatch.setattr(commits, name, counted(getattr(commits, name)))
    monkeypatch.setattr(Path, "unlink", counted(Path.unlink))
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    return lambda: num_calls


def test_kill_at_any_operation_leaves_old_or_new_and_the_next_writer_finishes(tmp_path: Path) -> None:
    outcomes = set()
    for number in range(1, 60):
        root = tmp_path / str(number)
        (root / "manifests").mkdir(parents=True)
        for name, text in OLD.items():
            (root / name).write_text(text, encoding="utf-8")
        commit = prepared(root)
        with pytest.MonkeyPatch.context() as patched:
            count = kill_at(patched, number)
            with contextlib.suppress(Killed):
                commit.finish()
            if count() < number:
                break
        tables = {name: current_path(root, root / name).read_text(encoding="utf-8") for name in list(OLD)[:2]}
        has_happened = tables["manifests/votes.csv"] == "new votes"
        assert tables == {name: (NEW if has_happened else OLD)[name] for name in tables}
        finish_pending(root)
        assert contents(root) == (NEW if has_happened else OLD)
        assert len(log_lines(root)) == has_happened
        assert not (root / ROOM).exists()
        outcomes.add(has_happened)
    else:
        pytest.fail("the commit never came to its end")
    assert outcomes == {False, True}


def test_applying_again_changes_nothing(root: Path) -> None:
    commit = prepared(root)
    record = commits.CommitRecord(1, commit.exchanges, commit.folders, commit.deletions, commit.line)
    apply(root, record)
    apply(root, record)
    assert contents(root) == NEW
    assert len(log_lines(root)) == 1


@pytest.mark.parametrize("place", ["manifests/votes.csv", "new.png"], ids=["old contents", "nothing"])
def test_waiting_file_that_somebody_took_away_is_missed(root: Path, place: str) -> None:
    commit = Commit(root)
    commit.data(root / place, b"longer than what was there")
    record = commits.CommitRecord(1, commit.exchanges, sizes=commit.sizes)
    (root / commit.exchanges[place]).unlink()
    with pytest.raises(ProjectError, match=f"{place}.* is gone"):
        apply(root, record)


@pytest.mark.parametrize("change", ["exchange", "deletion", "folder"])
def test_link_to_a_folder_leads_no_commit_out_of_the_project(tmp_path: Path, change: str) -> None:
    root, outside = tmp_path / "project", tmp_path / "outside"
    (root / ".fer" / "room" / "faces").mkdir(parents=True)
    outside.mkdir()
    (outside / "kept.txt").write_text("theirs", encoding="utf-8")
    (root / "faces").symlink_to(outside, target_is_directory=True)
    (root / ".fer" / "room" / "faces" / "kept.txt").write_text("ours", encoding="utf-8")
    record = {
        "exchange": commits.CommitRecord(1, {"faces/kept.txt": ".fer/room/faces/kept.txt"}),
        "deletion": commits.CommitRecord(1, deletions=["faces/kept.txt"]),
        "folder": commits.CommitRecord(1, folders=[".fer/room"]),
    }[change]
    with pytest.raises(ProjectError, match="the folder 'faces' leads out of the project"):
        apply(root, record)
    assert (outside / "kept.txt").read_text(encoding="utf-8") == "theirs"


@pytest.mark.parametrize("place", ["../x", "/x", "C:/x", "a\\b", "a/../../x", "", "a\0b"])
def test_record_that_names_a_place_outside_is_refused(root: Path, place: str) -> None:
    (root / RECORD).parent.mkdir()
    (root / RECORD).write_text(json.dumps({"number": 1, "deletions": [place]}), encoding="utf-8")
    with pytest.raises(ProjectError, match="outside the project"):
        read_record(root)


def test_reader_reads_through_a_commit_that_is_half_applied(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = prepared(root)
    moved: list[Path] = []
    true_replace = commits._replace

    def one(waiting: Path, place: Path) -> Path:
        if moved:
            raise Killed
        moved.append(place)
        return true_replace(waiting, place)

    monkeypatch.setattr(commits, "_replace", one)
    with pytest.raises(Killed):
        commit.finish()
    names = ("manifests/votes.csv", "manifests/labels.csv", "faces/v/f1.png")
    assert [current_path(root, root / name).read_text(encoding="utf-8") for name in names] == [
        "new votes",
        "new labels",
        "new",
    ]


def test_set_of_tables_is_read_again_when_a_commit_comes_between(root: Path) -> None:
    commit = prepared(root)
    read: list[str] = []

    def both() -> tuple[str, str]:
        votes = (root / "manifests/votes.csv").read_text(encoding="utf-8")
        if not read:
            commit.finish()
        read.append(votes)
        return votes, (root / "manifests/labels.csv").read_text(encoding="utf-8")

    assert read_settled(root, both) == ("new votes", "new labels")
    assert read == ["old votes", "new votes"]


def test_raised_error_in_the_block_changes_nothing(tmp_path: Path) -> None:
    project = create_project(tmp_path, name="mine", classes=("a", "b"))
    with pytest.raises(AttributeError), project.commit() as commit:
        commit.table([Vote("f", "a1", "a", "a"), None], Vote)
    assert project.rows(Vote) == []
    assert not (tmp_path / ROOM).exists()


def test_table_with_the_same_contents_is_left_as_it_is(tmp_path: Path) -> None:
    project = project_with_labels(tmp_path)
    before = project.table_path(Label).stat().st_mtime_ns
    with project.commit() as commit:
        commit.table(project.rows(Label), Label)
    assert project.table_path(Label).stat().st_mtime_ns == before


def project_with_labels(root: Path) -> Project:
    project = create_project(root, name="mine", classes=("a", "b"))
    with project.commit() as commit:
        commit.table([Label("f", "a", "ok", "majority", 2, 1.0, 0.0, {"a": 1.0})], Label)
    return project


def test_files_of_a_folder_are_counted_as_they_will_be(root: Path) -> None:
    commit = prepared(root)
    (root / "faces" / "v").mkdir(parents=True)
    (root / "faces" / "v" / "f0.png").write_bytes(b"x")
    assert Commit(root).count_files(root / "faces") == 1
    assert commit.count_files(root / "faces") == 2
    commit.delete(root / "faces" / "v" / "f0.png")
    assert commit.count_files(root / "faces") == 1


@pytest.mark.parametrize(
    "record",
    ["{", "[]", '{"number": "x"}', '{"number": 1, "exchanges": {"../x": "y"}}', '{"number": 1, "deletions": ["/etc"]}'],
)
def test_altered_record_is_one_clear_error(root: Path, record: str) -> None:
    (root / ".fer").mkdir()
    (root / RECORD).write_text(record, encoding="utf-8")
    with pytest.raises(ProjectError, match=r"commit\.json: cannot be read"):
        read_record(root)


def test_line_of_the_log_that_a_kill_cut_short_is_left_out(root: Path) -> None:
    prepared(root).finish()
    with (root / LOG).open("a", encoding="utf-8") as file:
        file.write('{"stage": "al')
    second = Commit(root)
    second.log("split", {}, {})
    second.finish()
    assert [line["stage"] for line in log_lines(root)] == ["align", "split"]


def test_file_that_is_written_after_all_is_not_deleted(root: Path) -> None:
    commit = Commit(root)
    commit.delete(root / "old.png")
    commit.data(root / "old.png", b"old")
    commit.finish()
    assert (root / "old.png").read_bytes() == b"old"
