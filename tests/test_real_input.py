"""Real videos and photographs by the command line, from `fer add` to a picture of where the network looks."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.bad_input.refusal import refused
from tests.cli.run import run_fer
from tests.drawn import face_rows, must, read_csv

pytestmark = pytest.mark.real_data

CLASSES = ("happy", "neutral", "bored")
# Faces in a frame, as one sees them; `face-appears` begins without one, `one-person-turning` turns away.
FACES_IN_A_FRAME = {
    "three-people": (3, 3),
    "portrait": (1, 1),
    "one-person-turning": (0, 1),
    "face-appears": (0, 1),
    "no-face": (0, 0),
    "tree-no-face": (0, 0),
}


@dataclass
class Project:
    """A project made of all videos, and what each command said."""

    root: Path
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def must(self, *words: object) -> None:
        """Run a command and keep its answer under its first words."""
        name = " ".join(str(word) for word in words[: 2 if words[0] in ("labels", "gradcam") else 1])
        self.answers[name] = must(*words, "-p", self.root)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Project:
    project = Project(tmp_path_factory.mktemp("real") / "mine")
    must("init", project.root, "--classes", ",".join(CLASSES))
    project.must("add", real_data / "videos")
    project.must("extract-frames", "--every", "1s")
    project.must("align")
    project.must("subjects")
    project.must("labels", "export", "--to", "csv")
    fill_in(project)
    project.must("labels", "import", project.root / project.answers["labels export"]["result"]["folder"] / "votes.csv")
    project.must("split", "--accept-unknown-subjects")
    project.must("train", "--epochs", "2")
    project.must("eval", "--confusion")
    project.must("gradcam")
    project.must("predict", "three-people", "--every", "1s")
    project.must("gradcam", "--images", real_data / "faces")
    project.must("report")
    return project


def fill_in(project: Project) -> None:
    """Write two annotators' votes into the exported sheet: faces by turns, and every tenth in dispute."""
    sheet = project.root / project.answers["labels export"]["result"]["folder"] / "votes.csv"
    lines = ["face_id,ann,ben"]
    for place, row in enumerate(read_csv(sheet)):
        word = CLASSES[place % 3]
        lines.append(f"{row['face_id']},{word},{CLASSES[(place + 1) % 3] if place % 10 == 9 else word}")
    sheet.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_every_video_comes_in(videos: Project) -> None:
    rows = {row["video_id"]: row for row in read_csv(videos.root / "manifests/videos.csv")}
    assert set(rows) == set(FACES_IN_A_FRAME)
    assert rows["portrait"]["num_frames"] == "472"
    assert (rows["three-people"]["width"], rows["three-people"]["height"]) == ("480", "270")


def test_a_second_call_adds_nothing(videos: Project, real_data: Path) -> None:
    assert must("add", real_data / "videos", "-p", videos.root)["result"]["is_unchanged"]


@pytest.mark.parametrize("video_id", FACES_IN_A_FRAME)
def test_as_many_faces_are_found_as_are_there(videos: Project, video_id: str) -> None:
    fewest, most = FACES_IN_A_FRAME[video_id]
    frames = [row["frame_id"] for row in read_csv(videos.root / "manifests/frames.csv") if row["video_id"] == video_id]
    found = Counter(face["frame_id"] for face in face_rows(videos.root))
    assert frames
    assert all(fewest <= found[frame] <= most for frame in frames), found
    assert most == 0 or any(found[frame] for frame in frames)


def test_three_people_are_three_subjects_in_every_frame(videos: Project) -> None:
    faces = [face for face in face_rows(videos.root) if face["video_id"] == "three-people"]
    by_frame: dict[str, set[str]] = {}
    for face in faces:
        by_frame.setdefault(face["frame_id"], set()).add(face["subject_id"])
    assert len(set().union(*by_frame.values())) == 3
    assert {len(subjects) for subjects in by_frame.values()} == {3}


