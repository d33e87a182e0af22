"""Read what `fer eval --by` found of a run, as tables of a report."""

import json

from fercli.core.files import read_text
from fercli.core.runs import Run, eval_folder
from fercli.reports.page import Table
from fercli.reports.text_table import TextTable
from fercli.stages.groups.words import column_tables, detection_table
from fercli.stages.groups.work import predictions_digest

_MANY_GROUPS = 12


def group_tables(run: Run, split: str) -> tuple[Table, ...]:
    """Scores by group, their differences, and what detection dropped; none where it is not of these predictions."""
    folder = eval_folder(run, split)
    try:
        record = json.loads(read_text(folder / "groups.json"))
        is_of_these = record["predictions"] == predictions_digest((folder / "predictions.csv").read_bytes())
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    if not is_of_these:
        return ()
    found = column_tables(record["columns"], record["unit"], with_cautions=True)
    found += [detection_table(record["detections"])] if record["detections"] else []
    return tuple(map(_table, found))


def _table(table: TextTable) -> Table:
    note = " ".join(table.notes)
    return Table(table.title, table.columns, table.rows, note, is_folded=len(table.rows) > _MANY_GROUPS)
