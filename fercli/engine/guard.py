"""Run a function on a stranger's file in a process of its own, whose death is an error about that file.

Decoders are large C programs: a damaged or hostile file may crash one, keep it busy for ever or fill the memory. So a
*reader*, a second Python that has imported no torch and writes no file, does what is asked of it and hands the results
back. When it crashes, makes no progress or takes too much memory, `ReaderError` says so, and the next call starts
another. A reader that is well is kept for the next call, and ends with this process.

It is a plain subprocess, not one of `multiprocessing`: that one would run a user's script again. Arrays come through
its pipe as they are: two copies in the kernel, 2.8 ms of processor time for a frame of 1920 x 1080.
"""

import atexit
import contextlib
import importlib
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Generator, Iterator
from typing import Any, BinaryIO, Literal

from fercli.core.errors import FerError, InputError, MediaError
from fercli.core.processors import count_processors
from fercli.core.pulse import listen
from fercli.core.words import counted

Tell = Callable[[int], None]

# A reader that sends nothing for so long, neither a result nor a sign of life, is taken to hang.
STALL_S = 30
# What a reader may hold; a video of 3840 x 2160 takes a fifth of it.
MAX_BYTES = 1_500_000_000
# Besides, each thread of OpenCV or FFmpeg has a stack.
_STACK_BYTES = 8_500_000
# Waiting is counted in so many seconds at a time, so that a stopped or sleeping machine does not count.
_SLICE_S = 1.0
_BEAT_S = 1.0
# How far it is it says after so many frames; each time costs 0.1 ms.
_BEAT_STEP = 8
# From the end of its pipe to its own.
_GRACE_S = 5.0
# Results that wait here, besides those in the pipe.
_NUM_AHEAD = 1
# Of Linux; elsewhere a pipe has what the system gives it.
_PIPE_BYTES = 2**20
_START = "import sys; sys.path[:] = {path!r}; from {name} import serve; import {module}; serve()"
_LENGTH = struct.Struct("<Q")

Kind = Literal["ready", "beat", "value", "end", "error", "odd", "memory"]


