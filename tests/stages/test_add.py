from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from fercli.core.batch import Batch
from fercli.core.commit import log_lines
from fercli.core.errors import InputError, MediaError, UsageError
from fercli.core.files import sha256_of
from fercli.core.project import Project, create_project
from fercli.core.rows import PICTURES, Face, Frame, Video
from fercli.stages.add import AddResult, AddSettings, AddSourceResult
from fercli.stages.add import add as add_any
from tests.vision.videos import coded, pattern, write_video

COPY = AddSettings()


def add(project: Project, settings: AddSettings, paths: list[Path], **options: object) -> AddResult:
    result = add_any(project, settings, paths, **options)  # type: ignore[arg-type]
    assert isinstance(result, AddResult)
    return result


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path / "project", name="p", classes=("happy", "sad"))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("source") / "Lesson 1.MP4", [coded(i) for i in range(25)])


def write_pictures(folder: Path, numbers: range) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        assert cv2.imwrite(str(folder / f"Photo {number}.png"), pattern(number))
    return folder


def test_video_is_copied_and_described(project: Project, video: Path) -> None:
    result = add(project, AddSettings(session="monday", recorded_at="2024-05-17"), [video])
    (row,) = project.rows(Video)
    assert (row.video_id, row.path, row.codec) == ("lesson-1", "videos/lesson-1.mp4", "h264")
    assert (row.width, row.height, row.fps, row.num_frames, row.duration_s) == (128, 96, 25.0, 25, 1.0)
    assert (row.session, row.recorded_at, row.bytes) == ("monday", "2024-05-17", video.stat().st_size)
    assert (project.root / row.path).read_bytes() == video.read_bytes()
    assert (result.num_videos, result.ids, result.next_command) == (1, ("lesson-1",), "fer extract-frames")


def test_second_call_changes_nothing(project: Project, video: Path) -> None:
    add(project, COPY, [video])
    before = project.table_path(Video).read_bytes()
    lines = len(log_lines(project.root))
    assert add(project, COPY, [video]).is_unchanged
    assert len(log_lines(project.root)) == lines
    assert project.table_path(Video).read_bytes() == before


def test_known_video_is_nothing_new_after_its_frames_were_extracted(project: Project, video: Path) -> None:
    add(project, COPY, [video])
    project.write_rows([Frame("lesson-1/f000000", "lesson-1", 0, 0.0, "frames/lesson-1/f000000.jpg")], Frame)
    before = project.table_path(Video).stat().st_mtime_ns
    assert add(project, COPY, [video]).is_unchanged
    assert project.table_path(Video).stat().st_mtime_ns == before
    assert not add(project, AddSettings(session="monday"), [video]).is_unchanged


def test_same_contents_under_another_name_are_not_added_again(project: Project, video: Path, tmp_path: Path) -> None:
    add(project, COPY, [video])
    other = tmp_path / "other.mp4"
    other.write_bytes(video.read_bytes())
    result = add(project, COPY, [other])
    assert (result.num_videos, result.num_known, result.ids) == (0, 1, ("lesson-1",))
    assert len(project.rows(Video)) == 1


def test_other_contents_under_the_same_name_get_a_number(project: Project, video: Path, tmp_path: Path) -> None:
    add(project, COPY, [video])
    (tmp_path / "b").mkdir()
    write_video(tmp_path / "b" / "lesson_1.mp4", [coded(1)] * 3)
    write_video(tmp_path / "b" / "lesson 1.mp4", [coded(2)] * 3)
    add(project, COPY, [tmp_path / "b"])
    assert [row.video_id for row in project.rows(Video)] == ["lesson-1", "lesson-1-2", "lesson_1"]


def test_session_of_a_known_video_can_be_noted_later(project: Project, video: Path) -> None:
    add(project, COPY, [video])
    add(project, AddSettings(session="tuesday"), [video])
    assert [row.session for row in project.rows(Video)] == ["tuesday"]


def test_what_is_noted_anew_of_a_known_video_is_told(project: Project, video: Path) -> None:
    add(project, AddSettings(session="monday"), [video])
    told = add(project, AddSettings(session="tuesday", recorded_at="2024-05-17"), [video]).warnings
    assert told == (
        "'lesson-1' was there already; its session was 'monday' and is 'tuesday' now",
        "'lesson-1' was there already; its recorded at was not noted and is '2024-05-17' now",
    )
    assert add(project, AddSettings(session="friday"), [video], dry_run=True).plan == (
        "keep 'Lesson 1.MP4', known as 'lesson-1'; its session was 'tuesday' and is 'friday' now",
    )
    assert add(project, AddSettings(session="tuesday", recorded_at="2024-05-17"), [video]).warnings == ()
    assert add(project, AddSettings(session="tuesday"), [video]).warnings == ()


