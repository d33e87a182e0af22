from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from fercli.vision.keyframes import selectors
from fercli.vision.keyframes.selection import SELECTORS, KeptFrame, Selection, SelectionRule, select_frames
from fercli.vision.video.reader import VideoReader
from tests.vision.videos import coded, pattern, read_code, write_video

CUTS = (0, 24, 39, 70)


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds at ten frames a second; every frame tells its index."""
    return write_video(tmp_path_factory.mktemp("counted") / "v.mp4", [coded(i) for i in range(100)], fps=10)


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four shots of unlike pictures at 25 frames a second, in each of which a square wanders."""
    pictures = []
    for number in range(90):
        shot = sum(number >= cut for cut in CUTS)
        picture = pattern(shot).copy()
        left = number * 2 % 100
        picture[40:60, left : left + 20] = 240
        pictures.append(picture)
    return write_video(tmp_path_factory.mktemp("shots") / "v.mp4", pictures, key_every=50)


def kept(path: Path, rule: SelectionRule, **options: float | None) -> list[KeptFrame]:
    return list(select_frames(VideoReader(path, threads=1, **options), rule))  # type: ignore[arg-type]


def indexes(path: Path, rule: SelectionRule, **options: float | None) -> list[int]:
    return [frame.index for frame in kept(path, rule, **options)]


@pytest.mark.parametrize("method", SELECTORS)
def test_image_is_that_of_the_index(counted: Path, method: str) -> None:
    rule = SelectionRule(method, every_s=3.1, num=3, change_threshold=2.0)  # type: ignore[arg-type]
    frames = kept(counted, rule)
    assert frames
    for frame in frames:
        assert read_code(cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY)) == frame.index
        assert frame.time_s == pytest.approx(frame.index / 10)


@pytest.mark.parametrize("method", SELECTORS)
def test_two_runs_choose_the_same(shots: Path, method: str) -> None:
    rule = SelectionRule(method, every_s=0.5, num=4)  # type: ignore[arg-type]
    first, second = kept(shots, rule), kept(shots, rule)
    assert [(f.index, f.score, f.phash, f.sharpness) for f in first] == [
        (f.index, f.score, f.phash, f.sharpness) for f in second
    ]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("method", SELECTORS)
def test_frames_come_in_order_and_once(shots: Path, method: str) -> None:
    found = indexes(shots, SelectionRule(method, every_s=0.3, num=6))  # type: ignore[arg-type]
    assert found == sorted(set(found))


@pytest.mark.parametrize("method", SELECTORS)
def test_nothing_outside_start_and_end_is_chosen(shots: Path, method: str) -> None:
    frames = kept(shots, SelectionRule(method, every_s=0.3, num=6), start_s=1.0, end_s=2.0)  # type: ignore[arg-type]
    assert frames
    assert all(1.0 <= frame.time_s < 2.0 for frame in frames)


@pytest.mark.parametrize("method", SELECTORS)
def test_video_of_one_frame_gives_it(tmp_path: Path, method: str) -> None:
    path = write_video(tmp_path / "one.mp4", [coded(1)])
    assert indexes(path, SelectionRule(method)) == [0]  # type: ignore[arg-type]


@pytest.mark.parametrize("method", SELECTORS)
def test_interval_without_frames_gives_none(counted: Path, method: str) -> None:
    assert indexes(counted, SelectionRule(method), start_s=60.0) == []  # type: ignore[arg-type]


def test_every_takes_the_first_frame_at_or_after_each_multiple(counted: Path) -> None:
    assert indexes(counted, SelectionRule("every", every_s=2.0)) == [0, 20, 40, 60, 80]
    assert indexes(counted, SelectionRule("every", every_s=0.75)) == [
        0,
        8,
        15,
        23,
        30,
        38,
        45,
        53,
        60,
        68,
        75,
        83,
        90,
        98,
    ]


def test_every_counts_from_the_start_asked_for(counted: Path) -> None:
    assert indexes(counted, SelectionRule("every", every_s=2.0), start_s=0.5) == [5, 25, 45, 65, 85]


def test_every_shorter_than_a_frame_takes_each_frame_once(counted: Path) -> None:
    assert indexes(counted, SelectionRule("every", every_s=0.01)) == list(range(100))


def test_every_goes_by_time_where_the_frame_rate_varies(tmp_path: Path) -> None:
    times = [Fraction(n, 10) for n in (0, 3, 9, 12, 13, 44, 51)]
    path = write_video(tmp_path / "vfr.mp4", [coded(i) for i in range(7)], times=times)
    # After 0, 1, 2, 3, 4 and 5 s: the frame at 4.4 s is the first after three of them.
    assert indexes(path, SelectionRule("every", every_s=1.0)) == [0, 3, 5, 6]


