"""What every stage returns: counts of its own, and the parts that are shown the same way for all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One item that could not be done, and why; the others were."""

    item: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """The common part of a stage's result; each stage adds its counts as fields.

    Attributes:
        outputs: what was written, relative to the project, POSIX.
        warnings: full sentences that a researcher should read.
        failures: items that could not be done; the command then ends "partial", exit code 6.
        failed_checks: checks that did not hold, in full sentences; the command then ends with exit code 5.
        is_unchanged: nothing was to be done, because inputs and settings are those of the last run.
        done_before: what else had been done before, so that nothing was to be done: no full sentence.
        is_dry_run: nothing was written; `plan` says what would be done.
        plan: what a run would do, one line each.
        next_command: what a user usually does next.
    """

    outputs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    failed_checks: tuple[str, ...] = ()
    is_unchanged: bool = False
    done_before: str = ""
    is_dry_run: bool = False
    plan: tuple[str, ...] = ()
    next_command: str = ""
