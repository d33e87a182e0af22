"""What following faces costs beside searching every frame: CPU milliseconds a frame, as a table.

    python benchmarks/tracking.py [--frames 40] [--every 1 5 10] [--devices cpu openvino] [--repeat 3]

The frames are the drawn lesson's of `fer demo`, 1280 x 720 with 12 pupils, five a second. One thread; the first pass of
each row, in which OpenVINO compiles, is not counted, and of the others the least counts. In each repeat every row has
its turn. Ratios are those to the first row of the same device; the last column sets the faces found beside those drawn.
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from importlib.util import find_spec

import cv2
import numpy as np
import torch
from machine import processor

from fercli.demo.classroom import Classroom
from fercli.vision.following import FaceFollower
from fercli.vision.mtcnn.detector import FaceDetector

FPS = 5


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--every", type=int, nargs="+", default=[1, 5, 10], help="search the first of so many frames")
    parser.add_argument("--devices", nargs="+", choices=("cpu", "openvino"), help="all that are installed")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    args.devices = args.devices or ["cpu", *(["openvino"] if find_spec("openvino") else [])]
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    lesson = Classroom(num_subjects=12, seconds=args.frames / FPS, fps=FPS).lessons[0]
    frames = list(itertools.islice(lesson.frames(), args.frames))
    num_drawn = sum(len(lesson.truth(index)) for index in range(len(frames)))
    followers = {device: FaceFollower(FaceDetector(device=device, num_threads=1)) for device in args.devices}
    rows = list(itertools.product(args.devices, args.every))
    cpu_ms: dict[tuple[str, int], float] = {}
    found: dict[tuple[str, int], int] = {}
    for turn in range(args.repeat + 1):
        for device, every in rows:
            spent_s, num_found = follow(followers[device], frames, every, f"{turn}-{every}")
            found[device, every] = num_found
            if turn:
                cpu_ms[device, every] = min(cpu_ms.get((device, every), np.inf), spent_s / len(frames) * 1e3)
    print(f"{processor()}, torch {torch.__version__}\n")
    print("| searched | device | CPU ms a frame | against the first | faces |\n|---|---|---|---|---|")
    for device, every in rows:
        ratio = cpu_ms[device, args.every[0]] / cpu_ms[device, every]
        share = f"{found[device, every]}, {num_drawn} drawn"
        print(f"| one frame in {every} | {device} | {cpu_ms[device, every]:.1f} | {ratio:.1f}x | {share} |")


def follow(follower: FaceFollower, frames: Sequence[np.ndarray], every: int, turn: str) -> tuple[float, int]:
    """CPU seconds and faces of one pass in which every `every`-th frame is searched."""
    began = time.process_time()
    counts = [len(follower.find(frame, f"{turn}-{index // every}")) for index, frame in enumerate(frames)]
    return time.process_time() - began, sum(counts)


if __name__ == "__main__":
    main()
