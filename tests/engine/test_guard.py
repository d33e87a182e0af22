import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import CheckError, InputError, MediaError
from fercli.engine import guard
from tests.engine import deadly

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture
def fresh() -> Iterator[None]:
    """Readers of this test only."""
    guard._end_all()
    yield
    guard._end_all()


def place(function: Callable[..., object]) -> str:
    return f"{function.__module__}:{function.__name__}"


def call(function: Callable[..., object], *args: object) -> object:
    return guard.call(place(function), *args, name="lesson.mp4")


def test_results_come_back_in_order_with_their_arrays() -> None:
    for number, image in enumerate(guard.stream(place(deadly.images), 5, name="lesson.mp4")):
        np.testing.assert_array_equal(image, np.full((1080, 1920, 3), number, np.uint8))
        image[:] = 0  # it is this process's own
    assert number == 4


def test_one_reader_serves_all_calls_and_is_another_process() -> None:
    first = call(deadly.pid_of_reader)
    assert list(guard.stream(place(deadly.count_up), name="")) == [25]
    assert first == call(deadly.pid_of_reader) != os.getpid()


@pytest.mark.parametrize(
    ("function", "words"),
    [
        pytest.param(deadly.read_null, "crashed (SIGSEGV)", marks=POSIX),
        pytest.param(deadly.be_killed, "was killed, possibly because memory ran out", marks=POSIX),
        (deadly.leave, "ended by itself (status 3)"),
    ],
)
def test_death_is_an_error_that_names_the_file_and_the_next_call_works(
    function: Callable[[], None], words: str
) -> None:
    with pytest.raises(guard.ReaderError, match=r"lesson\.mp4") as caught:
        call(function)
    assert words in caught.value.message
    assert caught.value.hint
    assert call(deadly.pid_of_reader) != os.getpid()


def test_what_came_before_a_death_is_not_lost() -> None:
    images = guard.stream(place(deadly.images), 9, 6, name="lesson.mp4")
    assert [int(next(images)[0, 0, 0]) for _ in range(6)] == list(range(6))
    with pytest.raises(guard.ReaderError, match="crashed"):
        next(images)


def test_reader_without_progress_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STALL_S", 1)
    monkeypatch.setattr(guard, "_SLICE_S", 0.25)
    with pytest.raises(guard.ReaderError, match="made no progress for 1 second"):
        call(deadly.hang)


def test_reader_that_gives_signs_of_life_may_take_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "STALL_S", 1)
    monkeypatch.setattr(guard, "_SLICE_S", 0.25)
    assert call(deadly.work_slowly, 1.5) == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="the system bounds memory on Linux only")
def test_memory_is_bounded() -> None:
    with pytest.raises(guard.ReaderError, match=r"needs more than 1\.5 GB of memory"):
        call(deadly.take_memory)


def test_our_errors_come_as_they_are_and_others_as_errors_of_the_file() -> None:
    with pytest.raises(CheckError, match="as asked") as caught:
        call(deadly.fail_clearly)
    assert caught.value.hint == "Do that."
    before = call(deadly.pid_of_reader)
    with pytest.raises(MediaError, match=r"cannot read 'lesson\.mp4': KeyError: 'nobody thought of it'") as odd:
        call(deadly.fail_oddly)
    assert "deadly.py" in "".join(odd.value.__notes__)
    assert call(deadly.pid_of_reader) == before


def test_what_a_library_prints_is_no_answer() -> None:
    assert call(deadly.print_much) == "done"


def test_how_far_it_is_comes_now_and_then() -> None:
    reached: list[int] = []
    assert list(guard.stream(place(deadly.count_up), name="", tell=reached.append)) == [25]
    assert reached == [0, 8, 16, 24]


def test_reader_that_is_left_at_its_work_ends(fresh: None) -> None:
    with closing(guard.stream(place(deadly.images), 1000, name="")) as images:
        next(images)
        (reader,) = guard._alive
    assert reader._process.poll() is not None
    assert not reader._listener.is_alive()


@POSIX
def test_reader_ends_with_a_killed_process() -> None:
    code = (
        "import os, signal\n"
        "from fercli.engine import guard\n"
        "print(guard.call('tests.engine.deadly:pid_of_reader', name=''), flush=True)\n"
        "next(guard.stream('tests.engine.deadly:images', 1000, name=''))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    # The reader's listener holds no end of this pipe, so its end is asked of the system.
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    _wait_until_gone(int(done.stdout))


def _wait_until_gone(pid: int) -> None:
    for _ in range(600):
        try:
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return
        except OSError:
            pass
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the reader outlived the process that it read for")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_process_gets_a_reader_of_its_own() -> None:
    before = call(deadly.pid_of_reader)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if call(deadly.pid_of_reader) != before else 2
            guard._end_all()
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert call(deadly.pid_of_reader) == before


def test_reader_that_cannot_start_is_told_as_such(fresh: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(InputError, match="did not start: ModuleNotFoundError") as caught:
        call(deadly.pid_of_reader)
    assert not isinstance(caught.value, MediaError)  # or each file would be told as unreadable


def test_file_is_tried_again_where_the_reader_had_read_another_before(tmp_path: Path) -> None:
    """A decoder that one file has harmed may die at the next."""
    assert call(deadly.pid_of_reader)
    assert call(deadly.die_at_first, tmp_path / "was here") == "well"
    (reader,) = guard._idle
    reader._process.kill()
    reader._process.wait()
    assert call(deadly.pid_of_reader) != reader._process.pid


def test_file_is_not_tried_again_in_a_fresh_reader(fresh: None, tmp_path: Path) -> None:
    with pytest.raises(guard.ReaderError, match="ended by itself"):
        call(deadly.die_at_first, tmp_path / "was here")
