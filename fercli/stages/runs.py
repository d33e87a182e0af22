"""`fer runs`: list the runs, newest last."""

from dataclasses import dataclass
from typing import Any

from fercli.core.results import StageResult
from fercli.core.stage import Stage


@dataclass(frozen=True)
class RunLine:
    """One run, as `fer runs` lists it.

    Attributes:
        test_accuracy: of its best weights, once `fer eval` has been run.
        is_tryout: it saw only the first faces.
        study: the variant of `fer ablate` or `fer sweep` that it was trained for.
        notes: what must be known of the test accuracy: that its crops are gone, or that others have been scored.
    """

    run: str
    model: str
    status: str
    epochs: int
    best_epoch: int | None
    val_accuracy: float | None
    test_accuracy: float | None
    created_at: str
    reason: str
    is_tryout: bool
    study: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunsResult(StageResult):
    """All runs of the project that can be read."""

    num_runs: int
    runs: tuple[dict[str, Any], ...]  # RunLine as JSON


runs = Stage(
    words="runs",
    settings=None,
    result=RunsResult,
    work="fercli.stages.runs_work",
    is_whole=True,
    writes=lambda _: False,
)
