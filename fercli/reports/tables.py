"""Write tables for papers and other programs: Markdown, LaTeX (booktabs), HTML and CSV."""

import csv
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from fercli.metrics.scores import SCORES
from fercli.reports.text_table import TextTable

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color: #1d2430; background: #fff; }}
table {{ border-collapse: collapse; margin: 0 0 2rem; }}
th, td {{ padding: 0.3rem 0.8rem; text-align: right; border-bottom: 1px solid #d8dce2; white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e6e9ee; background: #14171c; }} }}
</style>
<h1>{title}</h1>
{body}
</html>
"""


def markdown_tables(tables: Sequence[TextTable]) -> str:
    """Pipe tables, each under its title; a bar within a cell is escaped."""
    return "\n".join(_markdown(table) for table in tables)


def latex_tables(tables: Sequence[TextTable]) -> str:
    r"""`tabular` environments for `\usepackage{booktabs}`, each in a `table` with its caption."""
    return "\n".join(_latex(table) for table in tables)


def html_tables(title: str, tables: Sequence[TextTable]) -> str:
    """One page that asks nothing of the network."""
    return _PAGE.format(title=html.escape(title), body="\n".join(_html(table) for table in tables))


def long_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """One row a record of scores, one column a number: `accuracy`, `accuracy_low`, `f1_happy`, ..."""
    rows = []
    for record in records:
        row: dict[str, Any] = {}
        for name, value in record.items():
            if name in SCORES:
                row |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
            elif name == "notes":
                row[name] = "; ".join(value)
            elif isinstance(value, Mapping):
                row |= {f"{name}_{inner}": one for inner, one in value.items()}
            else:
                row[name] = value
        rows.append(row)
    return records_csv(rows)


def records_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """One row a record, which all have the same names; None is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if records:
        writer.writerow(records[0])
    writer.writerows(["" if cell is None else cell for cell in record.values()] for record in records)
    return out.getvalue()


def _markdown(table: TextTable) -> str:
    rows = [table.columns, tuple("---" if place == 0 else "---:" for place in range(len(table.columns))), *table.rows]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    notes = [line for note in table.notes for line in ("", note)]
    return "\n".join([f"**{table.title}**", "", *lines, *notes, ""])


def _latex(table: TextTable) -> str:
    frame = _frame(table)
    text = frame.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    body = text.to_latex(hrules=True, column_format="l" + "r" * (len(table.columns) - 1))
    caption = " ".join([f"{table.title}.", *table.notes])
    for letter in "&%$#_{}":
        caption = caption.replace(letter, f"\\{letter}")
    return "\n".join(["\\begin{table}", "\\centering", f"\\caption{{{caption}}}", body + "\\end{table}", ""])


def _html(table: TextTable) -> str:
    notes = "".join(f"<p>{html.escape(note)}</p>\n" for note in table.notes)
    return f"<h2>{html.escape(table.title)}</h2>\n{_frame(table).to_html(index=False, border=0)}\n{notes}"


def _frame(table: TextTable) -> pd.DataFrame:
    return pd.DataFrame([list(row) for row in table.rows], columns=list(table.columns), dtype=str)
