"""Do the work of `fer compare`: compute scores, costs and differences of runs, as tables and figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fercli.core.commit import Commit
from fercli.core.doubts import baseline_doubt
from fercli.core.errors import FerError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Prediction
from fercli.core.runs import Run
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.data.transforms import InputFormat
from fercli.metrics.comparison import Difference, compare_matrices, holm
from fercli.metrics.confusion import confusion_by_unit
from fercli.metrics.evaluation import Evaluation, evaluate, evaluation_record
from fercli.metrics.intervals import resampling_units
from fercli.metrics.scores import SCORES
from fercli.models.profile import profile_model
from fercli.models.table.specs import find_spec
from fercli.reports.figures.canvas import number_words
from fercli.reports.figures.comparison import Drawing, draw_confusions, draw_validation_curves
from fercli.reports.tables import html_tables, latex_tables, long_csv, markdown_tables, records_csv
from fercli.stages.compare import CompareResult, CompareSettings, compare_folder
from fercli.stages.compare.gathering import Gathered, gather
from fercli.stages.compare.words import best_of_models, difference_table, paper_table, score_table
from fercli.stages.evaluate.crops import CropStanding, crop_standings
from fercli.stages.report.files import read_config
from fercli.stages.report.run import history_columns

# Data sets of the SFER-MDFAE paper's Table 3.
_PAPER_SETS = ("fer2013", "ferplus", "raf-db", "affectnet7", "scfed")
# A test that cannot reach it is worth a word.
_SMALL_P = 0.01


@dataclass(frozen=True, kw_only=True)
class ComparePlan(Plan):
    """The runs, and that to which differences are tested first."""

    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Compared:
    """What was found: the result but for its outputs, the files by their names, and the crops that were looked at."""

    result: CompareResult
    files: dict[str, bytes]
    reads: dict[str, str]


def plan(
    project: Project, settings: CompareSettings, runs: tuple[Run, ...], *, force: bool, progress: Progress
) -> ComparePlan:
    """Check that the runs can be compared.

    Raises:
        MissingStageError: a run has not been evaluated.
        CheckError: classes, faces or labels differ.
    """
    gather(runs, settings)
    where = project.relative(compare_folder(project, settings, runs))
    lines = (f"compare {', '.join(run.run_id for run in runs)} into {where}/",)
    return ComparePlan(lines=lines, counts={"against": runs[0].run_id, "split": settings.split}, runs=runs)


def run(project: Project, settings: CompareSettings, plan: ComparePlan, *, progress: Progress) -> Compared:
    """Score all runs on the same faces, test their differences, and draw them."""
    progress.start("comparing runs", len(plan.runs))
    gathered = gather(plan.runs, settings)
    evaluations = {}
    for name, rows in gathered.predictions.items():
        evaluations[name] = evaluate(rows, gathered.classes, seed=settings.seed)
        progress.advance()
    units = resampling_units(next(iter(gathered.predictions.values())))
    differences = _differences(gathered, settings.seed)
    standings, reads = crop_standings(project, plan.runs, settings.split)
    result = CompareResult(
        **plan.counts,
        num_faces=len(units.index),
        unit=units.kind,
        num_units=len(units.names),
        classes=gathered.classes,
        runs=tuple(_run_record(one, evaluations[one.run.run_id]) for one in standings),
        differences=tuple(differences),
        num_left_out=gathered.num_left_out,
        reported=tuple(reported_by_paper(plan.runs)) if settings.paper else (),
        warnings=(
            *_doubts(plan.runs, settings.split, evaluations),
            *(sentence for one in standings for sentence in one.sentences()),
            *_warnings(project, settings, plan.runs, gathered, differences),
        ),
    )
    return Compared(result, _files(plan.runs, settings, result, evaluations), reads)


def fold(
    project: Project, settings: CompareSettings, plan: ComparePlan, made: Compared, commit: Commit, *, force: bool
) -> CompareResult:
    """Write tables and figures."""
    folder = compare_folder(project, settings, plan.runs)
    commit.reads = made.reads
    outputs = tuple(commit.data(folder / name, data) for name, data in made.files.items())
    return CompareResult(**{**vars(made.result), "outputs": outputs})


def _differences(gathered: Gathered, seed: int) -> list[dict[str, Any]]:  # JSON values
    """Each other run's difference to the first by each score; p is corrected over the runs, score by score."""
    (against, first), *others = gathered.predictions.items()
    theirs = unit_matrices(first, gathered.classes)
    kind = resampling_units(first).kind
    found: list[tuple[str, dict[str, Difference]]] = []
    for name, rows in others:
        # The same resamples for all pairs.
        generator = np.random.default_rng(seed)
        ours = unit_matrices(rows, gathered.classes)
        found.append((name, compare_matrices(ours, theirs, kind=kind, generator=generator)))
    corrected = {score: holm([one[score].p for _, one in found]) for score in SCORES}
    return [
        {"run": name, "against": against, "score": score, **asdict(one[score]), "p_holm": corrected[score][place]}
        for place, (name, one) in enumerate(found)
        for score in SCORES
    ]


def unit_matrices(rows: Sequence[Prediction], classes: Sequence[str]) -> np.ndarray:
    """A confusion matrix for each unit of resampling, ordered by its name."""
    places = {name: place for place, name in enumerate(classes)}
    units = resampling_units(rows)
    targets, predicted = (
        np.array([places[getattr(row, name)] for row in rows], np.int64) for name in ("label", "predicted")
    )
    num_units = len(units.names)
    return confusion_by_unit(targets, predicted, units.index, num_units=num_units, num_classes=len(classes))


