import pytest
import torch

from fercli.core.errors import SettingsError
from fercli.models.build import build_model
from fercli.models.compact import FerCompact
from tests.models.shapes import output_shapes
from tests.models.small import pictures, small_model


def test_it_has_as_many_parameters_as_its_layers_add_up_to() -> None:
    widths = (32, 64, 128, 256, 384)
    column = 0
    for before, channels in zip((1, *widths), widths, strict=False):
        column += 9 * before * channels + 9 * channels**2 + 4 * channels
    assert sum(p.numel() for p in FerCompact(7).parameters()) == 2 * (column + 385 * 7)


def test_each_stage_but_the_first_halves_the_map() -> None:
    shapes = output_shapes(FerCompact(7), torch.zeros(1, 1, 48, 48))
    stages = [shapes[f"columns.1.{place}"] for place in range(5)]
    assert stages == [(1, 32, 48, 48), (1, 64, 24, 24), (1, 128, 12, 12), (1, 256, 6, 6), (1, 384, 3, 3)]
    assert shapes["maps"] == (1, 768, 3, 3)


def test_the_verdict_is_the_mean_probability_of_the_columns() -> None:
    found = small_model("fercli-compact", columns=3).forward_features(pictures("fercli-compact"))  # type: ignore[operator]  # its own method
    assert found.column_logits_BNK.shape == (2, 3, 7)
    torch.testing.assert_close(found.logits_BK.softmax(1), found.column_logits_BNK.softmax(2).mean(1))
    torch.testing.assert_close(found.logits_BK.exp().sum(1), torch.ones(2))


def test_columns_share_nothing() -> None:
    model = small_model("fercli-compact")
    features = model.forward_features(pictures("fercli-compact"))  # type: ignore[operator]  # its own method
    features.column_logits_BNK[:, 0].sum().backward()
    moved = [any(bool(p.grad.any()) for p in column.parameters()) for column in model.columns]  # type: ignore[union-attr]  # a ModuleList
    assert moved == [True, False]


def test_one_column_is_a_plain_network() -> None:
    found = small_model("fercli-compact", columns=1).forward_features(pictures("fercli-compact"))  # type: ignore[operator]  # its own method
    torch.testing.assert_close(found.logits_BK, found.column_logits_BNK[:, 0].log_softmax(1))


def test_dropout_rests_in_evaluation() -> None:
    torch.manual_seed(0)
    model, images = FerCompact(7, widths=(8, 8), dropout=0.5), torch.rand(2, 1, 16, 16)
    assert not torch.equal(model(images), model(images))
    model.eval()
    assert torch.equal(model(images), model(images))


@pytest.mark.parametrize("options", [{"columns": 0}, {"widths": ()}, {"depth": 0}])
def test_there_is_at_least_one_of_each(options: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match="at least one"):
        build_model("fercli-compact", num_classes=7, **options)
