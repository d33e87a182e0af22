import pytest

from fercli.core.errors import UsageError
from fercli.models.table.specs import MODELS
from fercli.stages.models import models


def test_all_networks_are_told() -> None:
    assert [spec.name for spec in models().models] == list(MODELS)


def test_an_alias_tells_of_the_network_it_stands_for() -> None:
    assert models("emonext").models[0].name == "emonext-base"


def test_one_network_comes_with_the_weights_that_fit_it() -> None:
    assert {weights.name for weights in models("sfer-mdfae").weights} == {"face.evoLVe IR-50", "POSTER++ IR-50"}


def test_an_unknown_network_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown model 'resnet'"):
        models("resnet")
