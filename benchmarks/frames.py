"""Frame selection beside PyAV's bare decoder, scenedetect and Katna: CPU seconds in one run, as a table.

    python benchmarks/frames.py                    # draws a film of known cuts, makes the peers' environments
    python benchmarks/frames.py --methods kmeans --repeat 1
    python benchmarks/frames.py --memory           # peak memory along a 20-minute 4K film

Each contender runs in a process of its own, a peer in an environment made from PyPI, and tells the CPU time of its work
without its imports, that of its own child processes included; the least of `--repeat` counts. "Bare" decodes every
frame with PyAV and converts to RGB those that our method keeps, nothing more.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from machine import processor
from peers import environment

SIZE, FPS, SECONDS, NUM_SHOTS = (1920, 1080), 30, 60, 12
LONG_FPS = 2
# Our methods, and what stands beside each.
METHODS = {"every": "bare", "change": "bare", "scene": "scenedetect", "kmeans": "katna"}


def main() -> None:
    """Read the command line, and measure or be a contender."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "fercli-frames")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--contender", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contender:
        name, *words = arguments.contender
        print(json.dumps(CONTENDERS[name](*words)))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    print(f"{processor()}, {os.cpu_count()} threads, Python {platform.python_version()}\n")
    if arguments.memory:
        show_memory(arguments.folder)
    else:
        compare(arguments.folder, arguments.repeat, arguments.methods)


def compare(folder: Path, repeat: int, methods: list[str]) -> None:
    """Print the table of methods beside their peers."""
    film = draw_film(folder / "cuts.mp4")
    print("| method | ours, CPU s | peer | its CPU s | peer / ours | what was found |")
    print("|---|---|---|---|---|---|")
    for method in methods:
        our = best("ours", film, method, repeat=repeat)
        name, peer = beside(method, our, film, repeat=repeat)
        ratio = peer["cpu_s"] / our["cpu_s"]
        print(f"| `{method}` | {our['cpu_s']:.2f} | {name} | {peer['cpu_s']:.2f} | {ratio:.2f} | {found(our, peer)} |",
              flush=True)  # fmt: skip


def beside(method: str, our: dict, film: Path, *, repeat: int) -> tuple[str, dict]:
    """The peer of a method, and its answer."""
    folder = film.parent
    name = METHODS[method]
    if name == "bare":
        return "PyAV, bare", best("bare", film, ",".join(map(str, our["frames"])), repeat=repeat)
    python = environment(name, folder)
    if name == "scenedetect":
        return "scenedetect, content detector", best("scenedetect", film, python=python, repeat=repeat)
    # Minutes a run.
    return "Katna", best("katna", film, str(folder / "katna-frames"), python=python)


