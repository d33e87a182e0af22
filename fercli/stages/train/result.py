"""What `fer train` tells of a run."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fercli.core.doubts import baseline_doubt
from fercli.core.results import Failure, StageResult
from fercli.core.runs import Run, RunRecord
from fercli.core.words import counted
from fercli.stages.next_steps import eval_command

# What a score of a training compares.
SETS = "training and the validation set"


@dataclass(frozen=True, kw_only=True)
class TrainResult(StageResult):
    """The run; validation figures are those of the best epoch, the one that is kept."""

    run: str = ""
    model: str = ""
    status: str = ""
    stopped_because: str = ""
    epochs: int = 0
    best_epoch: int = 0
    val_accuracy: float | None = None
    val_macro_f1: float | None = None
    num_train: int = 0
    num_val: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    images_per_s: float = 0.0
    seconds: float = 0.0
    precision: str = ""
    was_resumed: bool = False


def finished_result(run: Run) -> TrainResult:
    """What a finished run says of itself, without reading anything but run.json."""
    return replace(record_result(run.folder, run.record), is_unchanged=True)


def record_result(folder: Path, record: RunRecord, **more: Any) -> TrainResult:  # fields of TrainResult
    """The result that a run's record tells."""
    told: dict[str, Any] = record.result  # JSON
    best = told.get("best") or {}
    names = ("metrics.csv", "curves.png", "model_card.md", "checkpoints/best.safetensors")
    return TrainResult(
        run=folder.name,
        model=record.model,
        status=record.status,
        stopped_because=record.reason,
        epochs=told.get("epochs", 0),
        seconds=told.get("seconds", 0.0),
        images_per_s=told.get("images_per_s", 0.0),
        num_train=told.get("num_train", 0),
        num_val=told.get("num_val", 0),
        left_out=told.get("left_out") or {},
        best_epoch=best.get("epoch", 0),
        val_accuracy=best.get("val_accuracy"),
        val_macro_f1=best.get("val_macro_f1"),
        precision=str(record.decided.get("precision", "")),
        outputs=tuple(f"runs/{folder.name}/{name}" for name in names if (folder / name).exists()),
        next_command=_next_command(folder, record),
        **more,
    )


def validation_doubt(record: RunRecord) -> tuple[str, ...]:
    """A sentence where the best epoch does not beat calling every validation face the most frequent class; else none.

    A run of 0.1.0 did not note that class.
    """
    told: dict[str, Any] = record.result  # JSON
    value, majority = (told.get("best") or {}).get("val_accuracy"), told.get("val_majority")
    if value is None or not majority:
        return ()
    return baseline_doubt("validation", {"value": value, "low": value}, majority)


def _next_command(folder: Path, record: RunRecord) -> str:
    is_finished = record.status == "finished"
    return eval_command(Run(folder, record), "--confusion") if is_finished else resume_command(folder, record)


def resume_command(folder: Path, record: RunRecord) -> str:
    """The command that goes on with an interrupted run, in as many processes."""
    num_processes = record.decided.get("num_processes", 1)
    together = "" if num_processes == 1 else f" --procs {num_processes}"
    return f"fer train --resume {folder.name}{together}"


def stopped_by_clock(run_id: str, epochs: int) -> Failure:
    """What a training says that its time limit ended."""
    return Failure(run_id, f"stopped by the time limit after {counted(epochs, 'epoch')}; the same command goes on")
