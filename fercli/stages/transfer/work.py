"""Do the work of `fer eval --on`: predict another project's faces, and score them in classes that both know."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from fercli.core.commit import Commit
from fercli.core.doubts import baseline_doubt
from fercli.core.errors import MissingStageError, ProjectError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Label, Prediction, SplitRow
from fercli.core.runs import Run
from fercli.core.stage import Plan
from fercli.core.tables import read_table, table_text
from fercli.core.words import counted
from fercli.data.run_crops import CROPS_FILE, CropRow, PresentCrops
from fercli.data.samples import Samples, load_samples
from fercli.learn.predict import load_run_model, predict_probabilities
from fercli.metrics.evaluation import Evaluation, evaluate, evaluation_record, without
from fercli.reports.figures.canvas import number_words
from fercli.reports.figures.scores import draw_confusion
from fercli.reports.tables import records_csv
from fercli.stages.align import align_command
from fercli.stages.align.rules import recorded_rules
from fercli.stages.evaluate import EvalSettings, variant_of
from fercli.stages.transfer import ALL_FACES, Target, TransferResult, transfer_folder
from fercli.stages.transfer.mapping import ClassMap, class_map, map_words

# The rules that decide how a face looks in its crop; the others only choose faces.
_CUT_BY = ("size", "margin", "template")


@dataclass(frozen=True, kw_only=True)
class TransferPlan(Plan):
    """The run, the faces, and the classes."""

    run: Run
    target: Target
    given: Sequence[str]
    samples: Samples
    classes: ClassMap


@dataclass(frozen=True)
class Transferred:
    """The result but for its outputs, and the files by their names."""

    result: TransferResult
    files: dict[str, bytes]


def plan(
    project: Project, settings: EvalSettings, target: Target, run: Run, given: Sequence[str], *, force: bool,
    progress: Progress,
) -> TransferPlan:  # fmt: skip
    """Find the faces, and match the classes.

    Raises:
        MissingStageError: the other project has no such faces.
        SettingsError: a class has no counterpart.
        ProjectError: its crops were cut by other rules.
    """
    other = target.project
    classes = class_map(other.classes, run.record.classes, map_words(given), other.name)
    samples = _samples(target)
    said = list(_check_cutting(project, settings, run, target, samples))
    lines = [f"evaluate run {run.run_id} on {counted(len(samples), 'face')} of '{other.name}' ({target.faces})"]
    lines += [f"{words}" for words in _mapping_words(classes)]
    counts = {"run": run.run_id, "project": other.name, "faces": target.faces, "split_name": target.split_name}
    counts["variant"] = variant_of(settings)
    return TransferPlan(
        lines=lines, warnings=(target.words, *said), counts=counts, run=run, target=target, given=given,
        samples=samples, classes=classes,
    )  # fmt: skip


def run(project: Project, settings: EvalSettings, plan: TransferPlan, *, progress: Progress) -> Transferred:
    """Predict the faces, unless their class is left out, and score them."""
    classes, samples, other = plan.classes, plan.samples, plan.target.project
    labels = Counter(other.classes[target] for target in samples.targets.tolist())
    kept = [row for row, target in enumerate(samples.targets) if classes.of_label[other.classes[target]] is not None]
    if not kept:
        raise MissingStageError("no face is left whose class is evaluated", hint="Leave fewer classes out with --map.")
    samples = samples.select(kept)
    loaded = load_run_model(plan.run.folder, settings.checkpoint, settings.device, classes=plan.run.record.classes)
    probabilities = predict_probabilities(
        loaded, samples, test_time=settings.test_time, batch_size=settings.batch_size, progress=progress
    )
    rows = _predictions(samples, probabilities, plan.run.record.classes, classes, plan)
    evaluation = evaluate(rows, classes.classes, seed=settings.seed)
    seen = _seen(plan.run, plan.target, samples, progress)
    record = evaluation_record(evaluation)
    rest = without(rows, seen or ())
    without_seen = evaluation_record(evaluate(rest, classes.classes, seed=settings.seed)) if seen and rest else None
    shared = ("num_faces", "accuracy", "balanced_accuracy", "macro_f1", "majority_class", "per_class")
    result = TransferResult(
        **plan.counts,
        **{name: record[name] for name in shared},
        classes=classes.classes,
        matrix=tuple(tuple(row) for row in evaluation.matrix.tolist()),
        mapping=tuple(_mapping_rows(classes, labels)),
        num_left_out=len(plan.samples) - len(rows),
        num_seen=None if seen is None else len(seen),
        without_seen=without_seen and {name: without_seen[name] for name in shared[:4]},
        warnings=(
            *baseline_doubt("cross-dataset", record["accuracy"], record["majority_class"]),
            *plan.warnings,
            *_warnings(plan, rows, labels, seen, without_seen),
            *([f"No confidence interval: {reason}."] if (reason := record["interval"]["reason"]) else []),
            *number_words(classes.classes),
        ),
    )
    return Transferred(result, _files(result, record, rows, evaluation, settings, plan))


def fold(
    project: Project, settings: EvalSettings, plan: TransferPlan, made: Transferred, commit: Commit, *, force: bool
) -> TransferResult:
    """Write the run's on/<project>-<set>-<mark>/."""
    folder = transfer_folder(settings, plan.run, plan.target, plan.given)
    outputs = tuple(commit.data(folder / name, data) for name, data in made.files.items())
    return replace(made.result, outputs=outputs)


