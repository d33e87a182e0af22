"""`fer report`: write one HTML page with everything known of a project and a run."""

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from fercli import __version__
from fercli.core.errors import MissingStageError
from fercli.core.people import unmatched_in_run, unmatched_in_split, with_doubt
from fercli.core.project import TABLES, Project
from fercli.core.results import StageResult
from fercli.core.rows import Attribute
from fercli.core.runs import Run, find_own_run, list_runs
from fercli.core.settings import setting
from fercli.core.splits import choose_split
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.report.files import read_config

# Of a run's folder all that the page is made from; what `fer report` itself writes is not.
_RUN_FILES = (
    "*.json",
    "*.toml",
    "*.csv",
    "eval/*/*.json",
    "eval/*/*.csv",
    "on/*/metrics.json",
    "gradcam/grid.png",
    "gradcam/cases.csv",
)


@dataclass(frozen=True)
class ReportSettings:
    """What the page shows."""

    split: Literal["train", "val", "test"] = setting("test", "Report the results of this set.")
    split_name: str = setting("", "Describe this split if there is no run (default: the one in use).")
    seed: int = setting(0, "Set the random seed of the agreement intervals.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class ReportResult(StageResult):
    """Where the page is, how large, and which of its parts have nothing to show yet."""

    run: str
    path: str
    num_bytes: int = 0
    missing: tuple[str, ...] = ()


def page_path(project: Project, run: Run | None) -> Path:
    """Where the page of a run lies, or that of the project alone."""
    return run.folder / "report.html" if run else project.root / "reports" / "report.html"


def _settle(project: Project, settings: ReportSettings, run: str = "") -> tuple[ReportSettings, tuple[Run | None]]:
    """The split and the run that are meant; no run while none is finished."""
    settings = replace(settings, split_name=_split_in_use(project, settings.split_name))
    has_finished = any(one.status == "finished" and not one.is_aside for one in list_runs(project.root))
    return settings, (find_own_run(project.root, run) if run or has_finished else None,)


def _split_in_use(project: Project, name: str) -> str:
    """The split that is meant; "default" where there is none, or several and none of that name."""
    try:
        return choose_split(project, name)
    except MissingStageError:
        if name:
            raise
        return "default"


def _inputs(project: Project, settings: ReportSettings, run: Run | None) -> Inputs:
    before = _older_inputs(project, settings, run)
    # The page shows the commands that made the project. What knows them knows this stage too, so it is loaded here.
    recipe = importlib.import_module("fercli.stages.report.commands").recipe_of
    split_name = str(read_config(run).get("train", {}).get("split") or "") if run else ""
    commands = recipe(project, run, settings, split_name or settings.split_name).commands
    return replace(before, extra=[*before.extra, *commands])


def _older_inputs(project: Project, settings: ReportSettings, run: Run | None) -> Inputs:
    """Of versions that did not look at the commands."""
    # Projects of older versions have reports without it, which stand while nobody attaches a column.
    tables = [row for row in TABLES if row is not Attribute or project.has(project.table_path(row))]
    files = [project.root / "fer.toml", *map(project.table_path, tables)]
    files += sorted(project.split_path("x").parent.glob("[!.]*"))
    if run:
        files += sorted(path for pattern in _RUN_FILES for path in run.folder.glob(pattern))
    return Inputs(files, [__version__, run.run_id if run else ""])


def _as_known_now(project: Project, settings: ReportSettings, known: ReportResult, run: Run | None) -> ReportResult:
    """The page of an earlier call; one that was written before people were looked at does not say what is known."""
    path = project.split_path(settings.split_name)
    rows = project.split_rows(settings.split_name) if not run and project.has(path) else []
    videos = unmatched_in_run(project, run) if run else unmatched_in_split(project, rows)
    told = with_doubt(known, videos)
    if set(told.warnings) <= set(known.warnings):
        return known
    return replace(told, warnings=(*told.warnings, "The page does not say so yet: fer report --force"))


report = Stage(
    words="report",
    settings=ReportSettings,
    result=ReportResult,
    work="fercli.stages.report.work",
    planning="fercli.stages.report.plan",
    inputs=_inputs,
    older=_older_inputs,
    arguments=(Argument("run", str, "Report on this run (default: the latest).", "RUN", default=""),),
    settle=_settle,
    name=lambda project, settings, run: f"report-{run.run_id}" if run else "report",
    is_long=True,
    now=_as_known_now,
)
