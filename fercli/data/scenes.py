"""The frame in which a face was found, as a JPEG: from its file or, where frames are not kept, out of the video."""

import cv2
import numpy as np

from fercli.core.errors import MediaError
from fercli.core.project import Project
from fercli.core.rows import Frame, Video
from fercli.vision.images import read_image
from fercli.vision.video.reader import VideoReader

_QUALITY = 90


def scene_jpeg(project: Project, frame: Frame, video: Video | None) -> bytes:
    """The whole frame, upright, in its own size.

    Raises:
        MediaError: neither the frame's file nor the video can be read.
        TableError: a path leads out of the project.
    """
    image = _read(project, frame, video)
    data: bytes = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()
    return data


def _read(project: Project, frame: Frame, video: Video | None) -> np.ndarray:
    if frame.path:
        return read_image(project.inside(frame.path, "frames.csv"))
    if video is None or frame.time_s is None:
        raise MediaError(f"frame '{frame.frame_id}' was not kept", hint="Run: fer extract-frames --save-frames")
    path, start_s = project.inside(video.path, "videos.csv"), max(0.0, frame.time_s - 0.001)
    reader = VideoReader(path, start_s=start_s, threads=1, stream=video.stream)
    found = next(iter(reader.at([frame.time_s])), None)
    if found is None or found.index != frame.frame_index:
        raise MediaError(f"frame '{frame.frame_id}' cannot be decoded", hint="Is the video still the same?")
    return found.rgb()
