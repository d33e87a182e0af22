import pytest

from fercli.cli import progress
from fercli.cli.bars import RichProgress
from fercli.cli.progress import PlainProgress
from fercli.cli.rates import shown_rate, shown_time


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


@pytest.mark.parametrize(("rate", "text"), [(123.4, "123/s"), (4.26, "4.3/s"), (0.25, "4.0 s each"), (0.0, "0.0/s")])
def test_rate_reads_well(rate: float, text: str) -> None:
    assert shown_rate(rate) == text


@pytest.mark.parametrize(("seconds", "text"), [(40.4, "40 s"), (180, "3 min"), (7500, "2 h 5 min")])
def test_time_reads_well(seconds: float, text: str) -> None:
    assert shown_time(seconds) == text


def test_bar_ends_with_all_done(capsys: pytest.CaptureFixture[str]) -> None:
    with RichProgress() as shown:
        shown.start("align", 3)
        shown.advance(1, faces="2")
        shown.advance(2)
    assert "3/3" in capsys.readouterr().err
