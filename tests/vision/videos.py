"""Small videos made on the spot, each frame of which says in black and white which one it is."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SIZE = (128, 96)
_BITS = 8
_CODE_ROWS = 16
Picture = np.ndarray


def coded(number: int, shade: int = 90, size: tuple[int, int] = SIZE) -> Picture:
    """A grey picture with `number` written as eight black or white blocks along its top, red in one corner."""
    width, height = size
    image = np.full((height, width, 3), shade, np.uint8)
    block = width // _BITS
    for bit in range(_BITS):
        image[:_CODE_ROWS, bit * block : (bit + 1) * block] = 255 if number >> bit & 1 else 0
    image[-24:, -24:] = (200, 30, 30)
    return image


def read_code(luma: np.ndarray) -> int:
    """The number that `coded` wrote."""
    block = luma.shape[1] // _BITS
    row = luma[_CODE_ROWS // 2]
    return sum(1 << bit for bit in range(_BITS) if row[bit * block + block // 2] > 128)


def pattern(seed: int) -> Picture:
    """A picture of random blocks; two seeds give unlike pictures."""
    blocks = np.random.default_rng(seed).integers(20, 236, (6, 8, 3), np.uint8)
    return np.kron(blocks, np.ones((16, 16, 1), np.uint8))


def write_video(
    path: Path,
    pictures: Iterable[Picture],
    *,
    fps: int = 25,
    codec: str = "libx264",
    times: Iterable[Fraction] | None = None,
    key_every: int = 10,
    rotation: int = 0,
    hflip: bool = False,
    pixel_aspect: str = "",
    options: dict[str, str] | None = None,
) -> Path:
    """Encode `pictures` with PyAV alone; `times` in seconds make a variable frame rate."""
    first, *others = pictures
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], "yuv420p"
        stream.codec_context.gop_size = key_every
        stream.codec_context.thread_count = 1
        own = {name: text for name, text in (options or {}).items() if name in ("preset", "x264-params")}
        stream.options = {"crf": "10", "preset": "ultrafast"} | own if codec == "libx264" else {"qscale": "2"}
        if rotation or hflip:
            stream.set_display_rotation(rotation, hflip=hflip)
        if pixel_aspect:
            stream.sample_aspect_ratio = Fraction(pixel_aspect)
        if times is not None:
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        moments = iter(times) if times is not None else None
        for picture in (first, *others):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if moments is not None:
                frame.pts, frame.time_base = round(next(moments) * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
