"""What a disk may hold after the power went: a command's writes, renames and syncs replayed up to any of them.

As ALICE (Pillai et al., OSDI 2014) and CrashMonkey (Mohan et al., OSDI 2018) do: what no sync has put on disk is
dropped or torn. The names of a folder are on disk once the folder is synced; of a journalling file system also once
anything later is.
"""

import hashlib
import random
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.faults.strace import OPENING, Operation

# What becomes of names and of contents that no sync has put on disk:
# ordered: a journalling file system, which has lost both; names: it kept the names, the files are empty; torn: and half
# of what was written; strict: each folder by itself, as POSIX promises; drawn: any of it, for each by chance.
POLICIES = ("ordered", "names", "torn", "strict", "drawn")
Policy = Literal["ordered", "names", "torn", "strict", "drawn"]
_ROOT = ""


@dataclass(frozen=True)
class Event:
    """One change of the disk, or one sync; places are relative to the project.

    Attributes:
        kind: write, truncate, link, unlink, rename, mkdir, rmdir, sync (of a file), sync folder, sync all.
        file: number of the file that it works on.
        place: of the name that it works on.
        target: the new name.
        offset: where `data` goes, or the new length.
        data: what is written.
    """

    kind: str
    file: int = -1
    place: str = ""
    target: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """Names and contents; `files` by number, `names` by place."""

    names: dict[str, int] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, root: Path) -> "Disk":
        """What is there."""
        disk = cls(folders={_ROOT} if root.is_dir() else set())
        for number, path in enumerate(sorted(root.rglob("*"))):
            place = path.relative_to(root).as_posix()
            if path.is_dir():
                disk.folders.add(place)
            else:
                disk.names[place], disk.files[number] = number, path.read_bytes()
        return disk

    def copy(self) -> "Disk":
        """The same, to be changed."""
        return Disk(dict(self.names), dict(self.files), set(self.folders))

    def contents(self) -> dict[str, bytes]:
        """The bytes of every file that a path leads to."""
        return {place: self.files[file] for place, file in self.names.items() if _folder(place) in self.reachable()}

    def reachable(self) -> set[str]:
        """Folders whose parents are there."""
        return {one for one in self.folders if all(parent in self.folders for parent in _parents(one))}

    def write_to(self, root: Path) -> None:
        """Make a project folder of it."""
        shutil.rmtree(root, ignore_errors=True)
        for folder in sorted(self.reachable()):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for place, data in self.contents().items():
            (root / place).write_bytes(data)

    def digest(self) -> str:
        """One name for all that is there; temporary names are drawn anew each time."""
        found = hashlib.sha256(repr(sorted(self.reachable())).encode())
        for place, data in sorted(self.contents().items()):
            found.update(place.encode() + b"\0" + hashlib.sha256(data).digest())
        return found.hexdigest()

    def rename(self, place: str, target: str) -> None:
        """Give a file or a folder another name."""
        if place in self.names:
            self.names[target] = self.names.pop(place)
        elif place in self.folders:
            for name in [name for name in self.names if name.startswith(f"{place}/")]:
                self.names[target + name[len(place) :]] = self.names.pop(name)
            for name in [name for name in self.folders if name == place or name.startswith(f"{place}/")]:
                self.folders.discard(name)
                self.folders.add(target + name[len(place) :])

    def apply(self, event: Event) -> None:
        """Change a name."""
        if event.kind == "link":
            self.names[event.place] = event.file
        elif event.kind == "unlink":
            self.names.pop(event.place, None)
        elif event.kind == "rename":
            self.rename(event.place, event.target)
        elif event.kind == "mkdir":
            self.folders.add(event.place)
        elif event.kind == "rmdir":
            self.folders.discard(event.place)


_NAMING = ("link", "unlink", "rename", "mkdir", "rmdir")


def events_of(operations: Sequence[Operation], root: Path, before: Disk) -> list[Event]:
    """The changes that operations made to the project at `root`."""
    return list(_Recorder(root, before).record(operations))


