"""Try drawn mutants: `python -m tests.mutants` (or `nox -s mutants`), again after a stop to go on.

Each mutant is put into a copy of the working tree, and the tests of its package run there until one fails, in a process
forked from one that has imported torch already.
"""

import argparse
import contextlib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.draw import PARTS, digest, draw, files_for, part_of
from tests.mutants.operators import Mutant

ROOT = Path(__file__).parents[2]
BOUNDS = {"stages": 85.0, "below": 90.0}
MOST_EQUIVALENT = 0.05
# Imported once, for all. Not fercli: jaxtyping's hook has to meet it first.
WARM = ("av", "cv2", "matplotlib.pyplot", "pandas", "scipy.stats", "sklearn.metrics", "torch", "torchvision")
MARKS = "not slow and not docs and not cluster"


@dataclass
class Lane:
    """One copy of the working tree, and the child that runs tests in it."""

    folder: Path
    mutant: Mutant | None = None
    whole: str = ""
    pid: int = 0
    began: float = 0.0
    runs: int = 1

    @property
    def log(self) -> Path:
        """What pytest says."""
        return self.folder.with_suffix(".log")


def main() -> int:
    """Draw, try what has no verdict yet, tell."""
    options = _options()
    drawn = [m for part in options.parts for m in draw(ROOT, part, options.count, options.seed, tuple(options.under))]
    options.verdicts.parent.mkdir(parents=True, exist_ok=True)
    verdicts = {} if options.again else _read_verdicts(options.verdicts, drawn)
    todo = [mutant for mutant in drawn if str(mutant) not in verdicts and not _reason(mutant)]
    if options.list:
        print("\n".join(f"{verdicts.get(str(mutant), '-'):9} {mutant}" for mutant in drawn))
        return 0
    if todo:
        print(f"{len(drawn)} mutants drawn, {len(drawn) - len(todo)} known")
        _try_all(todo, verdicts, options)
    return _tell(drawn, verdicts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s mutants --", description="Try drawn mutants.")
    parser.add_argument("under", nargs="*", default=["fercli"], help="Paths to draw from, such as fercli/labels.")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--count", type=int, default=200, help="Mutants of each part.")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--minutes", type=float, default=90, help="When to stop.")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--limit", type=int, default=240, help="Seconds of CPU after which a mutant is called endless.")
    parser.add_argument("--trusting", action="store_true", help="Do not run the tests without a mutant first.")
    parser.add_argument("--verdicts", type=Path, default=ROOT / ".nox" / "mutants.jsonl")
    parser.add_argument("--again", action="store_true", help="Try those with a verdict once more.")
    parser.add_argument("--list", action="store_true", help="Show the drawn mutants and run nothing.")
    return parser.parse_args()


def _read_verdicts(file: Path, drawn: list[Mutant]) -> dict[str, str]:
    """What is known: of a caught one until its module changes, of a survivor until its tests do."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    known = {row["mutant"]: row for row in map(json.loads, lines)}
    found = {}
    for mutant in drawn:
        row = known.get(str(mutant))
        if not row or row["module"] != digest(ROOT, [mutant.path]):
            continue
        if row["verdict"] != "survived" or row["tests"] == digest(ROOT, files_for(ROOT, mutant.path)):
            found[str(mutant)] = row["verdict"]
    return found


def _reason(mutant: Mutant) -> str | None:
    """Why no test can tell a mutant from the original, where somebody has written it down."""
    listed = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text(encoding="utf-8"))
    reason: str | None = listed.get(mutant.path, {}).get(mutant.name)
    return reason


def _try_all(todo: list[Mutant], verdicts: dict[str, str], options: argparse.Namespace) -> None:
    # Leave like a Ctrl-C does: the children have groups of their own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in WARM:
        importlib.import_module(name)
    stop = time.monotonic() + options.minutes * 60
    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        lanes = [Lane(_copy_tree(Path(temporary) / str(number))) for number in range(options.jobs)]
        try:
            if not options.trusting:
                _try_unspoilt(todo, lanes[0])
            for row in _rows(todo, lanes, stop, options.limit):
                verdicts[row["mutant"]] = row["verdict"]
                with options.verdicts.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                print(f"{row['verdict']:9} {row['seconds']:5.1f} s  {row['mutant']}", flush=True)
        finally:
            for lane in lanes:
                _kill(lane)


def _copy_tree(folder: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def _rows(todo: list[Mutant], lanes: list[Lane], stop: float, limit: int) -> Iterator[dict[str, Any]]:
    """Keep every lane busy; give each mutant's row as its verdict comes."""
    waiting = list(todo)
    while waiting or any(lane.pid for lane in lanes):
        for lane in lanes:
            if not lane.pid and waiting and time.monotonic() < stop:
                _start(lane, waiting.pop(0), limit)
            if lane.pid and lane.mutant and (verdict := _ended(lane)):
                yield _row(lane, lane.mutant, verdict)
        if time.monotonic() >= stop:
            waiting = []
        time.sleep(0.02)


