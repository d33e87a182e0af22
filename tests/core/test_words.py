import pytest

from fercli.core.words import counted


@pytest.mark.parametrize(("number", "text"), [(0, "0 faces"), (1, "1 face"), (2, "2 faces"), (1500, "1,500 faces")])
def test_counted_things_stand_in_their_number(number: int, text: str) -> None:
    assert counted(number, "face") == text


def test_odd_plurals_are_given() -> None:
    assert (counted(1, "class", "classes"), counted(3, "class", "classes")) == ("1 class", "3 classes")
