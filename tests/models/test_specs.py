import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fercli.models.table import specs
from fercli.models.table.schema import Recipe, Values, recipe
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
def test_every_value_that_a_recipe_uses_has_a_source(spec: ModelSpec) -> None:
    for way in spec.recipes.values():
        used = [
            column.name
            for column in dataclasses.fields(way)
            if column.name not in ("sources", "augmentation") and getattr(way, column.name) != column.default
        ]
        assert {*used, *(f"augmentation.{name}" for name in way.augmentation)} <= way.sources.keys()


def test_the_paper_goes_before_the_code_and_both_before_us() -> None:
    made = recipe(
        paper=Values(lr=1.0, augmentation={"flip": 0.1}),
        code=Values(lr=2.0, batch_size=8, augmentation={"flip": 0.2, "noise": 0.3}),
        ours=Values(lr=3.0, batch_size=9, epochs=5),
    )
    assert (made.lr, made.batch_size, made.epochs) == (1.0, 8, 5)
    assert made.augmentation == {"flip": 0.1, "noise": 0.3}
    assert made.sources == {
        "lr": "paper",
        "batch_size": "code",
        "epochs": "ours",
        "augmentation.flip": "paper",
        "augmentation.noise": "code",
    }


def test_values_name_the_fields_of_a_recipe() -> None:
    fields = {column.name: column.type for column in dataclasses.fields(Recipe)}
    assert {*Values.__annotations__} == {*fields} - {"sources"}


def test_the_table_finds_every_row_file() -> None:
    folder = Path(specs.__file__).parent
    written = {
        name
        for path in folder.glob("*.py")
        for name in re.findall(r'^        name="([a-z-]+)",$', path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(written) > 10
    assert written <= set(MODELS)


def test_the_order_of_the_list_is_that_of_the_places() -> None:
    places = [spec.place for spec in SPECS]
    assert places == sorted(places)
    assert next(iter(MODELS)) == "sfer-mdfae"