def _run_record(standing: CropStanding, evaluation: Evaluation) -> dict[str, Any]:  # JSON values
    scores = {name: asdict(interval) for name, interval in evaluation.intervals.items()}
    f1 = {row.emotion: row.f1 for row in evaluation.scores.per_class}
    run = standing.run
    result: dict[str, Any] = run.record.result  # JSON
    costs = {name: result.get(name) for name in ("epochs", "seconds", "images_per_s")}
    return {
        "run": run.run_id,
        "model": run.record.model,
        **scores,
        "f1": f1,
        **run_size(run),
        **costs,
        "notes": standing.notes,
    }


def run_size(run: Run) -> dict[str, int | None]:
    """Parameters and multiply-adds of the run's own network at its own input; None where they cannot be counted."""
    config = read_config(run)
    try:
        form = InputFormat.from_json(config["input"])
        options, num_classes = config.get("model", {}), len(run.record.classes)
        profile = profile_model(run.record.model, num_classes=num_classes, size=form.side, **options)
    except (FerError, KeyError, RuntimeError, ValueError, TypeError):
        return {"parameters": None, "macs": None}
    return {"parameters": profile.parameters, "macs": profile.macs}


def reported_by_paper(runs: Sequence[Run]) -> list[dict[str, Any]]:  # JSON values
    """What the SFER-MDFAE paper reports of each model, of Table 3 (accuracies) and Table 4 (counts by thop)."""
    found = []
    for model in dict.fromkeys(run.record.model for run in runs):
        try:
            spec = find_spec(model)
        except FerError:
            continue
        counts = spec.table4
        found.append(
            {
                "model": model,
                **{name: spec.reported.get(name) for name in _PAPER_SETS},
                "parameters": counts.parameters if counts else None,
                "macs": counts.macs if counts else None,
            }
        )
    return found


def _doubts(runs: Sequence[Run], split: str, evaluations: Mapping[str, Evaluation]) -> Iterator[str]:
    """What eval says of a score: whether it beats the majority class."""
    for one in runs:
        record = evaluation_record(evaluations[one.run_id])
        for sentence in baseline_doubt(split, record["accuracy"], record["majority_class"]):
            yield f"{one.run_id}: {sentence}"


def _warnings(
    project: Project,
    settings: CompareSettings,
    runs: Sequence[Run],
    gathered: Gathered,
    differences: Sequence[Mapping[str, Any]],
) -> list[str]:
    said: list[str] = []
    if gathered.num_left_out:
        said.append(
            f"{counted(gathered.num_left_out, 'face')} left out: not all runs have them, or their labels differ."
        )
    if settings.split != "test":
        use = "trained" if settings.split == "train" else "selected"
        said.append(
            f"The models were {use} on these faces, so {settings.split} scores do not generalise to new people."
        )
    if reason := next((str(one["reason"]) for one in differences if one["reason"]), ""):
        said.append(f"No intervals or tests of differences: {reason}.")
    least = 2 / 2 ** len(resampling_units(next(iter(gathered.predictions.values()))).names)
    if least > _SMALL_P and any(one["p"] is not None for one in differences):
        said.append(f"With so few subjects or videos no p can be smaller than {least:.3f}.")
    if settings.paper and not any(one[name] for one in reported_by_paper(runs) for name in (*_PAPER_SETS, "macs")):
        said.append("The SFER-MDFAE paper reports nothing of these models.")
    elif settings.paper:
        said.append(
            "The paper's scores are of its own splits and pretrained weights: only runs on the same dataset and split "
            "may be compared with them."
        )
    return [*said, *number_words(gathered.classes)]


def _files(
    runs: Sequence[Run], settings: CompareSettings, result: CompareResult, evaluations: Mapping[str, Evaluation]
) -> dict[str, bytes]:
    tables = [score_table(result), difference_table(result.differences, result.against, result.unit)]
    if result.reported:
        tables.append(paper_table(result.reported, best_of_models(result), result.split))
    texts = {
        "runs.csv": long_csv(result.runs),
        "differences.csv": records_csv(result.differences),
        "compare.md": markdown_tables(tables),
        "compare.tex": latex_tables(tables),
        "compare.html": html_tables("Comparison of runs", tables),
    }
    files = {name: text.encode("utf-8") for name, text in texts.items()}
    names = _short_names(runs)
    matrices = {names[run_id]: evaluation.matrix for run_id, evaluation in evaluations.items()}
    files |= _drawn("confusion", draw_confusions(matrices, result.classes, normalize=settings.normalize))
    curves = {names[run.run_id]: history_columns(run).get("val_accuracy", []) for run in runs}
    if any(value is not None for values in curves.values() for value in values):
        files |= _drawn("curves", draw_validation_curves(curves))
    return files


def _drawn(name: str, drawing: Drawing) -> dict[str, bytes]:
    return {f"{name}.png": drawing.png, f"{name}.pdf": drawing.pdf}


def _short_names(runs: Sequence[Run]) -> dict[str, str]:
    """The model's name where it tells the runs apart, else the run's."""
    models = [run.record.model for run in runs]
    return {
        run.run_id: model if models.count(model) == 1 else run.run_id for run, model in zip(runs, models, strict=True)
    }
