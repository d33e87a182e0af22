"""A file's text or bytes to a damaged one, as a person, another program or somebody hostile would leave it; by seed."""

import csv
import io
import json
import random
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tomli_w

# A cell or a value of any file.
WORDS = (
    "", " ", "0", "-1", "nan", "inf", "-inf", "1e400", "1e-400", "99999999999999999999", "0x1f", "1,5", "true", "null",
    "../x", "/dev/zero", "C:\\x", "a/../../x", "\u202eabc", "\x1b[31mred", "=HYPERLINK(1)", "<script>alert(1)</script>",
    "'\"", "é" * 300, "x" * 100_000, "\ufeff", "a\u0000b", "line\nbreak", "happy ", "HAPPY", "v/f1/2", "default",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, 5, -1, 1e308, 10**30, float("nan"), "", "x", "../x", "/dev/zero", "1", "x" * 100_000, "a\0b",
    [], [5], [[]], ["x"], {}, {"x": 5}, {"": None}, [None], "2026-11-28", "\ud800",
)  # fmt: skip

_TOML_VALUES = tuple(value for value in VALUES if value is not None and value not in ([None], {"": None}))


def damage(path: Path, seed: int) -> str:
    """Damage a file in one way that the seed draws; what was done comes back."""
    draw = random.Random(f"{path.name} {seed}")
    ways = [_bytes_of]
    ways += {".json": [_json] * 3, ".jsonl": [_json_lines] * 3, ".toml": [_toml] * 3, ".csv": [_csv] * 4}.get(
        path.suffix, []
    )
    return draw.choice(ways)(path, draw)


def _bytes_of(path: Path, draw: random.Random) -> str:
    data = path.read_bytes()
    place = draw.randrange(len(data) + 1)
    ways: dict[str, Callable[[], bytes]] = {
        "empty": lambda: b"",
        "cut": lambda: data[:place],
        "bit": lambda: data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :],
        "nul": lambda: data[:place] + b"\0" * 8 + data[place:],
        "all nul": lambda: b"\0" * len(data),
        "latin-1": lambda: data[:place] + b"\xe9\xff" + data[place:],
        "utf-16": lambda: data.decode("utf-8", "replace").encode("utf-16"),
        "bom": lambda: b"\xef\xbb\xbf" + data,
        "crlf": lambda: data.replace(b"\n", b"\r\n"),
        "twice": lambda: data + data,
        "deep": lambda: b"[" * 100_000,
    }
    name = draw.choice(sorted(ways))
    path.write_bytes(ways[name]())
    return f"{name} at byte {place}"


def _json(path: Path, draw: random.Random) -> str:
    text, said = _changed_json(path.read_text(encoding="utf-8"), draw)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return said


def _json_lines(path: Path, draw: random.Random) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    place = draw.randrange(len(lines))
    lines[place], said = _changed_json(lines[place], draw)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogatepass")
    return f"line {place + 1}: {said}"


def _changed_json(text: str, draw: random.Random) -> tuple[str, str]:
    root = {"all": json.loads(text)}
    said = _change(root, draw, VALUES)
    return json.dumps(root.get("all"), ensure_ascii=draw.random() < 0.5), said


def _toml(path: Path, draw: random.Random) -> str:
    root = tomllib.loads(path.read_text(encoding="utf-8"))
    said = _change(root, draw, _TOML_VALUES)
    path.write_text(tomli_w.dumps(root), encoding="utf-8", errors="surrogatepass")
    return said


def _change(root: Any, draw: random.Random, values: Any) -> str:
    """Change, take out or add one value of nested lists and dictionaries."""
    places = list(_places(root))
    owner, key = draw.choice(places)
    way = draw.choice(("other", "other", "other", "out", "more"))
    if way == "out":
        del owner[key]
        return f"without {key}"
    value = draw.choice(values)
    if way == "more" and isinstance(owner, dict):
        owner["unheard_of"] = value
    else:
        owner[key] = value
    return f"{way} {key}: {value!r:.40}"


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(entries):
        yield node, key
        yield from _places(value)


def _csv(path: Path, draw: random.Random) -> str:
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    row = draw.randrange(len(rows))
    column = draw.randrange(len(rows[row]))
    way = draw.choice(("cell", "cell", "cell", "cell", "row out", "row twice", "short", "long", "column out", "header"))
    word = draw.choice(WORDS)
    if way in ("cell", "header"):
        rows[0 if way == "header" else row][column] = word
    elif way == "row out":
        del rows[row]
    elif way == "row twice":
        rows.insert(row, rows[row])
    elif way == "short":
        rows[row] = rows[row][:column]
    elif way == "long":
        rows[row] = [*rows[row], word]
    else:
        rows = [[*cells[:column], *cells[column + 1 :]] for cells in rows]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", delimiter=draw.choice(",,,,,,;\t")).writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return f"{way} at {row + 1}:{column + 1}: {word!r:.40}"
