"""Make the projects in this folder with an older fercli.

    PYTHONPATH=OLD OMP_NUM_THREADS=1 python tests/old_projects/make.py [FOLDER]

OLD is a checkout of the version that shall make them (the kept ones: commit f53ab2e); FOLDER gets the two zip files and
is the script's own by default. Everything drawn follows from fixed seeds.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fercli.demo import classroom as drawing
from fercli.demo.classroom import Classroom, Lesson
from fercli.vision.images import write_jpeg
from fercli.vision.video import VideoWriter

SIZE, FPS = (448, 252), 4
CLASSES = ("engaged", "calm", "away")
# Three words for the six emotions that are drawn, so that a short clip shows every class.
MEANING = {
    "happy": "engaged", "dedicated": "engaged", "neutral": "calm", "confused": "calm", "tired": "away", "bored": "away",
}  # fmt: skip
SMALL = ("--set", "model.width=4", "--set", "model.hidden=16", "--set", "image_size=24", "--batch-size", "4")
SMALL += ("--set", "threads=1", "--precision", "fp32", "--no-tensorboard")
TRAIN = ("train", "--model", "drf-msam", *SMALL)

# Runs `fer` and sends itself a signal after the n-th call of one function.
DRIVER = """
import importlib, os, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)
place, number, name, *words = sys.argv[1:]
module, _, path = place.partition(":")
*owners, last = path.split(".")
owner = importlib.import_module(module)
for part in owners:
    owner = getattr(owner, part)
true_call, calls = getattr(owner, last), []

def counted(*args, **kwargs):
    result = true_call(*args, **kwargs)
    calls.append(1)
    if len(calls) == int(number):
        os.kill(os.getpid(), getattr(signal, name))
    return result

setattr(owner, last, counted)
if place.startswith("fercli.learn"):
    # A training as short as this one saves only at its end.
    from fercli.learn import trainer
    trainer._SAVE_EVERY_S = trainer._SAVE_SHORT_EPOCHS_EVERY_S = 0.0
