"""Run real videos and photographs through add, extract-frames and align; print a table of faces found and there.

python benchmarks/real_input.py FOLDER [--every 1s]    FOLDER holds videos/ and faces/ (docs/real-data.md)

Faces that are there: counted by eye in every kept frame of a video, and annotated in faces/ground-truth.json. One
project per file, so that the seconds are those of one file; they include the start of Python and of torch.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Faces in each frame, and the second from which on they are there.
FACES: dict[str, tuple[int, float]] = {
    "three-people.gif": (3, 0.0),
    "one-person-turning.gif": (1, 0.0),
    "portrait.mp4": (1, 0.0),
    "face-appears.mov": (1, 3.945),
    "no-face.mp4": (0, 0.0),
    "tree-no-face.avi": (0, 0.0),
}


def fer(project: Path, *words: str) -> dict:
    """The JSON answer of one command."""
    command = [sys.executable, "-m", "fercli", *words, "--json", "--progress", "none", "-p", str(project)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


def walk(path: Path, every: str) -> dict[str, object]:
    """Frames, faces, drops and seconds of one file or folder."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "fercli", "init", str(project), "--preset", "scfed", "--json"],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        fer(project, "add", str(path.resolve()))
        if path.is_file():
            fer(project, "extract-frames", "--every", every)
        began_align = time.perf_counter()
        result = fer(project, "align")["result"]
        seconds = {"seconds": began_align - began, "align": time.perf_counter() - began_align}
        with (project / "manifests" / "frames.csv").open(encoding="utf-8", newline="") as table:
            times_s = [float(row["time_s"]) for row in csv.DictReader(table) if row["time_s"]]
        return {**seconds, "there": there(path, times_s), **result}


def there(path: Path, times_s: list[float]) -> str:
    """How many faces there are to find in the frames kept at these times."""
    if path.is_dir():
        annotated = json.loads((path / "ground-truth.json").read_text(encoding="utf-8"))
        # ivan.jpg shows one face and has no annotation; no-faces.jpg shows none.
        return str(sum(len(faces) for faces in annotated.values() if isinstance(faces, list)) + 1)
    if path.name not in FACES:
        return "not counted"
    per_frame, begin_s = FACES[path.name]
    return str(per_frame * sum(time_s >= begin_s for time_s in times_s))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", default="1s")
    arguments = parser.parse_args()
    print("| file | frames | faces found / there | dropped | s to frames | s to faces |")
    print("|---|---|---|---|---|---|")
    for path in [*sorted((arguments.folder / "videos").iterdir()), arguments.folder / "faces"]:
        row = walk(path, arguments.every)
        dropped = ", ".join(f"{count} {reason}" for reason, count in row.get("dropped", {}).items()) or "-"
        found, frames = row["num_faces"], row["num_frames"]
        seconds = f"{row['seconds']:.1f} | {row['align']:.1f}"
        print(f"| {path.name} | {frames} | {found} / {row['there']} | {dropped} | {seconds} |", flush=True)


if __name__ == "__main__":
    main()
