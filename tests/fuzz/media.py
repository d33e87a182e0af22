"""Damaged images and videos, read one after the other in a process that may die of it."""

import faulthandler
import io
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fercli.core.errors import MediaError
from fercli.stages.add.reading import measure_image, measure_video
from fercli.stages.extract_frames import ExtractFramesSettings
from fercli.stages.extract_frames.choosing import choose
from fercli.stages.extract_frames.worker import VideoTask
from fercli.vision.images import image_size, read_image
from fercli.vision.video.reader import VideoReader
from tests.vision.videos import coded, write_video

IMAGES = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "webp": "WEBP", "tiff": "TIFF", "bmp": "BMP"}
VIDEOS = {"mp4": "libx264", "avi": "mpeg4", "mkv": "libx264", "mov": "libx264", "webm": "libvpx"}
# What a header says in most forms: sizes and offsets of four bytes.
_INTEGERS = (b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\1", b"\xff\xff\xff\xff")
_HEAD = 400
_MAX_FRAMES = 500
_CHANGE = ExtractFramesSettings(method="change", limit=_MAX_FRAMES)


def whole(form: str, folder: Path) -> bytes:
    """A small sound file of this form."""
    if form in IMAGES:
        file = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)).save(file, IMAGES[form])
        return file.getvalue()
    return write_video(folder / f"whole.{form}", [coded(i) for i in range(12)], codec=VIDEOS[form]).read_bytes()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """`data` with up to 64 bits, bytes, integers or parts of it changed, most of them near the beginning."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16, 64))):
        place = draw.randrange(min(len(changed), _HEAD)) if draw.random() < 0.6 else draw.randrange(len(changed))
        length = min(len(changed) - place, draw.randrange(1, 32))
        way = draw.choice(("bit", "byte", "zeros", "ones", "cut", "twice", "integer"))
        if way == "bit":
            changed[place] ^= 1 << draw.randrange(8)
        elif way == "byte":
            changed[place] = draw.randrange(256)
        elif way in ("zeros", "ones"):
            changed[place : place + length] = (b"\0" if way == "zeros" else b"\xff") * length
        elif way == "cut":
            changed = changed[: max(8, draw.randrange(len(changed)))]
        elif way == "twice":
            changed[place:place] = changed[place : place + length]
        else:
            changed[place : place + 4] = draw.choice(_INTEGERS)[: len(changed) - place]
    return bytes(changed)


def read(form: str) -> Callable[[Path], None]:
    """What the tool does with a file of this form."""
    return _read_image if form in IMAGES else _read_video


def main(form: str, folder: Path, first: int, num_files: int) -> None:
    """Read damaged files, and print how many were read and refused; the seed at hand stands in the folder."""
    sound, seen, slowest_s = whole(form, folder), {"read": 0, "refused": 0}, 0.0
    for seed in range(first, first + num_files):
        (folder / "seed").write_text(f"{form} {seed}", encoding="utf-8")
        file = folder / f"damaged.{form}"
        file.write_bytes(mutated(sound, random.Random(f"{form} {seed}")))
        began = time.monotonic()
        try:
            read(form)(file)
            seen["read"] += 1
        except MediaError:
            seen["refused"] += 1
        slowest_s = max(slowest_s, time.monotonic() - began)
    sys.stdout.write(f"{form} {seen['read']} {seen['refused']} {slowest_s:.3f}\n")


def _read_image(path: Path) -> None:
    width, height = image_size(path)
    assert read_image(path).shape == (height, width, 3)
    assert measure_image(path).size == (width, height)  # add


def _read_video(path: Path) -> None:
    measure_video(path, None)  # add
    list(choose(path, VideoTask("damaged", path.name, 0.0, None), _CHANGE, None))  # extract-frames
    # align and predict
    for number, _ in enumerate(VideoReader(path)):
        if number > _MAX_FRAMES:
            break


if __name__ == "__main__":
    faulthandler.enable()
    for word in sys.argv[4:]:
        main(word, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
