from pathlib import Path
from typing import Any, Literal

import pytest

from fercli.core.annotations import bare_type

CASES: list[tuple[Any, Any, bool]] = [
    (int, int, False),
    (int | None, int, True),
    (Path | None, Path, True),
    (Literal["a", "b"] | None, Literal["a", "b"], True),
    (tuple[str, ...], tuple[str, ...], False),
]


@pytest.mark.parametrize(("annotation", "inner", "is_optional"), CASES, ids=str)
def test_none_is_told_from_the_type(annotation: Any, inner: Any, is_optional: bool) -> None:
    assert bare_type(annotation) == (inner, is_optional)
