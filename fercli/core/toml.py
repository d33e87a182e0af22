"""Plain values to TOML text; the standard library only reads it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path


def toml_text(tables: Mapping[str, object]) -> str:
    """TOML of one mapping: plain values first, then a `[table]` for each mapping in it; None is left out."""
    return "\n".join(_lines(tables, prefix="")).strip() + "\n"


def _lines(tables: Mapping[str, object], prefix: str) -> list[str]:
    lines = [f"{_key(name)} = {_value(value)}" for name, value in tables.items() if _is_plain(value)]
    for name, value in tables.items():
        if isinstance(value, Mapping):
            path = f"{prefix}{_key(name)}"
            lines += ["", f"[{path}]", *_lines(value, prefix=f"{path}.")]
    return lines


def _is_plain(value: object) -> bool:
    return value is not None and not isinstance(value, Mapping)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _quoted(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    return _quoted(value.as_posix() if isinstance(value, Path) else str(value))


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
