"""`fer` in processes forked from one that has imported everything: a command costs tenths of a second, not seconds.

`Server` is the side of the tests; the module, run by itself, is the warm process. Its children can be held until a
tracer has them.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WARM = ("av", "cv2", "matplotlib.figure", "pandas", "sklearn.metrics", "torch", "torchvision", "pytorch_grad_cam")


@dataclass(frozen=True)
class End:
    """How a child ended: its exit code (negative: the signal), what it said, and the answers of its calls."""

    code: int
    err: str
    answers: list[Any]  # JSON

    @property
    def is_clear(self) -> bool:
        """Whether what it said is an answer for a user."""
        return "Traceback" not in self.err and "a mistake in fercli" not in self.err


class Server:
    """A warm process; use as a context manager."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fer-faults-")
        self._process: subprocess.Popen[str] | None = None
        self._ends: dict[int, int] = {}
        self._count = 0
        self._said: dict[int, Path] = {}

    def __enter__(self) -> "Server":
        # A first run that keeps what it compiles would have other file operations than the second.
        no_bytecode = {"PYTHONDONTWRITEBYTECODE": "1"}
        environment = {**os.environ, **no_bytecode, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._line() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()
        self._folder.cleanup()

    def start(self, calls: Sequence[Sequence[object]], *, is_held: bool = False) -> int:
        """Begin calls, one after the other in one child, whose process id comes back.

        Args:
            calls: ("fer", words...) or ("tests.faults.module:function", arguments...).
            is_held: the child stops itself until it gets SIGCONT.
        """
        assert self._process
        assert self._process.stdin
        self._count += 1
        said = Path(self._folder.name) / str(self._count)
        request = {"calls": [[str(word) for word in call] for call in calls], "said": str(said), "is_held": is_held}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        while not (line := self._line()).startswith("pid "):
            self._note(line)
        pid = int(line.split()[1])
        self._said[pid] = said
        return pid

    def has_ended(self, pid: int, within_s: float) -> bool:
        """Whether a child ends in this time."""
        assert self._process
        assert self._process.stdout
        stop = time.monotonic() + within_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while pid not in self._ends and (left := stop - time.monotonic()) > 0:
                if selector.select(left):
                    self._note(self._line())
        return pid in self._ends

    def wait(self, pid: int, limit_s: float = 120.0) -> End:
        """The end of a child; one that takes too long is killed and fails the test."""
        if not self.has_ended(pid, limit_s):
            os.killpg(pid, signal.SIGKILL)
            raise TimeoutError(f"a command did not end within {limit_s:g} s")
        said = self._said.pop(pid)
        err = said.with_suffix(".err").read_text(encoding="utf-8", errors="replace")
        answers = said.with_suffix(".json")
        found = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
        for path in (answers, said.with_suffix(".err"), said.with_suffix(".out")):
            path.unlink()
        return End(self._ends.pop(pid), err, found)

    def run(self, *calls: Sequence[object]) -> End:
        """Begin calls and wait for them."""
        return self.wait(self.start(calls))

    def _line(self) -> str:
        # One byte after the other: what is buffered here would not wake a selector.
        assert self._process
        assert self._process.stdout
        letters = bytearray()
        while (letter := os.read(self._process.stdout.fileno(), 1)) not in (b"\n", b""):
            letters += letter
        return letters.decode()

    def _note(self, line: str) -> None:
        word, pid, status = line.split()
        assert word == "end"
        self._ends[int(pid)] = os.waitstatus_to_exitcode(int(status))


def _serve() -> None:
    """Fork a child for each line that comes in; tell its process id, later its end."""
    _import_all()
    _say("ready")
    handles: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    if not (line := sys.stdin.buffer.raw.readline()):
                        return
                    pid = _fork(json.loads(line))
                    handles[handle := os.pidfd_open(pid)] = pid
                    selector.register(handle, selectors.EVENT_READ)
                    _say(f"pid {pid}")
                else:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    pid, status = os.waitpid(handles.pop(key.fd), 0)
                    _say(f"end {pid} {status}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _import_all() -> None:
    for name in WARM:
        importlib.import_module(name)
    import fercli

    for module in pkgutil.walk_packages(fercli.__path__, "fercli."):
        # Of optional packages that are not here.
        with contextlib.suppress(ImportError):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    # A child that collects garbage would copy all of this.
    gc.collect()
    gc.freeze()


def _fork(request: dict[str, Any]) -> int:
    if pid := os.fork():
        return pid
    code = 1
    try:
        os.setsid()
        code = _child(request)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _child(request: dict[str, Any]) -> int:
    said = Path(request["said"])
    for handle, suffix in ((1, ".out"), (2, ".err")):
        file = os.open(said.with_suffix(suffix), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.dup2(file, handle)
        os.close(file)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 0
    with said.with_suffix(".json").open("w", encoding="utf-8") as answers:
        if request["is_held"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        for name, *words in request["calls"]:
            answer = code = _fer(words) if name == "fer" else 0
            if name != "fer":
                module, _, function = name.partition(":")
                answer = getattr(importlib.import_module(module), function)(*words)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _fer(words: list[str]) -> int:
    from fercli.cli.app import main

    try:
        main(words)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


if __name__ == "__main__":
    _serve()
    # What native libraries say when they are taken down is of no interest.
    os._exit(0)
