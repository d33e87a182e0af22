"""Combine layers of plain values into one frozen settings object, and record where each value came from."""

import contextlib
import csv
import dataclasses
import difflib
import io
import json
import math
import re
import shlex
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from fercli.core.annotations import bare_type, is_union
from fercli.core.errors import FerError, SettingsError, UsageError

S = TypeVar("S")
BUILT_IN = "built-in"
OPTION, ASSIGNMENT = "option", "--set"
# Of another setting: that it is given at all.
ANY = ("any",)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "": 1.0}


class RecordedPath(type(Path())):  # type: ignore[misc]  # PosixPath or WindowsPath
    """A path that a file names, such as a run's, and nobody on the command line: outside the project it is not opened.

    A project may come from somebody else.
    """

    def leads_out(self, root: Path) -> bool:
        """Whether it lies outside the project at `root`."""
        return not self.resolve().is_relative_to(root.resolve())


@dataclass(frozen=True)
class Layer:
    """Values of one origin ("fer.toml", "--set", ...), by the field's name or its option's name.

    Attributes:
        origin: how messages call it.
        values: of the settings.
        is_file: a file of settings, whose paths nobody has named on the command line.
    """

    origin: str
    values: Mapping[str, object]
    is_file: bool = False


@dataclass(frozen=True)
class Resolved(Generic[S]):
    """Settings and, for each field, the origin that gave its value."""

    settings: S
    origins: dict[str, str]


