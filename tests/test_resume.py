"""A command interrupted or killed in the middle, run again, ends with the same files as one that nobody disturbed."""

import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.disturbed import disturb
from tests.drawn import DrawnLesson, contents, must, read_csv
from tests.stages.train_project import drawn_project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

ITEM_DONE = "fercli.core.batch:Batch.add"
# Between the temporary file and its new name.
FILE_WRITTEN = "fercli.core.files:sync_file"
STATE_SAVED = "fercli.learn.keeper:save_state"
WEIGHTS_SAVED = "fercli.learn.keeper:save_checkpoint"
# Between the note of a checkpoint and its tensors.
TENSORS_WRITTEN = "fercli.learn.checkpoints:replace_bytes"
TRAIN = ("train", "--epochs", "3", "--batch-size", "8", "--precision", "fp32", "--set", "threads=1")
TRAIN += ("--set", "image_size=24", "--set", "model.width=16", "--set", "model.hidden=32")


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory, drawn_lesson: DrawnLesson) -> Path:
    """A project with three videos and no frames."""
    folder = tmp_path_factory.mktemp("added")
    must("init", folder / "mine", "--classes", "happy,bored")
    videos = [shutil.copy(drawn_lesson.video, folder / "one.mp4")]
    for name, end in (("two", 24), ("three", 36)):
        videos.append(_first_frames(drawn_lesson.video, folder / f"{name}.mp4", end))
    must("add", *videos, "-p", folder / "mine")
    return folder / "mine"


def _first_frames(source: Path, path: Path, num: int) -> Path:
    from fercli.vision.video.reader import VideoReader, VideoWriter

    with VideoWriter(path, (768, 432), 4) as writer:
        for frame in VideoReader(source):
            if frame.index < num:
                writer.write(frame.rgb())
    return path


@pytest.fixture(scope="module")
def extracted(added: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(added, tmp_path_factory.mktemp("extracted") / "mine"))
    must("extract-frames", "--end", "5s", "-p", root)
    return root


