import pytest

from fercli.cli.bars import RichProgress


def test_table_stays_on_the_screen_above_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    with RichProgress() as shown:
        shown.start("train", 12)
        for epoch in range(12):
            shown.advance(1)
            shown.add_row({"epoch": f"e{epoch}", "loss": "0.5"})
        shown.start("predict", 1)
        shown.advance(1)
        shown.add_row({"part": "test"})
    lines = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert ["epoch", "loss"] in lines
    assert ["e11", "0.5"] in lines
    assert ["e1", "0.5"] not in lines  # the last ten are shown
    assert ["the", "last", "10", "of", "12"] in lines
    assert ["test"] in lines


def test_table_of_a_task_that_failed_stays_too(capsys: pytest.CaptureFixture[str]) -> None:
    def diverge() -> None:
        with RichProgress() as shown:
            shown.start("train", 3)
            shown.add_row({"epoch": "e1", "loss": "7.5"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        diverge()
    assert ["e1", "7.5"] in [line.split() for line in capsys.readouterr().err.splitlines()]


def test_long_words_take_no_room_from_count_and_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with RichProgress() as shown:
        shown.start("train", 300)
        shown.advance(300, epoch="epoch 3/3", more="much that is to be said " * 5)
    line = next(line for line in capsys.readouterr().err.splitlines() if "300/300" in line)
    assert "epoch 3/3" in line
    assert line.rstrip().endswith("0:00:00")
