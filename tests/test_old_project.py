"""Projects that an older version made are read, continued and reported as if this one had made them."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.cli.run import run_fer
from tests.drawn import contents, must, read_csv

PROJECTS = Path(__file__).parent / "old_projects"
TRAIN = ("train", "--model", "drf-msam", "--epochs", "2", "--batch-size", "4", "--precision", "fp32")
TRAIN += ("--set", "model.width=4", "--set", "model.hidden=16", "--set", "image_size=24", "--set", "threads=1")
TRAIN += ("--no-tensorboard",)
STEPS = (
    "extract-frames", "align", "subjects track", "labels vote", "split", "train", "eval", "gradcam", "report",
)  # fmt: skip
# All that a project holds but its log, locks and what `.fer` remembers.
FOLDERS = ("manifests", "runs", "frames", "images", "faces", "videos", "exports", "reports")


def unpack(name: str, folder: Path) -> Path:
    with zipfile.ZipFile(PROJECTS / f"{name}.zip") as packed:
        packed.extractall(folder)
    return folder / "lesson"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished project, for tests that ought to change nothing."""
    return unpack("finished", tmp_path_factory.mktemp("finished"))


@pytest.fixture
def interrupted(tmp_path: Path) -> Path:
    return unpack("interrupted", tmp_path)


def run_folder(root: Path) -> Path:
    (run,) = (root / "runs").iterdir()
    return run


@pytest.mark.parametrize("step", STEPS)
def test_every_stage_is_done(finished: Path, step: str) -> None:
    states = {entry["words"]: entry for entry in must("status", "-p", finished)["result"]["steps"]}
    assert set(states) == set(STEPS)
    assert (states[step]["state"], states[step]["detail"]) == ("done", "")


def test_status_counts_what_the_tables_hold(finished: Path) -> None:
    result = must("status", "-p", finished)["result"]
    assert result["runs"] == {run_folder(finished).name: "finished"}
    assert result["splits"] == ["default"]
    # Two frames of six pupils, and a picture of two; the last two pupils were merged.
    assert {name: result["rows"][name] for name in ("videos", "frames", "faces", "subjects")} == {
        "videos": 2,
        "frames": 3,
        "faces": 14,
        "subjects": 5,
    }


def test_run_changes_nothing(tmp_path: Path) -> None:
    root = unpack("finished", tmp_path)
    before = contents(root, *FOLDERS)
    result = must("run", "-p", root)["result"]
    assert [step["words"] for step in result["steps"] if step["detail"] != "up to date"] == []
    assert result["is_unchanged"]
    assert contents(root, *FOLDERS) == before


@pytest.mark.parametrize(
    "words",
    [
        ("extract-frames", "--every", "1s"),
        ("align",),
        ("subjects", "track"),
        ("labels", "import", "../votes.csv"),
        ("labels", "vote", "--min-votes", "3"),
        ("split",),
        TRAIN,
        ("eval", "--confusion"),
        ("gradcam", "--per-class", "1"),
        ("report",),
    ],
    ids=lambda words: "-".join(words[:2]) if words[0] in ("labels", "subjects") else words[0],
)
def test_the_same_command_changes_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    root = unpack("finished", tmp_path)
    before = contents(root, *FOLDERS)
    code, out, err = run_fer(*words, "--json", cwd=root)
    assert code == 0, err
    assert json.loads(out)["result"]["is_unchanged"]
    assert contents(root, *FOLDERS) == before


def test_other_options_are_done_again(tmp_path: Path) -> None:
    root = unpack("finished", tmp_path)
    before = {row["face_id"]: row["status"] for row in read_csv(root / "manifests/labels.csv")}
    assert not must("labels", "vote", "--min-votes", "2", "-p", root)["result"]["is_unchanged"]
    after = {row["face_id"]: row["status"] for row in read_csv(root / "manifests/labels.csv")}
    # Face 9 of 14 has two votes.
    assert [face for face in after if before[face] != after[face]] == [list(before)[8]]


def test_merged_and_renamed_subjects_stay_so(finished: Path) -> None:
    names = {row["subject_id"] for row in read_csv(finished / "manifests/faces.csv")}
    assert "ann" in names
    assert names - {""} == {row["subject_id"] for row in read_csv(finished / "manifests/subjects.csv")}


