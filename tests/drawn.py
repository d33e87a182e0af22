"""One small drawn lesson, drawn once a session, with what is true about it and the votes that follow from that."""

import csv
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import run_fer

SEED, NUM_PUPILS, NUM_FRAMES, FPS, SIZE = 3, 8, 72, 4, (768, 432)
CLASSES = ("engaged", "calm", "away")
# Three words for the six emotions that are drawn, so that a short lesson shows every class.
MEANING = {
    "happy": "engaged", "dedicated": "engaged", "neutral": "calm", "confused": "calm", "tired": "away", "bored": "away",
}  # fmt: skip
MAP = ",".join(f"{word}={meaning}" for word, meaning in MEANING.items())


@dataclass(frozen=True)
class DrawnLesson:
    """A video file; `truth` holds, for each frame, the box and the emotion of every pupil."""

    video: Path
    truth: tuple[tuple[tuple[tuple[float, float, float, float], str], ...], ...]

    def emotion_of(self, face: Mapping[str, str]) -> str:
        """What the pupil shows whose box holds the middle of this row of faces.csv; empty when none does."""
        x, y = (float(face[start]) + float(face[side]) / 2 for start, side in (("left", "width"), ("top", "height")))
        frame = int(face["frame_id"].rpartition("/f")[2])
        for (left, top, width, height), emotion in self.truth[frame]:
            if left <= x <= left + width and top <= y <= top + height:
                return emotion
        return ""

    @cached_property
    def emotions(self) -> frozenset[str]:
        return frozenset(emotion for frame in self.truth for _, emotion in frame)


@pytest.fixture(scope="session")
def drawn_lesson(tmp_path_factory: pytest.TempPathFactory) -> DrawnLesson:
    """The lesson; don't change the file."""
    return draw_lesson(tmp_path_factory.mktemp("drawn") / "lesson-1.mp4")


def draw_lesson(path: Path) -> DrawnLesson:
    from fercli.demo.classroom import Classroom
    from fercli.vision.video.reader import VideoWriter

    room = Classroom(seed=SEED, num_subjects=NUM_PUPILS, seconds=NUM_FRAMES / FPS, fps=FPS, size=SIZE)
    lesson = room.lessons[0]
    with VideoWriter(path, lesson.size, lesson.fps) as writer:
        for frame in lesson.frames():
            writer.write(frame)
    truth = (tuple((face.box, face.emotion) for face in lesson.truth(index)) for index in range(lesson.num_frames))
    return DrawnLesson(path, tuple(truth))


@pytest.fixture(scope="session")
def aligned_template(tmp_path_factory: pytest.TempPathFactory, drawn_lesson: DrawnLesson) -> Path:
    """A project with the first seconds of the lesson added, extracted, aligned and told apart; copy it."""
    root = tmp_path_factory.mktemp("aligned") / "mine"
    for words in (
        ("init", root, "--classes", ",".join(CLASSES)),
        ("add", drawn_lesson.video, "-p", root),
        ("extract-frames", "--end", "7s", "-p", root),
        ("align", "-p", root),
        ("subjects", "-p", root),
    ):
        must(*words)
    return root


@pytest.fixture
def aligned(tmp_path: Path, aligned_template: Path) -> Path:
    """A copy of that project."""
    return Path(shutil.copytree(aligned_template, tmp_path / "mine"))


def must(*words: object) -> dict[str, Any]:
    """Run a command line that ought to work; its JSON."""
    code, out, err = run_fer(*words, "--json")
    assert code == 0, (words, err)
    answer: dict[str, Any] = json.loads(out)
    return answer


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def face_rows(root: Path) -> list[dict[str, str]]:
    """The faces that were cut out."""
    return [row for row in read_csv(root / "manifests/faces.csv") if row["status"] == "ok"]


def write_long(path: Path, lesson: DrawnLesson, faces: Iterable[Mapping[str, str]]) -> Path:
    """Votes of two annotators, a line each; ann is right, ben errs on every seventh face."""
    lines = ["face_id,annotator,label"]
    for place, face in enumerate(faces):
        emotion = lesson.emotion_of(face)
        lines += [f"{face['face_id']},ann,{emotion}", f"{face['face_id']},ben,{_slip(emotion, place % 7 == 0)}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_wide(path: Path, lesson: DrawnLesson, faces: Iterable[Mapping[str, str]]) -> Path:
    """Votes of two more, a column each; cleo leaves every fifth face out, dora cannot tell every ninth."""
    lines = ["face_id,cleo,dora"]
    for place, face in enumerate(faces):
        emotion = lesson.emotion_of(face)
        cells = ("" if place % 5 == 0 else emotion, "unknown" if place % 9 == 0 else emotion)
        lines.append(",".join((face["face_id"], *cells)))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _slip(emotion: str, is_wrong: bool) -> str:
    others = [word for word in sorted(MEANING) if MEANING[word] != MEANING[emotion]]
    return others[0] if is_wrong else emotion


def tree(root: Path, *, but: Callable[[str], bool] = lambda _: False) -> dict[str, tuple[int, int, int]]:
    """Every file below `root` with what tells a changed one: its inode, size and time; the log and locks left out."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name != ".fer/journal.jsonl" and path.name not in ("lock", ".lock") and not but(name):
            status = path.stat()
            found[name] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def contents(root: Path, *folders: str) -> dict[str, bytes]:
    """The bytes of every file below these folders of a project."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in folders
        for path in sorted((root / folder).rglob("*"))
        if path.is_file()
    }