from fercli.cli.app import main
main(words)
"""


def make(out: Path) -> None:
    """Write finished.zip and interrupted.zip into `out`."""
    # Noise makes files large.
    drawing._NOISE_SIGMA = 0.0
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        make_trained(here / "finished")
        shutil.copytree(here / "finished", here / "interrupted")
        finish(here / "finished")
        pack(here / "finished", out / "finished.zip")
        interrupt(here / "interrupted")
        pack(here / "interrupted", out / "interrupted.zip")


def make_trained(here: Path) -> None:
    """A project with one training, and beside it the clip, the pictures and the votes that it was made from."""
    (here / "pictures").mkdir(parents=True)
    lesson, extra = classroom(seed=6, num_subjects=6, seconds=2.0), classroom(seed=8, num_subjects=2, seconds=0.25)
    film(lesson, here / "clip.mp4")
    for index, picture in enumerate(pictures_of(extra)):
        write_jpeg(here / "pictures" / f"extra-{index + 1}.jpg", picture)
    fer(here, "init", "lesson", "--classes", ",".join(CLASSES))
    root = here / "lesson"
    fer(root, "add", "../clip.mp4")
    fer(root, "add", "../pictures")
    fer(root, "extract-frames", "--every", "1s")
    fer(root, "align")
    fer(root, "subjects", "track")
    faces = [row for row in read_csv(root / "manifests/faces.csv") if row["status"] == "ok"]
    subjects = list(dict.fromkeys(row["subject_id"] for row in faces if row["subject_id"]))
    fer(root, "subjects", "merge", subjects[-2], subjects[-1])
    fer(root, "subjects", "rename", subjects[0], "ann")
    # What was merged and renamed by hand stays, and the stage is done with the table as it is now.
    fer(root, "subjects", "track")
    write_votes(here / "votes.csv", faces, {"clip": lesson, "pictures": extra})
    fer(root, "labels", "import", "../votes.csv")
    fer(root, "labels", "vote", "--min-votes", "3")
    fer(root, "split")
    fer(root, "check", "all", allowed=(0, 1))
    fer(root, *TRAIN, "--epochs", "2")
    hide_machine(root)
    shrink_figures(root)


def finish(here: Path) -> None:
    """Do what is left after the training."""
    root = here / "lesson"
    fer(root, "eval", "--confusion")
    fer(root, "gradcam", "--per-class", "1")
    shrink_figures(root)
    fer(root, "report")
    fer(root, "predict", "../clip.mp4", "--out", "csv")
    remove_material(here)


def interrupt(here: Path) -> None:
    """Stop a second training after its first epoch, and kill align on a second clip."""
    root = here / "lesson"
    disturb(root, "fercli.learn.keeper:save_state", 2, "SIGINT", *TRAIN, "--epochs", "3", "--seed", "1")
    hide_machine(root)
    film(classroom(seed=9, num_subjects=2, seconds=1.5), here / "second.mp4")
    fer(root, "add", "../second.mp4")
    fer(root, "extract-frames", "--every", "0.5s", "second")
    disturb(root, "fercli.core.journal:ItemJournal.add", 2, "SIGKILL", "align")
    remove_material(here)


def hide_machine(root: Path) -> None:
    """Leave out which computer this was; nothing but a person reads env.json."""
    for path in root.glob("runs/*/env.json"):
        known = json.loads(path.read_text(encoding="utf-8"))
        values = known | {"system": "Linux"}
        path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def shrink_figures(root: Path) -> None:
    """Keep every figure that people look at, and no command reads, small and grey."""
    for path in [*root.glob("runs/*/*.png"), *root.glob("runs/*/*/**/*.png"), *root.glob("reports/*.png")]:
        figure = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        scale = min(1.0, 160 / max(figure.shape))
        cv2.imwrite(str(path), cv2.resize(figure, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def remove_material(here: Path) -> None:
    """Leave the project and the votes."""
    shutil.rmtree(here / "pictures")
    for path in here.glob("*.mp4"):
        path.unlink()


def classroom(**numbers: Any) -> Lesson:  # as Classroom takes them
    return Classroom(fps=FPS, size=SIZE, **numbers).lessons[0]


def film(lesson: Lesson, path: Path) -> None:
    with VideoWriter(path, lesson.size, lesson.fps) as writer:
        for picture in pictures_of(lesson):
            writer.write(picture)


def pictures_of(lesson: Lesson) -> Iterator[np.ndarray]:
    """The frames of a lesson in grey and a little out of focus, which makes small files."""
    for frame in lesson.frames():
        grey = cv2.cvtColor(cv2.GaussianBlur(frame, (0, 0), 1.2), cv2.COLOR_RGB2GRAY)
        yield np.stack([grey, grey, grey], axis=2)


def write_votes(path: Path, faces: list[dict[str, str]], lessons: Mapping[str, Lesson]) -> None:
    """Three annotators: ann is right, ben errs on every seventh face, cleo leaves every ninth out."""
    lines = ["face_id,annotator,label"]
    for place, face in enumerate(faces):
        label = true_label(face, lessons)
        wrong = CLASSES[(CLASSES.index(label) + 1) % len(CLASSES)]
        lines += [f"{face['face_id']},ann,{label}", f"{face['face_id']},ben,{wrong if place % 7 == 6 else label}"]
        lines += [] if place % 9 == 8 else [f"{face['face_id']},cleo,{label}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def true_label(face: Mapping[str, str], lessons: Mapping[str, Lesson]) -> str:
    """The class of the pupil whose box is nearest to this row of faces.csv."""
    video, _, frame = face["frame_id"].partition("/")
    lesson, index = (lessons["clip"], int(frame[1:])) if video == "clip" else (lessons["pictures"], 0)
    x, y = (float(face[start]) + float(face[side]) / 2 for start, side in (("left", "width"), ("top", "height")))
    distances = {}
    for true in lesson.truth(index):
        left, top, width, height = true.box
        distances[(left + width / 2 - x) ** 2 + (top + height / 2 - y) ** 2] = true.emotion
    return MEANING[distances[min(distances)]]


def fer(folder: Path, *words: str, allowed: tuple[int, ...] = (0,)) -> None:
    done = subprocess.run([sys.executable, "-m", "fercli", *words], cwd=folder, check=False)
    if done.returncode not in allowed:
        raise SystemExit(f"fer {' '.join(words)}: exit code {done.returncode}")


def disturb(folder: Path, place: str, number: int, sign: str, *words: str) -> None:
    """Run a command that gets the signal after the `number`-th call of `place`."""
    command = [sys.executable, "-c", DRIVER, place, str(number), sign, *words]
    done = subprocess.run(command, cwd=folder, check=False, start_new_session=True)
    if done.returncode != (130 if sign == "SIGINT" else -signal.Signals[sign]):
        raise SystemExit(f"fer {' '.join(words)} was not interrupted: exit code {done.returncode}")


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pack(folder: Path, path: Path) -> None:
    """Zip a folder's files in the order of their names, empty folders included, locks left out."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for file in entries(folder):
            packed.write(file, file.relative_to(folder).as_posix())


def entries(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if not path.name.endswith(("lock", ".pyc")):
            yield path


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
