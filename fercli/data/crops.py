"""The crop of a face as pixels or as a PNG file, from its own file or from a packed one."""

from pathlib import Path

import cv2
import numpy as np

from fercli.core.errors import MediaError
from fercli.core.project import Project
from fercli.vision.images import read_image


def crop_png(project: Project, path: str) -> bytes:
    """A face's crop as PNG; a file that is one already comes as it is.

    Raises:
        MediaError: it is missing or damaged.
        TableError: the path leads out of the project.
    """
    name, _, row = path.partition("#")
    place = project.inside(name, "faces.csv")
    try:
        if not row and name.lower().endswith(".png"):
            return place.read_bytes()
        pack = np.load(place, mmap_mode="r", allow_pickle=False) if row else None
        image = read_image(place) if pack is None else np.asarray(pack[int(row)])
    except (OSError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"'{path}' cannot be read: {reason}", hint="Run: fer align") from error
    data: bytes = cv2.imencode(".png", image if image.ndim == 2 else image[:, :, ::-1])[1].tobytes()
    return data


class CropFiles:
    """Reads crops; packed files stay open."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._packs: dict[str, np.ndarray] = {}

    def read(self, path: str) -> tuple[np.ndarray | None, str]:
        """The pixels of the crop at `path` and an empty reason, or None and why it cannot be read."""
        name, _, row = path.partition("#")
        if not name or not (self._root / name).is_file():
            return None, "the crop is missing"
        try:
            return self._pixels(path), ""
        except (MediaError, ValueError, IndexError, OSError) as error:
            return None, f"row {row} is not in the packed file" if row else f"the crop cannot be read: {error}"

    def _pixels(self, path: str) -> np.ndarray:
        name, _, row = path.partition("#")
        if not row:
            return read_image(self._root / name)
        if name not in self._packs:
            self._packs[name] = np.load(self._root / name, mmap_mode="r", allow_pickle=False)
        pixels: np.ndarray = self._packs[name][int(row)]
        return pixels
