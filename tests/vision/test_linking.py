"""People who walk and cross: place tells little, looks tell the rest, and what neither tells is not guessed."""

import numpy as np
import pytest

from fercli.vision.linking import DEFAULT_CHANGE, Look, link_faces, look_change, look_of, telling_change


def at(*lefts: float) -> np.ndarray:
    return np.array([(left, 50.0, 20.0, 20.0) for left in lefts]).reshape(-1, 4)


def looks(*rows: str) -> list[list[Look | None]]:
    """A look for each letter: equal letters look alike, a dot cannot be read."""
    known = {letter: np.full(4, 10.0 * place) for place, letter in enumerate("abc")}
    return [[known.get(letter) for letter in row] for row in rows]


def linked(frames: list[np.ndarray], seen: list[list[Look | None]], **more: object) -> list[list[int]]:
    return link_faces(frames, lambda frame, place: seen[frame][place], **more)  # type: ignore[arg-type]


def test_people_who_cross_keep_their_tracks() -> None:
    frames = [at(0, 100), at(40, 60), at(42, 58), at(100, 0)]
    assert linked(frames, looks("ab", "ab", "ba", "ab")) == [[0, 1], [0, 1], [1, 0], [0, 1]]


def test_one_who_takes_the_place_of_another_is_another() -> None:
    assert linked([at(0), at(3)], looks("a", "b")) == [[0], [1]]


def test_one_who_walks_far_is_followed_by_looks() -> None:
    assert linked([at(0, 200), at(60, 200), at(120, 200)], looks("ab", "ab", "ab")) == [[0, 1]] * 3


def test_two_who_look_alike_are_not_guessed_between() -> None:
    frames = [at(0, 30), at(14, 16)]
    assert linked(frames, looks("aa", "aa")) == [[0, 1], [2, 3]]


def test_where_no_crop_can_be_read_place_alone_tells() -> None:
    assert linked([at(0, 100), at(5, 130)], looks("..", "..")) == [[0, 1], [0, 2]]


def test_no_track_crosses_a_cut() -> None:
    frames, seen = [at(0)] * 4, looks("a", "a", "a", "a")
    assert linked(frames, seen) == [[0]] * 4
    assert linked(frames, seen, cuts={2}) == [[0], [0], [1], [1]]


def test_who_sits_still_is_not_looked_at_again() -> None:
    asked = []

    def look_at(frame: int, place: int) -> Look:
        asked.append((frame, place))
        return np.zeros(4)

    frames = [at(0, 100), *[at(1, 101), at(0, 100)] * 5]
    assert link_faces(frames, look_at) == [[0, 1]] * 11
    assert {frame for frame, _ in asked} == {0, 1}


def test_people_seen_together_tell_how_much_makes_another_person() -> None:
    assert telling_change([[np.zeros(4), np.ones(4)]]) == DEFAULT_CHANGE
    together = [[np.zeros(4), np.full(4, 2.0), np.full(4, 4.0)]] * 5
    assert telling_change(together) == pytest.approx(0.85 * 2.0)
    assert telling_change([[np.zeros(4), np.full(4, 50.0)]] * 20) == 3.3


def test_look_is_of_colour_and_light_not_of_size() -> None:
    rng = np.random.default_rng(0)
    crop = np.kron(rng.integers(0, 255, (12, 12, 3), np.uint8), np.ones((8, 8, 1), np.uint8))
    larger = np.kron(crop, np.ones((2, 2, 1), np.uint8))
    assert look_change(look_of(crop), look_of(larger)) < 0.01
    assert look_change(look_of(crop), look_of(255 - crop)) > 10
