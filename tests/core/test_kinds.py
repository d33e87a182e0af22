import io
from pathlib import Path

import pytest
from PIL import Image

from fercli.core.kinds import kind_of


def picture(form: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (20, 20), (90, 60, 30)).save(out, form)
    return out.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000"])
@pytest.mark.parametrize("name", ["photo", "photo.jfif", "photo.mp4"])
def test_picture_is_told_by_its_contents(tmp_path: Path, form: str, name: str) -> None:
    (tmp_path / name).write_bytes(picture(form))
    assert kind_of(tmp_path / name) == "picture"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0", "picture"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "picture"),
        (b"\0\0\0\x18ftypisom\0\0\0\0", "video"),
        (b"RIFF\x10\0\0\0AVI LIST", "video"),
        (b"\x1aE\xdf\xa3\x01\0\0", "video"),
        ((b"\x47" + b"\0" * 187) * 4, "video"),
        ((b"\0\0\0\0\x47" + b"\0" * 187) * 4, "video"),
        (b"Monday: the camera stood at the back. " * 40, "text"),
        ("Müller ".encode() * 300, "text"),
        (b"BM is the name of a room", "text"),
        (bytes(range(256)), "unknown"),
    ],
    ids=["heic", "avif", "mp4", "avi", "mkv", "ts", "m2ts", "text", "cut letter", "two letters", "bytes"],
)
def test_first_bytes_tell_what_a_file_is(tmp_path: Path, head: bytes, expected: str) -> None:
    (tmp_path / "file").write_bytes(head)
    assert kind_of(tmp_path / "file") == expected


@pytest.mark.parametrize("suffix", ["vob", "mxf", "asf", "dv", "mod", "m2v", "3g2", "h264", "MTS"])
def test_suffixes_of_camcorders_count_where_the_bytes_do_not_tell(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(bytes(range(1, 200)))
    assert kind_of(tmp_path / f"a.{suffix}") == "video"
