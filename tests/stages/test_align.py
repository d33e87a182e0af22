"""`fer align` on drawn frames: what it finds, keeps, drops, remembers and refuses."""

import dataclasses
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fercli.core import commit
from fercli.core.errors import CheckError, MissingStageError, UsageError
from fercli.core.project import Project, create_project, open_project
from fercli.core.rows import Face, Frame
from fercli.stages.align import AlignResult, AlignSettings, align
from fercli.stages.align import work as align_work
from fercli.stages.align import worker as align_worker
from fercli.stages.align.pictures import PictureTask
from fercli.stages.align.plan import plan as plan_align
from fercli.stages.align.worker import WorkerPlan
from fercli.vision.align import TEMPLATE, apply, template
from fercli.vision.cutting import CuttingRules
from fercli.vision.images import read_image, write_png
from fercli.vision.mtcnn.detector import FaceDetector
from tests.stages.lesson import PLACES, make_lesson, vote
from tests.vision.drawn import draw_face, draw_room

# The drawn faces are simple: a few of them score below the default of 0.9.
QUICK = AlignSettings(min_face=40, min_confidence=0.8, device="cpu")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_lesson(tmp_path / "class")


@pytest.fixture(scope="module")
def aligned_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = make_lesson(tmp_path_factory.mktemp("once") / "class")
    align(project, QUICK)
    return project.root


@pytest.fixture
def aligned(aligned_once: Path, tmp_path: Path) -> Project:
    return open_project(Path(shutil.copytree(aligned_once, tmp_path / "class")))


def faces(project: Project, status: str = "ok") -> list[Face]:
    return [face for face in project.rows(Face) if face.status == status]


def landmarks(face: Face) -> np.ndarray:
    names = [
        f"{part}_{axis}" for part in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for axis in "xy"
    ]
    return np.array([getattr(face, name) for name in names], dtype=float).reshape(5, 2)


def affine(face: Face) -> np.ndarray:
    return np.array([getattr(face, f"m{row}{column}") for row in range(2) for column in range(3)]).reshape(2, 3)


def test_both_pupils_are_found_in_every_frame_and_nobody_else(project: Project) -> None:
    result = align(project, QUICK)
    assert (result.num_frames, result.num_frames_done, result.num_faces, result.dropped) == (3, 3, 6, {})
    for frame in project.rows(Frame):
        found = sorted(face.left + face.width / 2 for face in faces(project) if face.frame_id == frame.frame_id)  # type: ignore[operator]
        assert found == pytest.approx([x for x, _ in PLACES], abs=15)


def test_crop_is_where_the_row_says_and_shows_the_face_upright(aligned: Project) -> None:
    for face in faces(aligned):
        assert read_image(aligned.root / face.path).shape == (112, 112, 3)
        assert np.abs(apply(affine(face), landmarks(face)) - TEMPLATE).mean() < 5
        assert face.path == f"faces/{face.face_id}.png"


