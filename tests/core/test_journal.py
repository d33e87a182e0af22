from dataclasses import dataclass
from pathlib import Path

from fercli.core.journal import ItemJournal, log_run


@dataclass(frozen=True)
class Sample:
    size: int = 1


def test_a_killed_stage_finds_its_finished_items_again(tmp_path: Path) -> None:
    with ItemJournal(tmp_path, "align", "mark") as journal:
        journal.add("v/f1", [1, 2])
        journal.add("v/f2", [])
    with ItemJournal(tmp_path, "align", "mark") as journal:
        assert journal.finished == {"v/f1": [1, 2], "v/f2": []}


def test_a_line_cut_by_a_kill_is_ignored(tmp_path: Path) -> None:
    with ItemJournal(tmp_path, "align", "mark") as journal:
        journal.add("v/f1", 1)
    path = tmp_path / ".fer" / "running" / "align.jsonl"
    path.write_text(path.read_text(encoding="utf-8") + '{"item": "v/f2", "rec', encoding="utf-8")
    with ItemJournal(tmp_path, "align", "mark") as journal:
        assert journal.finished == {"v/f1": 1}
        journal.add("v/f2", 2)
    with ItemJournal(tmp_path, "align", "mark") as journal:
        assert journal.finished == {"v/f1": 1, "v/f2": 2}


def test_items_of_other_settings_are_not_taken_for_done(tmp_path: Path) -> None:
    with ItemJournal(tmp_path, "align", "old") as journal:
        journal.add("v/f1", 1)
    with ItemJournal(tmp_path, "align", "new") as journal:
        assert journal.finished == {}


def test_a_discarded_journal_leaves_nothing(tmp_path: Path) -> None:
    with ItemJournal(tmp_path, "align", "mark") as journal:
        journal.add("v/f1", 1)
        journal.discard()
    assert list((tmp_path / ".fer" / "running").iterdir()) == []


def test_every_run_is_one_line_of_the_log(tmp_path: Path) -> None:
    log_run(tmp_path, "align", Sample(), {"num_faces": 3})
    log_run(tmp_path, "align", Sample(2), {"num_faces": 4})
    assert len((tmp_path / ".fer" / "journal.jsonl").read_text(encoding="utf-8").splitlines()) == 2
