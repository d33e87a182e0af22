from pathlib import Path

import pytest

from fercli.core.errors import ProjectError
from fercli.labels.formats.csv import read_csv
from fercli.labels.journal import Cast, Journal, journal_csv, read_journal


def cast(number: int, label: str = "happy", **more: object) -> Cast:
    values: dict[str, object] = {"id": f"vote-{number:04d}", "face_id": f"lesson/f{number:06d}-0", "copy": 1}
    return Cast(**{**values, "label": label, "at": f"2026-01-01T00:00:{number:02d}Z", **more})  # type: ignore[arg-type]  # the fields of a Cast


def undo(number: int, of: Cast) -> Cast:
    return cast(number, "", face_id=of.face_id, at=of.at, undoes=of.id, undone_at="2026-01-01T00:01:00Z")


def test_same_vote_twice_is_one(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a1.jsonl")
    assert journal.add(cast(1))
    assert not journal.add(cast(1))
    assert not Journal(tmp_path / "a1.jsonl").add(cast(1))
    assert read_journal(tmp_path / "a1.jsonl").casts == (cast(1),)


def test_undone_vote_does_not_stand(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a1.jsonl")
    journal.add(cast(1))
    journal.add(cast(2))
    journal.add(undo(3, cast(1)))
    assert list(journal.standing) == ["vote-0002"]
    part = read_journal(tmp_path / "a1.jsonl")
    assert (part.casts, part.withdrawn) == ((cast(2),), ())


def test_undoing_what_an_earlier_part_holds_withdraws_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a1.jsonl")
    journal.add(cast(1))
    first = read_journal(tmp_path / "a1.jsonl")
    journal.add(undo(2, cast(1)))
    journal.add(cast(3))
    later = read_journal(tmp_path / "a1.jsonl", first.end)
    assert later.casts == (cast(3),)
    assert [(one.face_id, one.at) for one in later.withdrawn] == [(cast(1).face_id, cast(1).at)]


@pytest.mark.parametrize("length", range(1, 60, 7))
def test_line_that_a_kill_cut_short_is_no_vote_and_spoils_none(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a1.jsonl"
    Journal(path).add(cast(1))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:length])
    assert read_journal(path).casts == (cast(1),)
    journal = Journal(path)
    journal.add(cast(2))
    part = read_journal(path)
    assert part.casts == (cast(1), cast(2))
    assert part.num_torn == 1
    assert list(Journal(path).standing) == ["vote-0001", "vote-0002"]


def test_vote_is_not_there_when_the_folder_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file stands where the folder should be")
    journal = Journal(tmp_path / "folder" / "a1.jsonl")
    with pytest.raises(ProjectError, match="could not write"):
        journal.add(cast(1))
    assert not journal.standing


def test_comment_is_no_formula_of_a_spreadsheet(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a1.jsonl")
    journal.add(cast(1, comment="=1+1"))
    table = journal_csv([("a1", read_journal(tmp_path / "a1.jsonl"))])
    assert table.splitlines()[1].endswith(",'=1+1")


def test_table_of_journals_is_read_as_votes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a1.jsonl")
    journal.add(cast(1, is_unsure=True, comment='a "quoted", word', suggested="before", chosen="uncertain"))
    journal.add(cast(2, copy=2))
    journal.add(cast(3, ""))
    table = tmp_path / "votes.csv"
    table.write_text(journal_csv([("a1", read_journal(tmp_path / "a1.jsonl"))]), encoding="utf-8")
    raw = read_csv(table)
    first, second = raw.votes
    assert first[:5] == ("lesson/f000001-0", "a1", "happy", 0.5, "2026-01-01T00:00:01Z")
    assert (first.suggested, first.chosen) == ("before", "uncertain")
    assert second.item.startswith("x")
    assert second.confidence is None
    assert raw.num_skipped == 1
