"""Write the metrics of each epoch as rows of metrics.csv."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fercli.core.files import replace_text


@dataclass(frozen=True)
class EpochRow:
    """One row of metrics.csv; validation columns are empty without val faces.

    `seconds`, `images_per_s`, `data_wait` (the share of time spent waiting for crops) and `cpu_s` (processor time of
    all threads of this process, which a shared machine does not stretch as it does `seconds`) differ from run to run;
    all other columns are reproducible.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    val_macro_f1: float | None
    lr: float
    seconds: float
    images_per_s: float
    data_wait: float
    cpu_s: float = 0.0


def write_history(path: Path, rows: Sequence[EpochRow]) -> None:
    """Replace metrics.csv; floats as the shortest exact decimal, seconds and rates rounded."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in fields(EpochRow)])
    for row in rows:
        writer.writerow("" if value is None else value for value in asdict(row).values())
    replace_text(path, out.getvalue())
