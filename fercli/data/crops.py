"""The crop of a face as pixels, from its own file or from a packed one: the one place where crops are read."""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8

from fercli.core.digests import MISSING, FileDigests
from fercli.core.errors import MediaError
from fercli.core.places import Places
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.vision.images import decode_image, decoded_size, png_bytes, read_bytes

# A crop that `fer align` has cut out of a frame, and a given one that it has set upright.
_ALIGNED = re.compile(r"faces/[^/]+/f[0-9]+-[0-9]+\.png")
_REALIGNED = re.compile(r"faces/[^/]+/[0-9]+\.png")
T = TypeVar("T")
Pixels = UInt8[np.ndarray, "height width"] | UInt8[np.ndarray, "height width 3"]


class CropError(MediaError):
    """A crop that cannot be read; the hint says how to get it back.

    Args:
        message: what is wrong with which file.
        hint: the command that makes it again.
        is_missing: there is no such file.
    """

    def __init__(self, message: str, *, hint: str = "", is_missing: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.is_missing = is_missing


def open_crop(project: Project, face: Face) -> Pixels:
    """The crop of a face as it is stored, grey or RGB; for many use one `CropFiles`.

    Raises:
        CropError: it is missing, damaged, or its packed file is.
        TableError: its path leads out of the project.
    """
    return CropFiles(project.root).read(face.path)


class CropFiles:
    """Reads crops by the paths that faces.csv gives them: a file, or "pack.npy#row", a row of an array.

    Packed files stay open; a copy in another process opens them for itself.
    """

    def __init__(self, root: Path) -> None:
        self._places = Places(root)
        self._digests = FileDigests(root)
        self._packs: dict[str, np.ndarray | CropError] = {}

    def read(self, path: str) -> Pixels:
        """The pixels as they are stored, grey or RGB.

        Raises:
            CropError: the crop is missing, damaged, or its packed file is.
            TableError: the path leads out of the project.
        """
        name, mark, row = path.rpartition("#")
        if mark:
            return np.array(self._row(name, row))
        return self._decoded(path, decode_image)

    def read_rgb(self, path: str) -> UInt8[np.ndarray, "height width 3"]:
        """The pixels in RGB, three equal channels where they are grey; raises as `read`."""
        pixels = self.read(path)
        return np.repeat(pixels[:, :, None], 3, axis=2) if pixels.ndim == 2 else pixels

    def png(self, path: str) -> bytes:
        """The crop as a PNG file, a whole one that is one already byte for byte; raises as `read`."""
        pixels = self.read(path)
        return self._bytes(path) if path.lower().endswith(".png") else png_bytes(pixels)

    def shape(self, path: str) -> tuple[int, ...]:
        """Height, width and, for RGB, 3, by its header alone; raises as `read`."""
        name, mark, row = path.rpartition("#")
        if mark:
            return self._row(name, row).shape
        return (*self._decoded(path, decoded_size)[::-1], 3)

    def digest(self, path: str) -> str:
        """SHA-256 of the bytes of the file, or of the row of a packed file; raises as `read`.

        A file that looks as it did when it was read last is not read; see `core/digests.py`.
        """
        name, mark, row = path.rpartition("#")
        if mark:
            pixels: Any = np.ascontiguousarray(self._row(name, row)).data
            return hashlib.sha256(pixels).hexdigest()
        found = self._digests.sha256(self._places.inside(path, "faces.csv")) if path else MISSING
        return hashlib.sha256(self._bytes(path)).hexdigest() if found == MISSING else found

    def keep_digests(self) -> None:
        """Write down which digests were learnt, where it would take long to learn them again."""
        self._digests.keep()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open packs."""
        return {**self.__dict__, "_packs": {}}

    def _decoded(self, path: str, decode: Callable[..., T]) -> T:
        data = self._bytes(path)
        try:
            return decode(data, name=path)
        except MediaError as error:
            raise _damaged(path, error) from error

    def _bytes(self, path: str) -> bytes:
        if not path:
            raise CropError("the face has no crop", hint=_hint(path), is_missing=True)
        for _ in range(2):  # a commit may give it its place between the two steps
            file = self._places.inside(path, "faces.csv")
            try:
                return read_bytes(file)
            except MediaError as error:
                if file.exists():
                    raise _damaged(path, error) from error
        raise _missing(path)

    def _row(self, name: str, row: str) -> np.ndarray:
        pack = self._pack(name)
        if not row.isdigit() or int(row) >= len(pack):
            raise CropError(f"'{name}' has no row {row}", hint=_hint(f"{name}#{row}"))
        pixels: np.ndarray = pack[int(row)]
        return pixels

    def _pack(self, name: str) -> np.ndarray:
        if name not in self._packs:
            try:
                self._packs[name] = self._open(name)
            except CropError as error:
                self._packs[name] = error  # each of its faces meets it again
        pack = self._packs[name]
        if isinstance(pack, CropError):
            raise pack
        return pack

    def _open(self, name: str) -> np.ndarray:
        file, hint = self._places.inside(name, "faces.csv"), _hint(f"{name}#")
        if not file.exists():
            raise _missing(f"{name}#")
        try:
            pack = np.load(file, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError) as error:
            problem = f"packed crops '{name}' cannot be read, the file is cut off or damaged ({error})"
            raise CropError(problem.replace(str(file), name), hint=hint) from error
        is_pack = isinstance(pack, np.ndarray) and pack.dtype == np.uint8
        if not is_pack or pack.ndim not in (3, 4) or (pack.ndim == 4 and pack.shape[3] != 3):
            form = f"{pack.dtype} of shape {pack.shape}" if isinstance(pack, np.ndarray) else "several arrays"
            raise CropError(f"packed crops '{name}' hold no pictures: {form}", hint=hint)
        return np.asanyarray(pack)


def image_digests(project: Project, faces: Iterable[Face], *, progress: Progress = SILENT) -> dict[str, str]:
    """SHA-256 of each face's file, or of its row in a packed file; the empty string where there is no such file.

    Raises:
        CropError: a packed file is damaged.
        TableError: a path leads out of the project.
    """
    faces, files = list(faces), CropFiles(project.root)
    progress.start("comparing crops", len(faces))
    digests = {}
    for face in faces:
        try:
            digests[face.face_id] = files.digest(face.path)
        except CropError as error:
            if not error.is_missing:
                raise
            digests[face.face_id] = ""
        progress.advance()
    files.keep_digests()
    return digests


def _missing(path: str) -> CropError:
    what = f"packed crops '{path.partition('#')[0]}' are" if "#" in path else f"crop '{path}' is"
    return CropError(f"{what} missing", hint=_hint(path), is_missing=True)


def _damaged(path: str, error: MediaError) -> CropError:
    return CropError(error.message, hint=_hint(path))


def _hint(path: str) -> str:
    """How a crop comes back, by where it lies."""
    if _ALIGNED.fullmatch(path):
        return "Delete the file, if it is there, and run: fer align"
    if _REALIGNED.fullmatch(path):
        return "Delete the file, if it is there, and run: fer align --realign"
    parts = path.partition("#")[0].split("/")
    name = f" --name {parts[1].removesuffix('.npy')}" if len(parts) > 1 else ""
    return f"Add the dataset again: fer add PATH --source SOURCE{name} --force"
