"""Pictures of a dataset into a project: one pack where they are small and of one size, else a file each."""

import shutil
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from fercli.core.files import storage_error
from fercli.sources.items import SourceItem
from fercli.sources.packs import PackWriter

# RAF-DB's 15,339 colour pictures of 100x100 are 460 MB; AffectNet's 290,000 of 224x224 would be 43 GB.
MAX_PACK_BYTES = 2_000_000_000


class PictureStore:
    """Takes pictures one after another and knows, at the end, where each one lies.

    They go into one .npy pack while they have one shape and the pack stays below `max_pack_bytes`; from the first that
    does not fit, every picture gets a file: a copy of its own file, or a PNG where it never had one.
    """

    def __init__(self, folder: Path, name: str, *, max_pack_bytes: int = MAX_PACK_BYTES) -> None:
        self._name = name
        self._pack_path, self._files = folder / f"{name}.npy", folder / name
        self._max_pack_bytes = max_pack_bytes
        self._pack: PackWriter | None = PackWriter(self._pack_path)
        self._items: list[SourceItem] = []
        self._names: list[str] = []

    def add(self, item: SourceItem, image: UInt8[np.ndarray, "..."]) -> None:
        """Take the picture of one item.

        Raises:
            ProjectError: the disk is full or the folder cannot be written.
        """
        if self._pack is not None and not self._fits(self._pack, image):
            self._unpack(self._pack)
        if self._pack is not None:
            self._pack.append(image)
        else:
            self._write_file(item, image)
        self._items.append(item)

    def finish(self) -> list[str]:
        """Close the store; where each picture lies in the folder comes back.

        Raises:
            ProjectError: the folder cannot be written.
        """
        if self._pack is None:
            return [f"{self._name}/{file}" for file in self._names]
        try:
            self._pack.close()
        except OSError as error:
            raise storage_error(error, self._pack_path) from error
        return [f"{self._name}.npy#{row}" for row in range(len(self._items))]

    def abandon(self) -> None:
        """Let go of an open pack."""
        if self._pack is not None:
            self._pack.abandon()

    def _fits(self, pack: PackWriter, image: np.ndarray) -> bool:
        return pack.fits(image) and (pack.num_images + 1) * image.nbytes <= self._max_pack_bytes

    def _unpack(self, pack: PackWriter) -> None:
        pack.close()
        self._pack = None
        if self._items:
            images = np.load(self._pack_path, mmap_mode="r", allow_pickle=False)
            for item, image in zip(self._items, images, strict=True):
                self._write_file(item, np.asarray(image))
            # Windows does not delete a file that is still mapped.
            del images
        self._pack_path.unlink(missing_ok=True)

    def _write_file(self, item: SourceItem, image: np.ndarray) -> None:
        suffix = item.file.suffix.lower() if item.file else ".png"
        name = f"{item.row // 1000:03d}/{item.row:06d}{suffix}"
        path = self._files / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # No fsync a file: the folder gets its final name when the last one is written.
            if item.file:
                shutil.copyfile(item.file, path)
            else:
                path.write_bytes(_png(image))
        except OSError as error:
            raise storage_error(error, path) from error
        self._names.append(name)


def _png(image: np.ndarray) -> bytes:
    _, data = cv2.imencode(".png", image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return data.tobytes()