class _Recorder:
    """Follows names and handles through a trace."""

    def __init__(self, root: Path, before: Disk) -> None:
        self._root, self._disk = root, before.copy()
        self._next = max(before.files, default=0) + 1
        # Of a handle: its file, where it stands, whether it appends; of a folder's: its place.
        self._handles: dict[int, list[int]] = {}

    def record(self, operations: Sequence[Operation]) -> Iterator[Event]:
        for one in operations:
            if one.result.startswith("-1") or not one.result:
                continue
            for event in self._events(one):
                if event.kind in _NAMING:
                    self._disk.apply(event)
                elif event.kind in ("write", "truncate"):
                    self._disk.files[event.file] = _written(self._disk.files.get(event.file, b""), event)
                yield event

    def _events(self, one: Operation) -> Iterator[Event]:
        places = [self._place(path) for path in one.paths]
        if one.call in ("sync", "syncfs"):
            yield Event("sync all")
        elif one.call in OPENING:
            yield from self._opened(one, places[0] if places else None)
        elif one.call in ("write", "pwrite64", "writev", "sendfile", "copy_file_range"):
            yield from self._wrote(one)
        elif one.call in ("lseek", "read", "close"):
            self._moved(one)
        elif one.call == "ftruncate" and (held := self._held(one.arguments[0])):
            yield Event("truncate", held[0], offset=_number(one.arguments[1]))
        elif places and places[0] is not None:
            yield from self._named(one, places)

    def _named(self, one: Operation, places: list[str | None]) -> Iterator[Event]:
        place = str(places[0])
        if one.call.startswith("rename") and len(places) > 1 and places[1] is not None:
            yield Event("rename", place=place, target=places[1])
        elif one.call in ("fsync", "fdatasync"):
            held = self._held(one.arguments[0])
            yield Event("sync", held[0]) if held else Event("sync folder", place=place)
        elif one.call in ("mkdir", "mkdirat"):
            yield Event("mkdir", place=place)
        elif one.call == "rmdir" or (one.call == "unlinkat" and "AT_REMOVEDIR" in str(one.arguments)):
            yield Event("rmdir", place=self._below(one, place))
        elif one.call in ("unlink", "unlinkat"):
            yield Event("unlink", place=self._below(one, place))

    def _below(self, one: Operation, place: str) -> str:
        """The place of a name that is given relative to a folder's handle."""
        name = next((arg for arg in one.arguments if isinstance(arg, bytes)), b"").decode()
        return place if name.startswith("/") else f"{place}/{name}".lstrip("/")

    def _opened(self, one: Operation, place: str | None) -> Iterator[Event]:
        handle = int(re.match(r"\d+", one.result)[0])  # type: ignore[index] # it has succeeded
        self._handles.pop(handle, None)
        flags = " ".join(arg for arg in one.arguments if isinstance(arg, str))
        if place is None or place in self._disk.folders:
            return
        if place not in self._disk.names:
            self._next += 1
            self._disk.files[self._next] = b""
            yield Event("link", self._next, place)
        file = self._disk.names[place]
        if "O_TRUNC" in flags and self._disk.files[file]:
            yield Event("truncate", file, offset=0)
        self._handles[handle] = [file, 0, int("O_APPEND" in flags)]

    def _wrote(self, one: Operation) -> Iterator[Event]:
        place = 2 if one.call == "copy_file_range" else 0
        held = self._held(one.arguments[place])
        count = _number(one.result)
        if not held or count <= 0:
            return
        if one.call in ("sendfile", "copy_file_range"):
            data = self._source(one, count)
        else:
            data = b"".join(arg for arg in one.arguments if isinstance(arg, bytes))[:count]
        is_placed = one.call == "pwrite64"
        offset = _number(one.arguments[3]) if is_placed else held[1]
        if held[2]:
            offset = len(self._disk.files[held[0]])
        if not is_placed:
            held[1] = offset + count
        yield Event("write", held[0], offset=offset, data=data)

    def _source(self, one: Operation, count: int) -> bytes:
        source = one.arguments[1 if one.call == "sendfile" else 0]
        path = str(source).partition("<")[2].rstrip(">")
        handle = _number(source)
        # "[0] => [32864]": where it began, and where it ended.
        given = re.search(r"\d+", str(one.arguments[2])) if one.call == "sendfile" else None
        begin = int(given[0]) if given else None
        known = self._handles.setdefault(-handle - 1, [-1, 0, 0])
        begin = known[1] if begin is None else begin
        known[1] = begin + count
        place = self._place(path)
        data = self._disk.files[self._disk.names[place]] if place in self._disk.names else Path(path).read_bytes()
        return data[begin : begin + count]

    def _moved(self, one: Operation) -> None:
        handle = _number(one.arguments[0])
        if one.call == "close":
            self._handles.pop(handle, None)
            self._handles.pop(-handle - 1, None)
        elif held := self._handles.get(handle):
            held[1] = _number(one.result) + (held[1] if one.call == "read" else 0)

    def _held(self, argument: str | bytes) -> list[int] | None:
        return self._handles.get(_number(argument))

    def _place(self, path: str) -> str | None:
        """Relative to the project; None outside it."""
        path = path.removesuffix(" (deleted)")
        if not Path(path).is_relative_to(self._root):
            return None
        place = Path(path).relative_to(self._root).as_posix()
        return _ROOT if place == "." else place


