import gc
import hashlib
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from fercli.core.errors import MediaError
from fercli.vision.video.reader import VideoReader, VideoWriter, probe_video, scan_video
from tests.vision.videos import SIZE, coded, pattern, read_code, write_video


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds at 25 frames a second, a key frame every tenth."""
    return write_video(tmp_path_factory.mktemp("video") / "plain.mp4", [coded(i) for i in range(50)])


def codes(reader: VideoReader) -> list[int]:
    return [read_code(frame.luma) for frame in reader]


def damaged(path: Path, source: Path, *, at: float, num_bytes: int) -> Path:
    data = bytearray(source.read_bytes())
    start = int(len(data) * at)
    for place in range(start, start + num_bytes):
        data[place] ^= 0xFF
    path.write_bytes(data)
    return path


def test_every_frame_comes_out_with_its_index_and_time(plain: Path) -> None:
    frames = [(read_code(frame.luma), frame.index, frame.time_s) for frame in VideoReader(plain)]
    assert [code for code, _, _ in frames] == list(range(50))
    assert [index for _, index, _ in frames] == list(range(50))
    assert [time_s for _, _, time_s in frames] == pytest.approx([i / 25 for i in range(50)])


def test_header_says_what_the_video_is(plain: Path) -> None:
    info = probe_video(plain)
    assert (info.width, info.height, info.fps, info.num_frames) == (128, 96, 25.0, 50)
    assert (info.duration_s, info.codec) == (pytest.approx(2.0), "h264")


def test_scan_counts_frames_without_decoding(plain: Path) -> None:
    span = scan_video(plain)
    assert (len(span.times_s), span.times_s[0], span.warnings) == (50, 0.0, ())
    assert span.end_s == pytest.approx(2.0)
    assert span.num_keyframes >= 5


def test_whole_video_gives_no_warning(plain: Path) -> None:
    reader = VideoReader(plain)
    assert len(codes(reader)) == reader.num_decoded == 50
    assert (reader.num_damaged, reader.warnings) == (0, ())


def test_reader_can_be_read_again(plain: Path) -> None:
    reader = VideoReader(plain)
    assert codes(reader) == codes(reader)


def test_threads_do_not_change_a_pixel(plain: Path) -> None:
    one, many = (
        [hashlib.sha256(frame.rgb().tobytes()).hexdigest() for frame in VideoReader(plain, threads=threads)]
        for threads in (1, None)
    )
    assert one == many


def test_frames_are_freed_while_reading_goes_on(plain: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        for frame in VideoReader(plain, threads=1):
            assert frame.luma.any()
            assert frame.rgb().any()
        num_held = sum(type(thing).__name__ == "VideoFrame" for thing in gc.get_objects())
    finally:
        gc.enable()
    assert num_held < 10


def test_start_is_kept_and_end_is_not(plain: Path) -> None:
    assert [frame.index for frame in VideoReader(plain, start_s=1.0, end_s=1.2)] == [25, 26, 27, 28, 29]


def test_frames_before_the_start_are_not_decoded(plain: Path) -> None:
    reader = VideoReader(plain, start_s=1.7)
    assert codes(reader) == list(range(43, 50))
    assert reader.num_decoded < 20


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".ts"])
def test_frames_at_times_are_those_of_a_full_reading(tmp_path: Path, suffix: str) -> None:
    path = write_video(tmp_path / f"video{suffix}", [coded(i) for i in range(60)])
    full = [(frame.index, frame.time_s) for frame in VideoReader(path)]
    times = [0.0, 0.03, 0.5, 0.51, 1.3, 1.31, 2.2, 9.0]
    expected = [next((frame for frame in full if frame[1] >= time - 1e-6), None) for time in times]
    wanted = [frame for frame in dict.fromkeys(expected) if frame is not None]
    found = [(frame.index, frame.time_s, read_code(frame.luma)) for frame in VideoReader(path).at(times)]
    assert found == [(index, time_s, index) for index, time_s in wanted]


def test_groups_without_a_wanted_frame_are_not_decoded(plain: Path) -> None:
    reader = VideoReader(plain)
    assert [read_code(frame.luma) for frame in reader.at([0.0, 1.99])] == [0]
    assert reader.num_decoded < 30


def test_one_frame_serves_several_times(tmp_path: Path) -> None:
    times = [Fraction(0), Fraction(1, 10), Fraction(3), Fraction(31, 10)]
    path = write_video(tmp_path / "gap.mp4", [coded(i) for i in range(4)], times=times)
    assert [frame.index for frame in VideoReader(path).at([0.0, 1.0, 2.0, 3.0])] == [0, 2]


def test_product_of_a_tenth_finds_its_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "tenths.mp4", [coded(i) for i in range(8)], fps=10)
    assert 3 * 0.1 > 0.3
    assert [frame.index for frame in VideoReader(path).at([3 * 0.1])] == [3]


def test_every_takes_the_frames_at_multiples(plain: Path) -> None:
    assert [frame.index for frame in VideoReader(plain).every(0.5)] == [0, 13, 25, 38]
    assert [frame.index for frame in VideoReader(plain, start_s=0.1).every(0.5)] == [3, 15, 28, 40]


def test_every_is_quick_past_a_long_gap(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "gap.mp4", [coded(i) for i in range(3)], times=[Fraction(0), Fraction(1), Fraction(90000)]
    )
    assert [frame.index for frame in VideoReader(path).every(0.0001)] == [0, 1, 2]


def test_unknown_coding_is_an_error(tmp_path: Path) -> None:
    path = write_video(tmp_path / "video.mkv", [coded(i) for i in range(3)])
    data = path.read_bytes()
    assert b"V_MPEG4/ISO/AVC" in data
    path.write_bytes(data.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/AVX"))
    with pytest.raises(MediaError, match=r"unsupported codec in video '"):
        probe_video(path)


def test_variable_frame_rate_keeps_the_containers_times(tmp_path: Path) -> None:
    times = [Fraction(n, 1000) for n in (0, 40, 500, 510, 2000, 2033)]
    path = write_video(tmp_path / "vfr.mp4", [coded(i) for i in range(6)], times=times)
    assert [frame.time_s for frame in VideoReader(path)] == pytest.approx([float(time) for time in times], abs=1e-3)


def test_times_count_from_the_start_of_the_file(tmp_path: Path) -> None:
    # MPEG transport streams begin at 1.4 s on FFmpeg's clock.
    path = write_video(tmp_path / "video.ts", [coded(i) for i in range(10)])
    assert [frame.time_s for frame in VideoReader(path)] == pytest.approx([i / 25 for i in range(10)])


def test_missing_time_stamps_become_index_over_rate_and_are_told(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.h264", [coded(i) for i in range(12)])
    reader = VideoReader(path)
    frames = [(read_code(frame.luma), frame.index, frame.time_s) for frame in reader]
    assert frames == [(i, i, i / 25) for i in range(12)]
    assert reader.warnings == ("no time stamps; frame times were computed from the frame rate (25 frames per second)",)


@pytest.fixture(scope="module")
def guessed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """H.264 with frames that refer forward, in AVI, which cannot say when they are shown."""
    options = {"preset": "medium", "x264-params": "bframes=3:b-adapt=0:scenecut=0"}
    path = tmp_path_factory.mktemp("guessed") / "video.avi"
    return write_video(path, [coded(i) for i in range(30)], options=options)


def test_avi_of_forward_frames_is_read_in_order_of_display(guessed: Path) -> None:
    reader = VideoReader(guessed)
    frames = [(read_code(frame.luma), frame.index, frame.time_s) for frame in reader]
    assert frames == [(i, i, i / 25) for i in range(30)]
    assert reader.warnings == ("no time stamps; frame times were computed from the frame rate (25 frames per second)",)


def test_avi_of_forward_frames_gives_the_frames_at_times(guessed: Path) -> None:
    assert codes(VideoReader(guessed).at([0.0, 0.5, 0.99])) == [0, 13, 25]
    assert codes(VideoReader(guessed, only="keyframes")) == [0, 10, 20]


def test_scan_knows_that_avi_of_forward_frames_has_no_times(guessed: Path) -> None:
    span = scan_video(guessed)
    assert not span.has_times
    assert span.times_s.tolist() == [i / 25 for i in range(30)]
    assert span.warnings == ()


def test_key_frames_keep_their_index(plain: Path) -> None:
    frames = [(frame.index, read_code(frame.luma)) for frame in VideoReader(plain, only="keyframes")]
    assert len(frames) == scan_video(plain).num_keyframes
    assert all(index == code for index, code in frames)


def test_key_frames_without_time_stamps_keep_their_index(tmp_path: Path) -> None:
    path = write_video(tmp_path / "raw.h264", [coded(i) for i in range(25)])
    frames = [(frame.index, read_code(frame.luma)) for frame in VideoReader(path, only="keyframes")]
    assert 2 <= len(frames) < 25
    assert all(index == code for index, code in frames)


@pytest.mark.parametrize(
    ("rotation", "hflip", "undo"),
    [
        (90, False, lambda image: np.rot90(image, 1)),
        (-90, False, lambda image: np.rot90(image, -1)),
        (180, False, lambda image: np.rot90(image, 2)),
        (0, True, lambda image: image[:, ::-1]),
    ],
    ids=["counterclockwise", "clockwise", "half", "mirror"],
)
def test_frames_are_turned_as_the_file_says(tmp_path: Path, rotation: int, hflip: bool, undo: object) -> None:
    stored = pattern(3)
    path = write_video(tmp_path / "turned.mp4", [stored] * 3, rotation=rotation, hflip=hflip)
    expected = undo(stored)  # type: ignore[operator]
    frame = next(iter(VideoReader(path)))
    shown = frame.rgb()
    assert frame.luma.shape == shown.shape[:2] == expected.shape[:2]
    assert (probe_video(path).width, probe_video(path).height) == (expected.shape[1], expected.shape[0])
    assert np.abs(shown.astype(int) - expected).mean() < 12


def test_pixels_become_square(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mp4", [coded(5)] * 3, pixel_aspect="4/3")
    frame = next(iter(VideoReader(path)))
    assert (probe_video(path).width, probe_video(path).height) == (171, 96)
    assert frame.rgb().shape == (96, 171, 3)
    assert frame.luma.shape == (96, 171)


def test_colours_are_rgb(plain: Path) -> None:
    corner = next(iter(VideoReader(plain))).rgb()[-12, -12].astype(int)
    assert np.abs(corner - (200, 30, 30)).max() < 12


def test_luma_of_an_rgb_codec_is_its_grey(tmp_path: Path) -> None:
    Image.fromarray(coded(9)).save(tmp_path / "one.gif")
    assert read_code(next(iter(VideoReader(tmp_path / "one.gif"))).luma) == 9


def test_gif_gives_the_frames_and_times_that_pillow_reads(tmp_path: Path) -> None:
    pictures = [Image.fromarray(pattern(i)).quantize(64) for i in range(4)]
    path = tmp_path / "moving.gif"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 250, 40, 300])
    frames = [(frame.time_s, frame.rgb()) for frame in VideoReader(path)]
    assert [time_s for time_s, _ in frames] == pytest.approx([0.0, 0.1, 0.35, 0.39])
    with Image.open(path) as image:
        for shown, (_, found) in zip(ImageSequence.Iterator(image), frames, strict=True):
            np.testing.assert_array_equal(found, np.asarray(shown.convert("RGB")))


def test_video_of_one_frame_is_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "one.mp4", [coded(77)])
    reader = VideoReader(path)
    assert codes(reader) == [77]
    assert reader.warnings == ()
    assert probe_video(path).num_frames == 1


def test_file_cut_in_half_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    path = write_video(tmp_path / "whole.mp4", [pattern(i) for i in range(50)], options={"movflags": "faststart"})
    half = tmp_path / "half.mp4"
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = VideoReader(half, threads=1)
    found = len(list(reader))
    assert 10 < found < 40
    assert any(text.startswith("the file is truncated: it declares 50 frames, 2.0 s") for text in reader.warnings)
    assert scan_video(half).warnings[0].startswith("the file is truncated")


def test_cut_avi_is_told_by_its_declared_count(tmp_path: Path) -> None:
    path = write_video(tmp_path / "whole.avi", [pattern(i) for i in range(50)], codec="mpeg4")
    half = tmp_path / "half.avi"
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    reader = VideoReader(half, threads=1)
    assert 10 < len(list(reader)) < 40
    assert any("declares 50 frames" in text for text in reader.warnings)


def test_file_cut_before_its_index_is_an_error_with_a_hint(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.mp4"
    path.write_bytes(plain.read_bytes()[: plain.stat().st_size // 2])
    with pytest.raises(MediaError, match=r"cannot open video '.*': truncated, corrupt or not a video") as caught:
        probe_video(path)
    assert "H.264" in caught.value.hint


def test_damage_costs_its_group_of_pictures_only(tmp_path: Path) -> None:
    path = write_video(tmp_path / "whole.mp4", [pattern(i // 5) for i in range(50)], options={"movflags": "faststart"})
    broken = damaged(tmp_path / "broken.mp4", path, at=0.5, num_bytes=60)
    whole = {frame.index: frame.rgb() for frame in VideoReader(path)}
    reader = VideoReader(broken, threads=1)
    found = {frame.index: frame.rgb() for frame in reader}
    assert 38 <= len(found) < 50
    assert all(np.array_equal(whole[index], image) for index, image in found.items())
    assert len(found) + reader.num_damaged == 50
    assert reader.warnings == (f"{reader.num_damaged} corrupt frames skipped, {len(found)} decoded",)


def test_damaged_video_read_with_one_thread_is_the_same_twice(plain: Path, tmp_path: Path) -> None:
    broken = damaged(tmp_path / "broken.mp4", plain, at=0.4, num_bytes=40)
    first, second = ([(frame.index, frame.rgb().sum()) for frame in VideoReader(broken, threads=1)] for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"this is no video\n" * 200, "cannot open video"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", "video 'list|'.*list.mp4'"),
        ("words.mp4", b"1\n00:00:00,000 --> 00:00:01,000\nhello\n\n" * 5, "has no video stream"),
    ],
    ids=["empty", "text", "playlist", "subtitles"],
)
def test_file_that_is_no_video_is_an_error(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MediaError, match=message) as caught:
        probe_video(tmp_path / name)
    assert caught.value.hint


def test_missing_file_and_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"video '.*gone.mp4' not found"):
        probe_video(tmp_path / "gone.mp4")
    with pytest.raises(MediaError, match="is a folder"):
        probe_video(tmp_path)


def test_name_that_is_not_utf8_is_read(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "gr\udcfc\udcdfe.mp4"
    try:
        path.write_bytes(plain.read_bytes())
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only UTF-8 names")
    assert codes(VideoReader(path))[:3] == [0, 1, 2]


def test_name_that_looks_like_an_order_to_ffmpeg_is_a_file(plain: Path, tmp_path: Path) -> None:
    path = tmp_path / "concat:a|b.mp4"
    try:
        path.write_bytes(plain.read_bytes())
    except OSError:
        pytest.skip("this file system takes no such name")
    assert probe_video(path).num_frames == 50


def written(path: Path, pictures: list[np.ndarray], **options: object) -> Path:
    height, width = pictures[0].shape[:2]
    with VideoWriter(path, (width, height), 25.0) as writer:
        for picture in pictures:
            writer.write(picture, **options)  # type: ignore[arg-type]
    return path


def test_written_video_has_the_frames_and_times_it_was_given(tmp_path: Path) -> None:
    path = written(tmp_path / "out.mp4", [coded(i) for i in range(30)])
    frames = [(read_code(frame.luma), frame.time_s) for frame in VideoReader(path)]
    assert [code for code, _ in frames] == list(range(30))
    assert [time_s for _, time_s in frames] == pytest.approx([i / 25 for i in range(30)], abs=1e-4)


def test_written_video_keeps_variable_times(tmp_path: Path) -> None:
    times = [0.0, 0.08, 0.17, 1.5, 1.501, 3.0]
    with VideoWriter(tmp_path / "out.mp4", SIZE, 12.5) as writer:
        for number, time_s in enumerate(times):
            writer.write(coded(number), time_s)
    assert [frame.time_s for frame in VideoReader(tmp_path / "out.mp4")] == pytest.approx(times, abs=1e-4)


def test_times_that_do_not_rise_lose_no_frame(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", SIZE, 25.0) as writer:
        for number, time_s in enumerate([0.0, 0.0, 0.04, 0.02]):
            writer.write(coded(number), time_s)
    assert codes(VideoReader(tmp_path / "out.mp4")) == [0, 1, 2, 3]


def test_written_colours_come_back(tmp_path: Path) -> None:
    path = written(tmp_path / "out.mp4", [pattern(1)] * 3)
    found = next(iter(VideoReader(path))).rgb().astype(int)
    inside = np.abs(found - pattern(1))[4::16, 4::16]
    assert inside.mean() < 6


def test_odd_sides_get_their_last_row_and_column_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "odd.mp4", [pattern(1)[:95, :127]] * 2)
    assert (probe_video(path).width, probe_video(path).height) == (128, 96)


def test_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    pictures = [pattern(i // 4) for i in range(12)]
    assert written(tmp_path / "a.mp4", pictures).read_bytes() == written(tmp_path / "b.mp4", pictures).read_bytes()


def test_writing_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="a frame of"), VideoWriter(path, SIZE, 25.0) as writer:
        writer.write(coded(1)[:50])
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.mp4"]


def test_video_without_frames_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no frame was written"), VideoWriter(tmp_path / "out.mp4", SIZE, 25.0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="suffix"):
        VideoWriter(tmp_path / "out.txt", SIZE, 25.0)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "num_frames", "size"),
    [
        ("three-people.gif", 41, (480, 270)),
        ("one-person-turning.gif", 23, (480, 270)),
        ("portrait.mp4", 472, (640, 360)),
        ("face-appears.mov", 169, (960, 540)),
        ("no-face.mp4", 95, (960, 540)),
        ("tree-no-face.avi", 68, (320, 240)),
    ],
)
def test_real_video_is_read_whole(real_data: Path, name: str, num_frames: int, size: tuple[int, int]) -> None:
    path = real_data / "videos" / name
    reader = VideoReader(path)
    indexes, times = zip(*((frame.index, frame.time_s) for frame in reader), strict=True)
    with av.open(str(path)) as container:
        stamps = [frame.time for frame in container.decode(video=0)]
    assert indexes == tuple(range(num_frames))
    assert times == pytest.approx(stamps)
    assert (reader.num_damaged, reader.warnings) == (0, ())
    info = probe_video(path)
    assert (info.width, info.height) == size


@pytest.mark.real_data
def test_frames_of_a_real_gif_are_those_that_pillow_reads(real_data: Path) -> None:
    path = real_data / "videos" / "three-people.gif"
    with Image.open(path) as image:
        for shown, frame in islice(zip(ImageSequence.Iterator(image), VideoReader(path), strict=True), 12):
            np.testing.assert_array_equal(frame.rgb(), np.asarray(shown.convert("RGB")))
