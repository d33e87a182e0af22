"""Tell videos from images by their first bytes; the suffix counts only where these do not tell."""

from pathlib import Path
from typing import Literal

Kind = Literal["picture", "video", "text", "unknown"]

PICTURE_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".tga", ".ppm", ".pgm", ".pbm",
    ".pnm", ".heic", ".heif", ".avif",
})  # fmt: skip
VIDEO_SUFFIXES = frozenset({
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mpe", ".m1v", ".m2v", ".ts", ".mts",
    ".m2t", ".m2ts", ".mod", ".tod", ".vob", ".wmv", ".asf", ".flv", ".f4v", ".3gp", ".3g2", ".ogv", ".ogm", ".gif",
    ".mxf", ".dv", ".dif", ".h264", ".264", ".h265", ".265", ".hevc", ".y4m", ".rm", ".rmvb", ".divx",
})  # fmt: skip
_PICTURE_STARTS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51",
)  # fmt: skip
_VIDEO_STARTS = (
    b"GIF8", b"\x1aE\xdf\xa3", b"0&\xb2u\x8ef\xcf\x11", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"FLV\x01", b"OggS",
    b"\x06\x0e+4", b"\x1f\x07\0", b"YUV4MPEG2", b".RMF",
)  # fmt: skip
# Brands of ISO base media files that hold pictures; the others hold films.
_PICTURE_BRANDS = frozenset({
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis",
})  # fmt: skip
HEIF_BRANDS = _PICTURE_BRANDS - {b"avif", b"avis"}
_MOVIE_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_HEAD_BYTES = 1024


def kind_of(path: Path) -> Kind:
    """What a file is; a missing or empty one is what its suffix says."""
    suffix = path.suffix.lower()
    by_suffix: Kind = "picture" if suffix in PICTURE_SUFFIXES else "video" if suffix in VIDEO_SUFFIXES else "unknown"
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return by_suffix
    told = _by_head(head)
    if told != "unknown":
        return told
    return "text" if by_suffix == "unknown" and head and _is_text(head) else by_suffix


def brand_of(head: bytes) -> bytes:
    """The brand of an ISO base media file (MP4, HEIC, AVIF); empty for any other."""
    return head[8:12] if head[4:8] == b"ftyp" else b""


def _by_head(head: bytes) -> Kind:
    if head.startswith(_PICTURE_STARTS) or head[8:12] == b"WEBP" or _is_bitmap(head) or _is_netpbm(head):
        return "picture"
    if brand_of(head) in _PICTURE_BRANDS:
        return "picture"
    if head.startswith(_VIDEO_STARTS) or head[8:12] == b"AVI " or head[4:8] in _MOVIE_BOXES:
        return "video"
    # Transport streams have a mark every 188 bytes, camcorders' (M2TS) every 192.
    is_stream = any(
        len(head) > start + 2 * step and all(head[start + step * place] == 0x47 for place in range(3))
        for start, step in ((0, 188), (4, 192))
    )
    return "video" if is_stream else "unknown"


def _is_bitmap(head: bytes) -> bool:
    # Its two letters may begin any text; the four bytes at 6 are zero in every bitmap.
    return head.startswith(b"BM") and head[6:10] == b"\0\0\0\0"


def _is_netpbm(head: bytes) -> bool:
    return len(head) > 2 and head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace()


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # The last letter may be cut.
        return len(head) == _HEAD_BYTES and error.start > len(head) - 4
    return True