def test_sharpest_takes_the_one_clear_frame_of_each_time(tmp_path: Path) -> None:
    clear = {2, 7, 9, 14}
    pictures = [pattern(1) if i in clear else cv2.GaussianBlur(pattern(1), (31, 31), 12) for i in range(18)]
    path = write_video(tmp_path / "soft.mp4", pictures, fps=5)
    frames = kept(path, SelectionRule("every", every_s=1.0, sharpest=True))
    # The last 0.6 s have none that stands out.
    assert [frame.index for frame in frames][:3] == [2, 7, 14] or [frame.index for frame in frames][:3] == [2, 9, 14]
    assert len(frames) == 4
    assert all(frame.score == frame.sharpness for frame in frames)


def test_sharpest_of_one_frame_a_time_is_that_frame(tmp_path: Path) -> None:
    times = [Fraction(n, 10) for n in (0, 13, 29, 90)]
    path = write_video(tmp_path / "vfr.mp4", [coded(i) for i in range(4)], times=times)
    assert indexes(path, SelectionRule("every", every_s=1.0, sharpest=True)) == [0, 1, 2, 3]


def test_uniform_takes_the_middle_of_equal_parts(counted: Path) -> None:
    assert indexes(counted, SelectionRule("uniform", num=5)) == [10, 30, 50, 70, 90]
    assert indexes(counted, SelectionRule("uniform", num=2), start_s=4.0, end_s=8.0) == [50, 70]


def test_uniform_gives_all_frames_when_more_are_wanted(counted: Path) -> None:
    assert indexes(counted, SelectionRule("uniform", num=7), start_s=2.0, end_s=2.3) == [20, 21, 22]


def test_uniform_takes_a_long_lasting_frame_once(tmp_path: Path) -> None:
    times = [Fraction(n, 10) for n in (0, 1, 2, 3, 90)]
    path = write_video(tmp_path / "vfr.mp4", [coded(i) for i in range(5)], times=times)
    # All three middles lie between 0.3 s and 9 s.
    assert indexes(path, SelectionRule("uniform", num=3)) == [3]


def test_uniform_spreads_over_what_a_cut_file_holds(counted: Path, tmp_path: Path) -> None:
    path = write_video(tmp_path / "whole.mp4", [pattern(i) for i in range(60)], options={"movflags": "faststart"})
    half = tmp_path / "half.mp4"
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    selection = select_frames(VideoReader(half, threads=1), SelectionRule("uniform", num=4))
    assert len(list(selection)) == 4
    assert any("truncated" in text for text in selection.warnings)


def test_change_keeps_the_first_frame_and_one_of_each_shot(shots: Path) -> None:
    frames = kept(shots, SelectionRule("change", change_threshold=25.0, min_gap_s=0.2))
    assert [frame.index for frame in frames] == list(CUTS)
    assert frames[0].score is None
    assert all(frame.score is not None and frame.score > 25.0 for frame in frames[1:])


def test_change_in_a_still_video_keeps_one_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "still.mp4", [pattern(1)] * 40)
    assert indexes(path, SelectionRule("change")) == [0]


def test_change_waits_for_the_gap(shots: Path) -> None:
    # The cut at 0.96 s lies within 1.2 s of the first frame, so its shot is kept from 1.2 s on.
    assert indexes(shots, SelectionRule("change", change_threshold=25.0, min_gap_s=1.2))[:2] == [0, 30]


def test_scene_finds_the_cuts_and_nothing_else(shots: Path) -> None:
    frames = kept(shots, SelectionRule("scene"))
    assert [frame.index for frame in frames] == list(CUTS)


