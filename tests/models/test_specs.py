import subprocess
import sys

import pytest

from fercli.models.table.specs import MODELS, ModelSpec

SPECS = list(MODELS.values())


def test_the_table_needs_no_torch() -> None:
    code = "import sys, fercli.models.table.specs; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("spec", SPECS, ids=list(MODELS))
def test_mean_and_std_have_one_number_per_channel(spec: ModelSpec) -> None:
    assert len(spec.mean) == len(spec.std) == spec.channels


@pytest.mark.parametrize("spec", SPECS, ids=list(MODELS))
def test_every_model_has_a_default_recipe(spec: ModelSpec) -> None:
    assert spec.recipe_for("a set nobody knows") is spec.recipes["default"]


@pytest.mark.parametrize("spec", SPECS, ids=list(MODELS))
def test_key_is_the_name(spec: ModelSpec) -> None:
    assert MODELS[spec.name] is spec


@pytest.mark.parametrize("spec", SPECS, ids=list(MODELS))
def test_what_the_paper_leaves_open_is_a_field_of_the_recipe(spec: ModelSpec) -> None:
    for recipe in spec.recipes.values():
        for name in recipe.not_stated:
            assert hasattr(recipe, name) or " of " in name
