"""Do the work of `fer eval --by`: score groups of faces, test their differences, and say which groups are small."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fercli.core.commit import Commit
from fercli.core.people import is_doubt
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import MIN_UNITS, Prediction
from fercli.core.runs import Run
from fercli.core.stage import Plan
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.data.samples import run_samples
from fercli.metrics.comparison import holm
from fercli.metrics.groups import TESTED, Group, group_differences, group_intervals, parted
from fercli.metrics.intervals import UnitKind, resampling_units
from fercli.reports.tables import latex_tables, markdown_tables, records_csv
from fercli.stages.evaluate import EvalSettings, folder_of, variant_of
from fercli.stages.evaluate import evaluate as evaluate_run
from fercli.stages.groups import GroupsResult
from fercli.stages.groups.columns import Column, column_of, detections_of
from fercli.stages.groups.words import column_tables, detection_table

# Groups of fewer faces than this are small, whoever shows them.
_FEW_FACES = 30
_MOST_NAMED = 4
_SMALL_P = 0.05


@dataclass(frozen=True, kw_only=True)
class GroupsPlan(Plan):
    """The run."""

    run: Run


@dataclass(frozen=True)
class Grouped:
    """The result but for its outputs, the files by their names, and the crops that were looked at."""

    result: GroupsResult
    files: dict[str, bytes]
    reads: dict[str, str]


def plan(project: Project, settings: EvalSettings, run: Run, *, force: bool, progress: Progress) -> GroupsPlan:
    """Say by which columns groups are made."""
    by = ", ".join(settings.by or ())
    counts = {"run": run.run_id, "split": settings.split, "variant": variant_of(settings)}
    lines = (f"evaluate run {run.run_id} on the {settings.split} faces, by {by}",)
    return GroupsPlan(lines=lines, counts=counts, run=run)


def run(project: Project, settings: EvalSettings, plan: GroupsPlan, *, progress: Progress) -> Grouped:
    """Evaluate the run, unless that was done, and its groups."""
    reads = project.digests(run_samples(project, plan.run, settings.split).paths, "faces.csv")
    done = evaluate_run(project, replace(settings, by=None), plan.run.run_id, progress=progress)
    path = folder_of(plan.run, settings) / "predictions.csv"
    rows = read_table(path, Prediction)
    wanted = list(settings.by or ())
    progress.start("comparing groups", len(wanted))
    units = resampling_units(rows)
    records, warnings = [], [text for text in done.warnings if not is_doubt(text)]
    for name in wanted:
        column = column_of(project, plan.run, name, rows)
        groups = _groups(column, rows, units.index, plan.run.record.classes)
        progress.advance()
        if len(groups) < 2:
            warnings.append(_nothing_to_compare(column, groups))
            continue
        records.append(_record(column, groups, kind=units.kind, seed=settings.seed))
    _correct(records)
    for record in records:
        record["cautions"] += [*_untested(record, units.kind), *_least_p(record, units.kind)]
        warnings += record["cautions"]
    detections = detections_of(project, wanted)
    result = GroupsResult(
        **plan.counts,
        unit=units.kind,
        num_faces=len(rows),
        columns=tuple(records),
        detections=tuple(detections),
        warnings=tuple(dict.fromkeys(warnings)),
    )
    return Grouped(result, _files(result, path.read_bytes()), reads)


def fold(
    project: Project, settings: EvalSettings, plan: GroupsPlan, made: Grouped, commit: Commit, *, force: bool
) -> GroupsResult:
    """Write the files beside those of the evaluation; those of other columns, of an earlier call, go."""
    folder = folder_of(plan.run, settings)
    commit.reads = made.reads
    for name in ("groups.json", "groups.csv", "group_differences.csv", "detections.csv", "groups.md", "groups.tex"):
        if name not in made.files and (folder / name).exists():
            commit.delete(folder / name)
    outputs = tuple(commit.data(folder / name, data) for name, data in made.files.items())
    return replace(made.result, outputs=outputs)


def predictions_digest(data: bytes) -> str:
    """By which groups.json says of which predictions it is."""
    return hashlib.sha256(data).hexdigest()


def _groups(column: Column, rows: Sequence[Prediction], units: np.ndarray, classes: Sequence[str]) -> list[Group]:
    known = [place for place, name in enumerate(column.group_of) if name is not None]
    places = {name: place for place, name in enumerate(classes)}
    targets = np.array([places[rows[place].label] for place in known], np.int64)
    predicted = np.array([places[rows[place].predicted] for place in known], np.int64)
    names = [str(column.group_of[place]) for place in known]
    return parted(targets, predicted, units[known], names=names, order=column.order, num_classes=len(classes))


def _record(column: Column, groups: Sequence[Group], *, kind: UnitKind, seed: int) -> dict[str, Any]:  # JSON values
    scored = []
    for group in groups:
        intervals = group_intervals(group, kind=kind, generator=np.random.default_rng(seed))
        scores = {name: asdict(interval) for name, interval in intervals.items()}
        scored.append({"group": group.name, "num_faces": group.num_faces, "num_units": len(group.units), **scores})
    return {
        "column": column.name,
        "meaning": column.meaning,
        "is_binned": column.is_binned,
        "num_unknown": sum(name is None for name in column.group_of),
        "groups": scored,
        "differences": [asdict(one) for one in group_differences(groups, kind=kind, seed=seed)],
        "cautions": list(_small(column.name, groups, kind)),
    }


def _correct(records: Sequence[dict[str, Any]]) -> None:
    """Write p corrected for all differences of one score into the records."""
    for score in TESTED:
        found = [one for record in records for one in record["differences"] if one["score"] == score]
        for one, p in zip(found, holm([one["p"] for one in found]), strict=True):
            one["p_holm"] = p


def _untested(record: Mapping[str, Any], kind: str) -> Iterator[str]:
    """Say why some differences have no test."""
    without = [one for one in record["differences"] if one["p"] is None]
    if not without:
        return
    num_groups = counted(len({one["group"] for one in without}), "group")
    numbers = sorted({one["num_units"] for one in without})
    found = str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    yield (
        f"By {record['column']} {num_groups} cannot be tested: at least {MIN_UNITS} {kind}s are needed to compare, and "
        f"there are {found}."
    )


def _nothing_to_compare(column: Column, groups: Sequence[Group]) -> str:
    if groups:
        return f"By {column.name} there is nothing to compare: all faces are '{groups[0].name}'."
    return f"By {column.name} there is nothing to compare: no face of this set has a value ({column.meaning})."


def _small(column: str, groups: Sequence[Group], kind: UnitKind) -> Iterator[str]:
    """Warn of small groups, the smallest first and with the strongest words."""
    small = sorted(
        (group for group in groups if _is_small(group, kind)),
        key=lambda group: (len(group.units), group.num_faces, group.name),
    )
    single = [group for group in small if kind != "face" and len(group.units) == 1]
    few = [group for group in small if kind != "face" and 1 < len(group.units) < MIN_UNITS]
    rest = [group for group in small if group not in single and group not in few]
    if single:
        yield (
            f"By {column}, {_listed(single, kind)}: the scores of a single {kind} must not be taken for those of a "
            "group."
        )
    if few:
        yield f"By {column}, {_listed(few, kind)}: no interval, and other {kind}s may give other scores."
    if rest:
        yield f"By {column}, {_listed(rest, kind)}: fewer than {_FEW_FACES} faces make a score uncertain."


def _is_small(group: Group, kind: UnitKind) -> bool:
    return group.num_faces < _FEW_FACES or (kind != "face" and len(group.units) < MIN_UNITS)


def _listed(groups: Sequence[Group], kind: UnitKind) -> str:
    names = [
        f"'{group.name}' has only {counted(group.num_faces, 'face')}"
        + ("" if kind == "face" else f" of {counted(len(group.units), kind)}")
        for group in groups[:_MOST_NAMED]
    ]
    more = len(groups) - _MOST_NAMED
    return ", ".join(names) + (f", and {counted(more, 'more group')} likewise" if more > 0 else "")


def _least_p(record: Mapping[str, Any], kind: str) -> Iterator[str]:
    """Say where a test cannot be significant, whatever the scores are."""
    sizes = {one["group"]: one["num_units"] for one in record["groups"]}
    least = []
    for one in record["differences"]:
        num = one["num_units"]
        if one["p"] is None:
            continue
        is_paired = one["test"].startswith("paired")
        least.append(2 / 2**num if is_paired else 1 / math.comb(num, sizes[one["group"]]))
    if least and max(least) > _SMALL_P:
        yield f"By {record['column']}, some p cannot be smaller than {max(least):.3f}: there are too few {kind}s."


def _files(result: GroupsResult, predictions: bytes) -> dict[str, bytes]:
    record = {
        "run": result.run, "split": result.split, "variant": result.variant, "unit": result.unit,
        "num_faces": result.num_faces, "predictions": predictions_digest(predictions),
        "columns": result.columns, "detections": result.detections,
    }  # fmt: skip
    tables = column_tables(result.columns, result.unit, with_cautions=True)
    texts = {
        "groups.json": json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "groups.csv": records_csv([row for column in result.columns for row in _score_rows(column)]),
        "group_differences.csv": records_csv(
            [{"column": column["column"], **one} for column in result.columns for one in column["differences"]]
        ),
    }
    if result.detections:
        tables.append(detection_table(result.detections))
        texts["detections.csv"] = records_csv([{**one, "reasons": _reasons(one)} for one in result.detections])
    if tables:
        texts |= {"groups.md": markdown_tables(tables), "groups.tex": latex_tables(tables)}
    return {name: text.encode("utf-8") for name, text in texts.items()}


def _score_rows(column: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for one in column["groups"]:
        row = {"column": column["column"], **{name: one[name] for name in ("group", "num_faces", "num_units")}}
        for name in ("accuracy", "balanced_accuracy", "macro_f1"):
            row |= {name: one[name]["value"], f"{name}_low": one[name]["low"], f"{name}_high": one[name]["high"]}
        yield row


def _reasons(one: Mapping[str, Any]) -> str:
    return "; ".join(f"{reason} {number}" for reason, number in one["reasons"].items())
