import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from fercli.core.errors import CheckError, InputError, MissingStageError, UsageError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Frame, Video, Vote
from fercli.stages.add import AddSettings, add
from fercli.stages.align import AlignSettings, align
from fercli.stages.extract_frames import ExtractFramesSettings, extract_frames
from fercli.stages.extract_frames import work as extraction
from tests.stages.test_add import write_pictures
from tests.vision.test_video import damaged
from tests.vision.videos import coded, pattern, read_code, write_video

EVERY = ExtractFramesSettings(every_s=1.0)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of four and two seconds at ten frames a second."""
    folder = tmp_path_factory.mktemp("sources")
    write_video(folder / "a.mp4", [coded(i) for i in range(40)], fps=10)
    write_video(folder / "b.mp4", [coded(100 + i) for i in range(20)], fps=10)
    return folder


@pytest.fixture
def project(tmp_path: Path, sources: Path) -> Project:
    made = create_project(tmp_path / "project", name="p", classes=("happy", "sad"))
    add(made, AddSettings(), [sources])
    return made


def frame_ids(project: Project) -> list[str]:
    return [frame.frame_id for frame in project.rows(Frame)]


def files(project: Project) -> list[str]:
    folder = project.root / "frames"
    return sorted(project.relative(path) for path in folder.rglob("*") if path.is_file())


def vote_on(project: Project, frame_ids: Sequence[str]) -> None:
    faces = [Face(f"{frame_id}-0", frame_id, frame_id.partition("/")[0]) for frame_id in frame_ids]
    project.write_rows(faces, Face)
    project.write_rows([Vote(face.face_id, "a1", "happy", "happy") for face in faces], Vote)


def test_frames_are_named_by_their_index_and_hold_its_picture(project: Project) -> None:
    result = extract_frames(project, EVERY)
    assert frame_ids(project) == [f"a/f0000{i}0" for i in range(4)] + ["b/f000000", "b/f000010"]
    for frame in project.rows(Frame):
        image = cv2.imread(str(project.root / frame.path), cv2.IMREAD_GRAYSCALE)
        assert read_code(image) == frame.frame_index + (100 if frame.video_id == "b" else 0)
        assert frame.time_s == pytest.approx(frame.frame_index / 10)
        assert frame.method == "every"
        assert len(frame.phash) == 16
        assert frame.sharpness is not None
    assert (result.num_videos, result.num_frames, result.next_command) == (2, 6, "fer align")
    assert files(project) == [frame.path for frame in project.rows(Frame)]


def test_second_run_adds_nothing(project: Project) -> None:
    extract_frames(project, EVERY)
    table, there = project.table_path(Frame).read_bytes(), files(project)
    assert extract_frames(project, EVERY).is_unchanged
    assert (project.table_path(Frame).read_bytes(), files(project)) == (table, there)


def test_force_gives_the_same_again(project: Project) -> None:
    extract_frames(project, EVERY)
    before = {path: (project.root / path).read_bytes() for path in [*files(project), "manifests/frames.csv"]}
    result = extract_frames(project, EVERY, force=True)
    assert (result.num_frames, result.num_removed) == (6, 0)
    assert {path: (project.root / path).read_bytes() for path in before} == before


def test_new_video_is_the_only_one_done(project: Project, tmp_path: Path) -> None:
    extract_frames(project, EVERY)
    add(project, AddSettings(), [write_video(tmp_path / "c.mp4", [coded(i) for i in range(5)], fps=10)])
    result = extract_frames(project, EVERY)
    assert (result.num_videos, result.num_frames, result.num_unchanged) == (1, 1, 2)
    assert result.num_frames_in_project == 7


def test_other_settings_replace_the_frames_and_say_so(project: Project) -> None:
    extract_frames(project, EVERY)
    result = extract_frames(project, ExtractFramesSettings(every_s=1.5))
    assert frame_ids(project) == ["a/f000000", "a/f000015", "a/f000030", "b/f000000", "b/f000015"]
    assert files(project) == [frame.path for frame in project.rows(Frame)]
    assert (result.num_frames, result.num_removed) == (5, 3)
    assert result.warnings == ("frames of a, b will be replaced (changed: every_s: 1.0 -> 1.5)",)


def test_setting_of_another_method_redoes_nothing(project: Project) -> None:
    extract_frames(project, EVERY)
    result = extract_frames(project, ExtractFramesSettings(every_s=1.0, num=7, seed=3, workers=2))
    assert (result.num_videos, result.num_unchanged) == (0, 2)


def test_choosing_the_sharpest_does_all_videos_again_and_says_so(project: Project) -> None:
    extract_frames(project, EVERY)
    result = extract_frames(project, ExtractFramesSettings(every_s=1.0, sharpest=True))
    assert (result.num_videos, result.num_unchanged) == (2, 0)
    assert result.warnings == ("frames of a, b will be replaced (changed: sharpest: False -> True)",)


def test_frames_whose_faces_have_votes_do_not_vanish_without_force(project: Project) -> None:
    extract_frames(project, EVERY)
    vote_on(project, ["a/f000010", "a/f000000"])
    before = frame_ids(project), files(project)
    with pytest.raises(CheckError, match=r"would remove frames of 1 face that has votes: a/f000010-0"):
        extract_frames(project, ExtractFramesSettings(every_s=1.5))
    assert (frame_ids(project), files(project)) == before
    result = extract_frames(project, ExtractFramesSettings(every_s=1.5), force=True)
    assert "a/f000010" not in frame_ids(project)
    assert any("1 face that has votes lost the frame: a/f000010-0" in text for text in result.warnings)
    assert len(project.rows(Vote)) == 2


@pytest.mark.parametrize(
    "words", [{"every_s": 1.5}, {"every_s": 1.0, "end_s": 0.9}, {"method": "uniform", "end_s": 0.9}]
)
def test_votes_that_would_lose_their_frame_stop_it_before_anything_is_decoded(
    project: Project, words: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_frames(project, EVERY)
    vote_on(project, ["a/f000010"])
    monkeypatch.setattr(extraction, "run", None)
    for is_dry in (True, False):
        with pytest.raises(CheckError, match=r"would remove frames of 1 face that has votes: a/f000010-0"):
            extract_frames(project, ExtractFramesSettings(**words), dry_run=is_dry)


def test_votes_that_may_lose_their_frame_are_told_in_a_dry_run(project: Project) -> None:
    extract_frames(project, EVERY)
    vote_on(project, ["a/f000010"])
    plan = extract_frames(project, ExtractFramesSettings(every_s=1.0, sharpest=True), dry_run=True)
    assert any("1 face that has votes lies on a frame that may be replaced" in text for text in plan.warnings)
    assert extract_frames(project, ExtractFramesSettings(every_s=0.5), dry_run=True).plan


def test_denser_frames_keep_those_with_votes(project: Project) -> None:
    extract_frames(project, EVERY)
    vote_on(project, ["a/f000010"])
    result = extract_frames(project, ExtractFramesSettings(every_s=0.5))
    assert (result.num_frames, result.num_removed) == (12, 0)


def test_only_the_named_videos_are_done(project: Project, sources: Path) -> None:
    extract_frames(project, EVERY, ["b"])
    assert frame_ids(project) == ["b/f000000", "b/f000010"]
    extract_frames(project, EVERY, [str(sources / "a.mp4")])
    assert len(frame_ids(project)) == 6


def test_unknown_video_gets_a_suggestion(project: Project) -> None:
    with pytest.raises(InputError, match=r"no video 'a\.mpg'") as caught:
        extract_frames(project, EVERY, ["a.mpg"])
    assert "Did you mean 'a.mp4'?" in caught.value.hint


def test_deleted_frame_file_is_made_again(project: Project) -> None:
    extract_frames(project, EVERY)
    there = files(project)
    (project.root / there[2]).unlink()
    extract_frames(project, EVERY)
    assert files(project) == there
    assert extract_frames(project, EVERY).is_unchanged


@pytest.mark.parametrize("lost", ["all", "some"])
def test_lost_rows_come_back(lost: str, project: Project) -> None:
    extract_frames(project, EVERY)
    table = project.table_path(Frame)
    whole = table.read_bytes()
    if lost == "all":
        table.unlink()
    else:
        table.write_bytes(b"".join(whole.splitlines(keepends=True)[:3]))
    assert "frames.csv lost rows of a, b" in extract_frames(project, EVERY).warnings[0]
    assert table.read_bytes() == whole
    assert extract_frames(project, EVERY).is_unchanged


def test_unreadable_video_does_not_stop_the_others(project: Project) -> None:
    data = b"no video"
    (project.root / "videos" / "a.mp4").write_bytes(data)
    first, second = project.rows(Video)
    # As if it had been added like this: a file that has changed since is left out before it is opened.
    noted = replace(first, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    project.write_rows([noted, second], Video)
    result = extract_frames(project, EVERY)
    assert [failure.item for failure in result.failures] == ["a"]
    assert "cannot open video" in result.failures[0].reason
    assert frame_ids(project) == ["b/f000000", "b/f000010"]
    assert not extract_frames(project, EVERY).is_unchanged


def test_missing_video_file_is_named(project: Project) -> None:
    (project.root / "videos" / "b.mp4").unlink()
    result = extract_frames(project, EVERY)
    assert [(failure.item, failure.reason.rpartition("'")[2]) for failure in result.failures] == [("b", " not found")]


def test_damaged_video_gives_its_good_frames_with_a_warning(tmp_path: Path) -> None:
    made = create_project(tmp_path / "project", name="p", classes=("happy", "sad"))
    whole = write_video(tmp_path / "whole.mp4", [pattern(i // 5) for i in range(50)], options={"movflags": "faststart"})
    add(made, AddSettings(), [damaged(tmp_path / "broken.mp4", whole, at=0.5, num_bytes=60)])
    every_frame = ExtractFramesSettings(every_s=0.04)
    result = extract_frames(made, every_frame)
    assert 38 <= result.num_frames < 50
    assert result.warnings[0].startswith("'broken': ")
    assert "corrupt frames skipped" in result.warnings[0]
    first = {path: (made.root / path).read_bytes() for path in files(made)}
    extract_frames(made, every_frame, force=True)
    assert {path: (made.root / path).read_bytes() for path in files(made)} == first


def test_workers_give_the_same_bytes(project: Project, tmp_path: Path, sources: Path) -> None:
    other = create_project(tmp_path / "other", name="p", classes=("happy", "sad"))
    add(other, AddSettings(), [sources])
    extract_frames(project, EVERY)
    extract_frames(other, ExtractFramesSettings(every_s=1.0, workers=2))
    for path in [*files(project), "manifests/frames.csv"]:
        assert (project.root / path).read_bytes() == (other.root / path).read_bytes()


def test_limit_ends_each_video(project: Project) -> None:
    extract_frames(project, ExtractFramesSettings(every_s=0.5, limit=2))
    assert frame_ids(project) == ["a/f000000", "a/f000005", "b/f000000", "b/f000005"]


@pytest.mark.parametrize(
    ("name", "method", "text"), [("cut.mkv", "uniform", "truncated"), ("raw.h264", "every", "no time")]
)
def test_limit_hides_no_warning(name: str, method: str, text: str, tmp_path: Path) -> None:
    made = create_project(tmp_path / "project", name="p", classes=("happy", "sad"))
    path = write_video(tmp_path / name, [coded(i) for i in range(100)])
    if name == "cut.mkv":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    add(made, AddSettings(), [path.rename(path.with_suffix(".mkv"))])
    result = extract_frames(made, ExtractFramesSettings(method=method, num=8, every_s=0.4, limit=2))  # type: ignore[arg-type]
    assert any(text in warning for warning in result.warnings)


def test_start_and_end_bound_the_frames(project: Project) -> None:
    extract_frames(project, ExtractFramesSettings(every_s=0.5, start_s=1.0, end_s=2.0))
    assert frame_ids(project) == ["a/f000010", "a/f000015", "b/f000010", "b/f000015"]


def test_end_before_start_is_a_usage_error(project: Project) -> None:
    with pytest.raises(UsageError, match="'--end 1s' is not after '--start 2s'"):
        extract_frames(project, ExtractFramesSettings(start_s=2.0, end_s=1.0))


def test_filters_are_counted(project: Project) -> None:
    result = extract_frames(project, ExtractFramesSettings(every_s=1.0, min_sharpness=1e9))
    assert result.dropped == {"blurred": 6}
    assert result.num_frames == 0
    assert any("more than half" in text for text in result.warnings)
    assert any("no frame of 'a' was kept" in text for text in result.warnings)


def test_dry_run_says_what_and_writes_nothing(project: Project) -> None:
    result = extract_frames(project, EVERY, dry_run=True)
    assert result.plan == ("extract frames of 'a' by 'every'", "extract frames of 'b' by 'every'")
    assert not project.table_path(Frame).exists()
    assert files(project) == []


def test_pictures_stay_and_need_no_extraction(project: Project, tmp_path: Path) -> None:
    add(project, AddSettings(), [write_pictures(tmp_path / "photos", range(2))])
    result = extract_frames(project, EVERY)
    assert result.num_videos == 2
    assert [frame.path for frame in project.rows(Frame) if frame.video_id == "photos"] == [
        "images/photos/photo-0.png",
        "images/photos/photo-1.png",
    ]


def test_project_without_videos_names_the_command(tmp_path: Path) -> None:
    empty = create_project(tmp_path / "empty", name="p", classes=("happy", "sad"))
    with pytest.raises(MissingStageError, match="no videos") as caught:
        extract_frames(empty, EVERY)
    assert caught.value.hint == "Run: fer add VIDEO"


class InterruptAfterFirst:
    def start(self, task: str, total: int | None = None) -> None: ...

    def advance(self, num_items: int = 1, **fields: str) -> None:
        if "video" in fields:
            raise KeyboardInterrupt

    def note(self, text: str) -> None: ...

    def add_row(self, cells: Mapping[str, str]) -> None: ...


def test_interrupted_run_goes_on_after_the_finished_videos(project: Project) -> None:
    with pytest.raises(KeyboardInterrupt):
        extract_frames(project, EVERY, progress=InterruptAfterFirst())
    assert not project.table_path(Frame).exists()
    journal = project.root / ".fer" / "running" / "extract-frames.jsonl"
    assert [json.loads(line).get("item") for line in journal.read_text(encoding="utf-8").splitlines()[1:]] == ["a"]
    # Were it done again, this would be a failure.
    (project.root / "videos" / "a.mp4").write_bytes(b"no video")
    result = extract_frames(project, EVERY)
    assert (result.num_videos, result.failures) == (2, ())
    assert len(frame_ids(project)) == 6
    assert not (project.root / ".fer" / "running" / "extract-frames").exists()


class Counting:
    def __init__(self) -> None:
        self.total, self.done, self.num_calls = 0, 0, 0

    def start(self, task: str, total: int | None = None) -> None:
        self.total = total or 0

    def advance(self, num_items: int = 1, **fields: str) -> None:
        assert num_items >= 0
        self.done += num_items
        self.num_calls += 1

    def note(self, text: str) -> None: ...

    def add_row(self, cells: Mapping[str, str]) -> None: ...


@pytest.mark.parametrize("method", ["every", "kmeans"])
def test_progress_counts_each_frame_once_and_within_a_video(project: Project, method: str) -> None:
    progress = Counting()
    settings = ExtractFramesSettings(method=method, every_s=0.5, num=2)  # type: ignore[arg-type]
    extract_frames(project, settings, progress=progress)
    assert progress.total == progress.done == 60
    assert progress.num_calls > 6  # of two videos


def test_interrupted_run_with_other_settings_leaves_no_trace(project: Project) -> None:
    with pytest.raises(KeyboardInterrupt):
        extract_frames(project, ExtractFramesSettings(every_s=0.3), progress=InterruptAfterFirst())
    extract_frames(project, EVERY)
    assert len(frame_ids(project)) == 6
    assert files(project) == [frame.path for frame in project.rows(Frame)]


# Keeps frames that EVERY does not, and the other way round.
DENSE = ExtractFramesSettings(every_s=0.7)


def contents(project: Project) -> dict[str, bytes]:
    return {path: (project.root / path).read_bytes() for path in [*files(project), "manifests/frames.csv"]}


@pytest.fixture
def killed_in_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[[Project, ExtractFramesSettings, str], None]:
    """Kills an extraction at the third frame that is put in its place, or taken away."""

    def run(project: Project, settings: ExtractFramesSettings, moment: str) -> None:
        true_call, calls = getattr(Path, moment), []

        def counted(path: Path, *args: object, **kwargs: object) -> object:
            is_of_commit = path.suffix == ".jpg" and not path.name.startswith(".")
            calls.extend([path] * is_of_commit)
            if is_of_commit and len(calls) == 3:
                raise KeyboardInterrupt
            return true_call(path, *args, **kwargs)

        with monkeypatch.context() as patched:
            patched.setattr(Path, moment, counted)
            with pytest.raises(KeyboardInterrupt):
                extract_frames(project, settings)

    return run


@pytest.mark.parametrize("moment", ["replace", "unlink"])
def test_old_settings_mend_what_a_run_killed_in_its_commit_left(
    project: Project, killed_in_commit: Callable[[Project, ExtractFramesSettings, str], None], moment: str
) -> None:
    extract_frames(project, EVERY)
    before = contents(project)
    killed_in_commit(project, DENSE, moment)
    assert contents(project) != before
    assert extract_frames(project, EVERY).num_videos == 2
    assert contents(project) == before


@pytest.mark.parametrize("moment", ["replace", "unlink"])
def test_run_killed_in_its_commit_ends_as_one_that_nobody_disturbed(
    project: Project, killed_in_commit: Callable[[Project, ExtractFramesSettings, str], None], moment: str
) -> None:
    extract_frames(project, DENSE)
    expected = contents(project)
    extract_frames(project, EVERY)
    killed_in_commit(project, DENSE, moment)
    extract_frames(project, DENSE)
    assert contents(project) == expected


def test_project_can_be_moved(project: Project, tmp_path: Path) -> None:
    extract_frames(project, EVERY)
    moved = project.root.rename(tmp_path / "moved")
    from fercli.core.project import open_project

    assert extract_frames(open_project(moved), EVERY).is_unchanged


@pytest.mark.real_data
def test_real_videos_give_frames(real_data: Path, tmp_path: Path) -> None:
    made = create_project(tmp_path / "project", name="p", classes=("happy", "sad"))
    add(made, AddSettings(link=True), [real_data / "videos"])
    result = extract_frames(made, ExtractFramesSettings(every_s=1.0))
    per_video = Counter(frame.video_id for frame in made.rows(Frame))
    # Lengths of 6.38, 3.94, 1.91, 19.69, 3.41 and 29.6 s; the last drops frames, its pauses are up to 0.73 s.
    assert per_video == {
        "face-appears": 7,
        "no-face": 4,
        "one-person-turning": 2,
        "portrait": 20,
        "three-people": 4,
        "tree-no-face": per_video["tree-no-face"],
    }
    assert 25 <= per_video["tree-no-face"] <= 30
    assert result.warnings == ()


@pytest.mark.parametrize("method", ["every", "change", "scene", "kmeans", "uniform"])
def test_frames_decoded_to_choose_from_are_counted(tmp_path: Path, method: str) -> None:
    video = write_video(tmp_path / "a.mp4", [pattern(number // 10) for number in range(40)], fps=10)
    project = create_project(tmp_path / "mine", name="mine", classes=("a", "b"))
    add(project, AddSettings(), [video])
    result = extract_frames(project, ExtractFramesSettings(method=method, num=3))  # type: ignore[arg-type]  # a method
    assert result.num_frames > 0
    assert result.num_frames <= result.num_decoded <= 3 * 40


def test_a_video_that_changed_since_it_was_added_is_left_out_and_said(project: Project) -> None:
    name = project.rows(Video)[0].video_id
    extract_frames(project, EVERY)
    shutil.copy(project.root / project.rows(Video)[1].path, project.root / project.rows(Video)[0].path)
    again = extract_frames(project, EVERY)
    assert again.is_unchanged
    assert [text for text in again.warnings if name in text and "has changed since it was added" in text]
    other = replace(EVERY, every_s=0.5)
    plan = extract_frames(project, other, dry_run=True).plan
    assert any(line.startswith(f"leave out '{name}'") for line in plan)
    result = extract_frames(project, other)
    assert [failure.item for failure in result.failures] == [name]
    assert result.num_videos == 1


def test_frames_of_a_video_that_changed_are_not_decoded_from_it_for_align(project: Project) -> None:
    extract_frames(project, replace(EVERY, keep=False))
    first, second = (project.root / video.path for video in project.rows(Video)[:2])
    shutil.copy(second, first)
    with pytest.raises(InputError, match="has changed since it was added"):
        align(project, AlignSettings(), dry_run=True)
