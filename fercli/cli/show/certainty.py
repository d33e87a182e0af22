"""Calibration, thresholds and the comparison with annotators, as `fer eval` prints them."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from fercli.core.certainty import (
    MEASURES,
    PEOPLE,
    RULE_WORDS,
    form_names,
    people_rows,
    temperature_words,
    threshold_words,
)

_FORMS = {"raw": "as predicted", "calibrated": "with temperature"}
_FILES = "figures: reliability.png, reliability_calibrated.png, risk_coverage.png"


def show_certainty(console: Console, doubt: Mapping[str, Any], people: Mapping[str, Any]) -> None:  # JSON values
    """Print what --calibration asks for."""
    names = form_names(doubt)
    table = Table("calibration", *(_FORMS[name] for name in names), box=None, padding=(0, 2), header_style="dim")
    for key, words in MEASURES:
        table.add_row(words, *(_cell(doubt[name][key]) for name in names))
    table.add_row("area under the risk-coverage curve", *(f"{doubt[name]['aurc']:.3f}" for name in names))
    console.print(table)
    console.print(temperature_words(doubt["temperature"]), soft_wrap=True)
    for name in names:
        console.print(threshold_words(doubt, name), soft_wrap=True)
    console.print(_FILES if "calibrated" in doubt else "figures: reliability.png, risk_coverage.png", soft_wrap=True)
    rows = list(people_rows(people))
    if not rows:
        console.print("No face has the votes of two annotators, so the model is not compared with people.")
        return
    table = Table(*PEOPLE, box=None, padding=(0, 2), header_style="dim")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(RULE_WORDS, style="dim", soft_wrap=True)


def _cell(entry: Mapping[str, Any]) -> str:  # JSON values
    if entry.get("low") is None:
        return f"{entry['value']:.3f}"
    return f"{entry['value']:.3f} (95% CI {entry['low']:.3f} to {entry['high']:.3f})"
