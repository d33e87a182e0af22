"""One fault at one file operation of one command, and what came of it."""

import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.mask import masked
from tests.faults.power import POLICIES, Disk, Event, events_of, state_after, whole
from tests.faults.project import Case, Projects
from tests.faults.server import End, Server
from tests.faults.strace import READING, Operation, disturbed, traced

KILL, OTHERS = "signal=KILL", ("signal=TERM", "signal=INT", "error=ENOSPC", "error=EIO")
SEED = 18
# The fault came elsewhere: threads take turns as they like.
MISSED = "missed"
# Calls that a full disk refuses.
_FILLING = {
    "write", "pwrite64", "writev", "sendfile", "copy_file_range", "ftruncate", "fallocate", "rename", "mkdir",
    "mkdirat", "symlink", "link", "fsync", "fdatasync", "open", "openat", "creat",
}  # fmt: skip
# Commands that say, when they are done already, that there is nothing of that name any more.
_ONCE = ("subjects merge", "subjects rename")
_COMMIT = re.compile(r"\.fer/(commit/|commit$|\.commit~new\.json|commit\.json)")
_TEMPORARY = re.compile(r"~[0-9a-f]{8}")
_RUN = re.compile(r"\d{8}-\d{6}-")


@dataclass(frozen=True)
class Fault:
    """What happens at an operation, and where that is."""

    case: Case
    place: int  # of the operation among those inside the project
    operation: Operation
    kind: str
    where: str

    def __str__(self) -> str:
        return f"{self.case.name} | {self.kind} | {self.place} {self.where}"


@dataclass
class Reference:
    """What an undisturbed run of a case does and leaves.

    Attributes:
        operations: those inside the project, in their order.
        before: what readers find in the tables without it.
        after: what they find then.
        files: the masked project.
    """

    operations: list[Operation]
    before: dict[str, Any]
    after: dict[str, Any]
    files: dict[str, str]
    problems: list[str] = field(default_factory=list)


