"""Match the items of an annotation tool (face ids, file names, paths) to the faces of the project."""

import base64
import contextlib
import hashlib
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import PurePosixPath
from urllib.parse import unquote

from fercli.core.files import slug
from fercli.core.names import folded
from fercli.core.rows import Face, Frame
from fercli.core.words import counted

# Label Studio puts 8 hexadecimal digits and a dash before the name of an uploaded file.
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
# How Label Studio addresses a file in the cloud that it shows itself.
_RESOLVED = re.compile(r"/resolve/?\?fileuri=([\w%+/=-]+)")
_FACE_ID = re.compile(r"^[a-z0-9_-]+/f\d{6,}-\d+$")
_ROW = re.compile(r"^row (\d+)$")
_BLIND_CODE = re.compile(r"^x[0-9a-f]{12}$")
_NUMBER = r"(-?[\d.]+(?:e[+-]?\d+)?)"
_BOXED = re.compile(
    rf"^(?P<name>.*)@(?P<left>{_NUMBER}),(?P<top>{_NUMBER}),(?P<width>{_NUMBER}),(?P<height>{_NUMBER})$"
)
MIN_IOU = 0.5
# What joins the parts of a face id in a file name that we export, because "f000123-0" is in every video.
FLAT_JOINT = "__"


def flat_name(face_id: str) -> str:
    """A face id as a file name without folders, unique in the project."""
    return face_id.replace("/", FLAT_JOINT)


def blind_code(face_id: str, copy: int) -> str:
    """A file name that tells an annotator neither the face nor that it is shown for the second time."""
    return "x" + hashlib.sha256(f"{face_id}#{copy}".encode()).hexdigest()[:12]


def boxed_item(name: str, left: float, top: float, width: float, *, height: float) -> str:
    """An item that is a box on the picture `name`, pixels."""
    return f"{name}@{left:g},{top:g},{width:g},{height:g}"


