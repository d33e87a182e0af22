"""Files with several video streams: which one is read, and how another is asked for."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from fercli.core.errors import MediaError, UsageError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Frame, Video, Vote
from fercli.stages.add import AddSettings, add
from fercli.stages.align import AlignSettings, align
from fercli.stages.extract_frames import ExtractFramesSettings, extract_frames
from fercli.stages.predict.frames import Frames, declared_length
from fercli.vision.images import read_image
from fercli.vision.video.reader import VideoReader, probe_video, scan_video

SIZES = ((128, 96), (64, 48))
SHADES = (60, 200)
SECOND = AddSettings(stream=2)
EVERY = ExtractFramesSettings(every_s=0.5)


def two_streams(path: Path) -> Path:
    """A dark large stream and a bright small one, ten frames each at ten frames a second."""
    with av.open(str(path), "w") as container:
        streams = []
        for width, height in SIZES:
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"  # type: ignore[attr-defined]
            streams.append(stream)
        for number in range(10):
            for stream, (width, height), shade in zip(streams, SIZES, SHADES, strict=True):
                frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), shade, np.uint8), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 10)
                container.mux(stream.encode(frame))  # type: ignore[attr-defined]
        for stream in streams:
            container.mux(stream.encode(None))  # type: ignore[attr-defined]
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_streams(tmp_path_factory.mktemp("two") / "lesson.mkv")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path / "p", name="p", classes=("happy", "sad"))


@pytest.mark.parametrize(("stream", "place"), [(None, 0), (1, 0), (2, 1)])
def test_stream_that_is_asked_for_is_read(video: Path, stream: int | None, place: int) -> None:
    info, span = probe_video(video, stream), scan_video(video, stream)
    assert (info.width, info.height) == SIZES[place]
    assert len(span.times_s) == 10
    for reader in (VideoReader(video, stream=stream), VideoReader(video, stream=stream).like()):
        frames = list(reader.at([0.2, 0.7]))
        assert [round(float(frame.rgb().mean()), -1) for frame in frames] == [SHADES[place]] * 2
    assert declared_length(video, stream)[1] == pytest.approx(10)
    looked = list(Frames(video, start_s=0, end_s=None, every_s=0.5, stream=stream))
    assert [frame.image.shape[:2] for frame in looked] == [SIZES[place][::-1]] * 2


def test_which_one_is_read_is_told_and_how_to_take_another(project: Project, video: Path) -> None:
    (told,) = add(project, AddSettings(), [video]).warnings
    assert told == (
        "'lesson': holds 2 video streams; number 1 (128 x 96) is read, which players show; --stream takes another; "
        "not read: 64 x 48"
    )


def test_project_keeps_the_stream_for_every_later_command(project: Project, video: Path) -> None:
    (told,) = add(project, SECOND, [video]).warnings
    assert "number 2 (64 x 48) is read, as asked; not read: 128 x 96" in told
    (row,) = project.rows(Video)
    assert (row.stream, row.width, row.height) == (2, 64, 48)
    extract_frames(project, EVERY)
    assert {round(float(read_image(project.root / one.path).mean()), -1) for one in project.rows(Frame)} == {200}
    extract_frames(project, ExtractFramesSettings(every_s=0.5, keep=False))
    assert align(project, AlignSettings(device="cpu")).failures == ()


def test_another_stream_of_a_known_video_is_told_and_gives_its_frames_again(project: Project, video: Path) -> None:
    add(project, AddSettings(), [video])
    extract_frames(project, EVERY)
    assert "another of its video streams is read now: 2" in str(add(project, SECOND, [video]).warnings)
    assert [(row.stream, row.width) for row in project.rows(Video)] == [(2, 64)]
    extract_frames(project, EVERY)
    assert {read_image(project.root / frame.path).shape for frame in project.rows(Frame)} == {(48, 64, 3)}
    # Without the option it stays what it is.
    assert add(project, AddSettings(), [video]).is_unchanged
    assert extract_frames(project, EVERY).is_unchanged


def test_stream_whose_faces_have_votes_is_not_changed(project: Project, video: Path) -> None:
    add(project, AddSettings(), [video])
    extract_frames(project, EVERY)
    project.write_rows([Face("lesson/f000000-0", "lesson/f000000", "lesson")], Face)
    project.write_rows([Vote("lesson/f000000-0", "a1", "happy", "happy")], Vote)
    with pytest.raises(MediaError, match="faces of another of its video streams have votes"):
        add(project, SECOND, [video])
    assert [row.stream for row in project.rows(Video)] == [None]


def test_stream_that_is_not_there_is_an_error(project: Project, video: Path) -> None:
    with pytest.raises(MediaError, match="has 2 video streams, no number 3"):
        add(project, AddSettings(stream=3), [video])
    with pytest.raises(UsageError, match="--stream is for videos"):
        add(project, AddSettings(stream=2, source="folder"), [video.parent])
