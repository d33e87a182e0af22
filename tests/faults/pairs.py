"""Two commands that meet in one project: the first is stopped at its lock, its commit or anywhere, the second comes."""

import os
import random
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.mask import masked
from tests.faults.project import Case, cases
from tests.faults.server import End
from tests.faults.strace import Attached, Operation
from tests.faults.trials import MISSED, SEED, Bench, Reference

# How long a second command may take until it is one that waits.
_SOON_S = 3.0
_LIMIT_S = 120.0
# A report on the run that the other command trains holds its times and durations, in words and in a figure.
_OF_NEW_RUN = re.compile(r"report-RUN1\.json|RUN1/report\.html")
# What strace writes of a stop that it has sent itself.
_STOPPED = "--- SIGSTOP {si_signo=SIGSTOP, si_code=SI_KERNEL"
STOPS = ("lock", "commit", "anywhere", "killed")


@dataclass(frozen=True)
class Meeting:
    """The first is stopped there, and the second comes."""

    first: Case
    second: Case
    stop: str

    def __str__(self) -> str:
        return f"{self.first.name} + {self.second.name} | pair {self.stop} | "


def writers() -> list[Case]:
    """A call of each command that changes the full project."""
    found: dict[str, Case] = {}
    for case in cases():
        if not case.before and not case.makes_project and case.words[-1] != "{given}/pictures":
            name = "add --source" if "--source" in case.words else case.row.words
            found.setdefault(name, case)
    return [case for name, case in found.items() if name not in _READERS]


# What they show is remembered where nobody is writing; so they are run again.
_LOOKING = ("labels agreement", "check all", "check leakage", "stats")
_READERS = ("labels show", "check images", "check labels", "models", "runs", "status", "trace", "doctor", "config show")


def meetings() -> Iterator[Meeting]:
    """Every command with every other and with itself: at its lock, at its commit, and one drawn stop more."""
    for first in writers():
        for second in writers():
            drawn = random.Random(f"{SEED} {first.name} {second.name}").choice(STOPS[2:])
            for stop in ("lock", "commit", drawn):
                yield Meeting(first, second, stop)


class Meetings:
    """Tries meetings; what each command does alone, and two in turn, is found out once."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._alone: dict[str, Reference] = {}
        self._in_turn: dict[tuple[str, str], tuple[dict[str, Any], dict[str, str]]] = {}

    def attempt(self, meeting: Meeting) -> list[str]:
        """What is wrong with how the two ended, and with what they left."""
        bench, first, second = self._bench, meeting.first, meeting.second
        place = self._place(meeting)
        if place is None:
            return []
        bench.fresh(first)
        pid = bench.server.start([("fer", *bench.command(first))], is_held=True)
        options = ["-e", f"trace={place.call}", "-e", f"inject={place.call}:signal=STOP:when={place.number}"]
        wrong = []
        # Another thread that came as far would be stopped too, and nobody would let it go on.
        with Attached(pid, bench.log, options, is_alone=True):
            if not self._is_stopped(pid):
                return [MISSED]
            tables = bench.server.wait(bench.server.start([("tests.faults.checks:tables", bench.root)]), 20.0)
            alone = self._reference(first)
            if not tables.answers or tables.answers[0] not in (alone.before, alone.after):
                wrong.append(f"readers see a mixture, or nothing: {tables.err[-200:]}")
            other = bench.server.start([("fer", *bench.command(second))])
            is_soon = bench.server.has_ended(other, _SOON_S)
            if meeting.stop == "killed":
                os.kill(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGCONT)
            ends = [bench.server.wait(pid, _LIMIT_S), bench.server.wait(other, _LIMIT_S)]
        wrong += [text for end in ends for text in _wrong_end(end)]
        if is_soon and ends[1].code == 3 and "another" not in ends[1].err and "being" not in ends[1].err:
            wrong.append(f"does not say who is in the way: {ends[1].err[-200:]}")
        return [*wrong, *self._wrong_project(meeting, ends)]

    def _wrong_project(self, meeting: Meeting, ends: list[End]) -> list[str]:
        bench = self._bench
        wrong = []
        for case, end in zip((meeting.first, meeting.second), ends, strict=True):
            if end.code or case.row.words in _LOOKING:
                again = bench.server.run(("fer", *bench.command(case)))
                wrong += _wrong_end(again)
        tables = bench.server.run(("tests.faults.checks:tables", bench.root))
        if not tables.answers:
            return [*wrong, f"the tables cannot be read: {tables.err[-300:]}"]
        files, found = masked(bench.root), tables.answers[0]
        kept = bench.root.with_name("found")
        shutil.rmtree(kept, ignore_errors=True)
        bench.root.rename(kept)
        turns = [self._turn(meeting.first, meeting.second), self._turn(meeting.second, meeting.first)]
        if all(found != turn[0] for turn in turns):
            wrong.append("rows are those of neither order")
        differences = [_differences(files, turn[1]) for turn in turns]
        if all(differences):
            wrong += min(differences, key=len)
        return wrong

    def _place(self, meeting: Meeting) -> Operation | None:
        operations = [one for one in self._reference(meeting.first).operations if one.is_writing]
        main = [one for one in operations if one.thread == operations[0].thread]
        if meeting.stop in ("anywhere", "killed"):
            return random.Random(f"{SEED} {meeting}").choice(main)
        name = ".fer/writing" if meeting.stop == "lock" else ".fer/commit.json"
        return next((one for one in main if one.paths[-1].endswith(name)), None)

    def _is_stopped(self, pid: int) -> bool:
        """Wait until the child holds still where it was told to; False when it ends before."""
        while not self._bench.server.has_ended(pid, 0.02):
            # Its state says nothing: a process that is traced stands still at each of its calls.
            _, told, after = self._bench.log.read_text(encoding="utf-8").partition(_STOPPED)
            if told and "--- stopped by SIGSTOP ---" in after:
                return True
        return False

    def _reference(self, case: Case) -> Reference:
        if case.name not in self._alone:
            self._alone[case.name] = self._bench.reference(case)
        return self._alone[case.name]

    def _turn(self, first: Case, second: Case) -> tuple[dict[str, Any], dict[str, str]]:
        """Tables and files after one, then the other."""
        key = first.name, second.name
        if key not in self._in_turn:
            bench = self._bench
            root = bench.fresh(first)
            calls = [("fer", *bench.command(case)) for case in (first, second)]
            for call in calls:
                bench.server.run(call)
            answers = bench.server.run(("tests.faults.checks:tables", root)).answers
            self._in_turn[key] = answers[0], masked(root)
        return self._in_turn[key]


def _wrong_end(end: End) -> list[str]:
    return [] if end.is_clear else [f"said: {end.err[-300:]}"]


def _differences(files: dict[str, str], wanted: dict[str, str]) -> list[str]:
    names = [name for name in sorted({*files, *wanted}) if not _OF_NEW_RUN.search(name)]
    return [f"not as in turn: {name}" for name in names if files.get(name) != wanted.get(name)]