def state_after(before: Disk, events: Sequence[Event], policy: Policy, seed: str = "") -> Disk:
    """What the disk may hold when the power goes after these events."""
    drawn = random.Random(seed)
    disk = before.copy()
    for place, event in enumerate(events):
        if event.kind in _NAMING and _is_kept(event, events[place + 1 :], policy, drawn):
            disk.apply(event)
    for file in {event.file for event in events if event.file >= 0}:
        disk.files[file] = _content(before.files.get(file, b""), file, events, policy, drawn)
    return disk


def whole(before: Disk, events: Sequence[Event]) -> Disk:
    """What the disk holds when the power stays."""
    disk = before.copy()
    for event in events:
        disk.apply(event)
    for file in {event.file for event in events if event.file >= 0}:
        changes = [event for event in events if event.file == file and event.kind in ("write", "truncate")]
        disk.files[file] = _all_written(before.files.get(file, b""), changes)
    return disk


def _is_kept(event: Event, later: Sequence[Event], policy: Policy, drawn: random.Random) -> bool:
    if policy in ("names", "torn"):
        return True
    if policy == "ordered":
        return any(one.kind.startswith("sync") for one in later)
    folder = _folder(event.target or event.place)
    is_synced = any(one.kind == "sync all" or (one.kind == "sync folder" and one.place == folder) for one in later)
    return is_synced or (policy == "drawn" and drawn.random() < 0.5)


def _content(old: bytes, file: int, events: Sequence[Event], policy: Policy, drawn: random.Random) -> bytes:
    mine = [event for event in events if event.file == file or event.kind == "sync all"]
    synced = max((place for place, event in enumerate(mine) if event.kind.startswith("sync")), default=-1)
    changes = [event for event in mine if event.kind in ("write", "truncate")]
    safe = [event for event in mine[: synced + 1] if event.kind in ("write", "truncate")]
    late = changes[len(safe) :]
    if policy == "drawn":
        policy = drawn.choice(("torn", "names"))
    if policy == "torn" and late:
        half = late[: (len(late) + 1) // 2]
        last = half[-1]
        half[-1] = Event(last.kind, last.file, offset=last.offset, data=last.data[: len(last.data) // 2])
        safe = [*safe, *half]
    return _all_written(old, safe)


def _all_written(data: bytes, changes: Sequence[Event]) -> bytes:
    for change in changes:
        data = _written(data, change)
    return data


def _written(data: bytes, event: Event) -> bytes:
    if event.kind == "truncate":
        return data[: event.offset].ljust(event.offset, b"\0")
    return data[: event.offset].ljust(event.offset, b"\0") + event.data + data[event.offset + len(event.data) :]


def _folder(place: str) -> str:
    return place.rpartition("/")[0]


def _parents(place: str) -> Iterator[str]:
    while place:
        place = _folder(place)
        yield place


def _number(text: str | bytes) -> int:
    found = re.match(r"-?\d+", text if isinstance(text, str) else text.decode())
    return int(found[0]) if found else -1
