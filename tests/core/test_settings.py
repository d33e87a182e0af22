from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fercli.core.errors import SettingsError, UsageError
from fercli.core.memory import fingerprint
from fercli.core.settings import (
    OPTION,
    Layer,
    assignment_layers,
    environment_values,
    identifying_settings,
    list_text,
    list_words,
    parse_duration,
    resolve_settings,
    setting,
)


@dataclass(frozen=True)
class Sample:
    """Settings of no real stage."""

    size: Literal[112, 224] = setting(112, "Cut crops of this side.")
    every_s: float = setting(2.0, "Keep one frame in this time.", option="every", unit="s", minimum=0.001)
    ratios: tuple[float, ...] = setting((0.7, 0.3), "Share out so.")
    share: float = setting(0.5, "Take this share.")
    limit: int | None = setting(None, "Stop after this many.", minimum=1)
    is_strict: bool = setting(False, "Refuse what is unmatched.", option="strict")
    method: Literal["every", "scene"] | None = setting(None, "Choose frames so.")
    out: tuple[Literal["csv", "video"], ...] = setting(("csv",), "Write these.")
    model: dict[str, str] = setting({}, "Options of the model.", is_hidden=True)


def test_a_later_layer_wins_and_every_origin_is_known() -> None:
    layers = [
        Layer("fer.toml", {"size": 224, "every": "500ms"}),
        Layer("environment", {"every": "1s"}),
        Layer("option", {"size": None, "limit": 3}),
    ]
    resolved = resolve_settings(Sample, layers)
    assert resolved.settings == Sample(size=224, every_s=1.0, limit=3)
    assert resolved.origins["size"] == "fer.toml"
    assert resolved.origins["every_s"] == "environment"
    assert resolved.origins["limit"] == "option"
    assert resolved.origins["ratios"] == "built-in"


def test_words_become_the_types_of_their_fields() -> None:
    values = {"ratios": "0.5, 0.25,0.25", "strict": "yes", "size": "224", "limit": "none", "method": "scene"}
    assert resolve_settings(Sample, [Layer("--set", values)]).settings == Sample(
        224, ratios=(0.5, 0.25, 0.25), is_strict=True, method="scene"
    )


def test_mappings_of_layers_are_laid_over_each_other() -> None:
    layers = [Layer("fer.toml", {"model": {"topn": 10, "heads": 8}}), Layer("--set", {"model": {"topn": "15"}})]
    assert resolve_settings(Sample, layers).settings.model == {"topn": "15", "heads": 8}


def test_one_word_may_be_an_option_and_a_table() -> None:
    @dataclass(frozen=True)
    class Train:
        model_name: str = setting("drf-msam", "Train this network.", option="model")
        model: dict[str, int] = setting({}, "Options of the network.", is_hidden=True)

    layers = [Layer("fer.toml", {"model": {"topn": 10}}), Layer("--set", {"model": "sfer-mdfae"})]
    assert resolve_settings(Train, layers).settings == Train("sfer-mdfae", {"topn": 10})


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        ({"sise": 112}, "unknown setting 'sise'", "Did you mean 'size'"),
        ({"size": 113}, "invalid value '113' for 'size'", "one of: 112, 224"),
        ({"limit": 0}, "invalid value 0 for 'limit'", "whole number, at least 1"),
        ({"limit": 2.5}, "invalid value '2.5' for 'limit'", "whole number"),
        ({"limit": True}, "invalid value 'True' for 'limit'", "whole number"),
        ({"every": "soon"}, "invalid value 'soon' for 'every'", "duration"),
        ({"ratios": "a,b"}, "invalid value 'a,b' for 'ratios'", "list separated by commas"),
        ({"out": "some/folder"}, "invalid value 'some/folder' for 'out'", "comma-separated): csv, video"),
        ({"strict": "maybe"}, "invalid value 'maybe' for 'strict'", "true or false"),
        ({"every": "nan"}, "invalid value 'nan' for 'every'", "duration"),
        ({"every": float("inf")}, "invalid value 'inf' for 'every'", "duration"),
        ({"every": "9" * 400 + "s"}, "invalid value '9{400}s' for 'every'", "duration"),
        ({"share": "nan"}, "invalid value 'nan' for 'share'", "a number"),
        ({"share": "inf"}, "invalid value 'inf' for 'share'", "a number"),
        ({"share": "-1e999"}, "invalid value '-1e999' for 'share'", "a number"),
        ({"share": 10**400}, "invalid value '10{400}' for 'share'", "a number"),
        ({"ratios": "0.5,inf"}, "invalid value '0.5,inf' for 'ratios'", "list separated by commas"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_impossible_value_names_its_origin_and_what_is_expected(
    values: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises(SettingsError, match=rf"{message} \(fer\.toml\)") as caught:
        resolve_settings(Sample, [Layer("fer.toml", values)])
    assert hint in caught.value.hint


def test_an_impossible_option_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="invalid value '5' for --size"):
        resolve_settings(Sample, [Layer("option", {"size": "5"})])


def test_assignments_of_set_are_values_of_the_section_or_of_a_table() -> None:
    words = ["size=224", "align.limit=3", "model.topn=15", "model.heads=4"]
    tables, plain = assignment_layers(words, "align")
    assert tables.values == {"model": {"topn": "15", "heads": "4"}}
    assert plain.values == {"size": "224", "limit": "3"}


def test_an_assignment_without_a_value_is_refused() -> None:
    with pytest.raises(UsageError, match="--set size: missing value"):
        assignment_layers(["size"], "align")


def test_environment_variables_carry_section_and_field() -> None:
    environ = {"FER_EXTRACT_FRAMES_EVERY": "3s", "FER_ALIGN_SIZE": "224", "FER_PROJECT": "x"}
    assert environment_values(environ, "extract-frames", Sample) == {"every": "3s"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2), ("500ms", 0.5), ("1.5m", 90), ("1h", 3600), ("90", 90), ("01:30", 90), ("1:00:05", 3605)],
)
def test_durations_are_read_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@dataclass(frozen=True)
class Grown:
    """A class with a setting that it did not have at first."""

    size: int = setting(3, "Set the size.")
    draw: bool = setting(False, "Draw.", is_later=True)


def test_setting_that_came_later_is_told_only_where_it_is_not_at_its_default() -> None:
    assert identifying_settings(Grown()) == {"size": 3}
    assert identifying_settings(Grown(draw=True)) == {"size": 3, "draw": True}


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), min_size=1))
def test_a_list_is_read_as_it_was_written(words: list[str]) -> None:
    assert list_words(list_text(words)) == words


def test_a_quotation_mark_that_is_not_closed_is_refused() -> None:
    with pytest.raises(UsageError, match="invalid value"):
        resolve_settings(Sample, [Layer(OPTION, {"ratios": '0.5,"0.5'})])


def test_an_added_setting_at_its_default_leaves_the_fingerprint_of_older_versions() -> None:
    @dataclass(frozen=True)
    class Before:
        size: int = setting(3, "Set the size.")

    @dataclass(frozen=True)
    class After:
        size: int = setting(3, "Set the size.")
        colour: str = setting("red", "Set the colour.", is_later=True)

    assert fingerprint(After()) == fingerprint(Before())
    assert fingerprint(After(colour="blue")) != fingerprint(Before())
