import pytest

from fercli.core.errors import SettingsError
from fercli.core.settings import Layer, resolve_settings
from fercli.stages.train import TrainSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [("threads", "0"), ("threads", "100000"), ("lr", "inf"), ("mixup", "inf"), ("time-limit", "nan")],
)
def test_numbers_that_no_training_can_use_name_their_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"invalid value '?{value}'? for '{name}' \(--set\)"):
        resolve_settings(TrainSettings, [Layer("--set", {name: value})])
