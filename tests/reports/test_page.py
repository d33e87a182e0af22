import pytest

from fercli.reports.page import count, percent, percent_range

SPACE = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(("value", "text"), [(0.7123, "71.2%"), (1.0, "100.0%"), (0.0, "0.0%"), (None, "-")])
def test_share_is_shown_as_percent_with_one_place(value: float | None, text: str) -> None:
    assert percent(value) == text


def test_interval_has_both_ends_and_one_sign() -> None:
    assert percent_range(0.65, 0.771) == "65.0 to 77.1%"


@pytest.mark.parametrize(("low", "high"), [(None, 0.5), (0.5, None), (None, None)])
def test_interval_without_an_end_is_none(low: float | None, high: float | None) -> None:
    assert percent_range(low, high) == "-"


def test_an_end_at_zero_is_an_end() -> None:
    assert percent_range(0.0, 0.5) == "0.0 to 50.0%"


def test_thousands_are_set_apart() -> None:
    assert (count(28709), count(999), count(1_000_000)) == ("28,709", "999", "1,000,000")