class Bench:
    """A warm server and a folder of its own to try faults in."""

    def __init__(self, server: Server, projects: Projects, folder: Path) -> None:
        self.server, self.projects, self.folder = server, projects, folder
        self.root = folder / "mine"
        self.log = folder / "strace.log"
        folder.mkdir(parents=True, exist_ok=True)

    def fresh(self, case: Case) -> Path:
        """The project of a case, undisturbed, at `root`."""
        return self.projects.copy(case, self.root)

    def command(self, case: Case) -> tuple[str, ...]:
        """The command line of a case on `root`."""
        return self.projects.command(case, self.root)

    def reference(self, case: Case, *, data: bool = False) -> Reference:
        """Run a case undisturbed, under strace."""
        root = self.fresh(case)
        before = self.server.run(("tests.faults.checks:tables", root)).answers[0]
        end, found = traced(self.server, self.command(case), self.log, data=data)
        assert end.code == 0, (case.name, end.err)
        after = self.server.run(("tests.faults.checks:tables", root)).answers[0]
        inside = [operation for operation in found if data or operation.is_inside(root)]
        return Reference(inside, before, after, masked(root))

    def attempt(self, fault: Fault, reference: Reference) -> list[str]:
        """Run a case with a fault, then again; what is wrong after that."""
        self.fresh(fault.case)
        end, hit = disturbed(self.server, self.command(fault.case), self.log, fault.operation, fault.kind)
        if hit is None or not hit.is_inside(self.root):
            return [MISSED]
        return [*_wrong_end(fault, end), *self.recovered(fault.case, reference)]

    def outage(self, outage: "Outage", reference: Reference) -> list[str]:
        """What is wrong with the project that the disk may hold when the power goes, and with the command run then."""
        outage.disk.write_to(self.root)
        wrong = []
        if outage.is_last:
            # Nobody runs it again after a success.
            end = self.server.run(("tests.faults.checks:tables", self.root), ("tests.faults.checks:settle", self.root))
            files = masked(self.root)
            wrong += [f"success was not durable: {_last_line(end.err)}"] if end.code or not end.is_clear else []
            wrong += ["success was not durable: rows"] if end.answers[:1] != [reference.after] else []
            wrong += [
                f"success was not durable: {name}"
                for name, digest in reference.files.items()
                if files.get(name) != digest and not name.endswith("/")
            ]
        return [*wrong, *self.recovered(outage.case, reference)]

    def recovered(self, case: Case, reference: Reference) -> list[str]:
        """What is wrong with reading the project now, and with the same command run again."""
        root = self.root
        is_project = (root / "fer.toml").exists()
        calls = [("tests.faults.checks:read", root)] if is_project else []
        end = self.server.run(*calls, ("fer", *self.command(case)), ("tests.faults.checks:tables", root))
        if len(end.answers) < len(calls) + 2:
            return [f"readers failed: {_last_line(end.err)}"]
        wrong = _wrong_reading(end.answers[0], reference) if is_project else []
        is_once = case.row.words in _ONCE and end.answers[-1] == reference.after
        if (end.answers[-2] != 0 and not is_once) or not end.is_clear:
            wrong.append(f"the same command again: exit code {end.answers[-2]}: {_last_line(end.err)}")
        if end.answers[-1] != reference.after:
            wrong.append("rows differ at the end")
        files = masked(root)
        wrong += [f"left over: {name}" for name in sorted(set(files) - set(reference.files))]
        wrong += [f"lost: {name}" for name in sorted(set(reference.files) - set(files))]
        wrong += [f"differs: {name}" for name in sorted(files) if reference.files.get(name, files[name]) != files[name]]
        return wrong

    def close(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Outage:
    """The power goes after a number of changes, and the disk holds this."""

    case: Case
    place: int
    policy: str
    disk: Disk
    where: str
    is_last: bool

    def __str__(self) -> str:
        return f"{self.case.name} | power {self.policy} | {self.place} {self.where}"


def outages_of(case: Case, bench: Bench) -> tuple[Reference, list[Outage]]:
    """Every different state that the disk may be in when the power goes while a case is at work, and after it."""
    reference = bench.reference(case, data=True)
    real = Disk.of(bench.root).contents()
    before = Disk.of(bench.fresh(case))
    events = events_of(reference.operations, bench.root, before)
    assert whole(before, events).contents() == real, f"{case.name}: the replay is not what the disk holds"
    found: dict[str, Outage] = {}
    for policy in POLICIES:
        for place in range(len(events), -1, -1):
            disk = state_after(before, events[:place], policy, f"{SEED} {case.name} {place}")
            last = events[place - 1] if place else Event("begin")
            where = _TEMPORARY.sub("~", f"{last.kind} {last.target or last.place}".strip())
            is_last = place == len(events)
            key = f"{disk.digest()} {is_last}"
            found.setdefault(key, Outage(case, place, policy, disk, where, is_last))
    return reference, list(found.values())


def faults_of(case: Case, reference: Reference, root: Path) -> Iterator[Fault]:
    """SIGKILL at each writing operation; the others at each of the commit, and at a drawn tenth of all besides."""
    drawn = random.Random(f"{SEED} {case.name}")
    touches = [any(_COMMIT.search(path) for path in one.paths) for one in reference.operations]
    commits = [place for place, does in enumerate(touches) if does and reference.operations[place].is_writing]
    first, last = (commits[0], commits[-1]) if commits else (0, -1)
    for place, operation in enumerate(reference.operations):
        where = where_of(operation, root)
        is_chosen = drawn.random() < 0.1
        if operation.is_writing:
            yield Fault(case, place, operation, KILL, where)
        if (first <= place <= last and operation.is_writing) or is_chosen:
            for kind in OTHERS:
                if _is_possible(operation, kind):
                    yield Fault(case, place, operation, kind, where)


def _is_possible(operation: Operation, kind: str) -> bool:
    if not kind.startswith("error="):
        return operation.is_writing
    if operation.call in ("flock", "lseek", "close"):
        return False
    is_reading = operation.call in READING or not operation.is_writing
    return kind == "error=EIO" or (operation.call in _FILLING and not is_reading)


def where_of(operation: Operation, root: Path) -> str:
    """The call and its places in the project, the same in every run."""
    names = [Path(path).relative_to(root).as_posix() for path in operation.paths if Path(path).is_relative_to(root)]
    text = f"{operation.call} {' '.join(names)}"
    return _RUN.sub("RUN-", _TEMPORARY.sub("~", text))


def _wrong_end(fault: Fault, end: End) -> list[str]:
    if fault.kind == KILL:
        return [] if end.code == -9 else [f"not killed: exit code {end.code}"]
    if not end.is_clear:
        return [f"said: {_last_line(end.err)}"]
    if fault.kind.startswith("error=") and end.code < 0:
        return [f"died of signal {-end.code}"]
    return []


def _wrong_reading(found: dict[str, Any], reference: Reference) -> list[str]:
    wrong = [f"{name} right after: {said[1]}" for name, said in found["commands"].items() if said[0]]
    if found["tables"] not in (reference.before, reference.after):
        wrong.append("readers see neither the old tables nor the new")
    return wrong


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if "mistake in fercli" in line or line.startswith("fer: ")]
    return (lines or text.strip().splitlines() or [""])[-1][-300:]
