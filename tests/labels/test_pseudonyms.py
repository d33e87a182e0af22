from fercli.labels.pseudonyms import ADJUDICATOR, extend_pseudonyms


def test_names_become_numbers_in_the_order_they_are_met() -> None:
    assert extend_pseudonyms({}, ["zoe", "anna", "zoe"]) == {"zoe": "a1", "anna": "a2"}


def test_known_names_keep_their_pseudonym() -> None:
    assert extend_pseudonyms({"zoe": "a1", "anna": "a7"}, ["ben", "anna"]) == {"zoe": "a1", "anna": "a7", "ben": "a8"}


def test_pseudonym_that_comes_back_means_itself() -> None:
    assert extend_pseudonyms({"zoe": "a1"}, ["a1", "a2"]) == {"zoe": "a1", "a1": "a1", "a2": "a2"}


def test_ballots_and_adjudicator_are_not_hidden() -> None:
    names = ["ballot01", ADJUDICATOR]
    assert extend_pseudonyms({}, names) == {name: name for name in names}