def _samples(target: Target) -> Samples:
    other = target.project
    faces = other.required_rows(Face)
    if target.faces == ALL_FACES:
        rows = [SplitRow(face.face_id, "test") for face in faces]
    else:
        rows = other.split_rows(target.split_name)
    samples = load_samples(other.root, other.classes, faces=faces, labels=other.required_rows(Label), split_rows=rows)
    wanted = "test" if target.faces == ALL_FACES else target.faces
    part = samples.select([place for place, word in enumerate(samples.splits) if word == wanted])
    if not len(part):
        raise MissingStageError(
            f"'{other.name}' has no labelled face in the {wanted} set of split '{target.split_name}'",
            hint="Score all its labelled faces with --all-faces.",
        )
    return part


def _check_cutting(
    project: Project, settings: EvalSettings, run: Run, target: Target, samples: Samples
) -> Iterator[str]:
    """What is said of crops that may be cut otherwise than the run's.

    Raises:
        ProjectError: they are, and that is not accepted.
    """
    other = target.project
    wanted = set(samples.face_ids)
    given = {face.status == "given" for face in other.rows(Face) if face.face_id in wanted}
    own = _are_given(project, run)
    rules = run.record.cutting
    if given == {True}:
        if own is True:
            yield f"Run and '{other.name}' have crops that came as they are; whether faces are framed alike is unknown."
            return
        problem = f"the crops of '{other.name}' came as they are, those of run '{run.run_id}' were cut by fer align"
        if own is None:
            problem = f"the crops of '{other.name}' came as they are, and how those of the run were cut is not known"
    elif own is True:
        problem = (
            f"run '{run.run_id}' was trained on crops that came as they are, '{other.name}' has crops of fer align"
        )
    elif rules is None:
        yield f"Run '{run.run_id}' does not record how its faces were cut; '{other.name}' may have cut them otherwise."
        return
    else:
        theirs = recorded_rules(other)
        changed = [name for name in _CUT_BY if name in rules and rules[name] != theirs[name]]
        if not changed:
            return
        told = "; ".join(f"{name} {theirs[name]}, the run {rules[name]}" for name in changed)
        problem = f"'{other.name}' has faces cut by other rules than the run's: {told}"
    if not settings.accept_other_crops:
        hint = "Score them, marked, with --accept-other-crops."
        if given != {True} and own is not True:
            hint = f"In that project, cut them as for the run ({align_command(run)}), or score these, marked, with "
            hint += "--accept-other-crops."
        raise ProjectError(problem, hint=hint)
    yield f"{problem[0].upper()}{problem[1:]}; the scores are marked (other-crops)."


def _are_given(project: Project, run: Run) -> bool | None:
    """Whether the run's crops were added as they are; None where its faces are not in this project."""
    path = run.folder / CROPS_FILE
    wanted = {row.face_id for row in read_table(path, CropRow)} if path.exists() else set()
    found = {face.status == "given" for face in project.rows(Face) if face.face_id in wanted}
    return found == {True} if found else None


def _predictions(
    samples: Samples, probabilities: np.ndarray, own: Sequence[str], classes: ClassMap, plan: TransferPlan
) -> list[Prediction]:
    """Each face by the evaluated class of the largest summed probability; classes that are left out take no part."""
    joined = np.zeros((len(samples), len(classes.classes)))
    for place, name in enumerate(own):
        if (word := classes.of_predicted[name]) is not None:
            joined[:, classes.classes.index(word)] += probabilities[:, place]
    joined /= np.maximum(joined.sum(1, keepdims=True), np.finfo(float).tiny)
    other = plan.target.project
    return [
        Prediction(
            samples.face_ids[row],
            samples.subject_ids[row],
            samples.video_ids[row],
            plan.target.faces,
            str(classes.of_label[other.classes[int(samples.targets[row])]]),
            classes.classes[int(joined[row].argmax())],
            {name: round(float(share), 6) for name, share in zip(classes.classes, joined[row], strict=True)},
        )
        for row in range(len(samples))
    ]


