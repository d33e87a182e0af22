"""Parameters and multiply-adds of the full networks against the figures of the papers' own code."""

import warnings
from functools import cache

import pytest
import torch

from fercli.models.build import build_model
from fercli.models.profile import Profile, profile_model, profile_network
from fercli.models.table.specs import MODELS, ModelSpec

with warnings.catch_warnings():
    # thop reads torch's version with a deprecated class while it is imported.
    warnings.simplefilter("ignore")
    from thop import profile

SPECS = list(MODELS.values())
COUNTED = pytest.mark.parametrize("spec", [s for s in SPECS if s.table4], ids=[s.name for s in SPECS if s.table4])


@cache
def counts_of(name: str) -> tuple[tuple[int, int], Profile]:
    """thop's (multiply-adds, parameters), and our own counts."""
    table4 = MODELS[name].table4
    assert table4 is not None
    # On the meta device shapes are computed and numbers are not: the counts need no more.
    with torch.device("meta"):
        model = build_model(name, num_classes=table4.num_classes).eval()
        image = torch.zeros(1, MODELS[name].channels, table4.input_size, table4.input_size)
    ours = profile_network(model, image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        macs, parameters = profile(model, (image,), verbose=False)
    return (int(macs), int(parameters)), ours


@pytest.mark.parametrize("spec", SPECS, ids=list(MODELS))
def test_parameters_are_what_the_table_says(spec: ModelSpec) -> None:
    for num_classes in (7, 9):
        with torch.device("meta"):
            model = build_model(spec.name, num_classes=num_classes)
        assert sum(p.numel() for p in model.parameters()) == spec.parameters_at(num_classes)


@COUNTED
def test_thop_counts_what_the_paper_prints(spec: ModelSpec) -> None:
    table4 = spec.table4
    assert table4 is not None
    macs, parameters = counts_of(spec.name)[0]
    assert macs == pytest.approx(table4.macs, rel=5e-3)
    assert parameters == pytest.approx(table4.parameters, rel=1e-3)


@COUNTED
def test_the_papers_counts_come_out_without_thop(spec: ModelSpec) -> None:
    table4 = spec.table4
    assert table4 is not None
    ours = counts_of(spec.name)[1]
    assert ours.macs == pytest.approx(table4.macs, rel=5e-3)
    assert ours.ran_parameters == pytest.approx(table4.parameters, rel=1e-3)
    assert ours.parameters == spec.parameters_at(table4.num_classes)


EXACT = [spec for spec in SPECS if spec.table4 and spec.table4.is_exact]


@pytest.mark.parametrize("spec", EXACT, ids=[spec.name for spec in EXACT])
def test_these_parameters_are_the_papers_to_the_last_digit(spec: ModelSpec) -> None:
    assert spec.table4 is not None
    assert counts_of(spec.name)[0][1] == spec.table4.parameters


MEASURED = [spec for spec in SPECS if spec.macs]


@pytest.mark.parametrize("spec", MEASURED, ids=[spec.name for spec in MEASURED])
def test_a_network_without_a_published_table_costs_what_is_said(spec: ModelSpec) -> None:
    assert profile_model(spec.name, num_classes=7).macs == pytest.approx(spec.macs, rel=5e-3)
