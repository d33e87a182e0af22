import pytest
import torch
from torch import nn

from fercli.models.profile import profile_model, profile_network
from fercli.models.table.specs import MODELS


def test_a_network_counted_by_hand() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, groups=1), nn.BatchNorm2d(8), nn.PReLU(8), nn.Flatten())
    found = profile_network(model, torch.zeros(1, 3, 4, 4))
    assert found.macs == 16 * 8 * 27 + 4 * 16 * 8 + 16 * 8
    assert found.parameters == found.ran_parameters == (27 * 8 + 8) + 16 + 8
    assert found.buffers == 8 + 8 + 1


def test_layers_that_never_run_are_not_among_those_that_ran() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(4, 2), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.used(x)  # type: ignore[no-any-return]  # a module's call

    found = profile_network(Half(), torch.zeros(1, 4))
    assert (found.parameters, found.ran_parameters, found.macs) == (25, 10, 8)


def test_the_mode_is_put_back() -> None:
    model = nn.Linear(2, 2).train()
    profile_network(model, torch.zeros(1, 2))
    assert model.training


def test_without_shrinking_sfer_mdfae_costs_four_times_as_much() -> None:
    found = profile_model("sfer-mdfae", num_classes=6, resize="none")
    assert found.macs == pytest.approx(25.4e9, rel=5e-3)


def test_options_change_the_counts() -> None:
    assert profile_model("drf-msam", num_classes=7, width=8).parameters < MODELS["drf-msam"].parameters


def test_frozen_parameters_are_not_trainable() -> None:
    found = profile_model("poster", num_classes=7)
    assert 0 < found.parameters - found.trainable < 2e6
