"""A command's file operations, seen and disturbed by strace, which sees native writers too."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.server import End, Server

WRITING = (
    "write", "pwrite64", "writev", "sendfile", "copy_file_range", "ftruncate", "truncate", "fallocate", "rename",
    "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "link", "linkat", "symlink",
    "symlinkat", "fsync", "fdatasync", "sync", "syncfs", "chmod", "fchmod", "utimensat", "flock",
)  # fmt: skip
# Opened to be written, or to be read.
OPENING = ("open", "openat", "creat")
READING = ("read", "pread64", "getdents64")
# What a replay has to know besides.
MOVING = ("lseek", "close")
_LINE = re.compile(r"(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_HANDLE = re.compile(r"^(-?\d+)<(.*?)>(?:\(deleted\))?$")


def is_here() -> bool:
    """Whether strace works on this machine."""
    return shutil.which("strace") is not None and hasattr(os, "pidfd_open")


@dataclass(frozen=True)
class Operation:
    """One call of the system.

    Attributes:
        call: its name.
        number: which of the calls of that name in its thread it is, from 1: what strace counts.
        arguments: as strace writes them, texts decoded.
        result: what it gave, as strace writes it; empty where it never came back.
        thread: its id.
    """

    call: str
    number: int
    arguments: tuple[str | bytes, ...]
    result: str
    thread: int

    @property
    def paths(self) -> tuple[str, ...]:
        """What it works on: paths as given, and those of its handles."""
        names = [os.fsdecode(one) for one in self.arguments[:4] if isinstance(one, bytes) and one.startswith(b"/")]
        handles = [_HANDLE.match(one) for one in self.arguments[:2] if isinstance(one, str)]
        return tuple(names) if names else tuple(found[2] for found in handles if found)

    @property
    def is_writing(self) -> bool:
        """Whether it may change a file."""
        if self.call in OPENING:
            return self.call == "creat" or any(flag in str(self.arguments) for flag in ("O_CREAT", "O_TRUNC"))
        return self.call in WRITING

    def is_inside(self, root: Path) -> bool:
        """Whether it works on something of the project."""
        return self.call == "sync" or any(Path(path).is_relative_to(root) for path in self.paths)


def traced(server: Server, words: Sequence[object], log: Path, *, data: bool = False) -> tuple[End, list[Operation]]:
    """Run a command; its end, and every file operation of its threads, in their order.

    Args:
        server: where it runs.
        words: the command line.
        log: where strace writes.
        data: keep all that is written, for a replay.
    """
    calls = ",".join((*WRITING, *OPENING, *READING, *MOVING))
    options = ["-e", f"trace={calls}", "-s", str(2**26 if data else 4096)]
    pid = server.start([("fer", *words)], is_held=True)
    with Attached(pid, log, options):
        end = server.wait(pid)
    return end, list(operations(log))


def disturbed(
    server: Server, words: Sequence[object], log: Path, operation: Operation, fault: str
) -> tuple[End, Operation | None]:
    """Run a command with a fault at an operation; its end, and the operation that was hit.

    Args:
        server: where it runs.
        words: the command line.
        log: where strace writes.
        operation: of an undisturbed run.
        fault: "signal=KILL", "error=ENOSPC", ...
    """
    call = operation.call
    options = ["-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={operation.number}", "-s", "4096"]
    pid = server.start([("fer", *words)], is_held=True)
    with Attached(pid, log, options):
        end = server.wait(pid)
    # Each thread is counted by itself, and the first to come so far is hit.
    hit = [one for one in operations(log) if one.number == operation.number]
    return end, hit[-1] if hit else None


class Attached:
    """strace on a child that holds still; it goes on when strace has it.

    Args:
        pid: of the child.
        log: where strace writes.
        options: of strace.
        is_alone: look at its first thread only.
    """

    def __init__(self, pid: int, log: Path, options: Sequence[str], *, is_alone: bool = False) -> None:
        self._pid = pid
        # Not that of the reader, a program of its own: what it dies of is another matter, and it writes nothing.
        follow = [] if is_alone else ["-f", "-b", "execve"]
        self._words = ["strace", *follow, "-y", "-xx", "-o", str(log), *options, "-p", str(pid)]
        self._strace: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Attached":
        while _state(self._pid) not in "TtZ":
            time.sleep(0.001)
        self._strace = subprocess.Popen(self._words, stderr=subprocess.PIPE, text=True)
        assert self._strace.stderr
        said = ""
        while "attached" not in said:
            line = self._strace.stderr.readline()
            if not line:
                raise OSError(f"strace ended: {said}")
            said += line
        os.kill(self._pid, signal.SIGCONT)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._strace
        assert self._strace.stderr
        self._strace.stderr.close()
        try:
            self._strace.wait(20)
        except subprocess.TimeoutExpired:
            self._strace.kill()
            self._strace.wait()


def _state(pid: int) -> str:
    """The letter that the system has for what a process does: T where it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


def operations(log: Path) -> Iterator[Operation]:
    """What a log of strace holds; a call that another thread interrupted stands where it began."""
    counts: dict[tuple[int, str], int] = {}
    begun: dict[int, int] = {}
    found: list[tuple[int, str, str]] = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.match(line)
        if not match:
            continue
        thread, call, rest, _, resumed = int(match[1]), match[2], match[3], match[4], match[5]
        if call is None:
            place = begun.pop(thread, None)
            if place is not None:
                found[place] = (thread, found[place][1], found[place][2] + resumed)
            continue
        if rest.endswith("<unfinished ...>"):
            begun[thread] = len(found)
            rest = rest.removesuffix("<unfinished ...>").rstrip()
        found.append((thread, call, rest))
    for thread, call, rest in found:
        counts[thread, call] = counts.get((thread, call), 0) + 1
        arguments, result = _parsed(rest)
        yield Operation(call, counts[thread, call], arguments, result, thread)


def _parsed(rest: str) -> tuple[tuple[str | bytes, ...], str]:
    """Arguments and result of `arguments) = result`."""
    arguments: list[str | bytes] = []
    place, plain = 0, ""
    depth = 0
    while place < len(rest):
        letter = rest[place]
        if letter == '"' and (text := _TEXT.match(rest, place)):
            arguments.append(bytes.fromhex(text[1].replace("\\x", "")))
            place, plain = text.end(), ""
            continue
        if letter == "<" and plain.strip().lstrip("-").replace("AT_FDCWD", "0").isdigit():
            end = rest.find(">", place)
            plain += f"<{_decoded(rest[place + 1 : end])}>"
            place = end + 1
            continue
        if letter in "([{":
            depth += 1
        elif letter in "]}" or (letter == ")" and depth):
            depth -= 1
        if depth == 0 and letter in ",)":
            if plain.strip():
                arguments.append(plain.strip())
            plain = ""
            if letter == ")":
                return tuple(arguments), _result(rest[place + 1 :])
        else:
            plain += letter
        place += 1
    if plain.strip():
        arguments.append(plain.strip())
    return tuple(arguments), ""


def _decoded(path: str) -> str:
    return os.fsdecode(bytes.fromhex(path.replace("\\x", ""))) if path.startswith("\\x") else path


def _result(text: str) -> str:
    """What follows the equals sign, a handle with its path."""
    text = text.strip().removeprefix("= ")
    number, bracket, path = text.partition("<")
    return f"{number}<{_decoded(path.partition('>')[0])}>" if bracket else text