def test_nobody_is_a_subject_of_two_videos(videos: Project) -> None:
    seen: dict[str, set[str]] = {}
    for face in face_rows(videos.root):
        seen.setdefault(face["subject_id"], set()).add(face["video_id"])
    assert {len(names) for names in seen.values()} == {1}


def test_votes_become_labels_and_disputed_faces_are_ties(videos: Project) -> None:
    result = videos.answers["labels import"]["result"]
    num_faces = len(face_rows(videos.root))
    assert result["num_votes"] == 2 * num_faces
    assert result["by_status"] == {"ok": num_faces - num_faces // 10, "tie": num_faces // 10}


def test_too_few_subjects_for_an_interval_are_said_and_not_hidden(videos: Project) -> None:
    accuracy = videos.answers["eval"]["result"]["accuracy"]
    assert accuracy["low"] is None
    assert accuracy["high"] is None
    assert accuracy["unit"] == "subject"
    assert any("needs at least 5" in warning for warning in videos.answers["eval"]["warnings"])
    assert any("intervals need at least 5" in warning for warning in videos.answers["split"]["warnings"])


def test_predicted_video_shows_three_faces_all_the_way(videos: Project) -> None:
    from fercli.vision.video.reader import VideoReader

    result, outputs = videos.answers["predict"]["result"], videos.answers["predict"]["outputs"]
    rows = read_csv(videos.root / next(path for path in outputs if path.endswith(".csv")))
    assert set(Counter(row["frame"] for row in rows).values()) == {3}
    drawn = videos.root / next(path for path in outputs if path.endswith(".mp4"))
    source = next(row for row in read_csv(videos.root / "manifests/videos.csv") if row["video_id"] == "three-people")
    num_frames = sum(1 for _ in VideoReader(drawn))
    assert num_frames == result["num_written_frames"] == int(source["num_frames"])


def test_maps_are_drawn_for_every_face_of_the_photographs(videos: Project, real_data: Path) -> None:
    answer = videos.answers["gradcam --images"]
    truth = json.loads((real_data / "faces/ground-truth.json").read_text(encoding="utf-8"))
    # Besides the 18 faces of the ground truth: ivan.jpg, and no-faces.jpg, which is taken whole.
    assert answer["result"]["num_faces"] == sum(map(len, truth.values())) + 2
    assert any("no-faces.jpg" in warning for warning in answer["warnings"])
    table = read_csv(videos.root / next(path for path in answer["outputs"] if path.endswith(".csv")))
    assert len(table) == answer["result"]["num_faces"]


def test_report_says_that_there_is_no_interval(videos: Project) -> None:
    page = (videos.root / videos.answers["report"]["outputs"][0]).read_text(encoding="utf-8")
    assert "a confidence interval needs at least 5" in page


def test_three_people_alone_are_enough_for_a_split_and_no_more(tmp_path: Path, real_data: Path) -> None:
    root = tmp_path / "mine"
    must("init", root, "--classes", ",".join(CLASSES))
    must("add", real_data / "videos/three-people.gif", "-p", root)
    must("extract-frames", "--every", "1s", "-p", root)
    must("align", "-p", root)
    must("subjects", "-p", root)
    lines = [f"{face['face_id']},{CLASSES[place // 3 % 3]}" for place, face in enumerate(face_rows(root))]
    for name in ("ann", "ben"):
        (tmp_path / f"{name}.csv").write_text("face_id,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    must("labels", "import", tmp_path / "ann.csv", tmp_path / "ben.csv", "-p", root)
    code, out, err = run_fer("split", "-p", root, "--json")
    assert code == 0, err
    assert json.loads(out)["result"]["groups"] == {"train": 1, "val": 1, "test": 1}
    must("subjects", "merge", "s001", "s002", "-p", root)
    refusal = refused(4, "split", "--force", "-p", root)
    assert "needs at least 3 subjects, and there are 2" in refusal.message
    assert "Add videos of more subjects" in refusal.hint
