"""Read what a run wrote of itself as JSON and TOML, for its report, without loading anything heavy."""

import json
import tomllib
from pathlib import Path
from typing import Any

from fercli.core.errors import ProjectError
from fercli.core.files import read_text
from fercli.core.runs import Run


def read_config(run: Run) -> dict[str, Any]:  # TOML
    """The run's config.toml; empty when it has none.

    Raises:
        ProjectError: it is damaged.
    """
    path = run.folder / "config.toml"
    try:
        return tomllib.loads(read_text(path)) if path.exists() else {}
    except OSError as error:
        raise ProjectError(f"{path}: cannot be read: {error.strerror}", hint="Restore that file.") from error
    except ValueError as error:
        raise ProjectError(f"{path}: not valid TOML: {error}", hint="Correct that line.") from error


def read_json(path: Path) -> dict[str, Any]:  # JSON
    """A JSON object of the run; empty when it is missing or damaged, which the page then says by its gaps."""
    try:
        values = json.loads(read_text(path))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