@pytest.fixture(scope="module")
def aligned_whole(extracted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = Path(shutil.copytree(extracted, tmp_path_factory.mktemp("whole") / "mine"))
    must("align", "-p", root)
    return root


@pytest.fixture(scope="module")
def trained_whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = drawn_project(tmp_path_factory.mktemp("trained") / "mine").root
    shutil.copytree(root, root.parent / "untrained")
    must(*TRAIN, "-p", root)
    return root


def assert_interrupted(code: int, err: str) -> None:
    assert code == 130, err
    assert "fer: interrupted; finished work is kept. Run the same command to resume." in err
    assert "Traceback" not in err


def leftovers(root: Path) -> list[str]:
    """Temporary files and journals that are of no use any more."""
    hidden = [path for path in root.rglob("*") if path.is_file() and path.name.startswith(".") and path.name != ".lock"]
    return [path.relative_to(root).as_posix() for path in (*hidden, *(root / ".fer/running").rglob("*"))]


def test_interrupted_extraction_goes_on_to_the_same_tables(added: Path, extracted: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(added, tmp_path / "mine"))
    words = ("extract-frames", "--end", "5s", "-p", root)
    assert_interrupted(*disturb(ITEM_DONE, 1, "SIGINT", *words))
    assert not (root / "manifests/frames.csv").exists()
    assert must(*words)["result"]["num_frames"] == len(read_csv(extracted / "manifests/frames.csv"))
    assert contents(root, "manifests", "frames") == contents(extracted, "manifests", "frames")
    assert leftovers(root) == []


@pytest.mark.parametrize("number", [2, 4, 9])
def test_killed_extraction_goes_on_to_the_same_tables(
    added: Path, extracted: Path, tmp_path: Path, number: int
) -> None:
    root = Path(shutil.copytree(added, tmp_path / "mine"))
    words = ("extract-frames", "--end", "5s", "-p", root)
    assert disturb(FILE_WRITTEN, number, "SIGKILL", *words)[0] == -signal.SIGKILL
    must(*words)
    assert contents(root, "manifests", "frames") == contents(extracted, "manifests", "frames")
    assert leftovers(root) == []


def test_interrupted_align_goes_on_to_the_same_tables(extracted: Path, aligned_whole: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(extracted, tmp_path / "mine"))
    assert_interrupted(*disturb(ITEM_DONE, 2, "SIGINT", "align", "-p", root))
    journal = (root / ".fer/running/align.jsonl").read_text(encoding="utf-8")
    assert len(journal.splitlines()) == 1 + 2
    must("align", "-p", root)
    assert contents(root, "manifests", "faces") == contents(aligned_whole, "manifests", "faces")
    assert leftovers(root) == []


def test_align_that_was_interrupted_at_its_end_still_knows_its_device(extracted: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(extracted, tmp_path / "mine"))
    words = ("align", "--device", "cpu", "-p", root)
    assert_interrupted(*disturb("fercli.stages.align.work:fold", 1, "SIGINT", *words, moment="before"))
    assert must(*words)["result"]["device"] == "cpu"


def test_interrupted_align_does_no_frame_twice(extracted: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(extracted, tmp_path / "mine"))
    disturb(ITEM_DONE, 2, "SIGINT", "align", "-p", root)
    crop = next((root / ".fer/running/align").rglob("f000000-0.png"))
    before = crop.stat().st_mtime_ns
    must("align", "-p", root)
    moved = next((root / "faces").rglob("f000000-0.png"))
    assert moved.relative_to(root / "faces") == crop.relative_to(root / ".fer/running/align/faces")
    assert moved.stat().st_mtime_ns == before


# The journal's head; a crop of the first frame; a crop of a later one; the table.
@pytest.mark.parametrize("number", [1, 4, 30, "table"])
def test_killed_align_goes_on_to_the_same_tables(
    extracted: Path, aligned_whole: Path, tmp_path: Path, number: int | str
) -> None:
    root = Path(shutil.copytree(extracted, tmp_path / "mine"))
    place, count = ("fercli.core.commit:_write_record", 1) if number == "table" else (FILE_WRITTEN, int(number))
    assert disturb(place, count, "SIGKILL", "align", "-p", root, moment="before")[0] == -signal.SIGKILL
    assert not (root / "manifests/faces.csv").exists()
    must("align", "-p", root)
    assert contents(root, "manifests", "faces") == contents(aligned_whole, "manifests", "faces")
    assert leftovers(root) == []


def test_align_killed_while_it_is_done_again_leaves_the_old_faces_whole(aligned_whole: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(aligned_whole, tmp_path / "mine"))
    words = ("align", "--size", "224", "-p", root)
    assert disturb(ITEM_DONE, 3, "SIGKILL", *words)[0] == -signal.SIGKILL
    assert contents(root, "manifests", "faces") == contents(aligned_whole, "manifests", "faces")
    # The old settings find all as it was, and the new ones go on.
    assert must("align", "-p", root)["result"]["is_unchanged"]
    must(*words)
    ids = [face["face_id"] for face in read_csv(aligned_whole / "manifests/faces.csv")]
    assert [face["face_id"] for face in read_csv(root / "manifests/faces.csv")] == ids


def test_interrupted_align_of_two_processes_says_one_line_and_goes_on(
    extracted: Path, aligned_whole: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(extracted, tmp_path / "mine"))
    assert_interrupted(*disturb(ITEM_DONE, 1, "SIGINT", "align", "--workers", "2", "-p", root))
    must("align", "-p", root)
    assert contents(root, "manifests", "faces") == contents(aligned_whole, "manifests", "faces")


def weights(root: Path) -> dict[str, bytes]:
    (run,) = (root / "runs").iterdir()
    return {name: (run / "checkpoints" / f"{name}.safetensors").read_bytes() for name in ("best", "last")}


def history(root: Path) -> list[dict[str, str]]:
    """metrics.csv without how long it took."""
    (run,) = (root / "runs").iterdir()
    clock = {"seconds", "images_per_s", "data_wait", "cpu_s"}
    return [{key: row[key] for key in row.keys() - clock} for row in read_csv(run / "metrics.csv")]


def test_interrupted_training_goes_on_to_the_same_weights(trained_whole: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(trained_whole.parent / "untrained", tmp_path / "mine"))
    assert_interrupted(*disturb(STATE_SAVED, 2, "SIGINT", *TRAIN, "-p", root))
    assert must("runs", "-p", root)["result"]["runs"][0]["status"] == "interrupted"
    assert must(*TRAIN, "-p", root)["result"]["was_resumed"]
    assert weights(root) == weights(trained_whole)
    assert history(root) == history(trained_whole)


# The data of the first state, and of the first weights.
@pytest.mark.parametrize(
    ("place", "number"), [(STATE_SAVED, 2), (WEIGHTS_SAVED, 2), (TENSORS_WRITTEN, 1), (TENSORS_WRITTEN, 3)]
)
def test_killed_training_goes_on_to_the_same_weights(
    trained_whole: Path, tmp_path: Path, place: str, number: int
) -> None:
    root = Path(shutil.copytree(trained_whole.parent / "untrained", tmp_path / "mine"))
    assert disturb(place, number, "SIGKILL", *TRAIN, "-p", root, moment="before")[0] == -signal.SIGKILL
    assert must("runs", "-p", root)["result"]["runs"][0]["status"] == "interrupted"
    must(*TRAIN, "-p", root)
    assert weights(root) == weights(trained_whole)
    assert history(root) == history(trained_whole)


# The copy of the file, the key of annotators, votes, labels, the list of imports.
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_killed_import_goes_on_to_all_votes_and_labels(aligned: Path, tmp_path: Path, number: int) -> None:
    faces = [row["face_id"] for row in read_csv(aligned / "manifests/faces.csv")]
    lines = [f"{face_id},{annotator},engaged\n" for face_id in faces for annotator in ("ann", "ben")]
    (tmp_path / "votes.csv").write_text("face_id,annotator,label\n" + "".join(lines), encoding="utf-8")
    words = ("labels", "import", tmp_path / "votes.csv", "-p", aligned)
    assert disturb("fercli.core.commit:_replace", number, "SIGKILL", *words, moment="before")[0] == -signal.SIGKILL
    must(*words)
    assert {row["annotator"] for row in read_csv(aligned / "manifests/votes.csv")} == {"a1", "a2"}
    labels = read_csv(aligned / "manifests/labels.csv")
    assert {label["face_id"]: label["label"] for label in labels} == dict.fromkeys(faces, "engaged")


def test_killed_export_leaves_no_half_folder(aligned: Path) -> None:
    words = ("labels", "export", "-p", aligned)
    assert disturb(FILE_WRITTEN, 5, "SIGKILL", *words)[0] == -signal.SIGKILL
    assert not list((aligned / "exports").glob("*"))
    folder = aligned / must(*words)["result"]["folder"]
    assert folder == aligned / "exports/labels-csv"
    assert len(list((folder / "images").iterdir())) == len(read_csv(folder / "votes.csv"))
    assert leftovers(aligned) == []