def test_scene_takes_steady_motion_for_no_cut(tmp_path: Path) -> None:
    wide = np.kron(np.random.default_rng(0).integers(0, 255, (6, 60, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
    path = write_video(tmp_path / "pan.mp4", [wide[:, 8 * i : 8 * i + 128] for i in range(60)])
    assert indexes(path, SelectionRule("scene", scene_threshold=5.0, min_gap_s=0.1))[:1] == [0]
    assert len(indexes(path, SelectionRule("scene", scene_threshold=5.0, min_gap_s=0.1))) <= 2


def test_kmeans_takes_one_frame_of_each_shot(shots: Path) -> None:
    frames = kept(shots, SelectionRule("kmeans", num=4))
    assert [sum(frame.index >= cut for cut in CUTS) for frame in frames] == [1, 2, 3, 4]


def test_kmeans_score_is_the_share_of_the_video(shots: Path) -> None:
    scores = [frame.score for frame in kept(shots, SelectionRule("kmeans", num=4))]
    assert scores == pytest.approx([24 / 90, 15 / 90, 31 / 90, 20 / 90])


def test_kmeans_of_a_still_video_gives_one_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "still.mp4", [np.full((96, 128, 3), 128, np.uint8)] * 20)
    assert indexes(path, SelectionRule("kmeans", num=5)) == [0]


def test_kmeans_looks_at_key_frames_only_where_they_are_dense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "dense.mp4", [pattern(i // 20) for i in range(60)], key_every=2)
    seen = []
    unwatched = selectors.thumbnail

    def watched(luma: np.ndarray) -> np.ndarray:
        seen.append(luma.shape)
        return unwatched(luma)

    monkeypatch.setattr(selectors, "thumbnail", watched)
    assert [index // 20 for index in indexes(path, SelectionRule("kmeans", num=3))] == [0, 1, 2]
    assert len(seen) < 40


def test_long_video_is_clustered_on_every_other_frame(counted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "_MAX_CLUSTERED", 16)
    seen: list[int] = []
    uncounted = selectors.cluster

    def counting(thumbnails: np.ndarray, num: int, seed: int) -> object:
        seen.append(len(thumbnails))
        return uncounted(thumbnails, num, seed)

    monkeypatch.setattr(selectors, "cluster", counting)
    assert len(indexes(counted, SelectionRule("kmeans", num=4))) == 4
    assert 8 <= seen[0] <= 16


def test_cluster_returns_the_row_nearest_to_each_centre() -> None:
    rows = np.array([[0, 0], [2, 0], [1, 0], [200, 200], [204, 200], [206, 200]], np.uint8)
    nearest, shares = selectors.cluster(rows, 2, 0)
    # Centres (1, 0) and (203.33, 200).
    assert sorted(nearest.tolist()) == [2, 4]
    np.testing.assert_allclose(shares, [0.5, 0.5])


def blurred_shots(tmp_path: Path) -> Path:
    sharp, soft = pattern(5), cv2.GaussianBlur(pattern(5), (31, 31), 12)
    return write_video(tmp_path / "soft.mp4", [sharp, soft, soft, sharp, soft], fps=1)


def test_filters_are_off_by_default(tmp_path: Path) -> None:
    selection = select_frames(VideoReader(blurred_shots(tmp_path)), SelectionRule("every", every_s=1.0))
    assert [frame.index for frame in selection] == [0, 1, 2, 3, 4]
    assert (selection.num_chosen, selection.num_kept, dict(selection.drops), selection.warnings) == (5, 5, {}, ())


def dropped(tmp_path: Path, make_rule: Callable[[], SelectionRule]) -> tuple[list[int], Selection]:
    selection = select_frames(VideoReader(blurred_shots(tmp_path)), make_rule())
    return [frame.index for frame in selection], selection


def test_blurred_frames_are_dropped_counted_and_over_half_is_a_warning(tmp_path: Path) -> None:
    found, selection = dropped(tmp_path, lambda: SelectionRule("every", every_s=1.0, min_sharpness=100.0))
    assert found == [0, 3]
    assert dict(selection.drops) == {"blurred": 3}
    assert selection.warnings == ("more than half of the 5 selected frames were dropped by filters: 3 blurred",)


def test_alike_frames_are_dropped_and_counted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "pairs.mp4", [pattern(1), pattern(1), pattern(2), pattern(1)], fps=1)
    selection = select_frames(VideoReader(path), SelectionRule("every", every_s=1.0, dedup_bits=4))
    assert [frame.index for frame in selection] == [0, 2, 3]
    assert dict(selection.drops) == {"duplicate": 1}
    assert selection.warnings == ()


def test_interval_must_be_positive() -> None:
    with pytest.raises(ValueError, match="every_s"):
        SelectionRule("every", every_s=0.0)


@pytest.mark.real_data
@pytest.mark.parametrize("method", SELECTORS)
@pytest.mark.parametrize("name", ["three-people.gif", "portrait.mp4", "tree-no-face.avi"])
def test_real_video_gives_frames(real_data: Path, name: str, method: str) -> None:
    rule = SelectionRule(method, every_s=1.0, num=3)  # type: ignore[arg-type]
    frames = kept(real_data / "videos" / name, rule)
    assert frames[0].index >= 0
    assert len(frames) == 3 if method in ("uniform", "kmeans") else 1 <= len(frames) <= 30
