import pytest

from fercli.cli import progress
from fercli.cli.progress import PlainProgress, RichProgress, shown_rate, shown_time


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_line_tells_rate_and_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainProgress()
    shown.start("align", 200)
    clock.now += 10
    shown.advance(40, faces="12")
    assert capsys.readouterr().err == "align: 40/200 in 10 s, 4.0/s, 40 s left 12\n"


def test_line_of_unknown_total_has_no_time_left(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainProgress()
    shown.start("find faces")
    clock.now += 20
    shown.advance(500)
    assert capsys.readouterr().err == "find faces: 500 in 20 s, 25/s\n"


def test_pace_is_that_of_the_last_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainProgress()
    shown.start("align", 2000)
    clock.now += 10
    # What an interrupted run had done.
    shown.advance(1000)
    clock.now += 10
    shown.advance(10)
    assert capsys.readouterr().err.splitlines()[1] == "align: 1010/2000 in 20 s, 1.0/s, 16 min left"


def test_what_was_done_before_is_not_in_the_first_pace(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = PlainProgress()
    shown.start("train", 2000)
    shown.advance(1000)
    clock.now += 10
    shown.advance(10)
    assert capsys.readouterr().err == "train: 1010/2000 in 10 s, 1.0/s, 16 min left\n"


@pytest.mark.parametrize("shown", [PlainProgress(), RichProgress()])
def test_a_task_of_nothing_is_not_shown(
    shown: PlainProgress | RichProgress, capsys: pytest.CaptureFixture[str]
) -> None:
    with shown:
        shown.start("draw lessons", 0)
        shown.advance(0)
    assert "draw lessons" not in capsys.readouterr().err


def test_work_that_took_no_time_has_no_rate(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with PlainProgress() as shown:
        shown.start("align", 3)
        shown.advance(3)
    assert capsys.readouterr().err == "align: 3/3 in 0 s\n"


def test_row_is_a_line_of_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainProgress() as shown:
        shown.add_row({"epoch": "1/3", "val loss": "", "lr": "0.1", "": "best so far"})
    assert capsys.readouterr().err == "epoch 1/3, lr 0.1, best so far\n"


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


@pytest.mark.parametrize(("rate", "text"), [(123.4, "123/s"), (4.26, "4.3/s"), (0.25, "4.0 s each"), (0.0, "0.0/s")])
def test_rate_reads_well(rate: float, text: str) -> None:
    assert shown_rate(rate) == text


@pytest.mark.parametrize(("seconds", "text"), [(40.4, "40 s"), (180, "3 min"), (7500, "2 h 5 min")])
def test_time_reads_well(seconds: float, text: str) -> None:
    assert shown_time(seconds) == text


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


def test_bar_ends_with_all_done(capsys: pytest.CaptureFixture[str]) -> None:
    with RichProgress() as shown:
        shown.start("align", 3)
        shown.advance(1, faces="2")
        shown.advance(2)
    assert "3/3" in capsys.readouterr().err
