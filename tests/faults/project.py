"""A small project of three frames and nine faces with everything in it, and calls of every command that fit it."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fercli.stages.table import TABLE, Row
from tests.faults.server import Server

CLASSES = ("happy", "neutral", "bored")
_CONFIG = """
[extract-frames]
every_s = 0.1

[train]
epochs = 2
batch_size = 3
precision = "fp32"
threads = 1
device = "cpu"

[align]
device = "cpu"

[split]
ratios = [0.34, 0.33, 0.33]

[model]
width = 8
hidden = 16
"""
# What fills the project; {given} is a folder beside it, with what a user brings.
_WALK: tuple[tuple[str, ...], ...] = (
    ("add", "{given}/lesson-1.mp4"),
    ("extract-frames",),
    ("align",),
    ("subjects", "track"),
    ("labels", "import", "{given}/votes.csv"),
    ("split",),
    ("train",),
    ("eval",),
    ("gradcam",),
    ("predict", "{given}/pictures"),
    ("report",),
)
# What changes something in the full project, where a bare call would do nothing; "@name": in the project as it was
# before that step was taken for the first time.
_CALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "init": (("@", "{given}/new", "--classes", "happy,bored"),),
    "add": (("{given}/lesson-2.mp4",), ("{given}/pictures",), ("--source", "folder", "{given}/set")),
    "extract-frames": (("@extract-frames",), ("@align", "--limit", "2"), ("--sharpest",)),
    "align": (("@align",), ("--size", "224")),
    "subjects track": (("@subjects track",), ("--camera", "moving")),
    "subjects assign": (("{given}/pupils.csv",),),
    "subjects merge": (("s001", "s002"),),
    "subjects rename": (("s001", "p-12"),),
    "labels export": (("--to", "csv"), ("--to", "cvat", "--name", "second")),
    "labels import": (("@labels import", "{given}/votes.csv"), ("{given}/more.csv",)),
    "labels vote": (("--min-votes", "3"),),
    "labels agreement": (("--plot",),),
    "split": (("@split",), ("--seed", "7"), ("--name", "second", "--kfold", "3")),
    "check all": (("--fix",),),
    "stats": (("--by", "class", "--plot"),),
    "models": ((), ("drf-msam",)),
    "train": (("@train",), ("--seed", "3")),
    "eval": (("@eval",), ("--split", "val"), ("--confusion",)),
    "gradcam": (("@gradcam",), ("--per-class", "1")),
    "predict": (("{given}/lesson-2.mp4",), ("{given}/pictures", "--limit", "1"), ("{given}/pictures", "lesson-1")),
    "report": (("@report",), ("--split", "val")),
    "run": (("@align", "--until", "subjects track"),),
    "trace": (("lesson-1/f000000-0",),),
}
# Not tried, and why.
LEFT_OUT = {
    "demo": "it takes the steps above one after the other, for a minute",
    "annotate": "it serves a page until it is told to stop; its own tests kill it at will, in a browser",
}


@dataclass(frozen=True)
class Case:
    """One call of a command.

    Attributes:
        name: tells it from others.
        row: of the stage table.
        words: the command line, but for the project.
        before: in the project as it was before this step; empty: in the full one.
    """

    name: str
    row: Row
    words: tuple[str, ...]
    before: str = ""

    @property
    def makes_project(self) -> bool:
        """Whether it begins with nothing."""
        return self.row.words == "init"


def cases() -> list[Case]:
    """A case or more for each command of the stage table: a new one is in it with its bare words."""
    found = []
    for row in TABLE:
        if row.alias_of or row.words in LEFT_OUT:
            continue
        for words in _CALLS.get(row.words, ((),)):
            mark = words[0] if words and words[0].startswith("@") else ""
            rest = words[1:] if mark else words
            name = " ".join((row.words, *rest)) + (" (first)" if mark[1:] else "")
            found.append(Case(name, row, (*row.words.split(), *rest), mark[1:]))
    return found


class Projects:
    """The full project and what it was before each step, made once below `folder`."""

    def __init__(self, folder: Path, server: Server) -> None:
        self.folder = folder
        self.given = folder / "given"
        self._server = server

    def make(self, until: str = "") -> None:
        """Draw what is given, and take every step before `until`."""
        end = self._server.run(("tests.faults.project:draw", self.given))
        assert end.code == 0, end.err
        root = self.folder / "mine"
        self._must("init", root, "--classes", ",".join(CLASSES))
        with (root / "fer.toml").open("a", encoding="utf-8") as file:
            file.write(_CONFIG)
        for words in _WALK:
            step = " ".join(words[:2] if words[0] in ("subjects", "labels") else words[:1])
            if step == until:
                break
            shutil.copytree(root, self._before(step))
            self._must(*self.filled(words), "-p", root)
            if words == ("subjects", "track"):
                end = self._server.run(("tests.faults.project:write_votes", root, self.given))
                assert end.code == 0, end.err

    def filled(self, words: Sequence[str]) -> tuple[str, ...]:
        """The words with the folder of what is given."""
        return tuple(word.format(given=self.given) for word in words)

    def copy(self, case: Case, root: Path) -> Path:
        """A fresh project for a case at `root`."""
        if root.exists():
            shutil.rmtree(root)
        if not case.makes_project:
            shutil.copytree(self._before(case.before) if case.before else self.folder / "mine", root)
        return root

    def command(self, case: Case, root: Path) -> tuple[str, ...]:
        """The command line of a case on the project at `root`."""
        if case.makes_project:
            return tuple(word.replace("{given}/new", str(root)) for word in case.words)
        return (*self.filled(case.words), "-p", str(root))

    def _before(self, step: str) -> Path:
        return self.folder / f"before {step}"

    def _must(self, *words: object) -> None:
        end = self._server.run(("fer", *words))
        assert end.code == 0, (words, end.err)


def draw(folder: str) -> None:
    """Draw what a user brings: two films of three frames, pictures, a set of given crops."""
    import numpy as np

    from fercli.vision.images import write_jpeg, write_png
    from tests.vision.drawn import draw_face, draw_room
    from tests.vision.videos import write_video

    given = Path(folder)
    (given / "pictures").mkdir(parents=True)
    for name, seed in (("lesson-1", 0), ("lesson-2", 1)):
        rng = np.random.default_rng(seed)
        write_video(given / f"{name}.mp4", [_frame(rng) for _ in range(3)], fps=10)
    rng = np.random.default_rng(2)
    for name in ("one", "two"):
        write_jpeg(given / "pictures" / f"{name}.jpg", _frame(rng))
    for number, emotion in enumerate(CLASSES):
        for place in range(2):
            face = draw_room(48, 48)
            draw_face(face, (24.0, 24.0), 30.0 + number + 3 * place)
            (given / "set" / "train" / emotion).mkdir(parents=True, exist_ok=True)
            write_png(given / "set" / "train" / emotion / f"{place}.png", face)


def _frame(rng: "object") -> "object":
    from tests.vision.drawn import draw_face, draw_room

    frame = draw_room(200, 480)
    for x, width in ((80.0, 70.0), (240.0, 84.0), (400.0, 76.0)):
        draw_face(frame, (x + rng.uniform(-4, 4), 100.0 + rng.uniform(-4, 4)), width)  # type: ignore[attr-defined]
    return frame


def write_votes(root: str, folder: str) -> None:
    """Write the votes of three annotators on the faces that were found, and a table of subjects."""
    from fercli.core.rows import Face
    from fercli.stages.table import open_project

    faces = [face for face in open_project(Path(root)).rows(Face) if face.is_usable]
    assert 7 <= len(faces) <= 9, len(faces)
    word = {face.face_id: CLASSES[(place + place // 3) % 3] for place, face in enumerate(faces)}
    given = Path(folder)
    votes = [f"{name},{who},{emotion}" for name, emotion in word.items() for who in ("ann", "ben")]
    _write(given / "votes.csv", "face_id,annotator,label", votes)
    _write(given / "more.csv", "face_id,annotator,label", [f"{name},cleo,happy" for name in list(word)[:5]])
    _write(given / "pupils.csv", "face_id,subject_id", [f"{name},p{name[-1]}" for name in word])
    (given / "faces.json").write_text(json.dumps(word), encoding="utf-8")


def _write(path: Path, head: str, lines: Sequence[str]) -> None:
    path.write_text("\n".join((head, *lines)) + "\n", encoding="utf-8")
