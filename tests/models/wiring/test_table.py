"""No network without a plain forward pass: parameters are counted elsewhere, and counts cannot see wiring."""

import ast
from importlib.util import find_spec
from pathlib import Path

import pytest

from fercli.models.table.specs import MODELS

BUILDERS = sorted({spec.builder.partition(":")[0].rpartition(".")[2] for spec in MODELS.values()})


@pytest.mark.parametrize("module", BUILDERS)
def test_network_has_a_plain_forward_pass_of_its_own(module: str) -> None:
    """`fercli/models/networks/NAME.py` needs `tests/models/wiring/test_NAME.py` with `reference` and its test."""
    found = find_spec(f"tests.models.wiring.test_{module}")
    assert found is not None, f"tests/models/wiring/test_{module}.py is missing"
    assert found.origin is not None
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {"reference", "test_logits_equal_the_reference"} <= functions


def test_no_reference_is_built_from_the_networks_layers() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("fercli.models.networks"), path.name
