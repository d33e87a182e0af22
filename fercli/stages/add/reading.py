"""Read what `fer add` has to know of an unknown file, in a process that may die of it; see `engine/guard.py`."""

from pathlib import Path

import numpy as np

from fercli.stages.add.media import ImageFacts, VideoFacts
from fercli.vision.images import decode_image, read_image
from fercli.vision.quality import phash, sharpness
from fercli.vision.video.reader import probe_video, scan_video

_INTERLACED = (
    "is interlaced: of each frame one of its two half images is used, with half of the vertical detail; to keep more "
    "where nothing moves, deinterlace it first (ffmpeg -i IN -vf bwdif OUT.mp4)"
)


def measure_video(path: Path, stream: int | None) -> VideoFacts:
    """Decode the first frame of a video, and count all; `stream` as in `VideoReader`.

    Raises:
        MediaError: it cannot be read.
    """
    info, span = probe_video(path, stream), scan_video(path, stream)
    warnings = (*span.warnings, *([_INTERLACED] if info.is_interlaced else []))
    size = (info.width, info.height)
    return VideoFacts(size, round(info.fps, 6), len(span.times_s), round(span.end_s, 6), info.codec, warnings)


def measure_image(path: Path) -> ImageFacts:
    """Read an image, and look at it.

    Raises:
        MediaError: it cannot be read.
    """
    image = read_image(path)
    return ImageFacts((image.shape[1], image.shape[0]), round(sharpness(image), 4), phash(image))


def decode(data: bytes, name: str) -> np.ndarray:
    """As `decode_image`."""
    return decode_image(data, name=name)
