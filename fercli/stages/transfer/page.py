"""Read what `fer eval --on` found of a run, as a table of a report."""

import json
from typing import Any

from fercli.core.files import read_text
from fercli.core.runs import Run
from fercli.reports.page import Table
from fercli.reports.score_words import MEASURES, with_interval
from fercli.stages.transfer import FOLDER


def transfer_tables(run: Run) -> tuple[Table, ...]:
    """One row for each project that the run was scored on; no table where there is none."""
    rows = []
    for path in sorted((run.folder / FOLDER).glob("*/metrics.json")):
        try:
            rows.append(_row(json.loads(read_text(path))))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    if not rows:
        return ()
    columns = ("project", "faces", "n", "left out", "seen in training", *MEASURES.values())
    note = "Labels of other projects, matched with the run's classes; 95% CI in brackets. Not the run's test score."
    return (Table("On other projects", columns, tuple(rows), note),)


def _row(metrics: dict[str, Any]) -> tuple[str, ...]:  # JSON
    seen = "not known" if metrics["num_seen"] is None else f"{metrics['num_seen']:,}"
    variant = f", {metrics['variant']}" if metrics["variant"] else ""
    return (
        metrics["project"],
        f"{metrics['faces']}{variant}",
        f"{metrics['num_faces']:,}",
        f"{metrics['num_left_out']:,}",
        seen,
        *(with_interval(metrics[name]) for name in MEASURES),
    )
