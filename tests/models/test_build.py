import pytest
from torch import nn

from fercli.core.errors import SettingsError, UsageError
from fercli.models.build import build_model, check_options, find_spec, model_options
from fercli.models.table.specs import MODELS


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="unknown model 'sfer-mdfea'") as caught:
        build_model("sfer-mdfea", num_classes=7)
    assert "Did you mean 'sfer-mdfae'?" in caught.value.hint


def test_a_name_like_no_other_gets_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        find_spec("zzz")
    assert "drf-msam" in caught.value.hint
    assert "Did you mean" not in caught.value.hint


def test_an_unknown_option_names_the_options() -> None:
    with pytest.raises(SettingsError, match="'drf-msam' has no option 'widht'") as caught:
        build_model("drf-msam", num_classes=7, widht=8)
    assert "Did you mean 'width'?" in caught.value.hint
    assert "hidden" in caught.value.hint


def test_a_choice_outside_the_list_names_the_list() -> None:
    with pytest.raises(SettingsError, match="invalid value 'xx' for option 'variant' of model 'sfer-mdfae'") as caught:
        build_model("sfer-mdfae", num_classes=7, variant="xx")
    assert "full | nm | np | np-l4 | na | rw" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "words"),
    [({"topn": "many"}, "a whole number"), ({"topn": True}, "a whole number"), ({"residual": 1}, "true or false")],
    ids=["word", "bool", "number"],
)
def test_a_value_of_the_wrong_type_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        build_model("sfer-mdfae", num_classes=7, **options)
    assert words in caught.value.hint


def test_a_list_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(SettingsError) as caught:
        build_model("sfer-mdfae", num_classes=7, widths=[8, 16])
    assert "a list of 4" in caught.value.hint


def test_a_value_out_of_range_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="topn is 50"):
        build_model("sfer-mdfae", num_classes=7, topn=50)


@pytest.mark.parametrize(
    ("name", "options", "hint"),
    [
        ("drf-msam", {"width": 0}, "at least 1"),
        ("aer-cnn", {"width": -1}, "at least 1"),
        ("sfer-mdfae", {"widths": [8, 8, 0, 8]}, "at least 1"),
        ("poster", {"depth": -1}, "at least 0"),
        ("sfernet", {"mlp_ratio": float("inf")}, "a number of at least 0"),
        ("ddamfn", {"width": -0.5}, "a number of at least 0"),
    ],
    ids=str,
)
def test_a_size_that_nothing_can_have_names_its_option(name: str, options: dict[str, object], hint: str) -> None:
    (key,) = options
    with pytest.raises(SettingsError, match=f"for option '{key}' of model '{name}'") as caught:
        build_model(name, num_classes=7, **options)
    assert hint in caught.value.hint


def test_sizes_that_do_not_go_together_name_what_was_given() -> None:
    with pytest.raises(SettingsError, match=r"'drf-msam' cannot be built with width=\d+, hidden=16: "):
        build_model("drf-msam", num_classes=7, width=10**18, hidden=16)


@pytest.mark.parametrize("key", ["num_classes", "self", "size", "name"])
def test_what_is_no_option_of_the_user_is_refused_before_the_call(key: str) -> None:
    with pytest.raises(SettingsError, match=f"'drf-msam' has no option '{key}'"):
        check_options("drf-msam", {key: 3})


def test_one_class_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 2 classes"):
        build_model("drf-msam", num_classes=1)


def test_a_list_passes_for_a_tuple() -> None:
    model = build_model("sfer-mdfae", num_classes=2, widths=[8, 8, 8, 8], blocks=[1, 1, 1, 1])
    assert isinstance(model, nn.Module)


@pytest.mark.parametrize("name", MODELS)
def test_options_have_defaults(name: str) -> None:
    assert all(value is not None for value in model_options(name).values())