def _seen(run: Run, target: Target, samples: Samples, progress: Progress) -> set[str] | None:
    """The faces whose crop the run was trained on or selected by, byte for byte; None where it recorded none."""
    path = run.folder / CROPS_FILE
    if not path.exists():
        return None
    known = {row.digest for row in read_table(path, CropRow) if row.split in ("train", "val") and row.digest}
    digests = PresentCrops(target.project, progress=progress).digests(samples.face_ids)
    return {face_id for face_id, found in digests.items() if found in known}


def _mapping_rows(classes: ClassMap, labels: Counter[str]) -> Iterator[dict[str, Any]]:
    """One row a class of the other project, then the run's classes that no class of it means."""
    for theirs, word in classes.of_label.items():
        own = [name for name, joint in classes.of_predicted.items() if joint == word and word is not None]
        yield {"theirs": theirs, "run": own, "evaluated_as": word or "", "num_faces": labels[theirs]}
    for own_name, word in classes.of_predicted.items():
        if word is None or own_name in classes.alone:
            yield {"theirs": "", "run": [own_name], "evaluated_as": word or "", "num_faces": 0}


def _mapping_words(classes: ClassMap) -> Iterator[str]:
    for theirs, word in classes.of_label.items():
        yield f"evaluate {theirs} as {word}" if word is not None else f"leave out {theirs}"


def _warnings(
    plan: TransferPlan,
    rows: Sequence[Prediction],
    labels: Counter[str],
    seen: set[str] | None,
    without_seen: dict[str, Any] | None,
) -> Iterator[str]:
    classes, other = plan.classes, plan.target.project
    if classes.guessed:
        yield f"Classes matched by spelling: {', '.join(f'{one} = {two}' for one, two in classes.guessed)}."
    for word in dict.fromkeys(classes.of_label.values()):
        joined = [theirs for theirs, joint in classes.of_label.items() if joint == word]
        told = ", ".join(f"{theirs} ({counted(labels[theirs], 'face')})" for theirs in joined)
        if word is None:
            yield f"Left out: {told}."
        elif len(joined) > 1:
            yield f"Evaluated as one class, '{word}': {told}."
    unchosen = [name for name, word in classes.of_predicted.items() if word is None]
    if unchosen:
        yield f"The run cannot choose {', '.join(unchosen)}; the probabilities of its other classes are scaled up."
    if classes.alone:
        num = sum(row.predicted in classes.alone for row in rows)
        leave = ",".join(f"={name}" for name in classes.alone)
        yield (
            f"'{other.name}' has no faces of the run's {', '.join(classes.alone)}: {counted(num, 'face')} predicted so "
            f"{'counts' if num == 1 else 'count'} as wrong. To take them out of the choice: --map '{leave}'"
        )
    if seen is None:
        yield "The run does not record its crops; whether it was trained on faces of this project is not known."
    elif without_seen:
        yield (
            f"{len(seen):,} of {counted(len(rows), 'face')} {'has' if len(seen) == 1 else 'have'} the same crop as a "
            "face of the run's training or "
            f"validation set; accuracy without them is {without_seen['accuracy']['value']:.2%}."
        )
    elif seen:
        yield "All of these faces have the same crop as a face of the run's training or validation set."
    else:
        yield "None of these crops is in the run's training or validation set; the same people may be in both."


def _files(
    result: TransferResult,
    record: dict[str, Any],
    rows: Sequence[Prediction],
    evaluation: Evaluation,
    settings: EvalSettings,
    plan: TransferPlan,
) -> dict[str, bytes]:
    metrics = {
        "kind": "transfer", "run": result.run, "model": plan.run.record.model, "project": result.project,
        "faces": result.faces, "split_name": result.split_name, "variant": result.variant,
        "checkpoint": settings.checkpoint, "test_time": settings.test_time, **record,
        "mapping": result.mapping, "num_left_out": result.num_left_out, "num_seen": result.num_seen,
        "without_seen": result.without_seen, "said": result.warnings,
    }  # fmt: skip
    classes = evaluation.emotions
    mapping = [{**row, "run": " ".join(row["run"])} for row in result.mapping]
    matrix = [
        {"true\\predicted": name, **dict(zip(classes, counts, strict=True))}
        for name, counts in zip(classes, result.matrix, strict=True)
    ]
    texts = {
        "metrics.json": json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "mapping.csv": records_csv(mapping),
        "per_class.csv": records_csv([asdict(row) for row in evaluation.scores.per_class]),
        "confusion.csv": records_csv(matrix),
        "predictions.csv": table_text(rows, Prediction, classes),
    }
    title = f"{plan.run.record.model} on {result.project} ({result.faces}), accuracy {evaluation.scores.accuracy:.1%}"
    picture = draw_confusion(evaluation.matrix, classes, normalize=settings.normalize, title=title)
    return {name: text.encode("utf-8") for name, text in texts.items()} | {"confusion.png": picture}
