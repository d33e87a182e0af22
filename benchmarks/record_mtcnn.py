"""Run mtcnn 1.0.0 in its own environment and write down what it finds, for tests/vision/test_mtcnn_golden.py.

    python benchmarks/record_mtcnn.py [--photographs FOLDER] [--environments FOLDER]

Pictures: frames of the drawn classroom (kept beside the answers, as JPEG), scikit-image's astronaut, and the
photographs of FOLDER (docs/real-data.md), of which only figures are kept. Without --photographs the figures of an
earlier run stay. Needs some 2 GB for TensorFlow, in --environments or the user's cache.
"""

import argparse
import hashlib
import json
import re
import tempfile
from pathlib import Path

import cv2
import numpy as np
from peers import call, default_folder, environment
from skimage import data

from fercli.demo.classroom import Classroom
from fercli.vision.images import read_image

GOLDEN = Path(__file__).parents[1] / "tests" / "vision" / "golden"
OUT = GOLDEN / "mtcnn-1.0.0-pictures.json"
# Lesson and second of each frame; the demo's own seed and size.
FRAMES = ((0, 3.0), (1, 20.0), (2, 41.0))


def main() -> None:
    """Read the command line and record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--environments", type=Path, default=default_folder())
    args = parser.parse_args()
    draw_classroom()
    pictures = {path.name: read_image(path) for path in sorted(GOLDEN.glob("classroom-*.jpg"))}
    pictures["skimage.data.astronaut"] = np.asarray(data.astronaut())
    if args.photographs:
        pictures |= {f"faces/{path.name}": read_image(path) for path in sorted(args.photographs.glob("*.jpg"))}
    found = detect(pictures, args.environments)
    old = json.loads(OUT.read_text(encoding="utf-8"))["pictures"] if OUT.exists() else {}
    rows = {name: {"sha256": digest(image), "faces": rounded(found["faces"][name])} for name, image in pictures.items()}
    record = {"made_by": found["versions"], "columns": "left top right bottom confidence, five landmarks x y",
              "sha256_of": "the RGB pixels, row by row", "pictures": dict(sorted((old | rows).items()))}  # fmt: skip
    OUT.write_text(lines(record), encoding="utf-8")
    print(f"{sum(len(row['faces']) for row in rows.values())} faces in {len(rows)} pictures: {OUT}")


def draw_classroom() -> None:
    """Write the frames; a quality of 90 keeps the camera's grain and 12 faces in some 150 kB."""
    lessons = Classroom(seed=0, seconds=42.0, fps=1).lessons
    for number, (lesson, time_s) in enumerate(FRAMES):
        for index, frame in enumerate(lessons[lesson].frames()):
            if index == int(time_s):
                path = GOLDEN / f"classroom-{number + 1}.jpg"
                path.write_bytes(cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
                break


def detect(pictures: dict[str, np.ndarray], environments: Path) -> dict:
    """What mtcnn finds, and the versions it ran with."""
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "pictures.npz"
        np.savez(packed, **pictures)
        return call(environment("mtcnn", environments), ["mtcnn", str(packed), "--repeat", "0"])


def lines(record: dict) -> str:
    """JSON with a line for each face."""
    text = json.dumps(record, indent=1)
    return re.sub(r"\[\s+([-\d.,\s]+?)\s+\]", lambda row: "[" + " ".join(row[1].split()) + "]", text) + "\n"


def digest(image: np.ndarray) -> str:
    """sha256 of a picture's pixels."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


def rounded(faces: list[list[float]]) -> list[list[float]]:
    """Boxes and points in steps of 0.0001 px."""
    return [[round(value, 4) for value in face] for face in faces]


if __name__ == "__main__":
    main()
