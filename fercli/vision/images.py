"""Read and write image files safely: the header is checked before decoding, a truncated file is refused."""

import importlib
import io
import os
import re
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError, features

from fercli.core.errors import MediaError
from fercli.core.files import replace_bytes
from fercli.core.kinds import HEIF_BRANDS, PICTURE_SUFFIXES, brand_of

# 100 megapixels are 300 MB as RGB: more than any camera frame, less than what stops a small machine.
MAX_PIXELS = 100_000_000
# A file of 100 megapixels in four channels of 16 bits.
MAX_BYTES = 2**30
# OpenCV warps no picture with a longer side.
MAX_SIDE = 32_766

# Only these parsers of Pillow are let near a stranger's file.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "PPM", *(["AVIF"] if features.check("avif") else []))
# Converted at a time; a picture of 100 megapixels then needs 0.9 GB, not 2.
_STRIP_PIXELS = 4_000_000
_EXIF_ORIENTATION = 0x0112
_SIDEWAYS = frozenset({5, 6, 7, 8})
# What Pillow's parsers raise on broken bytes; its own class, UnidentifiedImageError, is an OSError.
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)

# As `warnings.filters` holds it: action, message, category, module, line.
_NO_WORDS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def read_image(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read a picture file as RGB, turned upright by its EXIF orientation.

    Raises:
        MediaError: the file is missing, empty, cut off, damaged, of no known form, or has over `MAX_PIXELS`
            or a side over `MAX_SIDE`.
    """
    return decode_image(read_bytes(path), name=printable(path))


def decode_image(data: bytes, *, name: str) -> UInt8[np.ndarray, "height width 3"]:
    """Decode a picture held in memory as RGB, turned upright by its EXIF orientation.

    Grey and palette pictures become RGB; transparent pixels are laid over black; of 9 to 16 bits, as many as the
    brightest pixel has, the upper 8 are kept (cameras write 12 bits into files of 16);
    of an animation the first picture counts.

    Args:
        data: the bytes of the file.
        name: how messages call it.

    Raises:
        MediaError: as `read_image`.
    """
    with _opened(data, name) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return _to_rgb(image)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of the picture as `read_image` gives it, from the header alone.

    Raises:
        MediaError: the header is missing, unreadable, or declares over `MAX_PIXELS`
            or a side over `MAX_SIDE`.
    """
    return decoded_size(read_bytes(path), name=printable(path))


def decoded_size(data: bytes, *, name: str) -> tuple[int, int]:
    """Width and height as `image_size`, of a picture held in memory.

    Raises:
        MediaError: as `image_size`.
    """
    with _opened(data, name) as image:
        width, height = image.size
        # The base class's method: that of PNG would decode the whole picture to look behind it for metadata.
        exif = Image.Image.getexif(image)
        return (height, width) if exif.get(_EXIF_ORIENTATION) in _SIDEWAYS else (width, height)


def write_jpeg(path: Path, image: UInt8[np.ndarray, "height width 3"], quality: int = 95) -> None:
    """Write RGB `image` as JPEG, whole or not at all.

    Raises:
        ProjectError: the disk is full or the folder cannot be written.
    """
    replace_bytes(path, jpeg_bytes(image, quality))


def jpeg_bytes(image: UInt8[np.ndarray, "height width 3"], quality: int = 95) -> bytes:
    """RGB `image` as a JPEG file."""
    return _encoded(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def write_png(path: Path, image: UInt8[np.ndarray, "height width 3"]) -> None:
    """Write RGB `image` as PNG, whole or not at all.

    Raises:
        ProjectError: the disk is full or the folder cannot be written.
    """
    replace_bytes(path, png_bytes(image))


def png_bytes(image: UInt8[np.ndarray, "height width 3"] | UInt8[np.ndarray, "height width"]) -> bytes:
    """RGB or grey `image` as a PNG file."""
    return _encoded(image, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 3])


def list_images(folder: Path) -> tuple[list[Path], int]:
    """The pictures in `folder` itself, by suffix, in byte order of their names, and how many other files lie there.

    Hidden files (a leading dot) are neither.

    Raises:
        MediaError: `folder` is not a folder that can be read.
    """
    try:
        files = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    except OSError as error:
        raise MediaError(
            f"cannot list '{printable(folder)}': {error.strerror}", hint="Name a folder that exists."
        ) from error
    images = [path for path in files if path.suffix.lower() in PICTURE_SUFFIXES]
    return sorted(images, key=lambda path: os.fsencode(path.name)), len(files) - len(images)


def read_bytes(path: Path) -> bytes:
    """The bytes of a picture file.

    Raises:
        MediaError: it is missing, empty, no regular file, or has over `MAX_BYTES`.
    """
    name = printable(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"'{name}' is not a regular file", hint="Name a picture file.")
        if status.st_size > MAX_BYTES:
            problem = f"picture '{name}' has {status.st_size:,} bytes, more than the bound of {MAX_BYTES:,}"
            raise MediaError(problem, hint="Make it smaller first, or leave it out.")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"cannot read image '{name}': {reason}", hint="Check the path and its permissions.") from error
    if not data:
        raise MediaError(f"picture '{name}' is empty (0 bytes)", hint="Copy it again from its source.")
    return data


