"""Write the sections of a report on model, training and results."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from fercli.core.rows import Prediction
from fercli.core.words import counted
from fercli.metrics.calibration import Calibration, calibration
from fercli.metrics.confusion import confusion_matrix
from fercli.metrics.evaluation import arrays_of
from fercli.metrics.scores import Scores, scores_of
from fercli.models.table.specs import ModelSpec
from fercli.reports.figures.scores import draw_confusion, draw_curves, draw_reliability
from fercli.reports.page import Mark, Missing, Picture, Score, Section, Table, count, percent, percent_range
from fercli.reports.sections.certainty import certainty_pictures, certainty_tables, certainty_text

# Measures of metrics.json, how readers call them, and what they mean.
MEASURES = (
    ("accuracy", "accuracy", "proportion of faces classified correctly"),
    (
        "balanced_accuracy",
        "balanced accuracy",
        "mean recall over classes (all classes weigh the same)",
    ),
    ("macro_f1", "macro-F1", "mean F1 over classes (also penalises false positives)"),
)
_MANY_SUBJECTS = 12


@dataclass(frozen=True, eq=False)
class Outcome:
    """What predictions on one part of the data say.

    `baseline` is the most frequent true class and its share: what always saying it would reach. `metrics` is
    metrics.json, which holds the intervals. `ceiling` is how often one annotator is the majority of the others.
    """

    split: str
    matrix: Int64[np.ndarray, "classes classes"]
    scores: Scores
    calibration: Calibration
    metrics: Mapping[str, object]
    predictions: Sequence[Prediction]
    baseline: tuple[str, float]
    ceiling: float | None = None


def outcome_of(
    predictions: Sequence[Prediction],
    metrics: Mapping[str, object],
    classes: Sequence[str],
    *,
    split: str,
    ceiling: float | None = None,
) -> Outcome:
    """Read the predictions of one part.

    Raises:
        ValueError: there is none, or one names a class that is not in `classes`.
    """
    places = {emotion: place for place, emotion in enumerate(classes)}
    known = [row for row in predictions if row.label]
    if any(word not in places for row in known for word in (row.label, row.predicted)):
        raise ValueError("a prediction names a class that the run does not know")
    targets = np.array([places[row.label] for row in known], np.int64)
    predicted = np.array([places[row.predicted] for row in known], np.int64)
    probabilities = np.array(
        [[row.probabilities.get(emotion, 0.0) for emotion in classes] for row in known], np.float64
    )
    matrix = confusion_matrix(targets, predicted, len(classes))
    support = matrix.sum(axis=1)
    baseline = (classes[int(support.argmax())], float(support.max() / support.sum())) if known else ("", 0.0)
    return Outcome(
        split,
        matrix,
        scores_of(matrix, classes),
        calibration(probabilities, targets),
        metrics,
        known,
        baseline,
        ceiling,
    )


def model_section(spec: ModelSpec | None, name: str, num_classes: int, options: Mapping[str, object]) -> Section:
    """Say which network it is, whose paper, how large, what it is fed."""
    title = "Model"
    if not name:
        return Section("model", title, missing=(Missing("no model has been trained.", "fer train"),))
    if spec is None:
        return Section("model", title, facts=(("model", name),), text=("Unknown to this version of fercli.",))
    paper = spec.paper
    facts = [
        ("model", spec.name),
        ("source", ", ".join(part for part in (paper.authors, paper.venue, str(paper.year or "")) if part)),
        ("parameters", count(spec.parameters_at(num_classes))),
        ("input", f"{spec.input_size} x {spec.input_size} {'grey' if spec.channels == 1 else 'RGB'}"),
        ("loss", spec.objective),
    ]
    facts += [("DOI", paper.doi)] if paper.doi else []
    facts += [(f"option {key}", str(value)) for key, value in options.items()]
    if spec.table4 and spec.table4.printed:
        facts.append(("MACs and parameters as in the paper", spec.table4.printed))
    return Section("model", title, text=(f"{spec.title}.",), facts=tuple(facts), closing=tuple(spec.notes))


def training_section(
    columns: Mapping[str, Sequence[float | None]],
    facts: Sequence[tuple[str, str]],
    *,
    best_epoch: int | None,
    warnings: Sequence[str] = (),
) -> Section:
    """Show loss and accuracy over the epochs.

    Args:
        columns: of metrics.csv, by name.
        facts: how it was trained and how it ended.
        best_epoch: whose weights were kept.
        warnings: what a reader should know of this training.
    """
    title = "Training"
    epochs = [int(epoch) for epoch in columns.get("epoch", ()) if epoch is not None]
    if not epochs:
        gap = Missing("this run has no completed epoch.", "fer train")
        return Section("training", title, facts=tuple(facts), warnings=tuple(warnings), missing=(gap,))
    loss = {part: columns[f"{part}_loss"] for part in ("train", "val")}
    accuracy = {part: columns[f"{part}_accuracy"] for part in ("train", "val")}
    words = [f"{part} accuracy {percent(values[-1])}" for part, values in accuracy.items() if values[-1] is not None]
    picture = Picture(
        draw_curves(epochs, loss, accuracy, best_epoch=best_epoch),
        f"Two line charts over {counted(len(epochs), 'epoch')}: loss and accuracy; at the end {', '.join(words)}.",
        "Loss and accuracy on the training and validation set after each epoch. Training metrics are running averages "
        "over augmented faces. Training accuracy that keeps rising while validation accuracy is flat indicates "
        "overfitting.",
    )
    return Section("training", title, facts=tuple(facts), warnings=tuple(warnings), pictures=(picture,))


def result_section(outcome: Outcome | None) -> Section:
    """Give the scores with their intervals, the baseline and the human ceiling beside them, and each class."""
    title = "Results"
    if outcome is None:
        return Section(
            "results", title, missing=(Missing("the model has not been evaluated.", "fer eval --confusion"),)
        )
    marks = [Mark(f"majority-class baseline ('{outcome.baseline[0]}')", outcome.baseline[1], "baseline")]
    if outcome.ceiling is not None:
        marks.append(Mark("human ceiling", outcome.ceiling, "ceiling"))
    return Section(
        "results",
        title,
        text=(*_result_text(outcome), *certainty_text(outcome.metrics)),
        warnings=_absent_classes(outcome.scores),
        scores=tuple(Score(word, *_numbers(outcome, key)) for key, word, _ in MEASURES),
        marks=tuple(marks),
        tables=(
            _score_table(outcome),
            *certainty_tables(outcome.metrics),
            _per_class_table(outcome.scores),
            *_subject_tables(outcome.predictions),
        ),
        pictures=(*_result_pictures(outcome), *_certainty_pictures(outcome)),
    )


def interval_of(metrics: Mapping[str, object], key: str) -> Mapping[str, object]:
    """One measure's entry in metrics.json; empty when it has none."""
    found = metrics.get(key)
    return found if isinstance(found, Mapping) else {}


