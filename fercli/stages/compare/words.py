"""A comparison to tables of words, as they are shown and as they stand in a paper."""

from collections.abc import Mapping
from typing import Any

from fercli.reports.text_table import TextTable
from fercli.stages.compare import CompareResult

_MEASURES = {"accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro-F1"}
_SETS = {"fer2013": "FER2013", "ferplus": "FERPlus", "raf-db": "RAF-DB", "affectnet7": "AffectNet-7", "scfed": "SCFED"}
_NONE = "-"
_LEAST_P = 0.001


def score_table(result: CompareResult) -> TextTable:
    """One row a run: what it costs, its scores with intervals, the F1 of each class."""
    columns = ("run", "params (M)", "MACs (G)", "training (s)", *_MEASURES.values())
    rows = []
    for one in result.runs:
        costs = (_scaled(one["parameters"], 1e6), _scaled(one["macs"], 1e9), _scaled(one["seconds"], 1.0, digits=0))
        scores = tuple(_with_interval(one[name]) for name in _MEASURES)
        marked = f"{scores[0]} ({'; '.join(one['notes'])})" if one["notes"] else scores[0]
        rows.append((one["run"], *costs, marked, *scores[1:], *(_percent(one["f1"][name]) for name in result.classes)))
    notes = [f"{result.num_faces:,} {result.split} faces of {result.num_units:,} {result.unit}s."]
    if any(one["accuracy"]["low"] is not None for one in result.runs):
        notes.append(f"95% CI in brackets: bootstrap over {result.unit}s.")
    notes.append("F1 of each class in per cent. Training times are of the machine of each run.")
    return TextTable("Scores", (*columns, *(f"F1 {name}" for name in result.classes)), tuple(rows), tuple(notes))


def difference_table(result: CompareResult) -> TextTable:
    """One row for each other run and score: the difference, its interval, its p-values and the test."""
    rows = tuple(
        (
            one["run"],
            _MEASURES[one["score"]],
            _points(one["value"]),
            _NONE if one["low"] is None else f"{_points(one['low'])} to {_points(one['high'])}",
            _p(one["p"]),
            _p(one["p_holm"]),
            one["test"] or _NONE,
        )
        for one in result.differences
    )
    columns = ("run", "score", "difference (points)", "95% CI", "p", "p (Holm)", "test")
    notes = (
        f"Each run minus {result.against}, in percentage points; CI: paired bootstrap over {result.unit}s; "
        "p is two-sided, Holm's correction is over the runs.",
    )
    return TextTable(f"Differences to {result.against}", columns, rows, notes)


def paper_table(result: CompareResult) -> TextTable:
    """What the SFER-MDFAE paper reports of the models, beside the accuracy of the best of our runs of each."""
    rows = []
    for one in result.reported:
        ours = max(run["accuracy"]["value"] for run in result.runs if run["model"] == one["model"])
        counts = (_scaled(one["parameters"], 1e6, digits=3), _scaled(one["macs"], 1e9, digits=3))
        reported = tuple(_NONE if one[name] is None else f"{one[name]:.2f}%" for name in _SETS)
        rows.append((one["model"], f"{ours:.2%}", *reported, *counts))
    columns = ("model", f"ours ({result.split})", *_SETS.values(), "params (M, thop)", "MACs (G, thop)")
    notes = ("Accuracies: Table 3 of the SFER-MDFAE paper; counts: its Table 4, counted its way, at 7 classes.",)
    return TextTable("Reported by the SFER-MDFAE paper", columns, tuple(rows), notes)


def _with_interval(entry: Mapping[str, Any]) -> str:  # JSON values
    if entry["low"] is None:
        return f"{entry['value']:.2%}"
    return f"{entry['value']:.2%} [{entry['low']:.2%}, {entry['high']:.2%}]"


def _percent(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2%}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}"


def _p(value: float | None) -> str:
    if value is None:
        return _NONE
    return f"<{_LEAST_P:g}" if value < _LEAST_P else f"{value:.3f}"


def _scaled(value: float | None, unit: float, *, digits: int = 2) -> str:
    return _NONE if value is None else f"{value / unit:,.{digits}f}"
