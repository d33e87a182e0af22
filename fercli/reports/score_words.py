"""Write scores, differences, p-values and counts as the cells of tables have them."""

import math
from collections.abc import Mapping
from typing import Any

MEASURES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro-F1"}
NONE = "-"
_LEAST_P = 0.001


def with_interval(entry: Mapping[str, Any]) -> str:  # JSON values
    """A score with its interval in brackets, where it has one."""
    if entry["low"] is None:
        return f"{entry['value']:.2%}"
    return f"{entry['value']:.2%} [{entry['low']:.2%}, {entry['high']:.2%}]"


def points(value: float) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * value:+.2f}"


def p_words(value: float | None) -> str:
    """A p-value, or a dash."""
    if value is None:
        return NONE
    return f"<{_LEAST_P:g}" if value < _LEAST_P else f"{value:.3f}"


def scaled(value: float | None, unit: float, *, digits: int = 2) -> str:
    """A number in another unit, or a dash; a small one has three significant digits: no network has 0.00 million."""
    if value is None:
        return NONE
    number = value / unit
    if digits and 0 < number < 1:
        digits = max(digits, 2 - math.floor(math.log10(number)))
    return f"{number:,.{digits}f}"
