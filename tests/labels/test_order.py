import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fercli.labels.order import MIN_GAP, shuffled, uncertain_first, with_repeats

FACES = [f"lesson/f{number:06d}-0" for number in range(200)]


def test_each_annotator_has_an_order_of_their_own() -> None:
    orders = [shuffled(FACES, seed=0, annotator=name) for name in ("a1", "a2")]
    assert orders[0] != orders[1] != FACES
    assert all(sorted(order) == FACES for order in orders)
    assert orders[0] == shuffled(reversed(FACES), seed=0, annotator="a1")
    assert orders[0] != shuffled(FACES, seed=1, annotator="a1")


def test_new_faces_leave_the_order_of_the_others() -> None:
    before = shuffled(FACES[:150], seed=0, annotator="a1")
    after = shuffled(FACES, seed=0, annotator="a1")
    assert [face for face in after if face in set(before)] == before


@given(st.floats(0, 1), st.integers(1, 120), st.integers(0, 5))
def test_second_look_comes_after_the_first_with_others_between(share: float, number: int, seed: int) -> None:
    items = with_repeats(FACES[:number], share, seed=seed, annotator="a1")
    places = {item: place for place, item in enumerate(items)}
    firsts = [face for face, copy in items if copy == 1]
    assert firsts == FACES[:number]
    repeated = [face for face, copy in items if copy == 2]
    assert len(repeated) == len(set(repeated)) == min(round(share * number), max(1, int(0.8 * number)))
    for face in repeated:
        gap = places[face, 2] - places[face, 1]
        assert gap > min(MIN_GAP, number - places[face, 1] - 1)


def test_no_repeats_unless_asked() -> None:
    assert with_repeats(FACES, 0.0, seed=0, annotator="a1") == [(face, 1) for face in FACES]


def test_most_uncertain_face_comes_first() -> None:
    rows = {"sure": (0.98, 0.01, 0.01), "torn": (0.34, 0.33, 0.33), "between": (0.6, 0.3, 0.1)}
    assert uncertain_first(rows, {}) == ["torn", "between", "sure"]


def test_margin_looks_at_the_two_first_classes_only() -> None:
    rows = {"two": (0.5, 0.5, 0.0, 0.0), "four": (0.4, 0.2, 0.2, 0.2)}
    assert math.log(2) < -(0.4 * math.log(0.4) + 3 * 0.2 * math.log(0.2))
    assert uncertain_first(rows, {}, measure="margin") == ["two", "four"]
    assert uncertain_first(rows, {}, measure="entropy") == ["four", "two"]


def test_groups_take_turns() -> None:
    doubt = {"a1": 0.5, "a2": 0.55, "a3": 0.6, "b1": 0.9, "b2": 0.95}
    rows = {face: (top, 1 - top) for face, top in doubt.items()}
    groups = {face: face[0] for face in doubt}
    assert uncertain_first(rows, groups) == ["a1", "b1", "a2", "b2", "a3"]
    assert uncertain_first(rows, groups, num_labelled={"a": 2}) == ["b1", "b2", "a1", "a2", "a3"]


@pytest.mark.parametrize("measure", ["entropy", "margin"])
def test_order_does_not_depend_on_that_of_the_table(measure: str) -> None:
    rows = {"c": (0.5, 0.5), "a": (0.5, 0.5), "b": (0.7, 0.3)}
    turned = dict(reversed(rows.items()))
    assert uncertain_first(rows, {}, measure=measure) == uncertain_first(turned, {}, measure=measure)  # type: ignore[arg-type]  # one of the two
