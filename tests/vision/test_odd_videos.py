"""Files that are whole and yet not as they seem: joined, trimmed, refreshed bit by bit, with strange titles."""

import random
import struct
from pathlib import Path

import av
import pytest

from fercli.vision.keyframes.selection import SelectionRule, select_frames
from fercli.vision.keyframes.selectors import Method
from fercli.vision.video.reader import VideoReader, probe_video, scan_video
from tests.vision.videos import coded, read_code, write_video

FPS, NUM_FRAMES = 25, 100
REFRESHED = {"x264-params": "intra-refresh=1:keyint=12:bframes=0"}


def film(path: Path, **how: object) -> Path:
    return write_video(path, [coded(number) for number in range(NUM_FRAMES)], **how)  # type: ignore[arg-type]


def without_list_of_keys(path: Path) -> Path:
    """An MP4 that calls each of its frames a key frame."""
    film(path, codec="mpeg4")
    data = path.read_bytes()
    assert data.count(b"stss") == 1
    path.write_bytes(data.replace(b"stss", b"free"))
    return path


def joined(path: Path, num_parts: int = 2) -> Path:
    """A transport stream of parts each of which starts at zero."""
    path.write_bytes(film(path).read_bytes() * num_parts)
    return path


@pytest.mark.parametrize("name", ["title.avi", "title.mkv", "title.mp4"])
def test_title_in_another_encoding_does_no_harm(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "lesson nine"
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(coded(number), format="rgb24")))
        container.mux(stream.encode(None))
    path.write_bytes(path.read_bytes().replace(b"lesson nine", "leçon déjà ".encode("cp1252")))
    assert probe_video(path).codec == "mpeg4"
    assert [read_code(frame.luma) for frame in VideoReader(path)] == list(range(5))


@pytest.mark.parametrize("threads", [1, None])
@pytest.mark.parametrize("name", ["refreshed.mp4", "refreshed.mkv", "all-keys.mp4"])
def test_key_frames_that_lean_on_others_lose_nothing(name: str, threads: int | None, tmp_path: Path) -> None:
    is_refreshed = name.startswith("refreshed")
    path = film(tmp_path / name, options=REFRESHED) if is_refreshed else without_list_of_keys(tmp_path / name)
    for start in (*range(0, NUM_FRAMES, 9), NUM_FRAMES - 1):
        reader = VideoReader(path, start_s=start / FPS, threads=threads)
        assert [frame.index for frame in reader] == list(range(start, NUM_FRAMES))
    sparse = VideoReader(path, threads=threads)
    frames = [(frame.index, read_code(frame.luma)) for frame in sparse.every(0.52)]
    assert frames == [(number, number) for number in range(0, NUM_FRAMES, 13)]
    assert sparse.warnings == ("its key frames depend on earlier frames, so it was decoded from the beginning",)


def test_frames_of_joined_recordings_follow_on_each_other(tmp_path: Path) -> None:
    path = joined(tmp_path / "joined.ts")
    reader = VideoReader(path)
    seen = [(frame.index, read_code(frame.luma), round(frame.time_s * FPS)) for frame in reader]
    assert seen == [(number, number % NUM_FRAMES, number) for number in range(2 * NUM_FRAMES)]
    note = "time stamps restart at 4 s, as in concatenated files; they were read as continuous"
    assert reader.warnings == scan_video(path).warnings == (note,)
    assert scan_video(path).end_s == pytest.approx(8.0)


@pytest.mark.parametrize("method", ["every", "uniform"])
def test_both_of_two_joined_recordings_are_chosen_from(method: Method, tmp_path: Path) -> None:
    rule = SelectionRule(method, every_s=0.52, num=16)
    times_s = [frame.time_s for frame in select_frames(VideoReader(joined(tmp_path / "joined.ts")), rule)]
    assert times_s == sorted(times_s)
    assert len([time_s for time_s in times_s if time_s > 4]) > 5


def test_parts_that_overlap_a_little_follow_on_each_other(tmp_path: Path) -> None:
    path = tmp_path / "overlap.ts"
    first, second = film(tmp_path / "a.ts").read_bytes(), film(tmp_path / "b.ts").read_bytes()
    path.write_bytes(first + second + second)
    indices = [frame.index for frame in VideoReader(path)]
    assert indices == list(range(3 * NUM_FRAMES))
    assert len(scan_video(path).warnings) == 1


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_film_that_an_editor_trimmed_is_not_cut_off(share: float, tmp_path: Path) -> None:
    path = film(tmp_path / "trimmed.mp4")
    data = bytearray(path.read_bytes())
    place = data.find(b"elst") + 12
    (length,) = struct.unpack_from(">I", data, place)
    struct.pack_into(">I", data, place, int(length * share))
    path.write_bytes(data)
    reader = VideoReader(path)
    assert [frame.index for frame in reader] == list(range(int(NUM_FRAMES * share)))
    assert reader.warnings == scan_video(path).warnings == ()


def test_matroska_that_starts_late_is_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(str(film(tmp_path / "film.mp4"))) as source, av.open(str(path), "w") as container:
        copy = container.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.pts, packet.dts = packet.pts + 5 * 12800, packet.dts + 5 * 12800
                packet.stream = copy
                container.mux(packet)
    assert scan_video(path).warnings == ()
    assert probe_video(path).duration_s == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("seed", [13, 153, 186, 308])
def test_damaged_frames_never_come_out_of_order(seed: int, tmp_path: Path) -> None:
    options = {"preset": "medium", "x264-params": "keyint=30:bframes=5:b-pyramid=normal:scenecut=0"}
    path = film(tmp_path / "film.mp4", options=options)
    data, rng = bytearray(path.read_bytes()), random.Random(seed)
    first, last = data.find(b"mdat") + 900, data.find(b"moov") - 40
    for _ in range(2):
        start = rng.randrange(first, last)
        for place in range(start, start + rng.choice([1, 4, 30])):
            data[place] = rng.randrange(256)
    path.write_bytes(data)
    frames = [(frame.index, round(frame.time_s * FPS)) for frame in VideoReader(path, threads=1)]
    assert frames == sorted(set(frames))
    assert all(index == place for index, place in frames)
