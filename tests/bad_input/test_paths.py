"""Projects whose tables, runs and folders name what lies outside: no command opens, writes or deletes it."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fercli.core.project import Project, open_project
from fercli.core.rows import Frame, Video
from fercli.stages.table import TABLE
from fercli.vision.images import write_jpeg, write_png
from tests.cli.run import run_fer
from tests.drawn import contents, must
from tests.stages.trained import RUN_ID, drawn_face, trained_project

FACE = "lesson/f000000-0"
# What a command needs to be told; one that is not here needs nothing.
WORDS = {
    "add": ("add", "images"),
    "subjects assign": ("subjects", "assign", "people.csv"),
    "subjects merge": ("subjects", "merge", "s000", "s001"),
    "subjects rename": ("subjects", "rename", "s000", "p-1"),
    "subjects split": ("subjects", "split", "s000"),
    "subjects confirm": ("subjects", "confirm", "s000=s001"),
    "labels remove": ("labels", "remove", "import-1"),
    "labels annotators merge": ("labels", "annotators", "merge", "a1", "a2"),
    "labels annotators rename": ("labels", "annotators", "rename", "a1", "a9"),
    "labels import": ("labels", "import", "votes.csv"),
    "predict": ("predict", "lesson"),
    "trace": ("trace", FACE),
    "train": ("train", "--epochs", "1", "--limit", "4", "--set", "image_size=24", "--device", "cpu"),
    "align": ("align", "--realign", "--force"),
    "extract-frames": ("extract-frames", "--force"),
    "stats": ("stats", "--plot"),
}
# Those that have no project to read; `annotate` goes on until it is stopped, and reads crops as all do.
APART = ("demo", "init", "models", "config show", "val", "cam", "annotate")
COMMANDS = [row.words for row in TABLE if row.words not in APART]
# What reads crops, frames, videos, runs and splits in its own way each; all others in the slow session.
FIRST = ("align", "check images", "eval", "extract-frames", "labels export", "trace", "report", "split")
HAS_PIPES = hasattr(os, "mkfifo")
_touched: list[str] = []
_watched: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if _watched and event in ("open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.truncate"):
        for word in arguments[:2]:
            path = os.fsdecode(word) if isinstance(word, str | bytes | os.PathLike) else ""
            # All but `open` work on a link itself, not on what it leads to.
            folder, name = os.path.split(path)
            real = os.path.realpath(path) if event == "open" else str(Path(os.path.realpath(folder), name))
            if path and any(real.startswith(watched) for watched in _watched):
                _touched.append(f"{event} {path}")


sys.addaudithook(_watch)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a run, a frame, and a file that is no video in the place of one."""
    project = trained_project(tmp_path_factory.mktemp("template") / "mine")
    write_jpeg(project.root / "frames/lesson/f000000.jpg", drawn_face(0, 0))
    (project.root / "videos/lesson.mp4").write_bytes(b"no video")
    write_png(project.root / "images/class/a.png", drawn_face(1, 1))
    project.write_rows([Video("lesson", "videos/lesson.mp4", "0" * 64, 8, 9, 9, fps=1.0)], Video)
    project.write_rows([Frame("lesson/f000000", "lesson", 0, 0.0, "frames/lesson/f000000.jpg")], Frame)
    (project.root / "people.csv").write_text(f"face_id,subject_id\n{FACE},s000\n", encoding="utf-8")
    (project.root / "votes.csv").write_text(f"face_id,annotator,label\n{FACE},x,happy\n", encoding="utf-8")
    return project.root


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """Files beside the project that are what it lacks; whoever opens one is written down."""
    folder = tmp_path / "outside"
    write_png(folder / "x.png", drawn_face(0, 0))
    write_jpeg(folder / "x.jpg", drawn_face(0, 0))
    (folder / "x.mp4").write_bytes(b"a lesson at home")
    yield folder
    _watched.clear()


@pytest.fixture
def root(tmp_path: Path, template: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "mine"))


def place_of(name: str) -> tuple[str, str, str]:
    """Table, the cell that is there, and the suffix of its file."""
    return {
        "faces": ("faces.csv", f"faces/{FACE}.png", "png"),
        "frames": ("frames.csv", "frames/lesson/f000000.jpg", "jpg"),
        "videos": ("videos.csv", "videos/lesson.mp4", "mp4"),
    }[name]


def rename(root: Path, table: str, old: str, new: str) -> None:
    path = root / "manifests" / table
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def hostile_path(name: str) -> Callable[[Path, Path], None]:
    table, cell, suffix = place_of(name)
    return lambda root, outside: rename(root, table, f",{cell}", f",../{outside.name}/x.{suffix}")


def hostile_id(table: str, old: str) -> Callable[[Path, Path], None]:
    return lambda root, outside: rename(root, table, f"\n{old},", f"\n../{outside.name}/x,")


def link(name: str, file: str = "") -> Callable[[Path, Path], None]:
    _, cell, suffix = place_of(name)

    def make(root: Path, outside: Path) -> None:
        (root / cell).unlink()
        (root / cell).symlink_to(outside / f"x.{suffix}")

    return make


