"""Items of an annotation tool (face ids, file names, paths) to the faces of the project."""

import hashlib
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import PurePosixPath
from urllib.parse import unquote

from fercli.core.rows import Face

# Label Studio puts 8 hexadecimal digits and a dash before the name of an uploaded file.
_UPLOAD_PREFIX = re.compile(r"^[0-9a-f]{8}-")
_FACE_ID = re.compile(r"^[a-z0-9_-]+/f\d{6,}-\d+$")
_ROW = re.compile(r"^row (\d+)$")
_BLIND_CODE = re.compile(r"^x[0-9a-f]{12}$")
# What joins the parts of a face id in a file name that we export, because "f000123-0" is in every video.
FLAT_JOINT = "__"


def flat_name(face_id: str) -> str:
    """A face id as a file name without folders, unique in the project."""
    return face_id.replace("/", FLAT_JOINT)


def blind_code(face_id: str, copy: int) -> str:
    """A file name that tells an annotator neither the face nor that it is shown for the second time."""
    return "x" + hashlib.sha256(f"{face_id}#{copy}".encode()).hexdigest()[:12]


class FaceIndex:
    """The faces of a project by everything that an annotation tool may call them."""

    def __init__(self, faces: Iterable[Face]) -> None:
        self._faces = [face for face in faces if face.status in ("ok", "given")]
        self._ids = {face.face_id for face in self._faces}
        self._videos = {face.video_id for face in self._faces}

    def find(self, item: str) -> str | None:
        """The face that `item` names; None when none or several do.

        Tried in this order: face id; "row N" of a public set; a path that ends like the face's; a file stem, without
        Label Studio's upload prefix, that only one face has. A stem below the name of another video does not count.
        """
        if item in self._ids:
            return item
        if match := _ROW.match(item):
            return self._by_row.get(int(match[1]))
        if _FACE_ID.match(item):
            return None
        parts = _parts(item)
        return self._by_path_end(parts) or self._by_stem(parts)

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

    @cached_property
    def _by_path(self) -> dict[str, str]:
        return {face.path: face.face_id for face in self._faces if face.path and "#" not in face.path}

    @cached_property
    def _by_row(self) -> dict[int, str]:
        return {face.source_row: face.face_id for face in self._faces if face.source_row is not None}

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
    def _by_code(self) -> dict[str, str]:
        return {blind_code(face.face_id, copy): face.face_id for face in self._faces for copy in (1, 2)}


def _parts(item: str) -> list[str]:
    """The folders and the name in a path or URL; Label Studio's local files stand behind `?d=`."""
    if "?d=" in item:
        item = unquote(item.split("?d=", 1)[1])
    elif "://" in item or item.startswith("/data/"):
        item = unquote(item.split("?", 1)[0])
    return [part for part in item.replace("\\", "/").split("/") if part not in ("", ".")]
