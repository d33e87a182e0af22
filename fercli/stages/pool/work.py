"""Do the work of `fer eval --folds`, `--seeds` and `--ensemble`: pool the predictions of several runs."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fercli.core.commit import Commit
from fercli.core.errors import CheckError
from fercli.core.people import is_doubt
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Prediction, SplitRow
from fercli.core.runs import Run
from fercli.core.stage import Plan
from fercli.core.tables import read_table, table_text
from fercli.data.samples import run_samples
from fercli.metrics.evaluation import Evaluation, calibration_of, evaluate, evaluation_record
from fercli.metrics.scores import SCORES
from fercli.reports.figures.canvas import number_words
from fercli.reports.figures.scores import draw_confusion, draw_reliability
from fercli.reports.tables import records_csv
from fercli.stages.evaluate import EvalSettings, folder_of
from fercli.stages.evaluate import evaluate as evaluate_run
from fercli.stages.pool import Pooling, PoolResult, fold_and_seed, pool_folder
from fercli.stages.train.series import mean_and_spread


@dataclass(frozen=True, kw_only=True)
class PoolPlan(Plan):
    """The runs that are pooled."""

    kind: Pooling
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Pooled:
    """The result but for its outputs, the files by their names, and the crops that were scored, with their digests."""

    result: PoolResult
    files: dict[str, bytes]
    reads: dict[str, str] = dataclasses.field(default_factory=dict)


def plan(
    project: Project, settings: EvalSettings, kind: Pooling, runs: tuple[Run, ...], *, force: bool, progress: Progress
) -> PoolPlan:
    """Say which runs are evaluated."""
    lines = [f"evaluate run {run.run_id} on the {settings.split} faces" for run in runs]
    where = project.relative(pool_folder(project, settings, kind, runs))
    return PoolPlan(
        lines=[*lines, f"write {where}/"], counts={"kind": kind, "split": settings.split}, kind=kind, runs=runs
    )


def run(project: Project, settings: EvalSettings, plan: PoolPlan, *, progress: Progress) -> Pooled:
    """Evaluate each run, unless that was done, and put their predictions together.

    Raises:
        CheckError: classes, faces or labels of the runs do not go together.
    """
    _check_classes(plan.runs)
    classes = plan.runs[0].record.classes
    warnings: list[str] = []
    parts: dict[str, list[Prediction]] = {}
    paths = [path for one in plan.runs for path in run_samples(project, one, settings.split).paths]
    reads = project.digests(sorted(set(paths)), "faces.csv")
    for one in plan.runs:
        done = evaluate_run(project, settings, one.run_id, progress=progress)
        warnings += [
            text for text in done.warnings if not (text.startswith("No confidence interval") or is_doubt(text))
        ]
        parts[one.run_id] = read_table(folder_of(one, settings) / "predictions.csv", Prediction)
    scores = {name: evaluate(rows, classes, seed=settings.seed) for name, rows in parts.items()}
    members = tuple(_member(one, scores[one.run_id]) for one in plan.runs)
    spread = {name: mean_and_spread([member[name] for member in members]) for name in SCORES}
    what: dict[str, Any] = {**plan.counts, "members": members, "spread": spread}
    if plan.kind == "seeds":
        _check_same_faces(parts)
        num_faces = scores[plan.runs[0].run_id].scores.num_faces
        result = PoolResult(**what, num_faces=num_faces, warnings=tuple(dict.fromkeys(warnings)))
        return Pooled(result, _files(result, None, [], classes, settings), reads)
    rows = _out_of_fold(plan.runs, parts) if plan.kind == "folds" else _averaged(parts, classes)
    pooled = evaluate(rows, classes, seed=settings.seed)
    record = evaluation_record(pooled)
    if reason := record["interval"]["reason"]:
        warnings.append(f"No confidence interval: {reason}.")
    result = PoolResult(
        **what,
        **{name: record[name] for name in SCORES},
        num_faces=len(rows),
        unit=record["interval"]["unit"],
        warnings=tuple(dict.fromkeys([*warnings, *number_words(classes)])),
    )
    return Pooled(result, _files(result, pooled, rows, classes, settings), reads)


def fold(
    project: Project, settings: EvalSettings, plan: PoolPlan, made: Pooled, commit: Commit, *, force: bool
) -> PoolResult:
    """Write the evaluation."""
    folder = pool_folder(project, settings, plan.kind, plan.runs)
    commit.reads = made.reads
    outputs = tuple(commit.data(folder / name, data) for name, data in made.files.items())
    return dataclasses.replace(made.result, outputs=outputs)


def _member(run: Run, evaluation: Evaluation) -> dict[str, Any]:  # JSON values
    number, seed = fold_and_seed(run)
    scores = {name: getattr(evaluation.scores, name) for name in SCORES}
    return {"run": run.run_id, "fold": number, "seed": seed, "num_faces": evaluation.scores.num_faces, **scores}


def _check_classes(runs: Sequence[Run]) -> None:
    if other := next((run for run in runs if run.record.classes != runs[0].record.classes), None):
        raise CheckError(
            f"runs '{runs[0].run_id}' and '{other.run_id}' have other classes, or in another order",
            hint="Pool runs that were trained on the same classes in the same order.",
        )


def _out_of_fold(runs: Sequence[Run], parts: Mapping[str, list[Prediction]]) -> list[Prediction]:
    """Every face once, by the run whose training had neither the face nor its subject.

    Raises:
        CheckError: a face is in the test sets of two folds, or its subject was trained on.
    """
    found: dict[str, Prediction] = {}
    for run in runs:
        rows = parts[run.run_id]
        trained = {row.face_id for row in read_table(run.folder / "split.csv", SplitRow) if row.split == "train"}
        seen = {one.subject_id for part in parts.values() for one in part if one.subject_id and one.face_id in trained}
        for row in rows:
            if row.face_id in found:
                raise CheckError(
                    f"face '{row.face_id}' is in the test sets of two folds", hint="Run: fer check leakage"
                )
            if row.subject_id in seen:
                raise CheckError(
                    f"run '{run.run_id}' was trained on subject '{row.subject_id}', who is in its test set",
                    hint="Split by subject: fer split --kfold 5 --group subject",
                )
            found[row.face_id] = row
    return [found[face] for face in sorted(found)]


def _check_same_faces(parts: Mapping[str, list[Prediction]]) -> None:
    (first, rows), *others = parts.items()
    wanted = {(row.face_id, row.label) for row in rows}
    for name, part in others:
        if (found := {(row.face_id, row.label) for row in part}) != wanted:
            raise CheckError(
                f"runs '{first}' and '{name}' were evaluated on different faces or labels: "
                f"{len(wanted & found):,} of {len(wanted | found):,} are the same",
                hint="Pool runs that were trained on the same split and labels.",
            )


def _averaged(parts: Mapping[str, list[Prediction]], classes: Sequence[str]) -> list[Prediction]:
    """Each face by the mean of the runs' probabilities."""
    _check_same_faces(parts)
    by_id = [{row.face_id: row for row in rows} for rows in parts.values()]
    averaged = []
    for face in sorted(by_id[0]):
        rows = [found[face] for found in by_id]
        shares = {name: round(sum(row.probabilities[name] for row in rows) / len(rows), 6) for name in classes}
        predicted = max(classes, key=shares.__getitem__)
        averaged.append(dataclasses.replace(rows[0], predicted=predicted, probabilities=shares))
    return averaged


