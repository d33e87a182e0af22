"""Write many small images of one size to one .npy file that numpy can map into memory."""

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8

from fercli.core.files import storage_error


class PackWriter:
    """Appends pictures to a .npy file of shape (pictures, height, width[, 3]), whose header is completed on `close`.

    The memory that it takes does not grow with the number of pictures. It writes to `path` itself: hand it the
    temporary name of `core.files.replacing`, so that a half written pack never carries the final name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.shape: tuple[int, ...] = ()
        self.num_images = 0

    def fits(self, image: UInt8[np.ndarray, "..."]) -> bool:
        """Whether `image` has the shape of those before it; the first one always fits."""
        return not self.num_images or image.shape == self.shape

    def append(self, image: UInt8[np.ndarray, "..."]) -> int:
        """Add one picture; its row in the pack comes back.

        Raises:
            ValueError: it has another shape than the first.
            ProjectError: the disk is full or the folder cannot be written.
        """
        if not self.fits(image):
            raise ValueError(f"a picture of shape {image.shape} does not fit a pack of {self.shape}")
        try:
            if self._file is None:
                self.shape = image.shape
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("wb")
                self._file.write(_header(0, self.shape))
            self._file.write(np.ascontiguousarray(image).data)
        except OSError as error:
            raise storage_error(error, self._path) from error
        self.num_images += 1
        return self.num_images - 1

    def close(self) -> None:
        """Write the true number of pictures into the header."""
        if self._file is None or self._file.closed:
            return
        try:
            self._file.seek(0)
            self._file.write(_header(self.num_images, self.shape))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise storage_error(error, self._path) from error

    def abandon(self) -> None:
        """Let go of the file without completing it."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> "PackWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def _header(num_images: int, shape: tuple[int, ...]) -> bytes:
    """A .npy header of version 1.0 whose length does not depend on `num_images`.

    Source: numpy's format documentation (NEP 1): magic, version, little-endian length, a Python dict as text, spaces
    up to a multiple of 64 bytes, a line feed.
    """
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {(num_images, *shape)}, }}"
    length = 256 - 10
    return b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1).encode("ascii") + b"\n"