def _numbers(outcome: Outcome, key: str) -> tuple[float, float | None, float | None]:
    return (float(getattr(outcome.scores, key)), *bounds_of(interval_of(outcome.metrics, key)))


def bounds_of(entry: Mapping[str, object]) -> tuple[float, float] | tuple[None, None]:
    """The interval of one measure's entry; twice None when it has none."""
    low, high = entry.get("low"), entry.get("high")
    return (float(low), float(high)) if isinstance(low, int | float) and isinstance(high, int | float) else (None, None)


def _result_text(outcome: Outcome) -> tuple[str, ...]:
    entry = interval_of(outcome.metrics, "accuracy")
    unit = str(entry.get("unit") or "")
    how = {"train": "used for training, so scores are overestimated", "val": "used to select the epoch"}
    what = how.get(outcome.split, "none used for training")
    text = f"{counted(outcome.scores.num_faces, f'{outcome.split} face')}, {what}."
    if entry.get("low") is not None and unit:
        text += (
            f" Intervals are 95% bootstrap confidence intervals over {unit}s: they show how much the result depends "
        )
        text += f"on which {unit}s were sampled."
        text += (
            " Faces of the same subject are not independent, so resampling single faces would give intervals that are "
            "too narrow." * (unit == "subject")
        )
    reason = str(entry.get("reason") or "")
    return (text, f"No confidence interval: {reason}.") if reason else (text,)