def pipe(place: str) -> Callable[[Path, Path], None]:
    def make(root: Path, _: Path) -> None:
        (root / place).unlink()
        os.mkfifo(root / place)

    return make


def moved_out(place: str) -> Callable[[Path, Path], None]:
    """A file or folder of the project that lies outside, a link in its place."""

    def make(root: Path, outside: Path) -> None:
        name = f"moved{Path(place).suffix}"
        shutil.move(root / place, outside / name)
        (root / place).symlink_to(outside / name)

    return make


def split_named_in_run(root: Path, outside: Path) -> None:
    shutil.copy(root / "manifests/splits/default.csv", outside / "split.csv")
    text = f'[train]\nsplit = "../../../{outside.name}/split"\n'
    (root / "runs" / RUN_ID / "config.toml").write_text(text, encoding="utf-8")


DAMAGES: dict[str, Callable[[Path, Path], None]] = {
    **{f"path in {name}": hostile_path(name) for name in ("faces", "frames", "videos")},
    "face id": hostile_id("faces.csv", FACE),
    "frame id": hostile_id("frames.csv", "lesson/f000000"),
    "video id": hostile_id("videos.csv", "lesson"),
    **{f"link in {name}": link(name) for name in ("faces", "frames", "videos")},
    **{f"pipe in {name}": pipe(place_of(name)[1]) for name in ("faces", "frames", "videos")},
    "run.json": moved_out(f"runs/{RUN_ID}/run.json"),
    "run folder": moved_out(f"runs/{RUN_ID}"),
    "checkpoint": moved_out(f"runs/{RUN_ID}/checkpoints/best.safetensors"),
    "split": moved_out("manifests/splits/default.csv"),
    "split named by a run": split_named_in_run,
    "pipe as run.json": pipe(f"runs/{RUN_ID}/run.json"),
    "pipe as split": pipe("manifests/splits/default.csv"),
    "folder of frames": moved_out("frames/lesson"),
    "folder of faces": moved_out("faces/lesson"),
}


@pytest.mark.parametrize("damage", [name for name in DAMAGES if HAS_PIPES or "pipe" not in name])
@pytest.mark.parametrize(
    "command", [name if name in FIRST else pytest.param(name, marks=pytest.mark.slow) for name in COMMANDS]
)
def test_nothing_outside_is_opened_written_or_deleted(root: Path, outside: Path, command: str, damage: str) -> None:
    DAMAGES[damage](root, outside)
    before = contents(outside, ".")
    _touched.clear()
    _watched.append(str(outside.resolve()))
    code, out, err = run_fer(*WORDS.get(command, command.split()), "-p", root, cwd=root)
    _watched.clear()
    assert _touched == []
    assert contents(outside, ".") == before
    # 1 would be a mistake of ours; a command that has no use for the file may well succeed.
    assert code in (0, 3, 4, 5, 6, 7), err
    assert "Traceback" not in out + err


@pytest.mark.parametrize("damage", [name for name in DAMAGES if name.startswith(("path", "face", "frame", "video"))])
def test_doctor_tells_of_the_name_and_goes_on(root: Path, outside: Path, damage: str) -> None:
    DAMAGES[damage](root, outside)
    code, out, err = run_fer("doctor", "-p", root, "--json")
    assert code == 5, err
    assert "leads out of the project" in out
    assert "videos files" in out or "frames files" in out


@pytest.mark.parametrize("damage", ["link in faces", "link in videos", *["pipe in frames"] * HAS_PIPES])
def test_doctor_tells_of_a_file_that_is_none_of_the_project(root: Path, outside: Path, damage: str) -> None:
    DAMAGES[damage](root, outside)
    code, out, err = run_fer("doctor", "-p", root, "--json")
    assert code == 5, err
    assert f"{damage.split()[-1]} paths" in out
    assert "mtcnn weights" in out


def test_doctor_tells_of_folders_that_lead_out(root: Path, outside: Path) -> None:
    moved_out("frames")(root, outside)
    code, out, err = run_fer("doctor", "-p", root, "--json")
    assert code == 5, err
    assert "the folder 'frames' leads out" in out
    assert "mtcnn weights" in out


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_linked_videos_and_images_are_used_as_before(tmp_path: Path, root: Path) -> None:
    project: Project = open_project(root)
    home = tmp_path / "home"
    write_png(home / "class-a" / "a.png", drawn_face(2, 1))
    must("add", home / "class-a", "--set", "link=true", "-p", root)
    frame = next(frame for frame in project.rows(Frame) if frame.video_id == "class-a")
    assert (root / frame.path).is_symlink()
    assert project.inside(frame.path, "frames.csv").read_bytes() == (home / "class-a" / "a.png").read_bytes()
    write_png(home / "class-a" / "a.png", drawn_face(3, 2))
    code, _, err = run_fer("align", "-p", root)
    assert code == 3
    assert "has changed since" in err