class FaceIndex:
    """The faces of a project by everything that an annotation tool may call them."""

    def __init__(self, faces: Iterable[Face], frames: Iterable[Frame] = ()) -> None:
        """Frames are needed only for votes that were given on boxes in frames."""
        self._frames = list(frames)
        self._faces = [face for face in faces if face.is_usable]
        self._ids = {face.face_id for face in self._faces}
        self._videos = {face.video_id for face in self._faces}

    def find(self, item: str) -> str | None:
        """The face that `item` names; None when none or several do.

        Tried in this order: face id; "row N" of a public set; a path that ends like the face's; a file stem, without
        Label Studio's upload prefix, that only one face has; then the same with the file that the face, or the only
        face of a picture, came from (`origin`): by path, by name, by stem. Case and the form of accents do not count. A
        stem below the name of another video does not count. A box on a frame names the face that it covers best, if
        their IoU is 0.5 or more.
        """
        if item in self._ids:
            return item
        if match := _BOXED.match(item):
            return self.find(match["name"]) or self._by_box(match)
        if match := _ROW.match(item):
            return self._by_row.get(int(match[1])) or None
        if _FACE_ID.match(item):
            return None
        parts = _parts(item)
        if found := self._by_path_end(parts):
            return found
        likely = self.candidates(item)
        return likely[0] if len(likely) == 1 else None

    def candidates(self, item: str) -> list[str]:
        """The faces that a file of this name may be: ours of the name, and those whose origin it may be.

        A file `000005.png` that came in may be another face than the one that we store under this name.
        """
        own = self._by_stem(_parts(item))
        likely, has_folder = self._of_origin(item)
        return sorted({*likely, *([own] if own and not has_folder else [])})

    def _of_origin(self, item: str) -> tuple[list[str], bool]:
        """The faces of the path of an item, else of its name, else of its stem; whether their folder is the same."""
        parts = tuple(folded(part) for part in _parts(item))
        if not parts:
            return [], False
        name = _UPLOAD_PREFIX.sub("", parts[-1])
        for names, word in ((self._by_origin, name), (self._by_origin_stem, _stem(name))):
            found = names.get(word, [])
            ends = [(_common_end((*parts[:-1], name), (*origin[:-1], name)), face_id) for origin, face_id in found]
            best = max((length for length, _ in ends), default=0)
            if found:
                return [face_id for length, face_id in ends if length == best], best > 1
        return [], False

    def why_not(self, item: str) -> str:
        """Why an item finds no face: there is none, or there are several."""
        likely = self.candidates(item)
        if len(likely) < 2:
            return "is no face of this project"
        return (
            f"may be any of {counted(len(likely), 'face')}: {', '.join(likely[:3])}{', ...' if len(likely) > 3 else ''}"
        )

    def is_shared_name(self, item: str) -> bool:
        """Whether `item` is the name of several faces, in different videos."""
        parts = _parts(item)
        is_shared = bool(parts) and self._by_name.get(PurePosixPath(parts[-1]).stem) == ""
        return is_shared or len(self.candidates(item)) > 1

    def has_frame(self, item: str) -> bool:
        """Whether the frame of an item that is a box was kept."""
        match = _BOXED.match(item)
        return bool(match and self._frame_of(_parts(match["name"])))

    def _by_path_end(self, parts: list[str]) -> str | None:
        for first in range(len(parts) - 1):
            end = "/".join(parts[first:])
            if end in self._by_path:
                return self._by_path[end]
            without_suffix = end.removesuffix(PurePosixPath(end).suffix)
            if without_suffix in self._ids:
                return without_suffix
        return None

    def _by_stem(self, parts: list[str]) -> str | None:
        stem = PurePosixPath(parts[-1]).stem if parts else ""
        found = self._by_name.get(stem) or self._by_name.get(_UPLOAD_PREFIX.sub("", stem))
        if found is None and _BLIND_CODE.match(_UPLOAD_PREFIX.sub("", stem)):
            found = self._by_code.get(_UPLOAD_PREFIX.sub("", stem))
        if not found:
            return None
        is_elsewhere = len(parts) > 1 and parts[-2] in self._videos and not found.startswith(parts[-2] + "/")
        return None if is_elsewhere else found

    def _by_box(self, match: re.Match[str]) -> str | None:
        frame_id = self._frame_of(_parts(match["name"]))
        box = tuple(float(match[side]) for side in ("left", "top", "width", "height"))
        found = [(_iou(face, box), face.face_id) for face in self._by_frame.get(frame_id or "", ())]
        overlap, face_id = max(found, default=(0.0, ""))
        return face_id if overlap >= MIN_IOU else None

    def _frame_of(self, parts: list[str]) -> str | None:
        """The frame that a path or name ends with, or whose origin it is; None where several do."""
        name = "/".join(parts)
        stems = name.removesuffix(PurePosixPath(name).suffix).split("/") if parts else []
        ends = ["/".join(stems[first:]) for first in range(len(stems))]
        ends += ["/".join([slug(stems[-2]), stems[-1]])] if len(stems) > 1 else []
        found = next((self._frame_by_name[end] for end in ends if end in self._frame_by_name), None)
        return found or self._frame_by_origin.get(folded(parts[-1]) if parts else "") or None

    @cached_property
    def _frame_by_origin(self) -> dict[str, str]:
        """Names of the pictures that frames came from; the empty string where several have one."""
        names: dict[str, str] = {}
        for frame in self._frames:
            if frame.origin:
                name = folded(path_in(frame.origin).rsplit("/", 1)[-1])
                names[name] = "" if name in names else frame.frame_id
        return names

    @cached_property
    def _frame_by_name(self) -> dict[str, str]:
        """Frame ids and, where no other video has it, their last part; else the empty string."""
        names: dict[str, str] = {}
        for frame in self._frames:
            stem = frame.frame_id.rsplit("/", 1)[-1]
            names[stem] = "" if stem in names else frame.frame_id
        return names | {frame.frame_id: frame.frame_id for frame in self._frames}

    @cached_property
    def _by_frame(self) -> dict[str, list[Face]]:
        frames: dict[str, list[Face]] = {}
        for face in self._faces:
            frames.setdefault(face.frame_id, []).append(face)
        return frames

    @cached_property
    def _by_path(self) -> dict[str, str]:
        return {face.path: face.face_id for face in self._faces if face.path and "#" not in face.path}

    @cached_property
    def _by_row(self) -> dict[int, str]:
        """Rows of the tables that faces came in; the empty string where several tables have such a row.

        A face that came as a file has only its place in the order of names, which is no row of anybody's table.
        """
        rows: dict[int, str] = {}
        for face in self._faces:
            if face.source_row is not None and not face.origin:
                rows[face.source_row] = "" if face.source_row in rows else face.face_id
        return rows

    @cached_property
    def _by_name(self) -> dict[str, str]:
        """Stems and flat names; the empty string where several faces share one."""
        names: dict[str, str] = {}
        for face in self._faces:
            stems = {face.face_id.rsplit("/", 1)[-1]}
            if face.path and "#" not in face.path:
                stems.add(PurePosixPath(face.path).stem)
            for stem in stems:
                names[stem] = "" if stem in names else face.face_id
        return names | {flat_name(face.face_id): face.face_id for face in self._faces}

    @cached_property
    def _origins(self) -> list[tuple[tuple[str, ...], str]]:
        """The parts of each origin, folded, and its face; a picture's is that of the only face in it."""
        origins = {face.face_id: face.origin for face in self._faces if face.origin}
        for frame in self._frames:
            inside = self._by_frame.get(frame.frame_id, []) if frame.origin else []
            if len(inside) == 1:
                origins.setdefault(inside[0].face_id, frame.origin)
        return [(tuple(folded(part) for part in _parts(origin)), face_id) for face_id, origin in origins.items()]

    @cached_property
    def _by_origin(self) -> dict[str, list[tuple[tuple[str, ...], str]]]:
        names: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for origin, face_id in self._origins:
            names.setdefault(origin[-1], []).append((origin, face_id))
        return names

    @cached_property
    def _by_origin_stem(self) -> dict[str, list[tuple[tuple[str, ...], str]]]:
        names: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for origin, face_id in self._origins:
            names.setdefault(_stem(origin[-1]), []).append((origin, face_id))
        return names

    @cached_property
    def _by_code(self) -> dict[str, str]:
        return {blind_code(face.face_id, copy): face.face_id for face in self._faces for copy in (1, 2)}


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _common_end(parts: tuple[str, ...], others: tuple[str, ...]) -> int:
    """How many of the last parts are the same."""
    number = 0
    for one, other in zip(reversed(parts), reversed(others), strict=False):
        if one != other:
            break
        number += 1
    return number


def path_in(item: str) -> str:
    """The path in an item that may be an address; Label Studio's local files stand behind `?d=`."""
    if "?d=" in item:
        item = unquote(item.split("?d=", 1)[1].split("&", 1)[0])
    elif match := _RESOLVED.search(item):
        with contextlib.suppress(ValueError):
            item = base64.b64decode(unquote(match[1]) + "==").decode("utf-8")
    elif "://" in item or item.startswith("/data/"):
        item = unquote(item.split("?", 1)[0])
    return item.replace("\\", "/")


def _parts(item: str) -> list[str]:
    """The folders and the name in a path or address."""
    return [part for part in path_in(item).split("/") if part not in ("", ".")]


def _iou(face: Face, box: tuple[float, ...]) -> float:
    """Intersection over union of a face's box and another, both left, top, width, height."""
    left, top, width, height = box
    if face.left is None or face.top is None or face.width is None or face.height is None:
        return 0.0
    across = min(face.left + face.width, left + width) - max(face.left, left)
    down = min(face.top + face.height, top + height) - max(face.top, top)
    shared = max(across, 0.0) * max(down, 0.0)
    return shared / (face.width * face.height + width * height - shared) if shared else 0.0
