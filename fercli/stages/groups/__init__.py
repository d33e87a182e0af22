"""`fer eval --by COLUMN,...`: evaluate a run on groups of faces, and test whether they differ."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from fercli.core.errors import UsageError
from fercli.core.groups import ALL_COLUMNS, BUILT_IN_COLUMNS, SUBJECT
from fercli.core.people import unmatched_in_run, with_doubt
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Attribute, Face, Label, Video
from fercli.core.runs import Run, own_checkpoint
from fercli.core.settings import suggestion
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.evaluate import EvalSettings, evaluated_run, predictions_mark, sets_of, variant_of


@dataclass(frozen=True, kw_only=True)
class GroupsResult(StageResult):
    """A run's scores by groups of faces.

    Attributes:
        variant: of the evaluation, see `EvalResult`.
        unit: what is resampled and permuted.
        columns: of each column what it is, its groups with scores and intervals, the differences with tests, how many
            faces have no value, and the cautions that belong to its table.
        detections: of each video or size, how many faces were found, kept and dropped, where that was asked for.
    """

    run: str
    split: str
    variant: str = ""
    unit: str = ""
    num_faces: int = 0
    columns: tuple[dict[str, Any], ...] = ()
    detections: tuple[dict[str, Any], ...] = ()


def asks_for_groups(settings: EvalSettings) -> bool:
    """Whether there is more to do than to show the results of each subject."""
    return any(column != SUBJECT for column in settings.by or ())


def known_columns(project: Project) -> list[str]:
    """All columns that `--by` takes: those of faces, and those that a user attached."""
    return [*BUILT_IN_COLUMNS, *sorted({row.column for row in project.rows(Attribute)})]


def _settle(project: Project, settings: EvalSettings, run: str = "") -> tuple[EvalSettings, tuple[Run]]:
    """The columns that are meant, each once.

    Raises:
        UsageError: one does not exist.
    """
    found, known = evaluated_run(project, run), known_columns(project)
    wanted = list(dict.fromkeys(settings.by or ()))
    for column in wanted:
        if column not in (*known, ALL_COLUMNS):
            hint = suggestion(column, [*known, ALL_COLUMNS])
            raise UsageError(
                f"--by {column}: no such column",
                hint=f"{hint} To attach a column: fer subjects assign CSV --columns COLUMN",
            )
    # Each subject by itself is what `fer eval` shows by --by subject.
    columns = [column for column in (known if ALL_COLUMNS in wanted else wanted) if column != SUBJECT]
    checkpoint = own_checkpoint(found, settings.checkpoint)
    return dataclasses.replace(settings, by=tuple(columns), checkpoint=checkpoint), (found,)


def _inputs(project: Project, settings: EvalSettings, run: Run) -> Inputs:
    tables = [project.table_path(table) for table in (Face, Label, Attribute, Video)]
    return Inputs([*tables, run.folder / "labels.csv"], predictions_mark(project, run, settings))


def _name(_: Project, settings: EvalSettings, run: Run) -> str:
    variant = variant_of(settings)
    return f"eval-groups-{run.run_id}-{settings.split}{'-' if variant else ''}{variant}"


groups: Stage[GroupsResult] = Stage(
    words="eval",
    settings=EvalSettings,
    result=GroupsResult,
    work="fercli.stages.groups.work",
    inputs=_inputs,
    not_identity=("confusion", "calibration", "normalize"),
    arguments=(Argument("run", str, "Evaluate this run, or baseline (default: the latest).", "[RUN]", default=""),),
    settle=_settle,
    name=_name,
    is_long=True,
    now=lambda project, settings, result, run: with_doubt(
        result, unmatched_in_run(project, run), sets_of(settings.split)
    ),
)
