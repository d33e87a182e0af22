"""What a run folder says about itself: run.json, env.json, model_card.md."""

import dataclasses
import json
import platform
from collections.abc import Mapping, Sequence
from typing import Any

from fercli import __version__
from fercli.core.runs import RunRecord, now, package_versions
from fercli.core.words import counted
from fercli.learn.device import Machine
from fercli.learn.history import EpochRow
from fercli.learn.trainer import FitResult
from fercli.reports.figures.scores import draw_curves
from fercli.stages.train.prepare import Prepared

_LIMITS = (
    "The model predicts the expression classes it was trained on, for images like its training data. It does not",
    "know what a person feels, thinks or intends, and must not be used to judge individuals. Faces of people, ages,",
    "cameras or cultures that the training data lack may be misclassified: check `fer eval --by subject` first.",
)


def environment(machine: Machine) -> str:
    """The text of env.json: the machine and the versions, none of which changes what was asked for."""
    values = {
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "processor": platform.machine(),
        "device": machine.device,
        "device_name": machine.device_name,
        "threads": machine.num_threads,
        "versions": package_versions(),
    }
    return json.dumps(values, indent=2, sort_keys=True) + "\n"


def end_record(record: RunRecord, result: FitResult, prepared: Prepared, *, number: int) -> RunRecord:
    """The record with how the training ended, and the number of its end."""
    train = prepared.train
    left_out = dict(train.left_out)
    if flat := left_out.get("flat picture", 0) + prepared.val.left_out.get("flat picture", 0):
        left_out["flat picture"] = flat
    counts = {"num_train": len(train), "num_val": len(prepared.val), "left_out": left_out}
    summary = _summary(result) | counts | _majority(prepared.val.counts())
    return dataclasses.replace(
        record, status=result.status, reason=result.reason, ended_at=now(), ended=number, result=summary
    )


def _majority(counts: Mapping[str, int]) -> dict[str, Any]:  # JSON
    """The most frequent class of the validation set and its share, which calling every face so would reach."""
    total = sum(counts.values())
    emotion = max(counts, key=lambda name: counts[name])
    return {"val_majority": {"emotion": emotion, "value": counts[emotion] / total}} if total else {}


def model_card(record: RunRecord, prepared: Prepared) -> str:
    """The text of model_card.md: what the model is, what it learnt from, how good it was on val, what it is not for."""
    spec, plan, train, val = prepared.spec, prepared.plan, prepared.train, prepared.val
    best = record.result.get("best")
    lines = [
        f"# {spec.title} ({spec.name})",
        "",
        f"Run {record.run_id}, made by fercli {__version__} on {record.ended_at or record.created_at}.",
        "",
        f"* Network: {spec.paper.title}, {spec.paper.authors}, {spec.paper.venue}",
        f"* Classes: {', '.join(record.classes)}",
        f"* Trained on {counted(len(train), 'face')} of {_num(train.subject_ids)} subjects; chosen on "
        f"{counted(len(val), 'face')} of "
        f"{_num(val.subject_ids)} {_others(train.subject_ids, val.subject_ids)}"
        + (f" (dataset: {record.data_set})" if record.data_set else ""),
        f"* Recipe: {plan.optimizer}, largest learning rate {plan.lr:g}, {plan.schedule}, batches of {plan.batch_size}",
        f"* Validation: {_best_line(best)}. The epoch was selected on this set; report test results from `fer eval`.",
        *(f"* People: {sentence}" for sentence in prepared.doubts),
        "",
        "| class | train | val |",
        "|---|---|---|",
        *(f"| {name} | {train.counts()[name]:,} | {val.counts()[name]:,} |" for name in record.classes),
        "",
        "## Limits",
        "",
        *_LIMITS,
        "",
        *(f"* {note}" for note in spec.notes),
    ]
    return "\n".join(lines).rstrip() + "\n"


def draw_history(history: Sequence[EpochRow], best: EpochRow | None) -> bytes:
    """The picture curves.png of at least one epoch."""
    return draw_curves(
        [row.epoch for row in history],
        {"train": [row.train_loss for row in history], "val": [row.val_loss for row in history]},
        {"train": [row.train_accuracy for row in history], "val": [row.val_accuracy for row in history]},
        best_epoch=best.epoch if best else None,
    )


def _summary(result: FitResult) -> dict[str, Any]:  # JSON
    trained = [row for row in result.history if row.seconds]
    return {
        "best": dataclasses.asdict(result.best) if result.best else None,
        "epochs": len(result.history),
        "seconds": round(sum(row.seconds for row in trained), 1),
        "cpu_s": round(sum(row.cpu_s for row in trained), 1),
        "images_per_s": round(sum(row.images_per_s for row in trained) / max(1, len(trained)), 1),
    }


def _best_line(best: object) -> str:
    if not isinstance(best, Mapping) or best.get("val_accuracy") is None:
        return "none, there were no val faces"
    return f"accuracy {best['val_accuracy']:.1%}, macro-F1 {best['val_macro_f1']:.3f} in epoch {best['epoch']}"


def _others(train: tuple[str, ...], val: tuple[str, ...]) -> str:
    return "subjects, of whom some are in both" if {*train} & {*val} - {""} else "other subjects"


def _num(names: tuple[str, ...]) -> str:
    known = len({name for name in names if name})
    return f"{known:,}" if known else "unknown"
