import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fercli.vision.video.containers import Source, open_video
from fercli.vision.video.decoded_frame import DecodedFrame
from fercli.vision.video.jumps import Jumps, Landing
from fercli.vision.video.reader import VideoReader
from tests.vision.videos import coded, write_video

FPS, NUM_FRAMES = 25, 100
Seen = tuple[int, float, str]
OPEN = {"x264-params": "keyint=12:bframes=3:open-gop=1:scenecut=0"}
PYRAMID = {"preset": "medium", "x264-params": "keyint=15:bframes=5:b-pyramid=normal:scenecut=0"}
LISTED_FIRST = {"movflags": "faststart", "x264-params": "keyint=10:bframes=3:scenecut=0"}


def film(path: Path, **how: object) -> Path:
    return write_video(path, [coded(number) for number in range(NUM_FRAMES)], **how)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds, a key frame every 0.4 s."""
    return film(tmp_path_factory.mktemp("jumps") / "plain.mp4")


def jump(path: Path, time_s: float, next_place: int = 0) -> Landing | None:
    with open_video(path) as source:
        return Jumps(source).to(time_s, next_place)


def seen(frame: DecodedFrame) -> Seen:
    return frame.index, frame.time_s, hashlib.sha256(frame.luma.tobytes()).hexdigest()


def test_jump_lands_on_the_key_frame_before(plain: Path) -> None:
    landing = jump(plain, 3.3)
    assert landing is not None
    assert (landing.num_before, landing.num_shown_before, landing.packet.is_keyframe) == (80, 80, True)


@pytest.mark.parametrize(("time_s", "next_place"), [(0.0, 0), (0.3, 0), (2.1, 50), (-1.0, 0)])
def test_near_goal_is_reached_without_a_jump(plain: Path, time_s: float, next_place: int) -> None:
    assert jump(plain, time_s, next_place) is None


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("fragments.mp4", {"options": {"movflags": "frag_keyframe+empty_moov"}}),
        ("matroska.mkv", {}),
        ("program.ts", {}),
        ("old.avi", {"codec": "mpeg4"}),
    ],
)
def test_file_that_does_not_list_its_packets_is_read_through(name: str, how: dict[str, object], tmp_path: Path) -> None:
    assert jump(film(tmp_path / name, **how), 3.3) is None


FILMS: dict[str, dict[str, object]] = {
    "plain.mp4": {},
    "plain.mov": {"codec": "mpeg4"},
    "open.mp4": {"options": OPEN},
    "pyramid.mp4": {"options": PYRAMID, "key_every": 15},
    "keys.mp4": {"key_every": 1},
    "no-edits.mp4": {"options": LISTED_FIRST | {"use_editlist": "0"}},
    "fragments.mp4": {"options": {"movflags": "frag_keyframe+empty_moov"}},
    "matroska.mkv": {},
}
# Every distance from the key frame before; the last is a key frame in all of them.
STARTS = (*range(0, NUM_FRAMES, 13), 60)


@pytest.fixture(scope="module", params=FILMS)
def filmed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Seen]]:
    """A film, and its frames as they are when all are read."""
    path = film(tmp_path_factory.mktemp("filmed") / request.param, **FILMS[request.param])
    return path, [seen(frame) for frame in VideoReader(path)]


@pytest.mark.parametrize("threads", [1, None])
def test_frames_are_those_of_reading_through(filmed: tuple[Path, list[Seen]], threads: int | None) -> None:
    path, all_seen = filmed
    for start in STARTS:
        wanted = [place / FPS for place in (start, start + 1, start + 30, start + 31, start + 75) if place < NUM_FRAMES]
        reader = VideoReader(path, threads=threads)
        assert [seen(frame) for frame in reader.at(wanted)] == [all_seen[round(time_s * FPS)] for time_s in wanted]
        assert reader.warnings == ()
        ending = VideoReader(path, start_s=start / FPS, threads=threads)
        assert [seen(frame) for frame in ending] == all_seen[start:]


def test_packets_between_are_not_read(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def counted(source: Source) -> Iterator[object]:
        for packet in packets(source):
            read.append(packet)
            yield packet

    packets = Source.packets
    monkeypatch.setattr(Source, "packets", counted)
    assert [frame.index for frame in VideoReader(plain, threads=1).at([0.2, 3.3])] == [5, 83]
    assert 10 <= len(read) <= 40


@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_file_that_is_cut_off_gives_what_is_left(share: float, tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", options=LISTED_FIRST)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    through = VideoReader(path, threads=1)
    all_seen = [seen(frame) for frame in through]
    reader = VideoReader(path, threads=1)
    found = [seen(frame) for frame in reader.at([0.2, 0.8, 2.4])]
    assert found == [all_seen[place] for place in (5, 20, 60) if place < len(all_seen)]
    assert [text for text in reader.warnings if "truncated" in text] == [
        text for text in through.warnings if "truncated" in text
    ]


@pytest.mark.parametrize("first", range(41, 60, 2))
def test_damage_before_does_not_change_an_index(first: int, tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", options=LISTED_FIRST)
    with open_video(path) as source:
        places = [packet.pos for packet in source.packets()]
    data = bytearray(path.read_bytes())
    for place in range(places[first], places[first] + 30):
        data[place] ^= 0xFF
    path.write_bytes(data)
    through, later = VideoReader(path, threads=1), VideoReader(path, threads=1, start_s=3)
    for frames in ([frame for frame in through if frame.time_s >= 3], list(later)):
        assert [(frame.index, round(frame.time_s * FPS)) for frame in frames] == [(n, n) for n in range(75, NUM_FRAMES)]
