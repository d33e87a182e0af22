"""`fer subjects track` where people walk, where the picture cuts, and where one seat has two people."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Frame, Subject, Video
from fercli.stages.subjects import TrackSettings, track_subjects
from fercli.vision import appearance
from fercli.vision.images import read_image, write_jpeg, write_png
from fercli.vision.quality import phash

WIDTH, SIZE = 60.0, (1920, 1080)
Seen = tuple[str, float, float]


def crop_of(person: str, rng: np.random.Generator) -> np.ndarray:
    """A crop of blocks in the person's own colours, with noise; two people's are never alike."""
    blocks = np.random.default_rng(ord(person)).integers(30, 226, (4, 4, 3)).astype(np.float64)
    noisy = np.kron(blocks, np.ones((8, 8, 1))) + rng.normal(0, 6, (32, 32, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def make(root: Path, moments: Iterable[Iterable[Seen]], pictures: list[np.ndarray] | None = None) -> Project:
    """A video with a face for each (person, x, y) of each moment, a second apart."""
    project = create_project(root / "class", name="class", classes=("a", "b"))
    rng = np.random.default_rng(0)
    faces, frames = [], []
    for index, seen in enumerate(moments):
        frame_id = f"v/f{index:06d}"
        path, digits = "", ""
        if pictures:
            path, digits = f"frames/{frame_id}.jpg", phash(pictures[index])
            write_jpeg(project.root / path, pictures[index])
        frames.append(Frame(frame_id, "v", index, float(index), path, "every", phash=digits))
        for number, (person, x, y) in enumerate(seen):
            place = f"faces/{frame_id}-{number}.png"
            write_png(project.root / place, crop_of(person, rng))
            faces.append(
                Face(
                    f"{frame_id}-{number}", frame_id, "v", float(index), left=x, top=y, width=WIDTH,
                    height=WIDTH * 1.2, path=place, reason="", blur=float(ord(person)),
                )
            )  # fmt: skip
    project.write_rows(faces, Face)
    project.write_rows(frames, Frame)
    project.write_rows([Video("v", "videos/v.mp4", "", 1, *SIZE)], Video)
    return project


def people_of(project: Project) -> dict[str, set[str]]:
    """For each subject the people whom its faces show; `blur` says who it is."""
    found: dict[str, set[str]] = {}
    for face in project.rows(Face):
        if face.subject_id:
            found.setdefault(face.subject_id, set()).add(chr(int(face.blur or 0)))
    return found


def walk(people: str, num_moments: int, seed: int = 0) -> list[list[Seen]]:
    """Everybody walks from place to place, four face widths a second at most; a tenth of the faces are not seen."""
    rng = np.random.default_rng(seed)
    places = {person: rng.uniform([100, 100], [1700, 900]) for person in people}
    goals = dict(places)
    moments = []
    for _ in range(num_moments):
        seen = []
        for person in rng.permutation(list(people)).tolist():
            to_go = goals[person] - places[person]
            length = float(np.hypot(*to_go))
            if length < 200:
                goals[person] = rng.uniform([100, 100], [1700, 900])
            places[person] = places[person] + to_go * min(1.0, 180 / max(length, 1.0))
            if rng.random() > 0.1:
                seen.append((person, float(places[person][0]), float(places[person][1])))
        moments.append(seen)
    return moments


@pytest.mark.parametrize("camera", ["fixed", "moving"])
@pytest.mark.parametrize("seed", range(3))
def test_eight_people_who_walk_and_cross_are_eight_subjects(tmp_path: Path, seed: int, camera: str) -> None:
    project = make(tmp_path, walk("ABCDEFGH", 40, seed))
    track_subjects(project, TrackSettings(camera=camera))  # type: ignore[arg-type]
    people = people_of(project)
    assert all(len(shown) == 1 for shown in people.values())
    assert 8 <= len(people) <= 10


def test_no_track_crosses_a_cut_and_views_are_told(tmp_path: Path) -> None:
    """The cut shows B where A was; then it cuts back."""
    rng = np.random.default_rng(1)
    rooms = [np.kron(rng.integers(0, 256, (9, 16, 3), np.uint8), np.ones((20, 20, 1), np.uint8)) for _ in range(2)]
    views = [0, 0, 0, 1, 1, 1, 0, 0, 0]
    moments = [[("A" if view == 0 else "B", 500.0, 300.0)] for view in views]
    project = make(tmp_path, moments, [rooms[view] for view in views])
    result = track_subjects(project, TrackSettings())
    tracks = [face.track_id for face in project.rows(Face)]
    assert len(set(tracks[:3]) & set(tracks[3:6])) == len(set(tracks[3:6]) & set(tracks[6:])) == 0
    assert people_of(project) == {"s001": {"A"}, "s002": {"B"}}
    assert any("'v' has 2 views" in sentence for sentence in result.warnings)


def test_seat_that_two_people_take_in_turn_is_in_doubt_and_shown(tmp_path: Path) -> None:
    sits = [[("A", 500.0, 300.0), ("C", 900.0, 300.0)]] * 8 + [[("B", 505.0, 300.0), ("C", 900.0, 300.0)]] * 8
    project = make(tmp_path, sits)
    result = track_subjects(project, TrackSettings())
    assert any(
        "1 doubt" in sentence and "s001 (two people? other from v/f0000" in sentence for sentence in result.warnings
    )
    assert "reports/subjects-doubts.png" in result.outputs
    assert read_image(project.root / "reports/subjects-doubts.png").shape[0] >= 80
    tracks: dict[str, set[str]] = {}
    for face in project.rows(Face):
        tracks.setdefault(face.track_id, set()).add(chr(int(face.blur or 0)))
    assert max(len(people) for people in tracks.values()) <= 2


def test_sheet_of_doubts_goes_with_them(tmp_path: Path) -> None:
    project = make(tmp_path, [[("A", 500.0, 300.0)]] * 6 + [[("B", 500.0, 300.0)]] * 6)
    track_subjects(project, TrackSettings())
    assert (project.root / "reports/subjects-doubts.png").exists()
    project.write_rows([face for face in project.rows(Face) if face.blur == ord("A")], Face)
    track_subjects(project, TrackSettings())
    assert not (project.root / "reports/subjects-doubts.png").exists()


def test_stray_faces_among_walkers_have_no_subject_and_are_counted(tmp_path: Path) -> None:
    moments = walk("ABC", 20)
    moments[7] = [*moments[7], ("Z", 1000.0, 500.0)]
    project = make(tmp_path, moments)
    result = track_subjects(project, TrackSettings())
    assert any(sentence.startswith("1 face among people who walk") for sentence in result.warnings)
    assert "Z" not in set().union(*people_of(project).values())
    assert [face.subject_id for face in project.rows(Face) if face.blur == ord("Z")] == [""]
    assert {subject.source for subject in project.rows(Subject)} == {"tracks"}


def test_appearance_without_its_network_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make(tmp_path, walk("ABC", 8))
    monkeypatch.setattr(appearance, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="not installed") as caught:
        track_subjects(project, TrackSettings(appearance=True))
    assert "fercli[reid]" in caught.value.hint
