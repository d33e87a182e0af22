from hypothesis import given
from hypothesis import strategies as st

from fercli.labels.pseudonyms import ADJUDICATOR, extend_pseudonyms

NAMES = st.lists(st.sampled_from(["zoe", "ben", "a1", "a2", "a3", "a07", "a5", "ballot01", "user@x.org"]), unique=True)


def test_names_become_numbers_in_the_order_they_are_met() -> None:
    assert extend_pseudonyms({}, ["zoe", "anna", "zoe"]) == {"zoe": "a1", "anna": "a2"}


def test_known_names_keep_their_pseudonym() -> None:
    assert extend_pseudonyms({"zoe": "a1", "anna": "a7"}, ["ben", "anna"]) == {"zoe": "a1", "anna": "a7", "ben": "a8"}


def test_pseudonym_that_comes_back_means_itself() -> None:
    assert extend_pseudonyms({"zoe": "a1"}, ["a1", "a2"]) == {"zoe": "a1", "a1": "a1", "a2": "a2"}


def test_ballots_and_adjudicator_are_not_hidden() -> None:
    names = ["ballot01", ADJUDICATOR]
    assert extend_pseudonyms({}, names) == {name: name for name in names}


def test_pseudonyms_of_another_project_stay_apart_in_any_order() -> None:
    assert extend_pseudonyms({}, ["a3", "a1", "zoe", "a2"]) == {"a3": "a3", "a1": "a1", "zoe": "a4", "a2": "a2"}


def test_login_that_only_looks_like_a_pseudonym_is_hidden() -> None:
    assert extend_pseudonyms({}, ["a07"]) == {"a07": "a1"}


@given(NAMES)
def test_two_people_never_share_a_pseudonym(names: list[str]) -> None:
    key = extend_pseudonyms({}, names)
    assert list(key) == names
    assert len(set(key.values())) == len(names)