def _files(
    result: PoolResult,
    evaluation: Evaluation | None,
    rows: Sequence[Prediction],
    classes: Sequence[str],
    settings: EvalSettings,
) -> dict[str, bytes]:
    metrics: dict[str, Any] = {"kind": result.kind, "split": result.split, "checkpoint": settings.checkpoint}
    metrics |= {"test_time": settings.test_time, "members": list(result.members), "spread": result.spread}
    texts = {"members.csv": records_csv(result.members)}
    pictures: dict[str, bytes] = {}
    if evaluation is not None:
        calibrated = calibration_of(rows, classes)
        metrics |= evaluation_record(evaluation)
        metrics["calibration"] = {"ece": calibrated.ece, "brier": calibrated.brier, "nll": calibrated.nll}
        texts["per_class.csv"] = records_csv([asdict(row) for row in evaluation.scores.per_class])
        texts["predictions.csv"] = table_text(rows, Prediction, classes)
        title = f"{len(result.members)} {result.kind}, accuracy {evaluation.scores.accuracy:.1%}"
        pictures["confusion.png"] = draw_confusion(
            evaluation.matrix, classes, normalize=settings.normalize, title=title
        )
        pictures["reliability.png"] = draw_reliability(calibrated.bins, ece=calibrated.ece)
    texts["metrics.json"] = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return {name: text.encode("utf-8") for name, text in texts.items()} | pictures