def _row(lane: Lane, mutant: Mutant, verdict: str) -> dict[str, Any]:
    failed = [
        line for line in lane.log.read_text(encoding="utf-8").splitlines() if line.startswith(("FAILED", "ERROR"))
    ]
    return {
        "mutant": str(mutant),
        "verdict": verdict,
        "seconds": round(time.monotonic() - lane.began, 1),
        "failed": failed[0] if failed else "",
        "module": digest(lane.folder, [mutant.path]),
        "tests": digest(lane.folder, files_for(lane.folder, mutant.path)),
    }


def _try_unspoilt(todo: list[Mutant], lane: Lane) -> None:
    """Run the tests as they are: one that fails without a fault would catch every mutant."""
    files = sorted({file for mutant in todo for file in files_for(ROOT, mutant.path)})
    print(f"{len(files)} test files without a mutant first", flush=True)
    lane.pid, lane.began = _fork(lane, files, limit=3600), time.monotonic()
    while not (verdict := _ended(lane)):
        time.sleep(0.1)
    if verdict != "survived":
        raise SystemExit(f"they fail without a mutant:\n{lane.log.read_text(encoding='utf-8')[-4000:]}")


def _start(lane: Lane, mutant: Mutant, limit: int) -> None:
    file = lane.folder / mutant.path
    lane.whole = file.read_text(encoding="utf-8")
    file.write_text(mutant.source(), encoding="utf-8")
    # Bytecode is taken for current by size and second: no two mutants may share both.
    later = time.time() + lane.runs
    os.utime(file, (later, later))
    lane.mutant, lane.runs = mutant, lane.runs + 1
    lane.pid, lane.began = _fork(lane, files_for(ROOT, mutant.path), limit), time.monotonic()


def _fork(lane: Lane, tests: list[str], limit: int) -> int:
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    try:
        os.setsid()
        # Of CPU: on a busy machine a wall clock would call slow what is not. A test that waits forever has its timeout.
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        os._exit(_run_tests(lane, tests))
    finally:
        os._exit(1)


def _run_tests(lane: Lane, tests: list[str]) -> int:
    with lane.log.open("w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.chdir(lane.folder)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "fercli")]:
        del sys.modules[name]
    sys.path[:] = [str(lane.folder), *(entry for entry in sys.path if entry and Path(entry) != ROOT)]
    os.environ["PYTHONPATH"] = str(lane.folder)
    if lane.mutant:
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    temporary = lane.folder.with_suffix(".tmp")
    arguments = [
        "-q",
        "-x",
        "--tb=short",
        "-m",
        MARKS,
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        f"--basetemp={temporary}",
    ]
    return int(pytest.main([*arguments, *tests]))


def _ended(lane: Lane) -> str | None:
    """The verdict, once there is one; the copy is whole again then."""
    pid, status = os.waitpid(lane.pid, os.WNOHANG)
    if not pid:
        return None
    code = os.waitstatus_to_exitcode(status)
    _kill(lane)
    if lane.mutant:
        (lane.folder / lane.mutant.path).write_text(lane.whole, encoding="utf-8")
    if code == -signal.SIGXCPU:
        return "endless"
    return "survived" if code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) else "caught"


def _kill(lane: Lane) -> None:
    """End a lane's child and what that started."""
    if lane.pid:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(lane.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(lane.pid, 0)
    lane.pid = 0


def _tell(drawn: list[Mutant], verdicts: dict[str, str]) -> int:
    """Print who survived and the shares; 1 when a bound is missed."""
    missed = 0
    for part in PARTS:
        mine = [mutant for mutant in drawn if part_of(mutant.path) == part]
        equivalent = [mutant for mutant in mine if _reason(mutant)]
        tried = [mutant for mutant in mine if str(mutant) in verdicts and mutant not in equivalent]
        survivors = [mutant for mutant in tried if verdicts[str(mutant)] == "survived"]
        for mutant in survivors:
            print(f"survived: {mutant.path}:{mutant.line} {mutant.name}")
        if tried:
            caught = 100 * (1 - len(survivors) / len(tried))
            missed += caught < BOUNDS[part] or len(equivalent) > MOST_EQUIVALENT * len(mine)
            print(
                f"{part}: {caught:.1f}% of {len(tried)} caught (at least {BOUNDS[part]:g}%), "
                f"{len(equivalent)} equivalent (at most {MOST_EQUIVALENT:.0%}), "
                f"{len(mine) - len(tried) - len(equivalent)} not tried yet"
            )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
