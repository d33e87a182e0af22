"""Try every fault: `python -m tests.faults` (or `nox -s faults`), again after a stop to go on."""

import argparse
import hashlib
import json
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.faults.known import unknown
from tests.faults.pairs import Meetings, meetings
from tests.faults.project import Case, Projects, cases
from tests.faults.server import ROOT, Server
from tests.faults.strace import is_here
from tests.faults.trials import MISSED, Bench, faults_of, outages_of

PARTS = ("faults", "power", "pairs")
_TRIES = 3


class Journal:
    """What was tried with the sources as they are, one line each."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.sources = _digest()
        self.is_over = False  # somebody wants to end
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
        self.rows: dict[str, dict[str, Any]] = {row["trial"]: row for row in rows if row["sources"] == self.sources}

    def note(self, trial: str, wrong: list[str], seconds: float) -> None:
        """Write down what came of a trial."""
        row = {"trial": trial, "wrong": wrong, "seconds": round(seconds, 2), "sources": self.sources}
        with self._lock:
            self.rows[trial] = row
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            if wrong != [MISSED] and (new := unknown(trial, wrong)):
                print(f"{trial}\n    " + "\n    ".join(new[:6]), flush=True)


def main() -> int:
    """Try what has not been tried yet; 1 when anything is wrong."""
    options = _options()
    if not is_here():
        print("strace is not installed, or this is no Linux")
        return 1
    # Leave as a Ctrl-C does: the folders are taken away, and what was tried is known.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    journal = Journal(options.journal)
    stop = time.monotonic() + 60 * options.minutes
    chosen = [case for case in cases() if not options.only or any(word in case.name for word in options.only)]
    with tempfile.TemporaryDirectory(dir=fast_folder(), prefix="fer-faults-") as name:
        with Server() as server:
            projects = Projects(Path(name), server)
            projects.make()
        with ThreadPoolExecutor(options.jobs) as pool:
            waiting = [(part, case) for part in options.parts for case in chosen]
            lock = threading.Lock()

            def work(number: int) -> None:
                with Server() as server:
                    bench = Bench(server, projects, Path(name) / f"bench-{number}")
                    while time.monotonic() < stop and not journal.is_over:
                        with lock:
                            if not waiting:
                                return
                            part, case = waiting.pop(0)
                        _try(bench, part, case, journal, stop=stop, share=options.share)

            try:
                for done in [pool.submit(work, number) for number in range(options.jobs)]:
                    done.result()
            except KeyboardInterrupt:
                journal.is_over = True
    return _tell(journal)


def _trials(bench: Bench, part: str, case: Case) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """Name and attempt of everything that a part tries on a case."""
    if part == "faults":
        reference = bench.reference(case)
        for fault in faults_of(case, reference, bench.root):
            yield str(fault), partial(bench.attempt, fault, reference)
    elif part == "power":
        reference, outages = outages_of(case, bench)
        for outage in outages:
            yield str(outage), partial(bench.outage, outage, reference)
    else:
        together = Meetings(bench)
        for meeting in meetings():
            if meeting.first.name == case.name:
                yield str(meeting), partial(together.attempt, meeting)


def _try(bench: Bench, part: str, case: Case, journal: Journal, *, stop: float, share: float) -> None:
    for name, attempt in _trials(bench, part, case):
        if time.monotonic() > stop or journal.is_over:
            return
        if name in journal.rows or _drawn(name) >= share:
            continue
        began = time.monotonic()
        wrong = _attempted(attempt)
        journal.note(name, wrong, time.monotonic() - began)


def _attempted(attempt: Callable[[], list[str]]) -> list[str]:
    """What is wrong; an operation of a thread that comes at another moment each time is tried to be hit again."""
    for _ in range(_TRIES):
        try:
            wrong = attempt()
        except TimeoutError as error:
            return [str(error)]
        if wrong != [MISSED]:
            break
    return wrong


def _drawn(text: str) -> float:
    """A number from 0 to 1 that hangs on the text alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s faults --", description="Try faults at file operations.")
    parser.add_argument("only", nargs="*", help="Words of the cases to try, such as 'align'.")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--minutes", type=float, default=60, help="When to stop.")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="Try a drawn share of the faults.")
    parser.add_argument("--journal", type=Path, default=ROOT / ".nox" / "faults.jsonl")
    return parser.parse_args()


def fast_folder() -> Path | None:
    """Where a sync costs nothing: what is not on disk is modelled from the trace."""
    memory = Path("/dev/shm")  # noqa: S108 # a folder of its own is made there
    return memory if memory.is_dir() else None


def _digest() -> str:
    """Of the program and of this harness: a change of either makes all trials new."""
    found = hashlib.sha256()
    for folder in ("fercli", "tests/faults"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()[:12]


def _tell(journal: Journal) -> int:
    rows = journal.rows.values()
    kinds = Counter(row["trial"].split(" | ")[1] for row in rows)
    missed = sum(row["wrong"] == [MISSED] for row in rows)
    wrong = [row for row in rows if row["wrong"] != [MISSED] and unknown(row["trial"], row["wrong"])]
    known = sum(bool(row["wrong"]) for row in rows) - len(wrong) - missed
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    print(f"{len(rows)} tried in {sum(row['seconds'] for row in rows):.0f} s: {counts}")
    print(f"{len(wrong)} wrong, {known} as known, {missed} not hit")
    for row in wrong:
        print(f"{row['trial']}: {'; '.join(row['wrong'][:3])}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
