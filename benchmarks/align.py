"""How busy `fer align` keeps the processor: a drawn lesson through it, in one process and in two; prints a table.

    python benchmarks/align.py                              240 frames of 1280 x 720 with 12 faces each
    python benchmarks/align.py --frames 240 720 --device openvino
    python benchmarks/align.py --frames 8 --workers 1 --frames-kept yes

Each run is the whole command in a fresh project, the start of Python and torch included, so that many frames tell more
than few; two counts make a third row, what the frames between them cost, which is the pipeline alone. "Cores busy" is
CPU seconds over wall seconds, child processes counted in; it can be no more than the cores that this process may use.
With frames kept, `fer extract-frames` has written them; else `fer align` decodes the video.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from machine import processor

from fercli.core.processors import count_processors
from fercli.demo.classroom import Classroom
from fercli.vision.video.video_writer import VideoWriter

FPS, LONGEST_S = 5, 12


@dataclass(frozen=True)
class Run:
    """One call of `fer align`: what it cost and what it made."""

    wall_s: float
    cpu_s: float
    result: dict


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[240], help="one count, or a small and a large one")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames-kept", nargs="+", choices=("yes", "no"), default=["yes", "no"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeat", type=int, default=1, help="the fastest run of each row counts")
    args = parser.parse_args()
    print(f"{processor()}, {count_processors()} cores may be used\n", flush=True)
    print("| frames kept | workers | device | frames | faces | wall s | CPU s | cores busy | frames/s |")
    print("|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        videos = [draw_lesson(Path(folder) / f"lesson-{num}.mp4", num) for num in sorted(args.frames)]
        for kept in args.frames_kept:
            projects = [make_project(Path(folder) / f"{kept}-{video.stem}", video, keep=kept == "yes")
                        for video in videos]  # fmt: skip
            for workers in args.workers:
                runs = [fastest(project, workers, args) for project in projects]
                for run in runs if len(runs) == 1 else [*runs, between(runs[0], runs[-1])]:
                    show(kept, workers, run)
    print(f"\nload at the end {os.getloadavg()[0]:.1f}")


def draw_lesson(path: Path, num_frames: int) -> Path:
    """Twelve seconds of the drawn classroom, over and over until there are enough frames."""
    say(f"drawing {min(num_frames, FPS * LONGEST_S)} frames, writing {num_frames}")
    (lesson, *_) = Classroom(seed=0, seconds=LONGEST_S, fps=FPS).lessons
    drawn = []
    with VideoWriter(path, lesson.size, FPS) as writer:
        for _, frame in zip(range(num_frames), lesson.frames(), strict=False):
            drawn.append(frame)
            writer.write(frame)
        for number in range(len(drawn), num_frames):
            writer.write(drawn[number % len(drawn)])
    return path


def make_project(root: Path, video: Path, *, keep: bool) -> Path:
    """A project whose frames are chosen, every one of the video."""
    say(f"extracting frames into {root.name}")
    fer(None, "init", str(root), "--preset", "scfed")
    fer(root, "add", str(video))
    fer(root, "extract-frames", "--every", f"{1 / FPS}s", *([] if keep else ["--no-keep"]))
    return root


def fastest(project: Path, workers: int, args: argparse.Namespace) -> Run:
    """The fastest of some runs."""
    runs = [align_copy(project, workers, args.device) for _ in range(args.repeat)]
    return min(runs, key=lambda run: run.wall_s)


def between(small: Run, large: Run) -> Run:
    """What the frames that only the larger run had cost: neither the start of Python nor the folding of the table."""
    counts = {name: large.result[name] - small.result[name] for name in ("num_frames_done", "num_faces")}
    return Run(large.wall_s - small.wall_s, large.cpu_s - small.cpu_s, large.result | counts)


def align_copy(project: Path, workers: int, device: str) -> Run:
    """Run `fer align` in a copy of the project, so that every run begins with nothing."""
    say(f"{project.name}: align with {workers} workers")
    copy = project.with_name("copy")
    shutil.copytree(project, copy)
    try:
        began, began_cpu = time.perf_counter(), children_cpu_s()
        result = fer(copy, "align", "--workers", str(workers), "--device", device)["result"]
        return Run(time.perf_counter() - began, children_cpu_s() - began_cpu, result)
    finally:
        shutil.rmtree(copy)


def children_cpu_s() -> float:
    """CPU time of child processes that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fer(project: Path | None, *words: str) -> dict:
    """The JSON answer of one command."""
    where = ["-p", str(project)] if project else []
    command = [sys.executable, "-m", "fercli", *words, "--json", "--progress", "none", *where]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict = json.loads(done.stdout)
    return answer


def show(kept: str, workers: int, run: Run) -> None:
    """Print a row of the table."""
    num_frames, num_faces = run.result["num_frames_done"], run.result["num_faces"]
    made = f"| {kept} | {workers} | {run.result['device']} | {num_frames} | {num_faces}"
    rates = f"{run.cpu_s / run.wall_s:.2f} | {num_frames / run.wall_s:.1f}"
    print(f"{made} | {run.wall_s:.1f} | {run.cpu_s:.1f} | {rates} |", flush=True)


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
