"""The table of networks: what each one is, eats, costs, comes from and how its paper trained it; no torch."""

from difflib import get_close_matches

from fercli.core.errors import UsageError
from fercli.models.table.schema import ModelSpec, Paper, Recipe, ThopCounts
from fercli.models.table.specs_face import FACE_ROWS
from fercli.models.table.specs_small import SMALL_ROWS

__all__ = ["ALIASES", "MODELS", "ModelSpec", "Paper", "Recipe", "ThopCounts", "find_spec"]

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in (*FACE_ROWS, *SMALL_ROWS)}
ALIASES = {"emonext": "emonext-base"}


def find_spec(name: str) -> ModelSpec:
    """The row of `name`, which may be an alias.

    Raises:
        UsageError: no network has this name.
    """
    known = ALIASES.get(name, name)
    if known in MODELS:
        return MODELS[known]
    close = get_close_matches(name, [*MODELS, *ALIASES], n=1)
    meant = f"Did you mean '{close[0]}'? " if close else ""
    raise UsageError(f"no model is called '{name}'", hint=f"{meant}Known: {', '.join(MODELS)}")
