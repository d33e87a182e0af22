"""Files as cameras and phones write them, made here by PyAV: each is told by content, read, and shows its picture."""

import base64
import importlib.util
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image, features

from fercli.core.kinds import kind_of
from fercli.core.project import create_project
from fercli.core.rows import Frame, Video
from fercli.stages.add import AddResult, AddSettings, add
from fercli.vision.images import image_size, read_image
from fercli.vision.video.reader import VideoReader, probe_video, scan_video
from tests.vision.videos import SIZE, coded, read_code

PAL = (720, 576)
FORMS = {
    "avchd.mts": ("libx264", "yuv420p", "mpegts", {}),
    "avchd.m2ts": ("libx264", "yuv420p", "mpegts", {"mpegts_m2ts_mode": "1"}),
    "everio.mod": ("mpeg2video", "yuv420p", "mpeg", {}),
    "everio.tod": ("mpeg2video", "yuv420p", "mpegts", {}),
    "disc.vob": ("mpeg2video", "yuv420p", "vob", {}),
    "phone.3gp": ("mpeg4", "yuv420p", "3gp", {}),
    "tape.dv": ("dvvideo", "yuv420p", "dv", {}),
    "studio.mxf": ("mpeg2video", "yuv420p", "mxf", {}),
    "windows.wmv": ("wmv2", "yuv420p", "asf", {}),
    "ten-bits.mp4": ("libx264", "yuv420p10le", "mp4", {}),
    "ten-bits.mov": ("prores_ks", "yuv422p10le", "mov", {}),
    "twelve-bits.mkv": ("ffv1", "yuv422p12le", "matroska", {}),
    "grey-twelve-bits.mkv": ("ffv1", "gray12le", "matroska", {}),
}
# 90 x 60, with a green bar at the left of a red and a blue half; made by libheif.
HEIC = """
AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX5tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAAAAAERA
AAEAAQAAAAABogABAAAAAAAAAIIAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/mlwcnAAAADeaXBjbwAA
AHdodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoDCBByeW
6uSmubgIaDAgAAADAyAAAAMAIWIAAQAGRAHBc8GJAAAAE2NvbHJuY2x4AAEADQAGgAAAABRpc3BlAAAAAAAAAFoAAABAAAAAKGNsYXAAAABaAAAAAQAA
ADwAAAABAAAAAAAAAAL////8AAAAAgAAABBwaXhpAAAAAAMICAgAAAAYaXBtYQAAAAAAAAABAAEFgQIDBYQAAACKbWRhdAAAAH4oAa8J0fPA48CavL/6
r//84f/+vmVDn9+Q5qtK4gi7Hih16G+23ugmBPpO8yMDSbSUfEulqlMwA771zDKo7ZIggb51EZT3hVEijBs5fPpLWpTkm4ZN3bl3Ybz2Z/by/IFl041R
gkOOhb2z4OWGloBCwbUgdTbMzm7V622RMS4=
"""
WITH_HEIC = pytest.mark.skipif(not importlib.util.find_spec("pi_heif"), reason="pi-heif is not installed")
WITH_AVIF = pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")


def write(path: Path, codec: str, pixels: str, container: str, options: dict[str, str]) -> Path:
    size = PAL if codec == "dvvideo" else SIZE
    with av.open(str(path), "w", format=container, options=options) as file:
        stream: Any = file.add_stream(codec, rate=25)
        (stream.width, stream.height), stream.pix_fmt = size, pixels
        for number in range(8):
            picture = np.asarray(cv2.resize(coded(number), size, interpolation=cv2.INTER_NEAREST))
            frame: Any = av.VideoFrame.from_ndarray(picture, format="rgb24")
            file.mux(stream.encode(frame.reformat(format=pixels)))
        file.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("name", FORMS)
def test_form_is_told_by_its_content_and_every_frame_comes_out(name: str, tmp_path: Path) -> None:
    codec, *more = FORMS[name]
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot write {codec}")
    path = write(tmp_path / name, codec, *more)  # type: ignore[arg-type]
    assert kind_of(path) == kind_of(path.rename(tmp_path / "without suffix")) == "video"
    frames = list(VideoReader(tmp_path / "without suffix"))
    assert [read_code(frame.luma) for frame in frames] == list(range(8)) == [frame.index for frame in frames]
    shades = [float(np.median(frame.rgb()[frame.size[1] // 2])) for frame in frames]
    assert shades == pytest.approx([90] * 8, abs=4)
    assert (probe_video(tmp_path / "without suffix").is_interlaced) == (codec == "dvvideo")
    assert len(scan_video(tmp_path / "without suffix").times_s) == 8


def heic(path: Path) -> Path:
    path.write_bytes(base64.b64decode(HEIC))
    return path


def avif(path: Path) -> Path:
    image = np.zeros((60, 90, 3), np.uint8)
    image[:30], image[30:], image[:, :20] = (200, 60, 40), (40, 60, 200), (30, 160, 60)
    Image.fromarray(image).save(path, "AVIF", quality=95)
    return path


@pytest.mark.parametrize("make", [pytest.param(heic, marks=WITH_HEIC), pytest.param(avif, marks=WITH_AVIF)])
@pytest.mark.parametrize("name", ["IMG_0001.HEIC", "photo.jpg", "photo"])
def test_image_of_a_phone_is_read_whatever_it_is_called(make: Any, name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name)
    assert kind_of(path) == "picture"
    image = read_image(path)
    assert image_size(path) == (90, 60) == image.shape[1::-1]
    for place, color in (((8, 60), (200, 60, 40)), ((50, 60), (40, 60, 200)), ((30, 8), (30, 160, 60))):
        np.testing.assert_allclose(image[place], color, atol=12)


def test_names_of_any_script_and_length_come_in(tmp_path: Path) -> None:
    names = [
        "김민수와 이서연의 수업 녹화 영상 최종 편집본", "课堂表情研究第三小组二年级数学课程录像" * 2,
        "كاميرا الصف", "класс 5Б", "e" * 251, "é" * 125, " lesson  1 ", "a'b;c&d", "-rf", "%s{0}",
    ]  # fmt: skip
    folder = tmp_path / "given"
    folder.mkdir()
    for number, name in enumerate(names):
        Image.fromarray(coded(number)).save(folder / f"{name}.png")
    project = create_project(tmp_path / "p", name="p", classes=("happy", "sad"))
    result = add(project, AddSettings(), [folder])
    assert isinstance(result, AddResult)
    assert (result.num_pictures, result.failures) == (len(names), ())
    rows = project.rows(Frame)
    assert {Path(row.origin).stem for row in rows} == set(names)
    for row in rows:
        assert row.path.isascii()
        assert len(Path(row.path).name) < 100
        assert read_code(read_image(project.root / row.path)[:, :, 0]) == names.index(Path(row.origin).stem)


def test_what_is_passed_over_in_a_folder_is_counted_by_suffix(tmp_path: Path) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    write(folder / "00001.MTS", *FORMS["avchd.mts"])
    for name in ("00001.CPI", "00002.cpi", "INDEX.BDM", "notes.txt", "thumbs"):
        (folder / name).write_bytes(b"\x00\x01HDMV" if name != "notes.txt" else b"text")
    project = create_project(tmp_path / "p", name="p", classes=("happy", "sad"))
    result = add(project, AddSettings(), [folder])
    assert [video.video_id for video in project.rows(Video)] == ["00001"]
    told = [text for text in result.warnings if "passed over" in text]
    assert told == ["5 files that are no videos or images passed over: 2 .cpi, 1 .bdm, 1 .txt, 1 without suffix."]
