"""Write scores by group as tables for the terminal and for a paper."""

from collections.abc import Mapping, Sequence
from typing import Any

from fercli.core.words import counted
from fercli.reports.score_words import MEASURES, NONE, p_words, points, with_interval
from fercli.reports.text_table import TextTable


def column_tables(
    columns: Sequence[Mapping[str, Any]], unit: str, *, with_cautions: bool = False
) -> list[TextTable]:  # JSON
    """For each column the scores of its groups, and for all columns together those differences that have a test.

    Args:
        columns: of a `GroupsResult`.
        unit: what is resampled.
        with_cautions: say below each table which groups are small, where no warning says so.
    """
    tables = [_scores(column, unit, with_cautions=with_cautions) for column in columns]
    differences = [(column["column"], one) for column in columns for one in column["differences"]]
    tested = {(column, one["group"]) for column, one in differences if one["p"] is not None}
    differences = [(column, one) for column, one in differences if (column, one["group"]) in tested]
    return [*tables, *([_differences(differences, unit)] if differences else [])]


def detection_table(detections: Sequence[Mapping[str, Any]]) -> TextTable:  # JSON
    """How many faces were found, kept and dropped in each group, of the whole project."""
    rows = tuple(
        (
            f"{one['column']}: {one['group']}",
            f"{one['num_found']:,}",
            f"{one['num_kept']:,}",
            f"{one['num_dropped']:,}",
            ", ".join(f"{reason} {number:,}" for reason, number in one["reasons"].items()) or NONE,
        )
        for one in detections
    )
    notes = ("All faces that detection found in the project, not only those of the evaluated set.",)
    return TextTable("Faces found and dropped", ("group", "found", "kept", "dropped", "reasons"), rows, notes)


def _scores(column: Mapping[str, Any], unit: str, *, with_cautions: bool) -> TextTable:
    with_units = unit != "face"
    head = (column["column"], "faces", *([f"{unit}s"] if with_units else []), *MEASURES.values())
    rows = tuple(
        (
            one["group"],
            f"{one['num_faces']:,}",
            *([f"{one['num_units']:,}"] if with_units else []),
            *(with_interval(one[name]) for name in MEASURES),
        )
        for one in column["groups"]
    )
    notes = [f"{column['column']}: {column['meaning']}{'; in thirds of the faces' if column['is_binned'] else ''}."]
    if column["num_unknown"]:
        notes.append(f"{counted(column['num_unknown'], 'face')} without a value left out.")
    if with_cautions:
        notes += column.get("cautions", [])  # files of before have none
    return TextTable(f"By {column['column']}", head, rows, tuple(notes))


def _differences(found: Sequence[tuple[str, Mapping[str, Any]]], unit: str) -> TextTable:
    """One row a group, both scores beside each other; the same groups of a column follow each other in pairs."""
    pairs = list(zip(found[::2], found[1::2], strict=True))
    rows = tuple(
        (f"{column}: {first['group']}", *_cells(first), *_cells(second), first["test"] or second["test"])
        for (column, first), (_, second) in pairs
    )
    head = (
        "group", "accuracy (points)", "p", "p (Holm)", "balanced accuracy (points)", "p", "p (Holm)", "test",
    )  # fmt: skip
    notes = (
        "Each group minus all others of its column (of two groups, the first minus the second), in percentage points, "
        "95% CI in brackets; p is two-sided, Holm's correction is over all differences of this table by one score. "
        f"Paired: mean of the {unit}s' own differences, balanced accuracy over the classes that a {unit} shows in both "
        "groups.",
    )
    return TextTable("Differences between groups", head, rows, notes)


def _cells(one: Mapping[str, Any]) -> tuple[str, str, str]:  # JSON
    value = NONE if one["value"] is None else points(one["value"])
    bounds = "" if one["low"] is None else f" [{points(one['low'])}, {points(one['high'])}]"
    return f"{value}{bounds}", p_words(one["p"]), p_words(one["p_holm"])