def setting(
    default: Any,  # whatever the field holds
    help_line: str,
    *,
    option: str = "",
    aliases: tuple[str, ...] = (),
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    is_hidden: bool = False,
    is_later: bool = False,
    is_old: bool = False,
    only_with: Mapping[str, tuple[object, ...]] | None = None,
) -> Any:  # a dataclass field, which takes the type of its annotation
    """A field of a settings class: its only default, and the help line of the option that mirrors it.

    Args:
        default: the built-in value.
        help_line: verb first, a period last, under 70 characters.
        option: the option's name where it differs from the field's (`every` for `every_s`), without dashes.
        aliases: names that the option had before, still understood everywhere, but not shown.
        unit: "s" reads durations such as 2s, 500ms, 1.5m, 1h.
        minimum: smallest allowed value.
        maximum: largest allowed value.
        is_hidden: settable in fer.toml and by `--set`, but no option of its own.
        is_old: an option that another has taken the place of: still understood, but not shown.
        is_later: added to a stage that projects have finished: at its default it leaves their results valid.
        only_with: other fields, and their values with which this one has an effect; `ANY` where any value but none
            will do. An option without effect is refused, see `check_effect`.
    """
    metadata = {
        "help": help_line,
        "option": option,
        "aliases": aliases,
        "unit": unit,
        "minimum": minimum,
        "maximum": maximum,
        "is_hidden": is_hidden,
        "is_later": is_later,
        "is_old": is_old,
        "only_with": only_with or {},
    }
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def plain_settings(settings: Any) -> dict[str, Any]:  # an instance of any settings class
    """The fields of a settings object as JSON has them."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(settings), default=str))
    return plain


def identifying_settings(settings: Any) -> dict[str, Any]:  # an instance of any settings class
    """The same without those that were added later and have their defaults, as if they were still unknown."""
    plain = plain_settings(settings)
    for column in dataclasses.fields(settings):
        if column.metadata.get("is_later") and getattr(settings, column.name) == column.default:
            del plain[column.name]
    return plain


def changed_options(settings_class: type[Any], given: Mapping[str, Any], *, needed: str = "") -> list[str]:
    """The options that ask for what is not the default, each as a POSIX shell takes it: "--epochs 3", "--no-stratify".

    Args:
        settings_class: whose defaults count.
        given: its fields, as `plain_settings` gives them; what is missing or None is a default.
        needed: a field that is said although it has its default.
    """
    defaults, words = plain_settings(settings_class()), []
    for column in dataclasses.fields(settings_class):
        value, name = given.get(column.name), option_name(column)
        if value is None or (value == defaults[column.name] and column.name != needed):
            continue
        if isinstance(value, Mapping):
            words += [f"--set {shell_word(f'{column.name}.{key}={plain_text(one)}')}" for key, one in value.items()]
        elif column.metadata.get("is_hidden"):
            words.append(f"--set {shell_word(f'{column.name}={plain_text(value)}')}")
        elif isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        else:
            words.append(f"--{name} {shell_word(value)}")
    return words


def shell_word(value: object) -> str:
    """A value of JSON as one word of a POSIX shell."""
    return shlex.quote(plain_text(value))


def plain_text(value: object) -> str:
    """A value of JSON as an option takes it."""
    return list_text(value) if isinstance(value, list) else str(value)


def option_name(field: "dataclasses.Field[Any]") -> str:
    """The name of the option that mirrors a settings field, without dashes in front."""
    return str(field.metadata.get("option") or field.name.replace("_", "-"))


def resolve_settings(settings_class: type[S], layers: Sequence[Layer]) -> Resolved[S]:
    """Lay values over the built-in defaults, the last layer on top; None means "not given".

    Raises:
        SettingsError: an unknown key or an impossible value in a file, the environment or `--set`.
        UsageError: the same in an option.
    """
    fields = {field.name: field for field in dataclasses.fields(typing.cast(Any, settings_class))}
    mappings = {name: name for name, field in fields.items() if typing.get_origin(field.type) is dict}
    plain = {name: field for name, field in fields.items() if name not in mappings}
    names = mappings | {name: name for name in plain} | {option_name(field): name for name, field in plain.items()}
    names |= {alias: name for name, field in plain.items() for alias in field.metadata.get("aliases", ())}
    values: dict[str, Any] = {}
    origins = dict.fromkeys(fields, BUILT_IN)
    for layer in layers:
        for key, value in layer.values.items():
            if value is None:
                continue
            # `model` is the option that names a network, and the table of the network's own options.
            known = mappings if isinstance(value, Mapping) else names
            name = known.get(key) or names.get(key) or names.get(key.replace("-", "_"))
            if name is None:
                raise _unknown_key(key, sorted(set(names)), layer.origin)
            read = _read_value(fields[name], value, layer.origin)
            if layer.is_file and isinstance(read, Path):
                read = RecordedPath(read)
            values[name] = values.get(name, {}) | read if isinstance(read, dict) else read
            origins[name] = layer.origin
    return Resolved(settings_class(**values), origins)


def check_effect(resolved: Resolved[Any]) -> None:
    """Refuse options that have no effect beside the other settings; a file of settings may hold some for other calls.

    Raises:
        UsageError: one has none.
    """
    fields = {field.name: field for field in dataclasses.fields(resolved.settings)}
    for name, field in fields.items():
        if resolved.origins[name] not in (OPTION, ASSIGNMENT):
            continue
        for other, allowed in field.metadata.get("only_with", {}).items():
            value = getattr(resolved.settings, other)
            if not (value if allowed == ANY else value in allowed):
                raise _without_effect(f"--{option_name(field)}", fields[other], value, allowed)


def _without_effect(
    option: str, other: "dataclasses.Field[Any]", value: object, allowed: tuple[object, ...]
) -> Exception:
    beside = f"--{option_name(other)}"
    named = f"{beside} {value}" if isinstance(value, str) else beside
    wanted = [str(one) for one in allowed if isinstance(one, str)]
    if not value:
        named = f"{beside} {wanted[0]}" if len(wanted) == 1 and allowed != ANY else beside
        return UsageError(f"{option} has no effect without {named}", hint=f"Add {beside}, or leave out {option}.")
    hint = f"It goes with {beside} {' or '.join(wanted)}." if wanted else f"Leave out {option}, or {beside}."
    return UsageError(f"{option} has no effect with {named}", hint=hint)


def assignment_layers(assignments: Sequence[str], section: str) -> list[Layer]:
    """The `key=value` words of `--set`: those of the command's own section, and those of a mapping (`model.topn=15`).

    Raises:
        UsageError: a word has no value.
    """
    plain: dict[str, object] = {}
    tables: dict[str, dict[str, str]] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise UsageError(
                f"--set {assignment}: missing value", hint="Use --set key=value, for example --set lr=0.001."
            )
        table, dot, inner = key.removeprefix(f"{section}.").partition(".")
        if dot:
            tables.setdefault(table, {})[inner] = value
        else:
            plain[table] = value
    return [Layer(ASSIGNMENT, tables), Layer(ASSIGNMENT, plain)]


def environment_values(environ: Mapping[str, str], section: str, settings_class: type[Any]) -> dict[str, object]:
    """Values of `FER_<SECTION>_<FIELD>`, e.g. FER_EXTRACT_FRAMES_EVERY=2s; others are not ours."""
    prefix = f"FER_{section}_".replace("-", "_").upper()
    names = {
        name
        for field in dataclasses.fields(settings_class)
        for name in (field.name, option_name(field), *field.metadata.get("aliases", ()))
    }
    wanted = {prefix + name.replace("-", "_").upper(): name for name in names}
    return {name: environ[variable] for variable, name in sorted(wanted.items()) if variable in environ}


def parse_duration(text: str) -> float:
    """Seconds of a duration such as "2s", "500ms", "1.5m", "1h", "90" or "01:30".

    Raises:
        ValueError: the text is none of these.
    """
    if re.fullmatch(r"(\d+:)?\d+:\d+(\.\d+)?", text):
        seconds = 0.0
        for part in text.split(":"):
            seconds = seconds * 60 + float(part)
        return seconds
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip())
    if not match or match[2] not in _DURATION_UNITS:
        raise ValueError(text)
    return float(match[1]) * _DURATION_UNITS[match[2]]


def list_words(text: str) -> list[str]:
    """The words of a list such as `a,"neutral, calm"`, one line of CSV; empty ones are left out.

    Raises:
        ValueError: a quotation mark is not closed.
    """
    try:
        rows = list(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise ValueError(text) from error
    return [word.strip() for row in rows for word in row if word.strip()]


def list_text(words: Sequence[object]) -> str:
    """The inverse of `list_words`."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(words)
    return line.getvalue()