class ReaderError(MediaError):
    """The reader died of a file, or had to be ended.

    Attributes:
        reason: what happened to it, after words such as "the decoder".
        is_sure: whether a reader that has read something else before would have fared no better.
    """

    def __init__(self, message: str, *, hint: str = "", reason: str = "", is_sure: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.is_sure = is_sure


def call(function: str, *args: object, name: str) -> Any:  # what the function gives
    """What `function` gives, run in the reader; see `stream`."""
    (result,) = _answers(function, args, name, None, is_stream=False)
    return result


def stream(function: str, *args: object, name: str, tell: Tell | None = None) -> Generator[Any, None, None]:
    """What the iterator that `function` gives yields, run in the reader, a little ahead of what is asked for.

    Args:
        function: "module:name", so that this process need not import what the reader needs. It writes nothing.
        args: its arguments, picklable as its results are.
        name: of the file, for messages.
        tell: called with what `core.pulse.beat` says is reached there, at every eighth or so.

    Raises:
        ReaderError: the reader crashed, hung or took too much memory.
        MediaError: the function raised something that nobody has thought of; errors of ours are raised as they are.
    """
    return _answers(function, args, name, tell, is_stream=True)


def reader_error(name: str, reason: str, *, is_sure: bool = True) -> ReaderError:
    """What is said of a file at which the reader died; see `ReaderError`."""
    hint = "Convert it with another program, or leave it out."
    return ReaderError(f"cannot read '{name}': the decoder {reason}", hint=hint, reason=reason, is_sure=is_sure)


def start_early(module: str) -> None:
    """Have a reader start and import a module, while this process does something else."""
    if not _idle:
        _idle.append(_Reader(module))


def _answers(
    function: str, args: tuple[object, ...], name: str, tell: Tell | None, *, is_stream: bool
) -> Generator[Any, None, None]:
    request = is_stream, function, args
    try:
        reader = _idle.pop()
    except IndexError:
        reader = _Reader(function.partition(":")[0])
    num_values = 0
    try:
        for value in reader.run(request, name, tell):
            num_values += 1
            yield value
        return
    except ReaderError as error:
        if num_values or error.is_sure:
            raise
    finally:
        if reader.is_idle and not _idle:
            _idle.append(reader)
        else:
            reader.end()
    # What it had read before may have cost it its life; one that is new tells.
    yield from _answers(function, args, name, tell, is_stream=is_stream)


class _Reader:
    """The process that reads, seen from here."""

    def __init__(self, module: str) -> None:
        self.is_idle = True
        self._is_ready = False
        self._has_worked = False
        # What a crashed library or a failed start said; a pipe would have to be emptied all the time.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `end`
        is_windows = sys.platform == "win32"
        self._process = subprocess.Popen(  # noqa: S603  # this Python and this package
            [sys.executable, "-c", _START.format(path=sys.path, name=__name__, module=module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            bufsize=0,  # a buffer's lock might be held for ever in a process that is forked from this one
            # It does little arithmetic, and each thread that waits for some takes memory.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            # Ctrl-C and Ctrl-Z are for this process, which ends or keeps the reader.
            start_new_session=not is_windows,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        assert self._process.stdin
        assert self._process.stdout
        self._asks, answers = self._process.stdin, self._process.stdout
        _enlarge(answers)
        self._answers: queue.Queue[tuple[bytes, list[bytearray]] | None] = queue.Queue(_NUM_AHEAD)
        self._listener = threading.Thread(target=_listen, args=(answers, self._answers), daemon=True)
        self._listener.start()
        _alive.add(self)

    def run(self, request: object, name: str, tell: "Tell | None") -> Iterator[Any]:
        """The values that a request gives; see `stream`."""
        self.is_idle = False
        try:
            _send(self._asks, request)
        except OSError as error:
            raise self._death(name) from error
        while True:
            kind, value = self._next(name)
            if kind == "value":
                self._has_worked = True
                yield value
            elif kind == "beat" and tell and value is not None:
                tell(value)
            elif kind == "end":
                self.is_idle = True
                return
            elif kind in ("error", "odd", "memory"):
                # After having run out of memory it may be in any state.
                self.is_idle = kind != "memory"
                failure = value if kind == "error" else self._told(kind, value, name)
                self._has_worked = True
                raise failure

    def _next(self, name: str) -> tuple[Kind, Any]:
        """The next thing that it says."""
        waited_s = 0.0
        while True:
            try:
                answer = self._answers.get(timeout=_SLICE_S)
                break
            except queue.Empty:
                waited_s += _SLICE_S
            # How long a start takes says nothing of the file.
            if waited_s >= STALL_S and self._is_ready:
                raise reader_error(name, f"made no progress for {counted(STALL_S, 'second')}")
        if answer is None:
            raise self._death(name)
        head, buffers = answer
        self._is_ready = True
        kind, value = pickle.loads(head, buffers=buffers)  # noqa: S301  # from a process of ours
        return kind, value

    def _told(self, kind: Kind, value: tuple[str, str], name: str) -> MediaError:
        words, trace = value
        if kind == "memory":
            reason = f"needs more than {MAX_BYTES / 1e9:.1f} GB of memory"
            return reader_error(name, reason, is_sure=not self._has_worked)
        error = MediaError(f"cannot read '{name}': {words}", hint="Convert it with another program, or leave it out.")
        error.add_note(trace)
        return error

    def _death(self, name: str) -> FerError:
        try:
            code = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._is_ready:
            return reader_error(name, _reason(code), is_sure=not self._has_worked)
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), f"it {_reason(code)}")
        return InputError(f"the process that reads media did not start: {last}", hint="Run: fer doctor")

    def end(self) -> None:
        """Kill it, and give back what it holds here."""
        _alive.discard(self)
        self._process.kill()
        while self._listener.is_alive():  # it may wait with an answer
            with contextlib.suppress(queue.Empty):
                self._answers.get(timeout=0.01)
        self._process.wait()
        self._close()

    def forget(self) -> None:
        """Close what a forked process has of the reader, which is its parent's."""
        self._process.returncode = 0
        self._close()

    def _close(self) -> None:
        for file in (self._asks, self._process.stdout, self._said):
            with contextlib.suppress(OSError):
                file.close()  # type: ignore[union-attr]  # it has a pipe


def _enlarge(pipe: Any) -> None:  # a file object
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):  # a bound of the user's
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _listen(answers: BinaryIO, into: "queue.Queue[tuple[bytes, list[bytearray]] | None]") -> None:
    with contextlib.suppress(OSError, EOFError, MemoryError):
        while True:
            into.put(_receive(answers))
    into.put(None)


def _reason(code: int) -> str:
    """What an exit status says, as in "the decoder crashed (SIGSEGV)"."""
    if code == -getattr(signal, "SIGKILL", 9):
        return "was killed, possibly because memory ran out"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"crashed ({name})"
    # Windows gives the kind of the crash, a large number.
    return f"crashed ({code:#x})" if code > 255 else f"ended by itself (status {code})"


# Readers that wait for a call, one at most, and all of this process.
_idle: list[_Reader] = []
_alive: "weakref.WeakSet[_Reader]" = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for reader in list(_alive):
        reader.end()
    _idle.clear()


def _forget_all() -> None:
    for reader in list(_alive):
        reader.forget()
    _alive.clear()
    _idle.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


# From here on: inside the reader.


def serve() -> None:
    """Do what the process that started this one asks for, until it ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    _bound_memory()
    asked: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_hear, args=(sys.stdin.buffer, asked), daemon=True).start()
    pulse = _Pulse(answers)
    listen(pulse.beat)
    pulse.say("ready")
    while True:
        try:
            is_stream, function, args = pickle.loads(asked.get())  # noqa: S301  # from a process of ours
            module, _, name = function.partition(":")
            results = getattr(importlib.import_module(module), name)(*args)
            for value in results if is_stream else (results,):
                pulse.say("value", value)
            del results
            value = None
            pulse.say("end")
        except BrokenPipeError:
            os._exit(0)
        except FerError as error:
            pulse.say("error", error.with_traceback(None))
        except Exception as error:  # whatever a decoder raises is the file's
            is_memory = isinstance(error, MemoryError) or "nsufficient memory" in str(error)
            words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            pulse.say("memory" if is_memory else "odd", (words, traceback.format_exc()))


class _Pulse:
    """Sends answers, and a sign of life where none was sent for a second."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._last_s = time.monotonic()
        self._last_reached = -_BEAT_STEP

    def beat(self, reached: int | None) -> None:
        """Say that work goes on, if nothing was said for a while, or it has come a good step further."""
        is_far = reached is not None and abs(reached - self._last_reached) >= _BEAT_STEP
        if is_far or time.monotonic() - self._last_s >= _BEAT_S:
            self._last_reached = self._last_reached if reached is None else reached
            self.say("beat", reached)

    def say(self, kind: Kind, value: object = None) -> None:
        """Send one answer."""
        _send(self._answers, (kind, value))
        self._last_s = time.monotonic()


def _hear(requests: BinaryIO, asked: "queue.Queue[Any]") -> None:
    """Take requests; when there is nobody left to make any, end, whatever the other thread does."""
    with contextlib.suppress(OSError, EOFError):
        while True:
            asked.put(_receive(requests)[0])
    os._exit(0)


def _bound_memory() -> None:
    """Bound what this process may hold: by the system on Linux, by looking at it all the time on macOS."""
    if sys.platform == "linux":
        import resource

        bound = MAX_BYTES + _STACK_BYTES * count_processors()
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        bound = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (bound, hard))
    elif sys.platform == "darwin":
        threading.Thread(target=_watch_memory, daemon=True).start()


def _watch_memory() -> None:
    import resource

    # Its largest size so far, in bytes on macOS.
    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < MAX_BYTES:
        time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGKILL)


# Both sides: a pickle, and behind it what arrays hold, not copied.


def _send(pipe: Any, value: object) -> None:  # a file object
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    lengths = b"".join(map(_LENGTH.pack, (len(head), len(views), *(view.nbytes for view in views))))
    for part in (memoryview(lengths + head), *views):
        while part:
            part = part[pipe.write(part) :]
    pipe.flush()


def _receive(pipe: Any) -> tuple[bytes, list[bytearray]]:  # a file object
    num_bytes, num_buffers = (_LENGTH.unpack(_read(pipe, bytearray(8)))[0] for _ in range(2))
    lengths = [_LENGTH.unpack(_read(pipe, bytearray(8)))[0] for _ in range(num_buffers)]
    head = bytes(_read(pipe, bytearray(num_bytes)))
    return head, [_read(pipe, bytearray(length)) for length in lengths]


def _read(pipe: Any, into: bytearray) -> bytearray:
    part = memoryview(into)
    while part:
        num_read = pipe.readinto(part)
        if not num_read:
            raise EOFError
        part = part[num_read:]
    return into
