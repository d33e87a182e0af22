import io

import numpy as np
from PIL import Image

from fercli.reports.figures.slimming import slim


def noise_png(side: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(stream, "PNG", dpi=(150, 150))
    return stream.getvalue()


def test_small_picture_stays_as_it_is() -> None:
    png = noise_png(20)
    assert slim(png) is png


def test_large_picture_becomes_a_smaller_jpeg_of_the_same_size_and_density() -> None:
    png = noise_png(400)
    jpeg = slim(png)
    assert jpeg.startswith(b"\xff\xd8\xff")
    assert len(jpeg) < len(png)
    with Image.open(io.BytesIO(jpeg)) as image:
        assert image.size == (400, 400)
        assert image.info["dpi"] == (150, 150)


def test_smaller_bound_gives_a_coarser_picture() -> None:
    png = noise_png(400)
    assert len(slim(png, largest=1000)) < len(slim(png, largest=len(png) - 1))
