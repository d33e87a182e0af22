"""Parameters and multiply-adds of the full networks against the figures of the papers' own code."""

import warnings

import pytest
import torch

from fercli.models.build import build_model
from fercli.models.specs import MODELS, ModelSpec

with warnings.catch_warnings():
    # thop reads torch's version with a deprecated class while it is imported.
    warnings.simplefilter("ignore")
    from thop import profile

SPECS = list(MODELS.values())
COUNTED = [spec for spec in SPECS if spec.table4]


@pytest.mark.parametrize("spec", SPECS, ids=list(MODELS))
def test_parameters_are_what_the_table_says(spec: ModelSpec) -> None:
    for num_classes in (7, 9):
        with torch.device("meta"):
            model = build_model(spec.name, num_classes=num_classes)
        assert sum(p.numel() for p in model.parameters()) == spec.parameters_at(num_classes)


@pytest.mark.parametrize("spec", COUNTED, ids=[spec.name for spec in COUNTED])
def test_thop_counts_what_the_paper_prints(spec: ModelSpec) -> None:
    expected = spec.table4
    assert expected is not None
    # On the meta device shapes are computed and numbers are not: the counts need no more.
    with torch.device("meta"):
        model = build_model(spec.name, num_classes=expected.num_classes).eval()
        image = torch.zeros(1, spec.channels, expected.input_size, expected.input_size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macs, parameters = profile(model, (image,), verbose=False)
    assert macs == pytest.approx(expected.macs, rel=5e-3)
    assert parameters == pytest.approx(expected.parameters, rel=1e-3)