def test_trace_follows_a_face_to_its_video(finished: Path) -> None:
    code, out, err = run_fer("trace", "clip/f000004-0", "-p", finished)
    assert code == 0, err
    assert "videos/clip.mp4" in out


def test_runs_lists_the_run(finished: Path) -> None:
    (run,) = must("runs", "-p", finished)["result"]["runs"]
    assert (run["run"], run["status"]) == (run_folder(finished).name, "finished")


def test_stats_counts_every_label(finished: Path) -> None:
    labels = [row for row in read_csv(finished / "manifests/labels.csv") if row["status"] == "ok"]
    assert must("stats", "-p", finished)["result"]["num_labelled"] == len(labels) == 13


def test_doctor_finds_no_trouble_in_the_project(finished: Path) -> None:
    code, _, err = run_fer("doctor", "-p", finished, "--json")
    assert code == 0, err


def test_the_old_weights_score_as_they_did(tmp_path: Path) -> None:
    root = unpack("finished", tmp_path)
    folder = run_folder(root) / "eval/test"
    before = read_csv(folder / "predictions.csv")
    (folder / "predictions.csv").unlink()
    must("eval", "--force", "-p", root)
    after = read_csv(folder / "predictions.csv")
    assert [row["face_id"] for row in after] == [row["face_id"] for row in before]
    for name in ("p_engaged", "p_calm", "p_away"):
        assert [float(row[name]) for row in after] == pytest.approx([float(row[name]) for row in before], abs=1e-4)


def test_predict_finds_the_faces_it_found(tmp_path: Path) -> None:
    root = unpack("finished", tmp_path)
    before = read_csv(next((root / "exports/predict").rglob("clip.csv")))
    shutil.rmtree(root / "exports")
    must("predict", root / "videos/clip.mp4", "--out", "csv", "-p", root)
    after = read_csv(next((root / "exports/predict").rglob("clip.csv")))
    assert [row["face_id"] for row in after] == [row["face_id"] for row in before]
    for name in ("left", "top", "width", "height"):
        # Machines differ in the numbers that they compute with.
        assert [float(row[name]) for row in after] == pytest.approx([float(row[name]) for row in before], abs=2)


def test_interrupted_training_is_resumed_to_its_end(interrupted: Path) -> None:
    runs = {run["run"]: run["status"] for run in must("runs", "-p", interrupted)["result"]["runs"]}
    assert sorted(runs.values()) == ["finished", "interrupted"]
    (stopped,) = (name for name, state in runs.items() if state == "interrupted")
    (first,) = read_csv(interrupted / "runs" / stopped / "metrics.csv")
    result = must("train", "--resume", stopped, "-p", interrupted)["result"]
    assert (result["run"], result["was_resumed"]) == (stopped, True)
    again = must("runs", "-p", interrupted)["result"]["runs"]
    assert {run["run"]: run["status"] for run in again} == dict.fromkeys(runs, "finished")
    history = read_csv(interrupted / "runs" / stopped / "metrics.csv")
    assert [row["epoch"] for row in history] == ["1", "2", "3"]
    assert history[0] == first


def test_interrupted_align_takes_the_waiting_faces(interrupted: Path) -> None:
    waiting = interrupted / ".fer/running/align"
    journal = (interrupted / ".fer/running/align.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(journal) == 1 + 2
    # The crops that wait get a mark that a new cut would not have.
    marked = {}
    for item in (json.loads(line)["item"] for line in journal[1:]):
        for path in waiting.glob(f"faces/{item}-*.png"):
            marked[path.relative_to(waiting)] = (data := path.read_bytes() + b"waited")
            path.write_bytes(data)
    # Two pupils, one of whom is dropped in the first frame.
    assert len(marked) == 3
    old = contents(interrupted, "faces")
    must("align", "-p", interrupted)
    faces = contents(interrupted, "faces")
    assert {path: faces[path.as_posix()] for path in marked} == marked
    assert {path: faces[path] for path in old} == old
    second = [row for row in read_csv(interrupted / "manifests/faces.csv") if row["video_id"] == "second"]
    # Each of the three frames has a row for each of the two pupils.
    assert [row["face_id"] for row in second] == [f"second/f{at:06d}-{pupil}" for at in (0, 2, 4) for pupil in (0, 1)]
    assert {Path(row["path"]) for row in second[:4] if row["status"] == "ok"} == set(marked)
    assert not waiting.exists()
    assert not (interrupted / ".fer/running/align.jsonl").exists()
