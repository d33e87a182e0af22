"""Tracks and seats on rooms whose truth is known."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from fercli.vision.mtcnn.detector import FaceDetector
from fercli.vision.tracks import Track, link_tracks, match_boxes, seats_from_tracks


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, dtype=float).reshape(-1, 4)


def at(*lefts: float, width: float = 20) -> np.ndarray:
    return boxes(*[(left, 50, width, width) for left in lefts])


def track(*lefts: float, frames: tuple[int, ...], width: float = 20) -> Track:
    return Track(at(*lefts, width=width), frames)


def test_matching_keeps_the_old_box_that_overlaps_most() -> None:
    old = boxes((0, 0, 10, 10), (100, 0, 10, 10))
    new = boxes((101, 0, 10, 10), (300, 0, 10, 10), (1, 0, 10, 10))
    assert match_boxes(old, new) == [1, None, 0]


def test_one_old_box_is_given_to_one_new_box_only() -> None:
    assert match_boxes(boxes((0, 0, 10, 10)), boxes((2, 0, 10, 10), (1, 0, 10, 10))) == [None, 0]


@pytest.mark.parametrize(("shift", "expected"), [(3.3, 0), (3.4, None)])
def test_overlap_of_one_half_is_the_border(shift: float, expected: int | None) -> None:
    # A square of 10 shifted by s overlaps by (10 - s) / (10 + s): one half at s = 10/3.
    assert match_boxes(boxes((0, 0, 10, 10)), boxes((shift, 0, 10, 10))) == [expected]


def test_matching_with_nothing_gives_nothing() -> None:
    assert match_boxes(boxes(), boxes((0, 0, 1, 1))) == [None]
    assert match_boxes(boxes((0, 0, 1, 1)), boxes()) == []


def test_still_faces_keep_their_tracks_whatever_the_order_of_detection() -> None:
    assert link_tracks([at(0, 100), at(101, 2), at(3, 99)]) == [[0, 1], [1, 0], [0, 1]]


def test_track_survives_a_short_absence() -> None:
    assert link_tracks([at(0, 100), at(100), at(100), at(1, 100)], max_missed=2) == [[0, 1], [1], [1], [0, 1]]


def test_track_ends_after_a_long_absence() -> None:
    assert link_tracks([at(0), at(), at(), at(), at(0)], max_missed=2) == [[0], [], [], [], [1]]


def test_absent_neighbour_does_not_take_ones_face() -> None:
    # Both sit 30 px (1.5 widths) apart; only the left one is seen in the second frame.
    assert link_tracks([at(0, 30), at(6), at(0, 30)]) == [[0, 1], [0], [0, 1]]


def test_face_of_another_size_in_the_same_place_is_another_track() -> None:
    assert link_tracks([at(0), at(-10, width=40)]) == [[0], [1]]


def test_walking_face_is_followed() -> None:
    assert link_tracks([at(12.0 * step) for step in range(20)]) == [[0]] * 20


def test_frames_without_faces_are_no_trouble() -> None:
    assert link_tracks([at(), at()]) == [[], []]
    assert link_tracks([]) == []


def test_tracks_in_one_place_at_different_times_share_a_seat() -> None:
    assert seats_from_tracks([track(0, 1, frames=(0, 1)), track(3, frames=(9,)), track(80, frames=(0,))]) == [0, 0, 1]


def test_tracks_seen_in_the_same_frame_never_share_a_seat() -> None:
    assert seats_from_tracks([track(0, frames=(0,)), track(5, frames=(0,))]) == [0, 1]


def test_third_track_does_not_join_two_seats_seen_together() -> None:
    seats = seats_from_tracks([track(0, frames=(0,)), track(16, frames=(0,)), track(7, frames=(1,))])
    assert seats == [0, 1, 0]


def test_seats_are_numbered_from_left_to_right() -> None:
    assert seats_from_tracks([track(200, frames=(0,)), track(0, frames=(0,)), track(100, frames=(0,))]) == [2, 0, 1]


def test_no_tracks_have_no_seats() -> None:
    assert seats_from_tracks([]) == []


@pytest.mark.parametrize("seed", range(5))
def test_class_that_sways_leans_and_hides_is_told_apart(seed: int) -> None:
    rng = np.random.default_rng(seed)
    seats = [(60.0 + 90 * column, 60.0 + 80 * row, 36.0 + 8 * row) for row in range(3) for column in range(6)]
    frames, truth = [], []
    sway = np.zeros((len(seats), 2))
    for _ in range(60):
        sway = 0.7 * sway + rng.normal(0, 4, sway.shape)
        seen = [place for place in rng.permutation(len(seats)) if rng.random() > 0.2]
        rows = []
        for place in seen:
            left, top, width = seats[place]
            wide = width * rng.uniform(0.85, 1.15)
            rows.append((left + sway[place, 0], top + sway[place, 1], wide, wide * 1.3))
        frames.append(boxes(*rows))
        truth.append(seen)
    links = link_tracks(frames, max_missed=2)
    num_tracks = 1 + max(max(numbers) for numbers in links)
    places: list[list[tuple[int, np.ndarray, int]]] = [[] for _ in range(num_tracks)]
    for frame, numbers in enumerate(links):
        for box, number, person in zip(frames[frame], numbers, truth[frame], strict=True):
            places[number].append((frame, box, person))
    found = seats_from_tracks([Track(np.array([b for _, b, _ in p]), tuple(f for f, _, _ in p)) for p in places])
    people: dict[int, list[int]] = {}
    for number, seen_there in enumerate(places):
        people.setdefault(found[number], []).extend(person for _, _, person in seen_there)
    right = sum(max(persons.count(person) for person in set(persons)) for persons in people.values())
    assert right / sum(map(len, people.values())) >= 0.99
    assert len(people) == len(seats)


@pytest.mark.real_data
def test_three_people_are_three_tracks_without_a_switch(real_data: Path) -> None:
    with Image.open(real_data / "videos" / "three-people.gif") as video:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(video)]
    found = [sorted(faces, key=lambda face: face.left) for faces in FaceDetector().detect(frames)]
    links = link_tracks([boxes(*[(f.left, f.top, f.width, f.height) for f in faces]) for faces in found])
    # The three sit side by side and stay there, so from left to right they are the same in every frame.
    assert links == [links[0]] * 41
    assert sorted(links[0]) == [0, 1, 2]
