"""The settings that a stage was last run with: `fer status` and `fer run` don't undo what an option asked for."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from fercli.core.memory import read_state
from fercli.core.project import Project
from fercli.core.runs import Run, end_order, list_runs
from fercli.core.settings import plain_settings

# A run on the first few items is a trial, and leaves the rest to do.
_TRIALS = ("limit",)


def last_settings(project: Project, words: str, kind: type[Any]) -> dict[str, Any]:  # fields of `kind`, as JSON
    """The settings of the last finished run of a stage, by its command's words; none when there was none."""
    values = _train_settings(project) if words == "train" else _remembered(project, words)
    known = {column.name for column in dataclasses.fields(kind)} - set(_TRIALS)
    return {name: value for name, value in values.items() if name in known}


def _remembered(project: Project, words: str) -> Mapping[str, Any]:  # JSON
    run = _newest(project)
    of_run = {"eval": "eval-{}-test", "gradcam": "gradcam-{}", "report": "report-{}"}
    if words in of_run:
        state = read_state(project.root, of_run[words].format(run.run_id)) if run else None
    else:
        state = read_state(project.root, "split-default" if words == "split" else words.replace(" ", "-"))
    # Maps of pictures from elsewhere are not the grid of the run's own faces.
    return {} if state is None or state.settings.get("images") else state.settings


def _train_settings(project: Project) -> Mapping[str, Any]:  # JSON
    from fercli.stages.train.settings import read_settings

    run = _newest(project)
    try:
        return plain_settings(read_settings((run.folder / "config.toml").read_text(encoding="utf-8"))) if run else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # a run without its settings says nothing about the next one


def _newest(project: Project) -> Run | None:
    finished = [run for run in list_runs(project.root) if run.status == "finished" and not run.is_tryout]
    return max(finished, key=end_order, default=None)
