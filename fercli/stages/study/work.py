"""Compute the scores, differences, tables and figure of a study from its trained runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fercli.core.commit import Commit
from fercli.core.doubts import baseline_doubt
from fercli.core.people import people_doubt, unmatched_in_run
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Prediction
from fercli.core.runs import Run, eval_folder, find_own_run
from fercli.core.stage import Plan
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.metrics.comparison import Difference, compare_matrices, holm
from fercli.metrics.intervals import UnitKind, bootstrap_intervals, resampling_units
from fercli.metrics.scores import SCORES
from fercli.reports.figures.study import Point, draw_study
from fercli.reports.tables import html_tables, latex_tables, long_csv, markdown_tables, records_csv
from fercli.stages.compare import CompareSettings
from fercli.stages.compare.gathering import gather
from fercli.stages.compare.work import reported_by_paper, run_size, unit_matrices
from fercli.stages.evaluate.crops import crop_standings
from fercli.stages.study import Study, StudyResult, StudySettings
from fercli.stages.study.words import conclusions_of, study_tables
from fercli.stages.train.series import mean_and_spread

# Of the bootstrap and of the tests.
_SEED = 0
_TITLES = {"ablate": "Ablation", "sweep": "Sweep"}


@dataclass(frozen=True, kw_only=True)
class StudyPlan(Plan):
    """The study, the runs of each of its variants in the order of its trainings, and the digests of what they say."""

    study: Study
    runs: dict[str, tuple[Run, ...]]
    reads: dict[str, str]


@dataclass(frozen=True)
class Studied:
    """The result but for its outputs, the files by their names, and the digests of what the result stands on."""

    result: StudyResult
    files: dict[str, bytes]
    reads: dict[str, str]


@dataclass(frozen=True)
class _Judged:
    """What a variant is worth on the faces that all variants have.

    Attributes:
        val: accuracy on the validation set, of each seed; empty where there is none.
        test: predictions for the test set, of each seed; the same faces in the same order.
    """

    val: tuple[float, ...]
    test: tuple[list[Prediction], ...]


def plan(project: Project, settings: StudySettings, study: Study, *, force: bool, progress: Progress) -> StudyPlan:
    """Find the runs, and the digests of their evaluations, on which the result stands."""
    runs = {name: tuple(find_own_run(project.root, one) for one in ids) for name, ids in study.found.items()}
    files = (
        eval_folder(run, part) / "predictions.csv"
        for several in runs.values()
        for run in several
        for part in ("val", "test")
    )
    reads = project.digests([project.relative(path) for path in files if path.exists()], "runs")
    return StudyPlan(study=study, runs=runs, reads=reads)


def run(project: Project, settings: StudySettings, plan: StudyPlan, *, progress: Progress) -> Studied:
    """Score all variants on the same faces, and test their differences to the first."""
    study, runs = plan.study, plan.runs
    progress.start("comparing variants", len(runs))
    judged, classes, num_left_out = _judge(study, runs)
    standings, crops = crop_standings(project, [one for several in runs.values() for one in several], "test")
    # Where it is refused, another one stands in, which a warning says.
    against = study.against if study.against in runs else next(iter(runs))
    units = resampling_units(judged[against].test[0])
    seeds = tuple(dict.fromkeys(one.seed for variant in study.variants for one in variant.trainings))
    folds = {one.fold for variant in study.variants for one in variant.trainings} - {None}
    matrices = {}
    for name, one in judged.items():
        # Each face counts once for each seed: accuracy is then the mean of the seeds' accuracies.
        matrices[name] = np.sum([unit_matrices(rows, classes) for rows in one.test], axis=0)
        progress.advance()
    differences = tuple(_differences(matrices, against, units.kind, num_seeds=len(seeds)))
    variants = tuple(
        _record(study, one.name, runs.get(one.name, ()), judged.get(one.name), matrices.get(one.name), units.kind)
        for one in study.variants
    )
    scored = {one["name"]: one["val_accuracy"]["mean"] for one in variants if one["val_accuracy"]}
    result = StudyResult(
        kind=study.kind,
        model=study.model,
        epochs=settings.epochs,
        split=study.split,
        seeds=seeds,
        num_folds=len(folds),
        against=against,
        num_faces=len(units.index),
        unit=units.kind,
        num_units=len(units.names),
        variants=variants,
        differences=differences,
        chosen=max(scored, key=lambda name: scored[name], default=""),
        reported=tuple(_reported(runs)),
        failures=(*(Failure(name, reason) for name, reason in study.refused.items()), *study.left_out),
    )
    support = matrices[against].sum((0, 2))
    majority = {"emotion": classes[int(support.argmax())], "value": float(support.max() / support.sum())}
    of_crops = [sentence for one in standings for sentence in one.sentences()]
    warnings = (*_warnings(project, study, runs, result, majority, num_left_out), *of_crops)
    result = replace(result, conclusions=tuple(conclusions_of(result)), warnings=warnings)
    return Studied(result, _files(study, result, judged), plan.reads | crops)


def fold(
    project: Project,
    settings: StudySettings,
    plan: StudyPlan,
    made: Studied,
    commit: Commit,
    *,
    force: bool,
) -> StudyResult:
    """Write tables and figure."""
    folder = project.root / "reports" / plan.study.kind / plan.study.folder
    outputs = tuple(commit.data(folder / name, data) for name, data in made.files.items())
    commit.reads = made.reads
    return replace(made.result, outputs=outputs)


def _judge(study: Study, runs: Mapping[str, tuple[Run, ...]]) -> tuple[dict[str, _Judged], tuple[str, ...], int]:
    """What each variant says of the faces that all have; the classes, and how many faces are left out."""
    trainings = {one.name: one.trainings for one in study.variants}
    folds = list(dict.fromkeys(one.fold for one in trainings[next(iter(runs))]))
    rows: dict[str, list[Prediction]] = {}
    classes: tuple[str, ...] = ()
    num_left_out = 0
    for number in folds:
        members = [
            run
            for name, several in runs.items()
            for run, one in zip(several, trainings[name], strict=True)
            if one.fold == number
        ]
        gathered = gather(members, CompareSettings(split="test", common=True))
        rows |= gathered.predictions
        classes, num_left_out = gathered.classes, num_left_out + gathered.num_left_out
    judged = {}
    for name, several in runs.items():
        by_seed: dict[int, list[Run]] = {}
        for run, one in zip(several, trainings[name], strict=True):
            by_seed.setdefault(one.seed, []).append(run)
        judged[name] = _Judged(
            val=tuple(_val_accuracy(members, classes) for members in by_seed.values() if _has_val(members)),
            test=tuple([row for run in members for row in rows[run.run_id]] for members in by_seed.values()),
        )
    return judged, classes, num_left_out


def _has_val(members: Sequence[Run]) -> bool:
    return all((eval_folder(run, "val") / "predictions.csv").exists() for run in members)


def _val_accuracy(members: Sequence[Run], classes: Sequence[str]) -> float:
    rows = [row for run in members for row in read_table(eval_folder(run, "val") / "predictions.csv", Prediction)]
    return float(np.mean([row.label == row.predicted for row in rows])) if rows and classes else float("nan")


def _differences(
    matrices: Mapping[str, np.ndarray], against: str, kind: UnitKind, *, num_seeds: int
) -> Iterator[dict[str, Any]]:  # JSON values
    """Each other variant's difference to the first by each score; p is corrected over the variants."""
    found: list[tuple[str, dict[str, Difference]]] = []
    for name in matrices:
        if name != against:
            # The same resamples for all pairs.
            generator = np.random.default_rng(_SEED)
            pair = compare_matrices(matrices[name], matrices[against], kind=kind, generator=generator)
            found.append((name, pair))
    corrected = {score: holm([one[score].p for _, one in found]) for score in SCORES}
    for place, (name, one) in enumerate(found):
        for score in SCORES:
            values = asdict(one[score])
            if num_seeds > 1 and values["test"].startswith("McNemar"):
                # Of several seeds, a face counts for the variant that more of them get right.
                values["test"] = "exact sign test over faces"
            yield {"variant": name, "against": against, "score": score, **values, "p_holm": corrected[score][place]}


