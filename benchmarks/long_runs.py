"""Watch long commands: memory, handles and temporary files must not grow with what is done already. Linux only.

python benchmarks/long_runs.py align   [--frames 20000]      that many frames of 480x270 with faces through fer align
python benchmarks/long_runs.py predict [--minutes 120]       1920x1080 at 5 frames a second through fer predict
python benchmarks/long_runs.py train   [--epochs 200]        the smallest network on the demo's faces

Ten seconds of the demo's lesson, repeated by copying its packets, are the video; the demo is made first, in a
temporary folder (--demo DIR keeps it there, and takes it from there). A tenth is run before the whole, to compare the
peaks. The command and the process in which it decodes are watched from outside, twice a second.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from fercli.vision.video.reader import VideoReader, VideoWriter

_EVERY_S = 0.5
_SMALL, _LARGE = (480, 270), (1920, 1080)
_FPS = 5
# What `core.files.replacing` calls a file that is being written.
_TEMPORARY = re.compile(r"^\..*~")


@dataclass(frozen=True)
class Sample:
    """What a command held at one moment."""

    megabytes: float
    reader_megabytes: float
    num_handles: int
    num_temporary: int


def fer(*words: object, folder: Path) -> None:
    """Run a command to its end."""
    subprocess.run([sys.executable, "-m", "fercli", *map(str, words)], cwd=folder, check=True, stdout=sys.stderr)


def watched(*words: object, folder: Path) -> list[Sample]:
    """Run a command, and look at it now and then; what it does at its beginning, a fifth of the time, is left out."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "fercli", *map(str, words)]
        environment = {**os.environ, "TMPDIR": temporary}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=sys.stderr)
        samples = []
        while process.poll() is None:
            time.sleep(_EVERY_S)
            try:
                samples.append(_look(process.pid, Path(temporary), folder))
            except OSError:
                continue  # it has just ended
        assert process.returncode == 0, process.returncode
    return samples[len(samples) // 5 :]


def _look(pid: int, temporary: Path, folder: Path) -> Sample:
    readers = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]
    for thread in Path(f"/proc/{pid}/task").iterdir():
        readers += [int(word) for word in (thread / "children").read_text(encoding="utf-8").split()]
    readers = sorted(set(readers))
    handles = sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in (pid, *readers))
    files = [*temporary.rglob("*"), *(path for path in (folder / ".fer").rglob("*") if _TEMPORARY.match(path.name))]
    return Sample(_megabytes(pid), sum(map(_megabytes, readers)), handles, len(files))


def _megabytes(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0


def table(name: str, samples: Sequence[Sample]) -> None:
    """Print the largest of each quarter of the time."""
    print(f"| {name} | MB | MB of the reader | handles | temporary files |")
    print("|---|---|---|---|---|")
    for number, part in enumerate(np.array_split(np.arange(len(samples)), 4), start=1):
        seen = [samples[place] for place in part]
        if seen:
            cells = [max(getattr(one, field) for one in seen) for field in Sample.__dataclass_fields__]
            print(f"| quarter {number} | {cells[0]:.0f} | {cells[1]:.0f} | {cells[2]} | {cells[3]} |", flush=True)


def enlarged(source: Path, target: Path, size: tuple[int, int]) -> Path:
    """Ten seconds of a video in another size."""
    import cv2

    with VideoWriter(target, size, _FPS) as writer:
        for frame in VideoReader(source, end_s=10.0).every(1 / _FPS):
            writer.write(np.asarray(cv2.resize(frame.rgb(), size)))
    return target


def repeated(source: Path, target: Path, num_frames: int) -> Path:
    """The packets of a video, copied again and again until there are so many frames."""
    with av.open(str(target), "w") as out:
        stream: Any = None
        num_written, begin_s = 0, Fraction(0)
        while num_written < num_frames:
            with av.open(str(source)) as file:
                film = file.streams.video[0]
                stream = stream or out.add_stream_from_template(film)
                for packet in (packet for packet in file.demux(film) if packet.size):
                    shift = int(begin_s / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    out.mux(packet)
                    num_written += 1
            begin_s = Fraction(num_written, _FPS)
    return target


def run_align(folder: Path, lesson: Path, num_frames: int) -> list[Sample]:
    """So many frames through `fer align`."""
    small = enlarged(lesson, folder / "small.mp4", _SMALL)
    video = repeated(small, folder / f"frames-{num_frames}.mp4", num_frames)
    project = folder / f"align-{num_frames}"
    fer("init", project, "--classes", "happy,sad", folder=folder)
    fer("add", video, folder=project)
    fer("extract-frames", "--every", f"{1 / _FPS}s", folder=project)
    return watched("align", "--device", "cpu", folder=project)


def run_predict(folder: Path, demo: Path, lesson: Path, num_frames: int) -> list[Sample]:
    """So many frames through `fer predict`, faces looked for once a second, each frame drawn."""
    large = enlarged(lesson, folder / "large.mp4", _LARGE)
    video = repeated(large, folder / f"lesson-{num_frames}.mp4", num_frames)
    return watched("predict", video, "--every", "1s", "--device", "cpu", "--force", folder=demo)


def run_train(demo: Path, num_epochs: int) -> list[Sample]:
    """So many epochs of the smallest network, 24 thousand parameters."""
    words = ("--model", "aer-cnn", "--epochs", num_epochs, "--device", "cpu", "--name", f"long-{num_epochs}")
    return watched("train", *words, folder=demo)


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("align", "predict", "train"))
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--demo", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        demo = (asked.demo or folder / "demo").resolve()
        if not demo.exists():
            fer("demo", demo, "--subjects", 4, "--seconds", 10, "--keep-going", folder=folder)
        lesson = next(iter(sorted((demo / "demo").glob("*.mp4"))))
        num_frames = int(asked.minutes * 60 * _FPS)
        for share in (10, 1):
            if asked.part == "align":
                number = asked.frames // share
                table(f"align, {number:,} frames", run_align(folder, lesson, number))
            elif asked.part == "predict":
                title = f"predict, {asked.minutes / share:g} minutes"
                table(title, run_predict(folder, demo, lesson, num_frames // share))
            else:
                number = asked.epochs // share
                table(f"train, {number} epochs", run_train(demo, number))


if __name__ == "__main__":
    main()