def test_second_run_says_nothing_to_do_without_loading_torch(aligned: Project) -> None:
    code = (
        "import sys; from pathlib import Path; from fercli.core.project import open_project;"
        "from fercli.stages.align import AlignSettings, align;"
        "settings = AlignSettings(min_face=40, min_confidence=0.8, device='cpu');"
        f"result = align(open_project(Path({str(aligned.root)!r})), settings);"
        "assert result.is_unchanged and result.num_faces == 6;"
        "sys.exit(int(any(name in sys.modules for name in ('torch', 'numpy', 'cv2'))))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_other_device_or_workers_is_nothing_to_do(aligned: Project) -> None:
    assert align(aligned, dataclasses.replace(QUICK, device="auto", workers=2)).is_unchanged


def test_two_workers_make_the_same_bytes(project: Project, tmp_path: Path) -> None:
    other = make_lesson(tmp_path / "other")
    align(project, QUICK)
    align(other, dataclasses.replace(QUICK, workers=2))
    first, second = (one.table_path(Face).read_bytes() for one in (project, other))
    assert first == second
    crops = [
        sorted((path.name, path.read_bytes()) for path in one.root.glob("faces/*/*.png")) for one in (project, other)
    ]
    assert crops[0] == crops[1]


def test_many_threads_make_the_same_bytes(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = make_lesson(tmp_path / "other")
    for one, num_cores in ((project, 1), (other, 6)):
        monkeypatch.setattr("fercli.stages.align.worker.count_processors", lambda num_cores=num_cores: num_cores)
        align(one, QUICK)
    assert project.table_path(Face).read_bytes() == other.table_path(Face).read_bytes()
    crops = [face.path for face in faces(project)]
    assert crops
    assert [(project.root / path).read_bytes() for path in crops] == [
        (other.root / path).read_bytes() for path in crops
    ]


def test_new_frames_alone_are_looked_at(aligned: Project) -> None:
    before = aligned.rows(Face)
    make_lesson(aligned.root, video_id="lesson-2", num_frames=2)
    result = align(aligned, QUICK)
    assert (result.num_frames, result.num_frames_done, result.num_faces) == (5, 2, 10)
    assert [face for face in aligned.rows(Face) if face.video_id == "lesson-1"] == before


def test_other_size_redoes_everything_says_so_and_keeps_ids_and_subjects(aligned: Project) -> None:
    named = [dataclasses.replace(face, subject_id="s007", track_id="lesson-1/t000") for face in aligned.rows(Face)]
    aligned.write_rows(named, Face)
    result = align(aligned, dataclasses.replace(QUICK, size=224, margin=0.1))
    assert "size: 112 -> 224" in result.warnings[0]
    assert [face.face_id for face in faces(aligned)] == [face.face_id for face in named]
    assert {face.subject_id for face in faces(aligned)} == {"s007"}
    face = faces(aligned)[0]
    assert read_image(aligned.root / face.path).shape == (224, 224, 3)
    assert np.abs(apply(affine(face), landmarks(face)) - template(224, 0.1)).mean() < 10


def test_dropped_faces_are_counted_by_reason_and_keep_a_row_without_a_crop(project: Project) -> None:
    result = align(project, dataclasses.replace(QUICK, max_faces=1))
    assert result.num_faces == 3
    assert result.dropped == {"too many faces": 3}
    assert all(not face.path for face in faces(project, "dropped"))


def test_other_device_with_nothing_to_do_is_told_and_a_wrong_one_refused(aligned: Project) -> None:
    device = align(aligned, QUICK).device
    other = align(aligned, dataclasses.replace(QUICK, device="openvino:f32"))
    assert other.is_unchanged
    assert other.warnings[-1] == (
        f"The faces were detected on {device} and are kept; use --force to detect them again on openvino:f32."
    )
    with pytest.raises(UsageError, match="device 'tpu' is not available"):
        align(aligned, dataclasses.replace(QUICK, device="tpu"))
    assert align(aligned, dataclasses.replace(QUICK, device=device)).warnings == align(aligned, QUICK).warnings


def test_frame_that_cannot_be_read_says_how_to_take_it_anew(project: Project) -> None:
    path = project.root / project.rows(Frame)[1].path
    path.write_bytes(path.read_bytes()[:500])
    (failure,) = align(project, QUICK).failures
    assert failure.reason.endswith("take it anew: fer extract-frames --force")


def test_blurred_faces_are_counted_and_not_written(project: Project) -> None:
    result = align(project, dataclasses.replace(QUICK, max_blur=0.0))
    assert (result.num_faces, result.dropped) == (0, {"blurred": 6})
    assert not list(project.root.glob("faces/*/*.png"))


def test_dropped_faces_keep_the_values_that_bounds_are_chosen_from(aligned: Project) -> None:
    before = [(face.face_id, face.roll, face.blur) for face in faces(aligned)]
    align(aligned, dataclasses.replace(QUICK, max_blur=0.0))
    assert [(face.face_id, face.roll, face.blur) for face in faces(aligned, "dropped")] == before
    align(aligned, dataclasses.replace(QUICK, max_roll=0.0))
    assert {face.reason for face in faces(aligned, "dropped")} == {"tilted"}
    assert [(face.face_id, face.roll) for face in faces(aligned, "dropped")] == [row[:2] for row in before]


def test_frames_without_faces_are_counted(project: Project) -> None:
    write_png(project.root / "frames/empty.png", draw_room(120, 160))
    project.write_rows([*project.rows(Frame), Frame("z/f000000", "z", 0, 0.0, "frames/empty.png")], Frame)
    assert align(project, QUICK).num_frames_without_faces == 1


def test_face_with_votes_that_would_vanish_stops_the_run_and_nothing_changes(aligned: Project) -> None:
    voted = faces(aligned)[0].face_id
    vote(aligned, voted, faces(aligned)[1].face_id)
    before = {
        path: path.read_bytes() for path in aligned.root.rglob("*") if path.is_file() and ".fer" not in path.parts
    }
    with pytest.raises(CheckError, match="1 face with votes would be lost") as caught:
        align(aligned, dataclasses.replace(QUICK, max_faces=1, size=224))
    assert "--force" in caught.value.hint
    after = {path: path.read_bytes() for path in aligned.root.rglob("*") if path.is_file() and ".fer" not in path.parts}
    assert after == before


@pytest.mark.parametrize("change", [{"max_faces": 1}, {"min_face": 150}, {"min_confidence": 1.0}])
def test_votes_that_would_be_lost_stop_it_before_it_looks(
    aligned: Project, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = min(faces(aligned), key=lambda face: (face.width or 0.0, face.face_id))
    row = dataclasses.replace(small, confidence=0.95)
    aligned.write_rows([row if face.face_id == small.face_id else face for face in aligned.rows(Face)], Face)
    vote(aligned, small.face_id)
    monkeypatch.setattr(align_work, "run", None)
    for is_dry in (True, False):
        with pytest.raises(CheckError, match=f"1 face with votes would be lost .*{small.face_id}"):
            align(aligned, dataclasses.replace(QUICK, **change), dry_run=is_dry)


def test_votes_on_frames_that_are_kept_no_longer_stop_it_before_it_looks(aligned: Project) -> None:
    first = aligned.rows(Frame)[0]
    lost = next(face.face_id for face in faces(aligned) if face.frame_id == first.frame_id)
    vote(aligned, lost)
    aligned.write_rows(aligned.rows(Frame)[1:], Frame)
    with pytest.raises(CheckError, match=f"1 face with votes would be lost .*{lost}"):
        align(aligned, QUICK, dry_run=True)


def test_force_lets_faces_with_votes_go_and_names_them(aligned: Project) -> None:
    vote(aligned, *(face.face_id for face in faces(aligned)))
    result = align(aligned, dataclasses.replace(QUICK, max_faces=1), force=True)
    assert any("votes are gone (3)" in warning for warning in result.warnings)
    assert result.num_faces == 3
    assert len(list(aligned.root.glob("faces/*/*.png"))) == 3


def test_votes_that_stay_stop_nothing(aligned: Project) -> None:
    vote(aligned, *(face.face_id for face in faces(aligned)))
    assert align(aligned, dataclasses.replace(QUICK, size=224)).num_faces == 6


def test_lost_face_is_gone_and_a_new_one_gets_a_number_never_used(aligned: Project) -> None:
    frame = aligned.rows(Frame)[0]
    image = draw_room(200, 360)
    draw_face(image, (180, 100), 70)
    write_png(aligned.root / "frames/moved.png", image)
    aligned.write_rows([dataclasses.replace(frame, path="frames/moved.png"), *aligned.rows(Frame)[1:]], Frame)
    result = align(aligned, QUICK)
    numbers = {face.status: [] for face in aligned.rows(Face) if face.frame_id == frame.frame_id}
    for face in aligned.rows(Face):
        if face.frame_id == frame.frame_id:
            numbers[face.status].append(int(face.face_id[-1]))
    assert result.num_gone == 2
    assert numbers == {"gone": [0, 1], "ok": [2]}


def test_face_that_comes_back_has_its_old_id(aligned: Project) -> None:
    before = [face.face_id for face in faces(aligned)]
    align(aligned, dataclasses.replace(QUICK, min_face=150))
    assert not faces(aligned)
    align(aligned, QUICK)
    assert [face.face_id for face in faces(aligned)] == before


def test_faces_of_a_frame_no_longer_kept_are_gone(aligned: Project) -> None:
    aligned.write_rows(aligned.rows(Frame)[:2], Frame)
    result = align(aligned, QUICK)
    assert (result.num_faces, result.num_gone, result.num_frames_done) == (4, 2, 0)
    assert {face.reason for face in faces(aligned, "gone")} == {"its frame is kept no longer"}


def test_damaged_frame_is_partial_and_done_when_it_is_mended(project: Project) -> None:
    path = project.root / project.rows(Frame)[1].path
    whole = path.read_bytes()
    path.write_bytes(whole[:2000])
    result = align(project, QUICK)
    assert [failure.item for failure in result.failures] == ["lesson-1/f000001"]
    assert "cannot decode image" in result.failures[0].reason
    assert (result.num_faces, result.num_frames_done) == (4, 2)
    path.write_bytes(whole)
    again = align(project, QUICK)
    assert (again.num_faces, again.num_frames_done, again.failures) == (6, 1, ())


def test_interrupted_run_goes_on_where_it_was(project: Project) -> None:
    class Impatient:
        """Presses Ctrl-C after two pictures."""

        num_done = 0

        def start(self, task: str, total: int | None = None) -> None:
            self.total = total

        def advance(self, num_items: int = 1, **fields: str) -> None:
            self.num_done += num_items
            if fields and self.num_done == 2:
                raise KeyboardInterrupt

        def note(self, text: str) -> None: ...

        def add_row(self, cells: Mapping[str, str]) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        align(project, QUICK, progress=Impatient())
    assert not project.table_path(Face).exists()
    second = Impatient()
    second.num_done = 100
    result = align(project, QUICK, progress=second)
    assert second.num_done == 103
    assert (result.num_frames_done, result.num_faces) == (3, 6)


def contents(project: Project) -> dict[str, bytes]:
    paths = [*project.root.glob("faces/*/*"), project.table_path(Face)]
    return {project.relative(path): path.read_bytes() for path in paths}


@pytest.fixture
def killed_in_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Project, AlignSettings], None]:
    """Runs `align` and kills it when two files are in their place and the others are not."""

    def run(project: Project, settings: AlignSettings) -> None:
        moved = []
        move = commit._replace

        def move_two(waiting: Path, place: Path) -> Path:
            if len(moved) == 2:
                raise KeyboardInterrupt
            moved.append(place)
            return move(waiting, place)

        with monkeypatch.context() as patched:
            patched.setattr(commit, "_replace", move_two)
            with pytest.raises(KeyboardInterrupt):
                align(project, settings)

    return run


def test_old_settings_mend_what_a_run_killed_in_its_commit_left(
    aligned: Project, killed_in_commit: Callable[[Project, AlignSettings], None]
) -> None:
    before = contents(aligned)
    killed_in_commit(aligned, dataclasses.replace(QUICK, size=224))
    assert contents(aligned) != before
    assert align(aligned, QUICK).num_frames_done == 3
    assert contents(aligned) == before


def test_run_killed_in_its_commit_ends_as_one_that_nobody_disturbed(
    aligned: Project, killed_in_commit: Callable[[Project, AlignSettings], None], tmp_path: Path
) -> None:
    other = open_project(Path(shutil.copytree(aligned.root, tmp_path / "other")))
    large = dataclasses.replace(QUICK, size=224)
    align(other, large)
    killed_in_commit(aligned, large)
    align(aligned, large)
    assert contents(aligned) == contents(other)


def test_run_killed_after_its_table_leaves_no_crop_without_a_row(
    aligned: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    few = dataclasses.replace(QUICK, max_faces=1)
    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.unlink", kill)
        with pytest.raises(KeyboardInterrupt):
            align(aligned, few)
    assert align(aligned, few).num_faces == 3
    assert len(list(aligned.root.glob("faces/*/*.png"))) == 3


def test_run_killed_in_its_commit_leaves_the_other_frames_done(
    aligned: Project, killed_in_commit: Callable[[Project, AlignSettings], None]
) -> None:
    make_lesson(aligned.root, video_id="lesson-2", num_frames=2)
    (aligned.root / "faces/lesson-2").mkdir()
    killed_in_commit(aligned, QUICK)
    assert align(aligned, QUICK).num_frames_done == 2


def test_crops_of_a_refused_run_never_replace_those_of_other_settings(aligned: Project) -> None:
    vote(aligned, *(face.face_id for face in faces(aligned)))
    with pytest.raises(CheckError):
        align(aligned, dataclasses.replace(QUICK, max_faces=1, size=224))
    make_lesson(aligned.root, video_id="lesson-2", num_frames=1)
    align(aligned, QUICK)
    assert {read_image(aligned.root / face.path).shape for face in faces(aligned)} == {(112, 112, 3)}


def test_crops_that_were_lost_are_cut_again(aligned: Project) -> None:
    before = aligned.rows(Face)
    for path in aligned.root.glob("faces/*/f000001-*.png"):
        path.unlink()
    assert align(aligned, QUICK).num_frames_done == 1
    assert align(aligned, QUICK).is_unchanged
    assert aligned.rows(Face) == before
    assert all((aligned.root / face.path).exists() for face in before)


def test_dry_run_writes_nothing_and_tells_the_plan(project: Project) -> None:
    result = align(project, QUICK, dry_run=True)
    assert result.plan == ("detect faces in 3 of 3 frames",)
    assert not project.table_path(Face).exists()


def test_frames_beyond_a_million_are_taken_in_order_of_time(tmp_path: Path) -> None:
    project = create_project(tmp_path / "long", name="long", classes=("happy", "bored"))
    frames = [
        Frame(f"{video_id}/f{index:06d}", video_id, index, index / 25, f"frames/{index}.jpg")
        for video_id in ("b", "a")
        for index in (1_000_001, 999_999, 1_000_000)
    ]
    project.write_rows(frames, Frame)
    plan = plan_align(project, dataclasses.replace(QUICK, tracking=True), force=False)
    order = ["f999999", "f1000000", "f1000001"]
    assert [task.item for task in plan.todo] == [f"{video_id}/{name}" for video_id in "ab" for name in order]
    assert {task.chunk for task in plan.todo} == {"a/f999999", "b/f999999"}


@pytest.mark.parametrize(
    ("times_s", "method", "chunks"),
    [
        ((0.0, 1.0, 2.0, 3.0), "every", [0, 0, 0, 3]),
        ((0.0, 1.0, 4.5, 5.0), "every", [0, 0, 2, 2]),
        ((0.0, 1.0, 2.0, 3.0), "scene", [0, 1, 2, 3]),
    ],
    ids=["size", "gap", "shots"],
)
def test_faces_are_followed_over_short_times_within_a_shot(
    tmp_path: Path, times_s: tuple[float, ...], method: str, chunks: list[int]
) -> None:
    project = create_project(tmp_path / "gaps", name="gaps", classes=("happy", "bored"))
    frames = [
        Frame(f"v/f{index:06d}", "v", index, time_s, f"{index}.jpg", method) for index, time_s in enumerate(times_s)
    ]
    project.write_rows(frames, Frame)
    plan = plan_align(project, dataclasses.replace(QUICK, tracking=True, track_every=3), force=False)
    assert [task.chunk for task in plan.todo] == [f"v/f{chunk:06d}" for chunk in chunks]


def test_limit_looks_at_the_first_frames_and_a_later_run_at_the_rest(project: Project) -> None:
    assert align(project, dataclasses.replace(QUICK, limit=1)).num_faces == 2
    result = align(project, QUICK)
    assert (result.num_frames_done, result.num_faces) == (2, 6)
    assert align(project, dataclasses.replace(QUICK, limit=1)).num_faces == 6
    assert align(project, QUICK).num_frames_done == 0


def test_project_that_was_moved_has_nothing_to_do(aligned: Project) -> None:
    moved = aligned.root.rename(aligned.root.with_name("elsewhere"))
    assert align(dataclasses.replace(aligned, root=moved), QUICK).is_unchanged


def test_project_without_frames_names_the_command_that_makes_them(tmp_path: Path) -> None:
    empty = create_project(tmp_path, name="empty", classes=("a", "b"))
    with pytest.raises(MissingStageError, match="no frames") as caught:
        align(empty, QUICK)
    assert "fer extract-frames" in caught.value.hint


def test_template_none_cuts_the_box_as_it_stands(project: Project) -> None:
    align(project, dataclasses.replace(QUICK, template="none"))
    assert all(face.m01 == 0 and face.m10 == 0 for face in faces(project))


@pytest.fixture
def crops(tmp_path: Path) -> Project:
    """A project of faces that came as crops: one small face, off centre, and one that is none."""
    project = create_project(tmp_path, name="crops", classes=("a", "b"))
    image = draw_room(64, 64)
    draw_face(image, (36, 34), 38, 12)
    write_png(project.root / "images/a.png", image)
    packed = np.stack([image.mean(axis=2).astype(np.uint8), np.zeros((64, 64), np.uint8)])
    np.save(project.root / "images/pack.npy", packed)
    paths = ("images/a.png", "images/pack.npy#0", "images/pack.npy#1")
    rows = [Face(f"set/r{row}", "", "set", path=path, status="given") for row, path in enumerate(paths)]
    project.write_rows(rows, Face)
    return project


def test_given_crops_are_left_alone(crops: Project) -> None:
    before = crops.rows(Face)
    result = align(crops, QUICK)
    assert (result.num_given, result.num_realigned) == (3, 0)
    assert crops.rows(Face) == before


def test_realign_sets_given_crops_upright_and_keeps_those_without_a_face(crops: Project) -> None:
    before = crops.rows(Face)
    result = align(crops, AlignSettings(realign=True, device="cpu"))
    after = crops.rows(Face)
    assert (result.num_given, result.num_realigned, result.failures) == (3, 2, ())
    assert [face.status for face in after] == ["given"] * 3
    assert after[2] == before[2]
    assert after[0].reason == "realigned from images/a.png"
    assert read_image(crops.root / after[0].path).shape == (112, 112, 3)
    assert np.abs(apply(affine(after[1]), landmarks(after[1])) - TEMPLATE).mean() < 8
    assert after[0].roll == pytest.approx(12, abs=6)


def test_realigning_with_other_settings_starts_from_the_first_picture(crops: Project) -> None:
    align(crops, AlignSettings(realign=True, device="cpu"))
    align(crops, AlignSettings(realign=True, device="cpu", size=224))
    after = crops.rows(Face)
    assert after[0].reason == "realigned from images/a.png"
    assert read_image(crops.root / after[0].path).shape == (224, 224, 3)


def test_result_is_a_stage_result_with_the_next_command(project: Project) -> None:
    result: AlignResult = align(project, QUICK)
    assert result.next_command == "fer subjects track"
    assert result.outputs == ("manifests/faces.csv", "faces")
    assert result.device == "cpu"


def test_given_crop_that_cannot_be_read_is_no_frame_that_was_not_done(crops: Project) -> None:
    (crops.root / "images" / "a.png").write_bytes(b"no picture")
    result = align(crops, AlignSettings(realign=True, device="cpu"))
    assert len(result.failures) == 1
    assert result.num_frames_done == 0


def test_detectors_are_built_once_in_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []

    def count(plan: WorkerPlan) -> FaceDetector:
        built.append(plan)
        return FaceDetector(device="cpu", num_threads=1)

    monkeypatch.setattr(align_worker, "_detector", count)
    write_png(tmp_path / "a.png", draw_room())
    tasks = [PictureTask("v/f0", "v", "a.png")]
    rules = CuttingRules()
    work = align_worker.make_worker(WorkerPlan(tmp_path, tmp_path / "out", rules, False, "cpu", 1))
    first, second = work(tasks), work(tasks)
    assert first == second == [{"faces": []}]
    assert len(built) == 1