def _record(
    study: Study,
    name: str,
    runs: Sequence[Run],
    judged: _Judged | None,
    matrices: np.ndarray | None,
    kind: UnitKind,
) -> dict[str, Any]:  # JSON values
    """All that is known of one variant."""
    label = next(one.label for one in study.variants if one.name == name)
    nothing = {score: {"value": None, "low": None, "high": None} for score in SCORES}
    record: dict[str, Any] = {"name": name, "label": label, "refused": study.refused.get(name, ""), "runs": ()}
    if judged is None or matrices is None:
        costs = {"parameters": None, "macs": None, "epochs": None, "seconds": None}
        return {**record, **costs, "val_accuracy": None, "seed_std": None, **nothing}
    intervals = bootstrap_intervals(matrices, SCORES, kind=kind, generator=np.random.default_rng(_SEED))
    told: list[dict[str, Any]] = [run.record.result for run in runs]  # JSON
    by_seed = [float(np.mean([row.label == row.predicted for row in rows])) for rows in judged.test]
    return {
        **record,
        "runs": tuple(run.run_id for run in runs),
        **run_size(runs[0]),
        "epochs": sum(one.get("epochs", 0) for one in told) / len(told),
        "seconds": sum(one.get("seconds", 0.0) for one in told),
        "val_accuracy": mean_and_spread(list(judged.val)) if judged.val else None,
        "seed_std": mean_and_spread(by_seed)["std"],
        **{score: asdict(interval) for score, interval in intervals.items()},
    }