def test_link_points_to_the_file(project: Project, video: Path) -> None:
    add(project, AddSettings(link=True), [video])
    place = project.root / "videos" / "lesson-1.mp4"
    assert place.is_symlink()
    assert place.resolve() == video.resolve()


def test_video_that_lies_in_the_project_stays_where_it_is(project: Project, video: Path) -> None:
    inside = project.root / "videos" / "mine.mp4"
    inside.write_bytes(video.read_bytes())
    add(project, COPY, [project.root])
    assert [row.path for row in project.rows(Video)] == ["videos/mine.mp4"]
    assert sorted(path.name for path in inside.parent.iterdir()) == ["mine.mp4"]


def test_folder_of_pictures_makes_frames_without_time(project: Project, tmp_path: Path) -> None:
    result = add(project, COPY, [write_pictures(tmp_path / "My Photos", range(3))])
    frames = project.rows(Frame)
    assert [frame.frame_id for frame in frames] == [f"my-photos/f00000{i}" for i in range(3)]
    assert [frame.path for frame in frames] == [f"images/my-photos/photo-{i}.png" for i in range(3)]
    assert all(frame.time_s is None and (project.root / frame.path).exists() for frame in frames)
    (row,) = project.rows(Video)
    assert (row.codec, row.num_frames, row.fps, row.width, row.height) == ("pictures", 3, None, 128, 96)
    assert (result.num_pictures, result.next_command) == (3, "fer align")


def test_new_pictures_of_a_known_folder_are_added_to_it(project: Project, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "photos", range(1, 3))
    add(project, COPY, [folder])
    before = {frame.frame_id: frame.path for frame in project.rows(Frame)}
    write_pictures(folder, range(4))
    result = add(project, COPY, [folder])
    after = {frame.frame_id: frame.path for frame in project.rows(Frame)}
    assert (result.num_pictures, result.num_known) == (2, 2)
    assert before.items() <= after.items()
    assert sorted(after) == [f"photos/f00000{i}" for i in range(4)]
    assert [row.num_frames for row in project.rows(Video)] == [4]


def test_another_folder_of_the_same_name_gets_a_number(project: Project, tmp_path: Path) -> None:
    add(project, COPY, [write_pictures(tmp_path / "a" / "photos", range(2))])
    add(project, COPY, [write_pictures(tmp_path / "b" / "photos", range(5, 7))])
    assert [row.video_id for row in project.rows(Video)] == ["photos", "photos-2"]


