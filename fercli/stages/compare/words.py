"""Write a comparison as tables for the terminal and for a paper."""

from collections.abc import Mapping, Sequence
from typing import Any

from fercli.core.words import counted
from fercli.reports.score_words import MEASURES, NONE, p_words, points, scaled, with_interval
from fercli.reports.text_table import TextTable
from fercli.stages.compare import CompareResult

SETS = {"fer2013": "FER2013", "ferplus": "FERPlus", "raf-db": "RAF-DB", "affectnet7": "AffectNet-7", "scfed": "SCFED"}


def score_table(result: CompareResult) -> TextTable:
    """One row a run: what it costs, its scores with intervals, the F1 of each class."""
    columns = ("run", "params (M)", "MACs (G)", "training (s)", *MEASURES.values())
    rows = []
    for one in result.runs:
        costs = (scaled(one["parameters"], 1e6), scaled(one["macs"], 1e9), scaled(one["seconds"], 1.0, digits=0))
        scores = tuple(with_interval(one[name]) for name in MEASURES)
        marked = f"{scores[0]} ({'; '.join(one['notes'])})" if one["notes"] else scores[0]
        rows.append((one["run"], *costs, marked, *scores[1:], *(_percent(one["f1"][name]) for name in result.classes)))
    notes = [f"{counted(result.num_faces, f'{result.split} face')} of {counted(result.num_units, result.unit)}."]
    if any(one["accuracy"]["low"] is not None for one in result.runs):
        notes.append(f"95% CI in brackets: bootstrap over {result.unit}s.")
    notes.append("F1 of each class in per cent. Training times are of the machine of each run.")
    return TextTable("Scores", (*columns, *(f"F1 {name}" for name in result.classes)), tuple(rows), tuple(notes))


def difference_table(
    differences: Sequence[Mapping[str, Any]], against: str, unit: str, *, noun: str = "run"
) -> TextTable:
    """One row for each other run and score: the difference, its interval, its p-values and the test.

    Args:
        differences: as JSON; each names its run, or what else is compared, under `noun`.
        against: to what the differences are.
        unit: what is resampled.
        noun: what is compared.
    """
    rows = tuple(
        (
            one[noun],
            MEASURES[one["score"]],
            points(one["value"]),
            NONE if one["low"] is None else f"{points(one['low'])} to {points(one['high'])}",
            p_words(one["p"]),
            p_words(one["p_holm"]),
            one["test"] or NONE,
        )
        for one in differences
    )
    columns = (noun, "score", "difference (points)", "95% CI", "p", "p (Holm)", "test")
    notes = (
        f"Each {noun} minus {against}, in percentage points; CI: paired bootstrap over {unit}s; "
        f"p is two-sided, Holm's correction is over the {noun}s.",
    )
    return TextTable(f"Differences to {against}", columns, rows, notes)


def paper_table(reported: Sequence[Mapping[str, Any]], ours: Mapping[str, float], split: str) -> TextTable:
    """What the SFER-MDFAE paper reports of the models, beside our own accuracy of each."""
    rows = []
    for one in reported:
        counts = (scaled(one["parameters"], 1e6, digits=3), scaled(one["macs"], 1e9, digits=3))
        theirs = tuple(NONE if one[name] is None else f"{one[name]:.2f}%" for name in SETS)
        rows.append((one["model"], f"{ours[one['model']]:.2%}", *theirs, *counts))
    columns = ("model", f"ours ({split})", *SETS.values(), "params (M, thop)", "MACs (G, thop)")
    notes = ("Accuracies: Table 3 of the SFER-MDFAE paper; counts: its Table 4, counted its way, at 7 classes.",)
    return TextTable("Reported by the SFER-MDFAE paper", columns, tuple(rows), notes)


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.2%}"


def best_of_models(result: CompareResult) -> dict[str, float]:
    """The accuracy of the best run of each model."""
    return {
        one["model"]: max(run["accuracy"]["value"] for run in result.runs if run["model"] == one["model"])
        for one in result.reported
    }
