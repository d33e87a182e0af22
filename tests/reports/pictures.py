"""Pictures for the tests of figures, and a way back from PNG."""

import io

import numpy as np
from PIL import Image


def read_png(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def plain_face(colour: tuple[int, int, int], size: int = 24) -> np.ndarray:
    return np.full((size, size, 3), colour, np.uint8)


def share_of(picture: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((picture == colour).all(axis=2).mean())


def png_of(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def jpeg_bytes(picture: np.ndarray, *, dpi: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", dpi=(dpi, dpi))
    return stream.getvalue()
