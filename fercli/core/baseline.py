"""The baseline, trained weights in a package of their own: where it lies, and how to get it.

The package holds a run's folder and nothing that is executed: it is found, not imported.
"""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from fercli.core.errors import InputError
from fercli.core.runs import BASELINE, RECORD_FILE, Run, find_run, list_runs, read_run

# What `fer predict --model` and the like call it; also the name of the folder in the package, hence its run id.
NAME = BASELINE
PACKAGE = "fercli_baseline"
HOW_TO_GET = "In a checkout of fercli, run: pip install ./baseline"


def installed_baseline() -> Run | None:
    """The run that the installed package holds; None where it isn't installed.

    Raises:
        ProjectError: its run.json cannot be read.
    """
    try:
        found = find_spec(PACKAGE)
    except (ImportError, ValueError):  # half an installation
        found = None
    for place in (found.submodule_search_locations or ()) if found else ():
        if (Path(place) / NAME / RECORD_FILE).is_file():
            return read_run(Path(place) / NAME)
    return None


def find_model(project_root: Path, text: str = "") -> Run:
    """As `find_run`, but "baseline" names the installed baseline, unless that is a run's very id.

    What is made of the baseline in a project, such as scores, lies in exports/baseline.

    Raises:
        InputError: no run, or more than one, is named so, or the baseline is not installed.
        MissingStageError: `text` is empty and no run is finished.
    """
    if text != NAME or any(run.run_id == NAME for run in list_runs(project_root)):
        return find_run(project_root, text)
    baseline = installed_baseline()
    if baseline is not None:
        return replace(baseline, home=project_root / "exports" / NAME)
    if any(run.run_id.startswith(NAME) or run.run_id.endswith(NAME) for run in list_runs(project_root)):
        return find_run(project_root, text)
    raise InputError("the baseline is not installed", hint=HOW_TO_GET)


def state_words(run: Run) -> list[str]:
    """A sentence where the weights of the baseline are not final; nothing of a run of the project."""
    if run.home is None or run.record.status == "finished":
        return []
    return [f"The baseline is not final ({run.record.reason})."]