def _absent_classes(scores: Scores) -> tuple[str, ...]:
    if not scores.absent:
        return ()
    return (f"No face in this set is labelled {' or '.join(scores.absent)}; the means exclude it.",)


def _score_table(outcome: Outcome) -> Table:
    rows = []
    for key, word, meaning in MEASURES:
        value, low, high = _numbers(outcome, key)
        rows.append((word, percent(value), percent_range(low, high), meaning))
    emotion, share = outcome.baseline
    rows.append(("majority-class baseline", percent(share), "-", f"always predicting '{emotion}'"))
    if outcome.ceiling is not None:
        own = interval_of(outcome.metrics, "human_ceiling")
        faces = "these faces" if isinstance(own.get("value"), int | float) else "all voted faces"
        meaning = f"how often one annotator's vote matches the majority of the others, on {faces}"
        rows.append(("human ceiling", percent(outcome.ceiling), percent_range(*bounds_of(own)), meaning))
    without = interval_of(interval_of(outcome.metrics, "without_duplicates"), "accuracy")
    if isinstance(without.get("value"), int | float):
        value = float(str(without["value"]))
        meaning = "excludes faces with a copy in the training set"
        rows.append(("accuracy without duplicates", percent(value), percent_range(*bounds_of(without)), meaning))
    unit = str(interval_of(outcome.metrics, "accuracy").get("unit") or "unit")
    return Table("Test metrics", ("metric", "value", f"95% CI over {unit}s", "description"), tuple(rows))


def _per_class_table(scores: Scores) -> Table:
    rows = tuple(
        (entry.emotion, percent(entry.recall), percent(entry.precision), percent(entry.f1), count(entry.support))
        for entry in scores.per_class
    )
    return Table("Per-class results", ("class", "recall", "precision", "F1", "n"), rows)


def _subject_tables(predictions: Sequence[Prediction]) -> tuple[Table, ...]:
    faces = Counter(row.subject_id for row in predictions)
    if "" in faces or len(faces) < 2:
        return ()
    right = Counter(row.subject_id for row in predictions if row.label == row.predicted)
    rows = tuple((name, percent(right[name] / faces[name]), count(faces[name])) for name in sorted(faces))
    return (Table("Per-subject results", ("subject", "accuracy", "faces"), rows, is_folded=len(rows) > _MANY_SUBJECTS),)


def _result_pictures(outcome: Outcome) -> tuple[Picture, ...]:
    classes = [entry.emotion for entry in outcome.scores.per_class]
    wrong = [
        (int(outcome.matrix[row, column]), classes[row], classes[column])
        for row, column in np.ndindex(*outcome.matrix.shape)
        if row != column and outcome.matrix[row, column]
    ]
    worst = [f"{true} as {taken} ({number})" for number, true, taken in sorted(wrong, key=lambda w: (-w[0], w[1:]))[:3]]
    said = f" Most frequent confusions: {'; '.join(worst)}." if worst else " No misclassifications."
    confusion = Picture(
        draw_confusion(outcome.matrix, classes),
        f"Confusion matrix of {counted(outcome.scores.num_faces, 'face')}.{said}",
        f"Confusion matrix (rows: true class, columns: predicted class; row percentage and count).{said}",
    )
    calibrated = outcome.calibration
    reliability = Picture(
        draw_reliability(calibrated.bins, ece=calibrated.ece),
        f"Reliability diagram; expected calibration error {calibrated.ece:.3f}.",
        "Reliability diagram: accuracy (bars) by predicted probability. Bars below the diagonal mean the model is "
        "overconfident.",
    )
    return confusion, reliability


def _certainty_pictures(outcome: Outcome) -> tuple[Picture, ...]:
    classes = [entry.emotion for entry in outcome.scores.per_class]
    probabilities, targets = arrays_of(outcome.predictions, classes)
    return certainty_pictures(outcome.metrics, probabilities, targets)