def found(our: dict, peer: dict) -> str:
    """What both found, in words."""
    if not isinstance(peer["frames"], list):
        return f"{len(our['frames'])} frames, {peer['frames']} frames"
    true = [shot * FPS * SECONDS // NUM_SHOTS for shot in range(NUM_SHOTS)]
    if len(our["frames"]) != len(true):
        return f"{len(our['frames'])} frames"
    return f"{len(true)} true cuts; ours {judge(our['frames'], true)}, peer {judge(peer['frames'], true)}"


def judge(frames: list[int], true: list[int]) -> str:
    """How the cuts found differ from the true ones, in words."""
    missed, wrong = len(set(true) - set(frames)), len(set(frames) - set(true))
    return "the same" if not missed + wrong else f"{missed} missed, {wrong} too many"


def best(name: str, *words: str | Path, python: Path = Path(sys.executable), repeat: int = 1) -> dict:
    """The answer of a contender with the least CPU time."""
    answers = []
    for _ in range(repeat):
        command = [str(python), __file__, "--contender", name, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
        answers.append(json.loads(done.stdout.splitlines()[-1]))
    return min(answers, key=lambda answer: answer["cpu_s"])


def cpu_s() -> float:
    """CPU time of this process and its ended children."""
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def run_ours(film: str, method: str) -> dict:
    """Our selection of a film's frames."""
    import sklearn.cluster  # noqa: F401  # kmeans imports it late; no import counts

    from fercli.vision.keyframes.selection import SelectionRule, select_frames
    from fercli.vision.video.reader import VideoReader

    began = cpu_s()
    rule = SelectionRule(method, num=NUM_SHOTS)
    frames = []
    for kept in select_frames(VideoReader(Path(film)), rule):
        assert kept.image.size  # converted, as `fer extract-frames` does with what it writes
        frames.append(kept.index)
    return {"cpu_s": cpu_s() - began, "frames": frames}


def run_bare(film: str, kept: str) -> dict:
    """Decode every frame and convert the kept ones to RGB."""
    import av

    wanted = set(map(int, kept.split(",")))
    began = cpu_s()
    with av.open(film) as container:
        container.streams.video[0].thread_type = "AUTO"
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                frame.to_ndarray(format="rgb24")
    return {"cpu_s": cpu_s() - began, "frames": sorted(wanted)}


def run_scenedetect(film: str) -> dict:
    """The content detector of scenedetect, as it comes."""
    from scenedetect import ContentDetector, detect

    began = cpu_s()
    scenes = detect(film, ContentDetector())
    return {"cpu_s": cpu_s() - began, "frames": [begin.frame_num for begin, _ in scenes]}


def run_katna(film: str, folder: str) -> dict:
    """Katna's key frames, as many as the film has shots."""
    from Katna.video import Video
    from Katna.writer import KeyFrameDiskWriter

    began = cpu_s()
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier turn has written does not count
    Path(folder).mkdir()
    Video().extract_video_keyframes(no_of_frames=NUM_SHOTS, file_path=film, writer=KeyFrameDiskWriter(location=folder))
    # It does not say which frames they are.
    return {"cpu_s": cpu_s() - began, "frames": len(list(Path(folder).iterdir()))}


def run_memory(film: str, method: str) -> dict:
    """Peak memory, MB, after each minute of the film."""
    from fercli.vision.keyframes.selection import SelectionRule, select_frames
    from fercli.vision.video.reader import VideoReader

    peaks: dict[int, float] = {}

    def watch(frame: object) -> None:
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
        peaks[int(frame.time_s // 60)] = kilobytes / 1024  # type: ignore[attr-defined]

    began = cpu_s()
    rule = SelectionRule(method, num=NUM_SHOTS)
    num_kept = sum(1 for kept in select_frames(VideoReader(Path(film), watch=watch), rule) if kept.image.size)
    return {"cpu_s": cpu_s() - began, "frames": num_kept, "peaks_mb": list(peaks.values())}


CONTENDERS: dict[str, Callable[..., dict]] = {
    "ours": run_ours,
    "bare": run_bare,
    "scenedetect": run_scenedetect,
    "katna": run_katna,
    "memory": run_memory,
}


def show_memory(folder: Path) -> None:
    """Print the peak memory along the long film."""
    film = draw_long_film(folder / "long.mp4")
    print("| method | frames kept | peak MB after 1 min | 5 min | 10 min | 20 min |")
    print("|---|---|---|---|---|---|")
    for method in METHODS:
        answer = best("memory", film, method)
        peaks = " | ".join(f"{answer['peaks_mb'][minute]:.0f}" for minute in (0, 4, 9, 19))
        print(f"| `{method}` | {answer['frames']} | {peaks} |")


def draw_film(path: Path) -> Path:
    """Twelve shots of five seconds, in each a camera that wanders over a drawn room and a ball that swings."""
    import cv2
    import numpy as np

    width, height = SIZE

    def pictures():
        for number in range(FPS * SECONDS):
            shot, age = divmod(number, FPS * SECONDS // NUM_SHOTS)
            if age == 0:
                rng = np.random.default_rng(shot)
                blocks = rng.integers(0, 255, (height // 40, width // 40 + 20, 3), np.uint8)
                room = cv2.resize(blocks, (width + 400, height + 200), interpolation=cv2.INTER_CUBIC)
                room = cv2.add(room, rng.integers(0, 24, room.shape, np.uint8))
            image = room[age // 3 : age // 3 + height, 2 * age : 2 * age + width].copy()
            cv2.circle(image, (int(width / 2 + width / 3 * np.sin(age / 20)), height // 2), 120, (240, 200, 180), -1)
            yield image

    return encode(path, pictures(), fps=FPS, options={"preset": "veryfast"})


def draw_long_film(path: Path) -> Path:
    """Twenty minutes of 3840 x 2160, two frames a second, a key frame every ten seconds, all of it changing."""
    import cv2
    import numpy as np

    def pictures():
        blocks = np.random.default_rng(0).integers(0, 255, (24, 40 + 240, 3), np.uint8)
        for number in range(LONG_FPS * 20 * 60):
            place = number % 240
            yield cv2.resize(blocks[:, place : place + 40], (3840, 2160), interpolation=cv2.INTER_NEAREST)

    options = {"preset": "ultrafast", "x264-params": f"keyint={10 * LONG_FPS}:scenecut=0"}
    return encode(path, pictures(), fps=LONG_FPS, options=options)


def encode(path: Path, pictures: Iterable, *, fps: int, options: dict[str, str]) -> Path:
    """Write RGB pictures as H.264 to `path`, unless it is there already."""
    import av

    if path.exists():
        return path
    half = path.with_name(f"half-{path.name}")
    with av.open(str(half), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = image.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    half.replace(path)
    return path


if __name__ == "__main__":
    main()
