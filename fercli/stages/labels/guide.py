"""Read `[annotate.guide]` of fer.toml: the definitions that annotators have at hand."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fercli.core.errors import SettingsError
from fercli.core.settings import suggestion

_FORM = 'For example: happy = {text = "Corners of the mouth raised.", examples = ["lesson-1/f000012-0"]}'


@dataclass(frozen=True)
class Definition:
    """What a class means, and faces that show it."""

    label: str
    text: str
    examples: tuple[str, ...] = ()


def read_guide(guide: Mapping[str, Any], labels: Sequence[str], faces: Collection[str]) -> tuple[Definition, ...]:
    """The definitions in the order of the classes; classes without one are left out.

    Raises:
        SettingsError: a class is not one of the project's, or an example is not one of its faces.
    """
    where = "fer.toml: [annotate.guide]"
    for label in guide:
        if label not in labels:
            raise SettingsError(f"{where}: '{label}' is not a class", hint=suggestion(label, labels))
    found = []
    for label in labels:
        value = guide.get(label)
        if value is None:
            continue
        entry = {"text": value} if isinstance(value, str) else value
        if not isinstance(entry, Mapping) or not set(entry) <= {"text", "examples"}:
            raise SettingsError(f"{where}: '{label}' is not a definition", hint=_FORM)
        examples = entry.get("examples", [])
        if not isinstance(examples, list) or not all(isinstance(one, str) for one in examples):
            raise SettingsError(f"{where}: the examples of '{label}' are not a list of face ids", hint=_FORM)
        if unknown := [one for one in examples if one not in faces]:
            raise SettingsError(f"{where}: '{unknown[0]}' is not a face of this project", hint="Correct its id.")
        found.append(Definition(label, str(entry.get("text", "")), tuple(examples)))
    return tuple(found)