def suggestion(word: str, known: Sequence[str]) -> str:
    """A hint for an unknown `word`: "Did you mean 'x'?" when one of `known` is close, else the list of them."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(known)}."


def _unknown_key(key: str, known: Sequence[str], origin: str) -> FerError:
    kind = UsageError if origin == OPTION else SettingsError
    return kind(f"unknown setting '{key}' ({origin})", hint=suggestion(key, known))


def _read_value(field: "dataclasses.Field[Any]", value: object, origin: str) -> Any:
    kind = UsageError if origin == OPTION else SettingsError
    name = option_name(field)
    place = f"--{name}" if origin == OPTION else f"'{name}' ({origin})"
    try:
        read = _convert(field.type, value, field.metadata.get("unit", ""))
    except (ValueError, TypeError, OverflowError) as error:
        raise kind(f"invalid value '{value}' for {place}", hint=_expected(field)) from error
    low, high = field.metadata.get("minimum"), field.metadata.get("maximum")
    if isinstance(read, int | float) and not (
        read >= (low if low is not None else read) and read <= (high if high is not None else read)
    ):
        raise kind(f"invalid value {value} for {place}", hint=_expected(field))
    return read


def _convert(kind: Any, value: object, unit: str) -> Any:
    kind, is_optional = bare_type(kind)
    if is_optional and isinstance(value, str) and value.lower() in ("none", ""):
        return None
    origin, choices = typing.get_origin(kind), typing.get_args(kind)
    if is_union(kind):
        return _first_that_takes(choices, value, unit)
    if origin is typing.Literal:
        return _choice(choices, value)
    if origin is tuple:
        parts = list_words(value) if isinstance(value, str) else value
        return tuple(_convert(choices[0], part, unit) for part in typing.cast(Sequence[object], parts))
    if origin is dict:
        return {str(key): inner for key, inner in typing.cast(Mapping[object, object], value).items()}
    if kind is bool:
        return _truth(value)
    if kind is float and unit == "s" and isinstance(value, str):
        return _finite(parse_duration(value))
    return _plain(kind, value)


def _first_that_takes(kinds: Sequence[Any], value: object, unit: str) -> Any:
    for kind in kinds[:-1]:
        with contextlib.suppress(ValueError, TypeError):
            return _convert(kind, value, unit)
    return _convert(kinds[-1], value, unit)


def _plain(kind: Any, value: object) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float | Path):
        raise ValueError(value)
    if kind is int and isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    if kind is str and not isinstance(value, str | Path):
        raise ValueError(value)
    read = kind(value)
    return _finite(read) if isinstance(read, float) else read


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(value)
    return value


def _choice(choices: tuple[Any, ...], value: object) -> Any:
    for choice in choices:
        if str(choice) == str(value):
            return choice
    raise ValueError(value)


def _truth(value: object) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if str(value).lower() not in words:
        raise ValueError(value)
    return words[str(value).lower()]


def _expected(field: "dataclasses.Field[Any]") -> str:
    inner, _ = bare_type(field.type)
    if is_union(inner):
        others = [str(word) for kind in typing.get_args(inner)[1:] for word in typing.get_args(kind)]
        return f"Expected a whole number, or {' or '.join(others)}."
    member = (*typing.get_args(inner), None)[0]
    for kind, words in ((inner, "one of"), (member, "one or more of (comma-separated)")):
        if typing.get_origin(kind) is typing.Literal:
            return f"Expected {words}: {', '.join(map(str, typing.get_args(kind)))}."
    if field.metadata.get("unit") == "s":
        return "Expected a duration such as 2s, 500ms, 1.5m or 01:30."
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", Path: "a path"}
    low, high = field.metadata.get("minimum"), field.metadata.get("maximum")
    bounds = [f"{word} {bound:g}" for word, bound in (("at least", low), ("at most", high)) if bound is not None]
    return ", ".join([f"Expected {names.get(inner, 'a list separated by commas')}", *bounds]) + "."
