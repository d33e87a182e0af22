"""What may differ between two projects that the same commands made: times, run ids made from the clock, host facts.

The one list of it; each entry has its reason.
"""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Values of these keys in JSON, wherever they stand.
KEYS = {
    "time": "the moment of a line of the log",
    "created_at": "the moment a run, a split or an import was made",
    "ended_at": "the moment a training ended",
    "imported_at": "the moment of an import",
    "seconds": "how long a training took",
    "cpu_s": "how long a training took",
    "images_per_s": "how fast a training was",
    "data_wait": "how long a training waited for crops",
}
# Columns of metrics.csv.
COLUMNS = ("seconds", "images_per_s", "data_wait", "cpu_s")
# Lines of text that hold a moment.
LINES = {"model_card.md": re.compile(rb"made by fercli .* on .*")}
# Files that say nothing of the project: locks, and what is remembered of files by their inode and time, which a copy of
# the project has others of.
LOCKS = re.compile(r"(.*/)?(\.lock|lock|[^/]*\.lock)|\.fer/cache/[^.~][^/~]*")
_RUN = re.compile(r"\d{8}-\d{6}-[a-z0-9-]*[a-z0-9]")


def masked(root: Path) -> dict[str, str]:
    """Every file and every empty folder of a project with a digest of what must be the same.

    Locks are left out, and empty folders of .fer.
    """
    runs = sorted(folder.name for folder in (root / "runs").glob("*/"))
    names = {run: f"RUN{place}" for place, run in enumerate(runs)}

    def named(text: str) -> str:
        return _RUN.sub(lambda match: names.get(match[0], match[0]), text)

    found = {}
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root).as_posix()
        if path.is_dir():
            if not any(path.iterdir()) and not place.startswith(".fer"):
                found[named(place) + "/"] = ""
        elif not LOCKS.fullmatch(place):
            found[named(place)] = hashlib.sha256(masked_bytes(path, named)).hexdigest()[:16]
    return found


def masked_bytes(path: Path, named: Callable[[str], str] = lambda text: text) -> bytes:
    """The contents of a file with what may differ taken out."""
    data = path.read_bytes()
    if path.suffix in (".json", ".jsonl", ".csv", ".md", ".toml", ".html"):
        try:
            text = named(data.decode("utf-8"))
        except UnicodeDecodeError:
            return data
        if path.suffix in (".json", ".jsonl"):
            return _without_times(text).encode()
        if path.name == "metrics.csv":
            return _without_columns(text).encode()
        if path.name in LINES:
            return LINES[path.name].sub(b"made", text.encode())
        return text.encode()
    return data


def _without_times(text: str) -> str:
    lines = text.splitlines() if "\n{" in text.strip() else [text]
    try:
        return "\n".join(json.dumps(_plain(json.loads(line))) for line in lines)
    except ValueError:
        return text  # a line that was cut short, or no JSON: it must be the same to the byte


def _plain(value: Any) -> Any:  # JSON
    if isinstance(value, dict):
        return {key: "masked" if key in KEYS else _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _without_columns(text: str) -> str:
    head, *lines = [line.split(",") for line in text.splitlines()]
    kept = [place for place, name in enumerate(head) if name not in COLUMNS]
    return "\n".join(",".join(line[place] for place in kept if place < len(line)) for line in (head, *lines))
