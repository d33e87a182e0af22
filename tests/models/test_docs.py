import re
from pathlib import Path

import pytest

from fercli.models.table.specs import MODELS, ModelSpec

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
CELLS = [
    tuple(cell.strip() for cell in line.strip("| \n").split("|"))
    for line in re.findall(r"^\|.*\|$", PAGE, re.MULTILINE)
]
# The page's tables of speed and of maps have other numbers of columns.
ROWS = {cells[0]: cells for cells in CELLS if len(cells) == 6}


LISTED = [spec for name, spec in MODELS.items() if name in ROWS]


def test_the_page_has_a_table_of_networks() -> None:
    assert len(LISTED) >= 15


@pytest.mark.parametrize("spec", LISTED, ids=[spec.name for spec in LISTED])
def test_the_page_has_the_tables_numbers(spec: ModelSpec) -> None:
    _, size, parameters, counts, cam, _ = ROWS[spec.name]
    assert size == f"{spec.input_size} {'grey' if spec.channels == 1 else 'RGB'}"
    assert parameters == f"{spec.parameters:,}"
    assert cam.split(" ")[0] == spec.cam_layer
    table4 = spec.table4
    assert counts == (f"{table4.macs / 1e9:.3f} / {table4.parameters / 1e6:.3f}" if table4 else "")
