"""Pictures in and out: what a stranger's folder may hold."""

import errno
import importlib.util
import io
import os
import struct
import sys
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, features

from fercli.core.errors import MediaError, ProjectError
from fercli.engine.guard import call
from fercli.vision import images
from fercli.vision.images import decode_image, image_size, list_images, read_image, write_jpeg, write_png


def gradient(height: int = 20, width: int = 30) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 8, y * 12, 255 - x * 4], axis=2).astype(np.uint8)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def test_png_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", gradient())
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), gradient())


def test_png_holds_rgb_order_for_other_readers(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", gradient())
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), gradient())


def test_jpeg_comes_back_nearly_as_it_was_written(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", gradient())
    assert np.abs(read_image(tmp_path / "a.jpg").astype(int) - gradient()).mean() < 4


def test_decoding_agrees_with_opencv_on_a_png() -> None:
    data = encoded(Image.fromarray(gradient()), "PNG")
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    np.testing.assert_array_equal(decode_image(data, name="a"), theirs)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    source = Image.fromarray(gradient()).convert(mode)
    expected = np.asarray(source.convert("RGB"))
    np.testing.assert_array_equal(decode_image(encoded(source, "PNG"), name="a"), expected)


def test_transparent_pixels_are_black_and_opaque_ones_keep_their_colour() -> None:
    rgba = np.dstack([gradient(), np.full((20, 30), 255, np.uint8)])
    rgba[:, :10, 3] = 0
    rgb = decode_image(encoded(Image.fromarray(rgba), "PNG"), name="a")
    assert rgb[:, :10].max() == 0
    np.testing.assert_array_equal(rgb[:, 10:], gradient()[:, 10:])


def test_sixteen_bit_grey_keeps_its_upper_eight_bits() -> None:
    grey = (np.arange(600).reshape(20, 30) * 109).astype(np.uint16)
    encoded_ok, data = cv2.imencode(".png", grey)
    assert encoded_ok
    rgb = decode_image(data.tobytes(), name="a")
    np.testing.assert_array_equal(rgb, np.repeat((grey // 256).astype(np.uint8)[:, :, None], 3, axis=2))


def test_exif_orientation_turns_picture_and_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "a.png").write_bytes(encoded(Image.fromarray(gradient()), "PNG", exif=exif))
    turned = read_image(tmp_path / "a.png")
    # Orientation 6: what is stored must be turned 90 degrees clockwise to stand upright.
    np.testing.assert_array_equal(turned, np.rot90(gradient(), k=-1))
    assert image_size(tmp_path / "a.png") == (20, 30)


def test_size_is_read_without_decoding(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_header(640, 480))
    assert image_size(tmp_path / "a.png") == (640, 480)


@pytest.mark.parametrize(("width", "height"), [(10_001, 10_000), (30_000, 30_000)], ids=["just-over", "huge"])
def test_picture_bomb_is_refused_by_its_header(width: int, height: int) -> None:
    with pytest.raises(MediaError, match=r"'bomb\.png' has .*pixels, above the limit of 100,000,000"):
        decode_image(png_header(width, height), name="bomb.png")


def test_picture_with_a_side_that_nothing_warps_is_refused() -> None:
    with pytest.raises(MediaError, match=r"has 33000 x 20 pixels, above the limit of 32,766 per side"):
        decode_image(png_header(33_000, 20), name="strip.png")


def test_picture_bomb_is_not_measured_either(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png_header(20_000, 20_000))
    with pytest.raises(MediaError, match="400,000,000 pixels"):
        image_size(tmp_path / "a.png")


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("kept", [0.9, 0.5, 0.05])
def test_cut_off_picture_is_refused(form: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), form)
    with pytest.raises(MediaError, match="cannot decode image 'cut'"):
        decode_image(data[: int(len(data) * kept)], name="cut")


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_never_raise_anything_but_media_errors(seed: int) -> None:
    rng = np.random.default_rng(seed)
    form = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")[seed % 6]
    data = bytearray(encoded(Image.fromarray(gradient()), form))
    for place in rng.integers(0, len(data), 8):
        data[place] = rng.integers(0, 256)
    try:
        decoded = decode_image(bytes(data), name="odd")
    except MediaError:
        return
    assert decoded.dtype == np.uint8


def with_odd_metadata() -> bytes:
    """A picture at whose metadata, which end too early, Pillow warns."""
    return encoded(Image.fromarray(gradient()), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")


def test_words_of_pillow_are_kept_off() -> None:
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        Image.open(io.BytesIO(with_odd_metadata())).close()
    decode_image(with_odd_metadata(), name="a")


def test_threads_that_decode_leave_warnings_as_they_were() -> None:
    data, before = with_odd_metadata(), list(warnings.filters)
    together = threading.Barrier(2)

    def decode(number: int) -> None:
        # The first to begin ends last, the second in between: neither may put back what the other set.
        with images._opened(data, "a") as image:
            together.wait()
            if number:
                together.wait()
            image.load()
        if not number:
            together.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(decode, range(2)))
    assert warnings.filters == before


def test_text_is_no_picture() -> None:
    with pytest.raises(MediaError, match=r"cannot decode image 'notes\.jpg': .* \(not JPEG, PNG"):
        decode_image(b"dear diary", name="notes.jpg")


def test_empty_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    with pytest.raises(MediaError, match=r"a\.jpg' is empty"):
        read_image(tmp_path / "a.jpg")


def test_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"cannot read image '.*b\.jpg'"):
        read_image(tmp_path / "b.jpg")


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="file names are always Unicode there")
def test_name_that_is_not_utf8_is_written_read_and_shown(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    write_png(path, gradient())
    np.testing.assert_array_equal(read_image(path), gradient())
    assert list_images(tmp_path) == ([path], 0)
    path.write_bytes(b"x")
    with pytest.raises(MediaError, match=r"caf\\xe9\.png") as caught:
        read_image(path)
    caught.value.message.encode("utf-8")


def test_full_disk_is_noticed_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(ProjectError, match="disk full"):
        write_png(tmp_path / "a.png", gradient())
    assert not list(tmp_path.iterdir())


def test_pictures_are_listed_in_order_and_foreign_files_counted(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "c.webp", "notes.txt", "table.csv", ".DS_Store"):
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    found, num_foreign = list_images(tmp_path)
    assert [path.name for path in found] == ["a.jpg", "b.PNG", "c.webp"]
    assert num_foreign == 2


def test_listing_a_missing_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot list"):
        list_images(tmp_path / "none")


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_grey_of_any_depth_in_a_file_of_16_bits_keeps_its_upper_8(tmp_path: Path, bits: int) -> None:
    grey = np.linspace(0, 2**bits - 1, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    np.testing.assert_allclose(read_image(tmp_path / "deep.png")[:, :, 0].ravel(), np.arange(256), atol=1)


@pytest.mark.parametrize(("suffix", "form"), [("jfif", "JPEG"), ("jp2", "JPEG2000"), ("tga", "TGA"), ("avif", "AVIF")])
def test_other_forms_of_pictures_are_read(tmp_path: Path, suffix: str, form: str) -> None:
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    Image.new("RGB", (32, 32), (200, 100, 50)).save(tmp_path / f"a.{suffix}", form)
    np.testing.assert_allclose(read_image(tmp_path / f"a.{suffix}")[16, 16], (200, 100, 50), atol=8)


def test_heic_without_its_decoder_says_what_to_install(tmp_path: Path) -> None:
    if importlib.util.find_spec("pi_heif"):
        pytest.skip("the decoder is here")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    with pytest.raises(MediaError, match="is HEIC, whose decoder is not installed") as caught:
        read_image(tmp_path / "a.heic")
    assert "fercli[heif]" in caught.value.hint


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "I;16", "F", "CMYK", "1"])
def test_large_picture_is_converted_in_strips_that_do_not_show(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.fromarray(gradient(23, 31))
    options: dict[str, object] = {}
    if mode == "RGBA":
        image.putalpha(Image.fromarray(gradient(23, 31)[:, :, 0]))
    elif mode == "I;16":
        image = Image.fromarray(gradient(23, 31)[:, :, 1].astype(np.uint16) * 13)
    elif mode == "F":
        image = Image.fromarray(gradient(23, 31)[:, :, 1].astype(np.float32) / 240)
    else:
        image = image.convert(mode)
    options |= {"transparency": 3} if mode == "P" else {}
    data = encoded(image, "TIFF" if mode in ("F", "CMYK") else "PNG", **options)
    whole = decode_image(data, name="one strip")
    monkeypatch.setattr(images, "_STRIP_PIXELS", 4 * 31)
    np.testing.assert_array_equal(decode_image(data, name="six strips"), whole)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_picture_as_large_as_allowed_is_read_within_the_bound_of_memory(mode: str, tmp_path: Path) -> None:
    Image.new(mode, (10_000, 10_000), (9, 9, 9, 255)[: len(mode)]).save(tmp_path / "large.png", compress_level=1)
    assert call("fercli.vision.images:image_size", tmp_path / "large.png", name="large") == (10_000, 10_000)
    facts = call("fercli.stages.add.reading:measure_image", tmp_path / "large.png", name="large")
    assert facts.size == (10_000, 10_000)