def _reported(runs: Mapping[str, tuple[Run, ...]]) -> list[dict[str, Any]]:  # JSON values
    """What the SFER-MDFAE paper reports of the models that it knows."""
    first = [several[0] for several in runs.values()]
    return [one for one in reported_by_paper(first) if any(one[name] for name in one if name != "model")]


def _warnings(
    project: Project,
    study: Study,
    runs: Mapping[str, tuple[Run, ...]],
    result: StudyResult,
    majority: Mapping[str, Any],  # JSON
    num_left_out: int,
) -> Iterator[str]:
    scored = (one for one in result.variants if one["runs"])
    if doubtful := [one["name"] for one in scored if baseline_doubt("test", one["accuracy"], majority)]:
        yield (
            f"The test accuracy of {counted(len(doubtful), 'variant')} ({', '.join(doubtful)}) does not, or may not "
            f"really, exceed the majority-class baseline ({majority['value']:.1%}, always '{majority['emotion']}')."
        )
    every = [run for several in runs.values() for run in several]
    yield from people_doubt(tuple(sorted({video for run in every for video in unmatched_in_run(project, run)})))
    if result.against != study.against:
        yield f"'{study.against}' is refused, so the others are compared to '{result.against}'."
    if num_left_out:
        yield f"{counted(num_left_out, 'face')} left out: not all variants have them, or their labels differ."
    if any(run.is_tryout for run in every):
        yield "Only the first faces were used (--limit)."
    if not result.chosen:
        yield "There is no validation set, so no variant is chosen."


def _files(study: Study, result: StudyResult, judged: Mapping[str, _Judged]) -> dict[str, bytes]:
    tables = study_tables(result)
    title = f"{_TITLES[study.kind]} of {study.model}"
    plain = [
        {
            **{name: value for name, value in one.items() if name != "label"},
            "runs": " ".join(one["runs"]),
            "val_accuracy": one["val_accuracy"] or {"mean": None, "std": None, "num": 0},
        }
        for one in result.variants
    ]
    texts = {
        "variants.csv": long_csv(plain),
        "differences.csv": records_csv(result.differences),
        f"{study.kind}.md": markdown_tables(tables),
        f"{study.kind}.tex": latex_tables(tables),
        f"{study.kind}.html": html_tables(title, tables),
    }
    drawing = draw_study(_points(result, judged), axis=study.axis, against=result.against, unit=result.unit)
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    return files | {f"{study.kind}.png": drawing.png, f"{study.kind}.pdf": drawing.pdf}


def _points(result: StudyResult, judged: Mapping[str, _Judged]) -> list[Point]:
    gaps = {one["variant"]: one for one in result.differences if one["score"] == "accuracy"}
    points = []
    for one in result.variants:
        if one["name"] not in judged:
            continue
        gap = gaps.get(one["name"])
        points.append(
            Point(
                label=one["label"],
                value=one["accuracy"]["value"],
                low=one["accuracy"]["low"],
                high=one["accuracy"]["high"],
                seeds=tuple(
                    float(np.mean([row.label == row.predicted for row in rows])) for rows in judged[one["name"]].test
                ),
                val=one["val_accuracy"]["mean"] if one["val_accuracy"] else None,
                gap=gap["value"] if gap else None,
                gap_low=gap["low"] if gap else None,
                gap_high=gap["high"] if gap else None,
            )
        )
    return points
