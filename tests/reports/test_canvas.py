import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.font_manager import fontManager

from fercli.reports.figures import canvas
from fercli.reports.figures.canvas import (
    class_labels,
    font_path,
    house_style,
    ink_on,
    new_figure,
    new_sheet,
    number_words,
    place_picture,
    png_bytes,
)
from tests.reports.pictures import read_png


def chunk_names(png: bytes) -> list[str]:
    names, place = [], 8
    while place < len(png):
        length, name = struct.unpack(">I4s", png[place : place + 8])
        names.append(name.decode())
        place += 12 + length
    return names


def test_figures_carry_neither_time_nor_program_version() -> None:
    with house_style():
        png = png_bytes(new_figure(1, 1))
    assert set(chunk_names(png)) <= {"IHDR", "pHYs", "IDAT", "IEND"}


def test_the_users_own_style_is_neither_used_nor_changed() -> None:
    with house_style():
        expected = png_bytes(new_figure(1, 1))
    with matplotlib.rc_context({"figure.facecolor": "black", "savefig.facecolor": "black"}):
        with house_style():
            assert png_bytes(new_figure(1, 1)) == expected
        assert matplotlib.rcParams["figure.facecolor"] == "black"


def test_a_script_without_a_font_is_no_failure() -> None:
    with house_style():
        figure = new_figure(1, 1)
        figure.text(0.1, 0.1, "\U00012000 \U0001f9d1")  # cuneiform and a face, in no font that matplotlib ships
        assert png_bytes(figure).startswith(b"\x89PNG")


def test_dollar_signs_in_names_are_no_formula() -> None:
    with house_style():
        figure = new_figure(1, 1)
        figure.text(0.1, 0.1, "a$b^c$d_$")
        assert png_bytes(figure).startswith(b"\x89PNG")


def test_picture_lands_on_the_pixels_it_was_given() -> None:
    with house_style():
        figure, axes = new_sheet(60, 40)
        place_picture(axes, np.full((10, 10, 3), (255, 0, 0), np.uint8), 20, 10, size=20)
        sheet = read_png(png_bytes(figure, dpi=100))
    assert sheet.shape == (40, 60, 3)
    expected = np.zeros((40, 60), bool)
    expected[10:30, 20:40] = True
    np.testing.assert_array_equal((sheet == (255, 0, 0)).all(axis=2), expected)


@pytest.mark.parametrize("is_tall", [True, False], ids=["tall", "wide"])
def test_picture_that_is_not_square_is_centred_and_not_stretched(is_tall: bool) -> None:
    with house_style():
        figure, axes = new_sheet(40, 40)
        picture = np.full((20, 10, 3) if is_tall else (10, 20, 3), (0, 0, 255), np.uint8)
        place_picture(axes, picture, 10, 10, size=20)
        sheet = read_png(png_bytes(figure, dpi=100))
    blue = (sheet == (0, 0, 255)).all(axis=2)
    assert blue.any(axis=1 if is_tall else 0).nonzero()[0].tolist() == list(range(10, 30))
    assert blue.any(axis=0 if is_tall else 1).nonzero()[0].tolist() == list(range(15, 25))


@pytest.mark.parametrize(("colour", "ink"), [((1.0, 1.0, 1.0, 1.0), "#1d2430"), ((0.03, 0.19, 0.42, 1.0), "white")])
def test_ink_reads_on_its_ground(colour: tuple[float, float, float, float], ink: str) -> None:
    assert ink_on(colour) == ink


def test_reader_of_these_tests_reads_png() -> None:
    rows = b"\x00\xff\x00\x00\x00\xff\x00"  # filter 0, one red and one green pixel
    png = b"\x89PNG\r\n\x1a\n"
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ):
        png += struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    assert read_png(png).tolist() == [[[255, 0, 0], [0, 255, 0]]]


# Of a script that no test machine is likely to have a font for.
CUNEIFORM = ("\U00012000\U00012001", "calm")


@pytest.fixture
def cuneiform_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A font with the letters of `CUNEIFORM`, each of them a square, installed for one test."""
    letters = sorted({*"".join(CUNEIFORM), *"0123456789% "})
    names = [".notdef", *(f"g{ord(letter):x}" for letter in letters)]
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 700), (800, 700), (800, 0)):
        pen.lineTo(corner)
    pen.closePath()
    glyph = pen.glyph()
    build = FontBuilder(1000)
    build.setupGlyphOrder(names)
    build.setupCharacterMap(dict(zip(map(ord, letters), names[1:], strict=True)))
    build.setupGlyf(dict.fromkeys(names, glyph))
    build.setupHorizontalMetrics(dict.fromkeys(names, (900, 100)))
    build.setupHorizontalHeader(ascent=800, descent=-200)
    build.setupNameTable({"familyName": "Test Cuneiform", "styleName": "Regular"})
    build.setupOS2(sTypoAscender=800, sTypoDescender=-200)
    build.setupPost()
    build.save(tmp_path / "cuneiform.ttf")
    before = list(fontManager.ttflist)
    canvas._entry_of.cache_clear()
    fontManager.addfont(tmp_path / "cuneiform.ttf")
    yield tmp_path / "cuneiform.ttf"
    fontManager.ttflist[:] = before
    canvas._entry_of.cache_clear()


def test_classes_in_letters_of_no_font_are_numbered_and_a_sentence_names_them() -> None:
    assert class_labels(CUNEIFORM) == ["1", "2"]
    (sentence,) = number_words(CUNEIFORM)
    assert f"1 = {CUNEIFORM[0]}, 2 = calm" in sentence


def test_classes_in_latin_or_arabic_keep_their_names() -> None:
    names = ("calm", "\u0633\u0639\u064a\u062f", "tr\u00e8s content")
    assert (class_labels(names), number_words(names)) == (list(names), [])


def test_a_font_that_has_the_letters_is_found(cuneiform_font: Path) -> None:
    assert (class_labels(CUNEIFORM), number_words(CUNEIFORM)) == (list(CUNEIFORM), [])
    assert font_path(CUNEIFORM) == cuneiform_font
    with house_style(CUNEIFORM):
        assert "Test Cuneiform" in matplotlib.rcParams["font.family"]
        figure = new_figure(2, 1)
        figure.text(0.1, 0.4, CUNEIFORM[0], fontsize=30)
        drawn = read_png(png_bytes(figure))
    # Two squares of 0.7 by 0.7 of thirty points are drawn full; a box for a letter without a font is mostly white.
    assert (drawn.min(axis=2) < 128).sum() == pytest.approx(2 * (0.7 * 30 / 72 * 160) ** 2, rel=0.1)
