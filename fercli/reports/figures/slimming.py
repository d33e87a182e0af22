"""Shrink large images so that a page with many faces can still be sent by mail."""

import io

from PIL import Image

_LARGE_BYTES = 300_000
_QUALITIES = (88, 75, 60)


def slim(picture: bytes, *, largest: int = _LARGE_BYTES) -> bytes:
    """A picture of more than `largest` bytes as JPEG, as fine as fits; a smaller one as it is.

    Charts stay PNG: they are small, and JPEG would blur their letters. The drawn size (dots per inch) is kept.
    """
    if len(picture) <= largest:
        return picture
    with Image.open(io.BytesIO(picture)) as image:
        dpi = image.info.get("dpi", (96, 96))
        rgb = image.convert("RGB")
    smallest = picture
    for quality in _QUALITIES:
        stream = io.BytesIO()
        rgb.save(stream, "JPEG", quality=quality, subsampling=0, dpi=dpi)
        smallest = min(smallest, stream.getvalue(), key=len)
        if len(smallest) <= largest:
            break
    return smallest