def test_files_of_other_types_are_counted(project: Project, video: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    write_pictures(folder / "inner", range(2))
    (folder / "v.mp4").write_bytes(video.read_bytes())
    (folder / "notes.txt").write_text("x", encoding="utf-8")
    (folder / "inner" / "sheet.xlsx").write_bytes(b"x")
    (folder / ".DS_Store").write_bytes(b"x")
    result = add(project, COPY, [folder])
    assert (result.num_videos, result.num_pictures, result.num_foreign, result.failures) == (1, 2, 2, ())


def test_broken_files_do_not_stop_the_others(project: Project, video: Path, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "mixed", range(2))
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video " * 100, encoding="utf-8")
    (folder / "cut.png").write_bytes((folder / "Photo 0.png").read_bytes()[:100])
    (folder / "v.mp4").write_bytes(video.read_bytes())
    result = add(project, COPY, [folder, tmp_path / "gone.mp4"])
    assert (result.num_videos, result.num_pictures) == (1, 2)
    reasons = {Path(failure.item).name: failure.reason for failure in result.failures}
    assert set(reasons) == {"empty.mp4", "text.mp4", "cut.png", "gone.mp4"}
    assert "is empty" in reasons["empty.mp4"]


def test_single_broken_file_is_an_error(project: Project, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(MediaError, match="is empty"):
        add(project, COPY, [tmp_path / "empty.mp4"])
    assert project.rows(Video) == []


def test_several_broken_files_alone_are_an_error_that_names_the_first(project: Project, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.mp4", "b.mp4")]
    for path in paths:
        path.touch()
    with pytest.raises(MediaError, match=r"none of the files could be added; .*a\.mp4: .*is empty"):
        add(project, COPY, paths)
    assert project.rows(Video) == []


def test_no_path_is_nothing_to_add(project: Project) -> None:
    with pytest.raises(UsageError, match="no files given"):
        add(project, COPY, [])


def test_missing_file_is_an_error(project: Project, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"gone\.mp4: no file or folder of this name"):
        add(project, COPY, [tmp_path / "gone.mp4"])


def test_folder_without_media_is_an_error_that_counts(project: Project, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").touch()
    with pytest.raises(InputError, match=r"no videos or images found in .*\(1 other file: 1 .txt\)"):
        add(project, COPY, [tmp_path / "docs"])


def test_broken_file_is_tried_again(project: Project, video: Path, tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "photos", range(1))
    (folder / "v.mp4").touch()
    assert add(project, COPY, [folder]).failures
    assert not add(project, COPY, [folder]).is_unchanged


def test_dry_run_writes_nothing(project: Project, video: Path) -> None:
    result = add(project, COPY, [video], dry_run=True)
    assert result.plan == ("add video 'Lesson 1.MP4'",)
    assert not project.table_path(Video).exists()
    assert list((project.root / "videos").iterdir()) == []


def test_interrupted_run_goes_on_where_it_stopped(
    project: Project, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "b.mp4").write_bytes(write_video(tmp_path / "x.mp4", [coded(7)] * 3).read_bytes())

    class Interrupting:
        def start(self, task: str, total: int | None = None) -> None: ...

        def advance(self, num_items: int = 1, **fields: str) -> None:
            raise KeyboardInterrupt

        def note(self, text: str) -> None: ...

        def add_row(self, cells: Mapping[str, str]) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        add(project, COPY, [video, tmp_path / "b.mp4"], progress=Interrupting())
    assert project.rows(Video) == []
    waiting = project.root / ".fer" / "running" / "add" / "videos" / "lesson-1.mp4"
    before = waiting.stat().st_mtime_ns
    result = add(project, COPY, [video, tmp_path / "b.mp4"])
    assert (project.root / "videos" / "lesson-1.mp4").stat().st_mtime_ns == before
    assert (result.num_videos, result.ids) == (2, ("lesson-1", "b"))


def test_cut_off_video_is_later_with_a_warning(project: Project, tmp_path: Path) -> None:
    whole = write_video(tmp_path / "w.mp4", [pattern(i) for i in range(40)], options={"movflags": "faststart"})
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = add(project, COPY, [half])
    assert result.num_videos == 1
    assert result.warnings[0].startswith("'half': the file is truncated")


@pytest.mark.parametrize("text", ["yesterday", "17.05.2024"])
def test_date_must_be_iso(project: Project, video: Path, text: str) -> None:
    with pytest.raises(UsageError, match="invalid date"):
        add(project, AddSettings(recorded_at=text), [video])


def test_name_that_is_not_utf8_is_later(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "gr\udcfcn.png"
    try:
        path.write_bytes(write_pictures(tmp_path / "p", range(1)).joinpath("Photo 0.png").read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only UTF-8 names")
    assert add(project, COPY, [path]).num_pictures == 1
    assert project.rows(Frame)[0].path.isascii()


def test_picture_bomb_is_refused_before_decoding(project: Project, tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))))
    with pytest.raises(MediaError, match="above the limit"):
        add(project, COPY, [tmp_path / "bomb.png"])


def test_pixels_of_a_picture_are_not_changed(project: Project, tmp_path: Path) -> None:
    add(project, COPY, [write_pictures(tmp_path / "photos", range(1))])
    copied = cv2.imread(str(project.root / "images" / "photos" / "photo-0.png"))
    np.testing.assert_array_equal(copied, pattern(0))


def test_data_set_is_read_by_its_source(project: Project, tmp_path: Path) -> None:
    for emotion in project.classes:
        write_pictures(tmp_path / "set" / emotion, range(2))
    result = add_any(project, AddSettings(source="folder", name="mine"), [tmp_path / "set"])
    assert isinstance(result, AddSourceResult)
    assert (result.num_faces, result.classes) == (4, {"happy": 2, "sad": 2})


def test_data_set_has_one_path(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one path"):
        add_any(project, AddSettings(source="fer2013"), [tmp_path, tmp_path])


def kill_after_items(patched: pytest.MonkeyPatch, number: int) -> None:
    """A run that ends when its `number`-th item is in the journal."""
    true_add, num_items = Batch.add, 0

    def counted(batch: Batch, item: str, record: object) -> None:
        nonlocal num_items
        true_add(batch, item, record)
        num_items += 1
        if num_items == number:
            raise KeyboardInterrupt

    patched.setattr(Batch, "add", counted)


def interrupt(project: Project, paths: list[Path], number: int = 1) -> None:
    with pytest.MonkeyPatch.context() as patched:
        kill_after_items(patched, number)
        with pytest.raises(KeyboardInterrupt):
            add(project, COPY, paths)


def lessons(tmp_path: Path, *names: str) -> list[Path]:
    """Videos, each of other contents, by their places below `tmp_path`."""
    videos = []
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        videos.append(write_video(tmp_path / name, [coded(number)] * 3))
    return videos


def assert_whole(project: Project) -> None:
    """Every file of videos/ and images/ has its row, with the digest of what it holds, and the other way round."""
    rows = {video.path: video.sha256 for video in project.rows(Video) if video.codec != PICTURES}
    files = [path for path in (project.root / "videos").rglob("*") if path.is_file()]
    assert rows == {project.relative(path): sha256_of(path) for path in files}
    images = [path for path in (project.root / "images").rglob("*") if path.is_file()]
    assert sorted(project.relative(path) for path in images) == sorted(frame.path for frame in project.rows(Frame))
    assert not (project.root / ".fer" / "running").exists()


def test_namesake_added_after_an_interrupted_add_keeps_its_own_contents(project: Project, tmp_path: Path) -> None:
    first, second = lessons(tmp_path, "a/lesson.mp4", "b/lesson.mp4")
    interrupt(project, [first])
    add(project, COPY, [second, first])
    assert_whole(project)
    assert {video.sha256 for video in project.rows(Video)} == {sha256_of(first), sha256_of(second)}


def test_interrupted_add_leaves_no_file_without_a_row_to_the_next_one(project: Project, tmp_path: Path) -> None:
    first, second = lessons(tmp_path, "a.mp4", "b.mp4")
    interrupt(project, [first])
    add(project, COPY, [second])
    assert_whole(project)
    assert [video.video_id for video in project.rows(Video)] == ["b"]
    add(project, COPY, [first])
    assert_whole(project)


def test_video_that_was_broken_at_first_does_not_take_the_place_of_a_finished_one(
    project: Project, tmp_path: Path
) -> None:
    first, second = lessons(tmp_path, "a/lesson.mp4", "b/lesson.mp4")
    whole = first.read_bytes()
    first.write_bytes(b"broken")
    interrupt(project, [first, second])
    first.write_bytes(whole)
    add(project, COPY, [first, second])
    assert_whole(project)
    assert len(project.rows(Video)) == 2


def test_add_that_goes_on_after_a_data_set_took_the_name_takes_another(project: Project, tmp_path: Path) -> None:
    first, second = lessons(tmp_path, "lesson.mp4", "other.mp4")
    interrupt(project, [first, second])
    project.write_rows([Face("lesson/1", "", "", path="faces/lesson/1.png", status="given")], Face)
    add(project, COPY, [first, second])
    assert_whole(project)
    assert sorted(video.video_id for video in project.rows(Video)) == ["lesson-2", "other"]


def test_two_folders_that_both_go_into_a_known_one_overwrite_no_image(project: Project, tmp_path: Path) -> None:
    add(project, COPY, [write_pictures(tmp_path / "old" / "class", range(2))])
    for number in (0, 1):
        folder = write_pictures(tmp_path / str(number) / "class", range(2))
        assert cv2.imwrite(str(folder / "new.png"), pattern(7 + number))
    add(project, COPY, [tmp_path / "0" / "class", tmp_path / "1" / "class"])
    assert_whole(project)
    frames = project.rows(Frame)
    assert len({sha256_of(project.root / frame.path) for frame in frames}) == len(frames) == 4


@pytest.mark.parametrize("number", [1, 2])
def test_interrupted_add_of_folders_ends_like_one_that_nobody_disturbed(
    project: Project, tmp_path: Path, number: int
) -> None:
    paths = [write_pictures(tmp_path / "x" / "class", range(2)), write_pictures(tmp_path / "y" / "class", range(3, 6))]
    interrupt(project, paths, number)
    add(project, COPY, paths)
    assert_whole(project)
    other = create_project(tmp_path / "undisturbed", name="p", classes=("happy", "sad"))
    add(other, COPY, paths)
    for row_type in (Video, Frame):
        assert project.rows(row_type) == other.rows(row_type)