def printable(path: Path) -> str:
    """`path` as text that any stream can take: bytes of the name that are not UTF-8 are shown in hexadecimal."""
    return os.fsencode(path).decode("utf-8", errors="backslashreplace")


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """The picture, its header checked; whatever Pillow raises within becomes a MediaError."""
    try:
        with _quiet_pillow(), Image.open(io.BytesIO(data), formats=_formats_of(data, name)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise _too_large(name, f"{width} x {height} pixels")
            if max(width, height) > MAX_SIDE:
                raise _too_large(name, f"{width} x {height} pixels", f"{MAX_SIDE:,} per side")
            yield image
    except Image.DecompressionBombError as error:
        found = re.search(r"\d+", str(error))
        raise _too_large(name, f"{int(found.group()):,} pixels" if found else "too many pixels") from error
    except _BROKEN as error:
        # Pillow's own words name an object in memory.
        reason = (
            f"not {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}"
            if isinstance(error, UnidentifiedImageError)
            else str(error)
        )
        raise MediaError(
            f"cannot decode image '{name}': truncated, corrupt or not an image ({reason})",
            hint="If it opens in a viewer, save it again as PNG or JPEG.",
        ) from error


def _formats_of(data: bytes, name: str) -> tuple[str, ...]:
    """The parsers that a picture may need; TGA has no mark of its own, and HEIC's decoder is an extra.

    Raises:
        MediaError: it is HEIC or AVIF, and what reads it is not installed.
    """
    brand = brand_of(data[:16])
    if brand in HEIF_BRANDS:
        try:
            pi_heif = importlib.import_module("pi_heif")
        except ImportError as error:
            hint = 'Install it: pip install "fercli[heif]"; or save the pictures as JPEG.'
            raise MediaError(f"image '{name}' is HEIC, whose decoder is not installed", hint=hint) from error
        pi_heif.register_heif_opener()
        return ("HEIF",)
    if brand.startswith(b"avi") and "AVIF" not in _FORMATS:
        raise MediaError(f"image '{name}' is AVIF, which this Pillow cannot read", hint="Install Pillow 11.3 or later.")
    if data[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or data[:4] == b"\xff\x4f\xff\x51":
        return ("JPEG2000",)
    return (*_FORMATS, "TGA") if name.lower().endswith(".tga") else _FORMATS


@contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Pillow warns of large pictures and odd metadata; the bounds are ours.

    Pictures are read in several threads, and `warnings.catch_warnings` would let one put back what another has set:
    each thread adds a filter of its own and takes one of them away.
    """
    warnings.filters.insert(0, _NO_WORDS)  # type: ignore[attr-defined]  # it is a list
    try:
        yield
    finally:
        # Whoever left a `catch_warnings` meanwhile has taken it away already.
        with suppress(ValueError):
            warnings.filters.remove(_NO_WORDS)  # type: ignore[attr-defined]  # it is a list


def _too_large(name: str, size: str, bound: str = f"{MAX_PIXELS:,}") -> MediaError:
    return MediaError(
        f"image '{name}' has {size}, above the limit of {bound}",
        hint="Resize it, or leave it out.",
    )


def _to_rgb(image: Image.Image) -> np.ndarray:
    """The pixels as RGB, strip by strip, so that nothing but the picture and the array is held as a whole."""
    width, height = image.size
    num_rows = max(1, _STRIP_PIXELS // max(1, width))
    boxes = [(0, top, width, min(top + num_rows, height)) for top in range(0, height, num_rows)]
    rgb = np.empty((height, width, 3), np.uint8)
    is_deep = image.mode.startswith("I") or image.mode == "F"
    brightest = max((_brightest(np.asarray(image.crop(box))) for box in boxes), default=0) if is_deep else 0
    for box in boxes:
        strip = image.crop(box)
        if is_deep:
            rgb[box[1] : box[3]] = _eight_bits(np.asarray(strip), brightest)[:, :, None]
            continue
        if strip.has_transparency_data:
            rgba = strip.convert("RGBA")
            strip = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
        rgb[box[1] : box[3]] = np.asarray(strip.convert("RGB"))
    return rgb


def _brightest(grey: np.ndarray) -> float:
    """The largest value that is a number."""
    if np.issubdtype(grey.dtype, np.floating):
        return float(np.fmax.reduce(grey, axis=None, initial=-np.inf))
    return int(grey.max(initial=0))


def _eight_bits(grey: np.ndarray, brightest: float) -> UInt8[np.ndarray, "height width"]:
    # Floats are taken as 0..1 when they fit, else as 0..255; integers as 16 bit.
    if np.issubdtype(grey.dtype, np.floating):
        wide = np.nan_to_num(grey) * (255.0 if brightest <= 1.0 else 1.0)
    else:
        wide = np.clip(grey, 0, 65535) >> max(int(min(brightest, 65535)).bit_length() - 8, 0)
    return np.asarray(np.clip(wide, 0, 255), dtype=np.uint8)


def _encoded(image: np.ndarray, suffix: str, options: list[int]) -> bytes:
    encoded, data = cv2.imencode(suffix, np.ascontiguousarray(image if image.ndim == 2 else image[:, :, ::-1]), options)
    assert encoded, f"OpenCV could not encode {image.shape} as {suffix}"
    return data.tobytes()
