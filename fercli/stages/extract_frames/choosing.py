"""Choose the keyframes of one video, in a process that may die of it; see `engine/guard.py`."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fercli.core.pulse import beat
from fercli.core.rows import Frame
from fercli.stages.extract_frames import ExtractFramesSettings
from fercli.stages.extract_frames.worker import Chosen, KeptFile, VideoTask
from fercli.vision.images import jpeg_bytes
from fercli.vision.keyframes.forecast import forecast_every
from fercli.vision.keyframes.selection import KeptFrame, SelectionRule, select_frames
from fercli.vision.video.reader import VideoReader, interlaced_words, scan_video

JPEG_QUALITY = 95


def choose(
    path: Path, task: VideoTask, settings: ExtractFramesSettings, threads: int | None
) -> Iterator[KeptFile | Chosen]:
    """The keyframes of a video, and at last the rest; tells which frame it has reached.

    Raises:
        MediaError: the video cannot be read.
    """
    reader = VideoReader(
        path,
        start_s=task.start_s,
        end_s=task.end_s,
        threads=threads,
        watch=lambda frame: beat(frame.index),
        stream=task.stream,
    )
    selection = select_frames(reader, _rule(settings))
    num_kept = num_interlaced = 0
    with closing(iter(selection)) as chosen:
        for kept in islice(chosen, settings.limit):
            num_kept += 1
            num_interlaced += kept.frame.is_interlaced
            yield KeptFile(_row(kept, task, settings), jpeg_bytes(kept.image, JPEG_QUALITY) if settings.keep else b"")
    drops = dict(sorted(selection.drops.items()))
    num_damaged = max(selection.num_damaged, reader.num_damaged)
    halved = interlaced_words(num_interlaced, num_kept)
    yield Chosen(drops, reader.num_decoded_in_all, (*selection.warnings, *halved), num_damaged)


def forecast(path: Path, stream: int | None, settings: ExtractFramesSettings) -> Float[np.ndarray, " chosen"]:
    """When the frames are shown that the method `every` will choose.

    Raises:
        MediaError: the video cannot be opened.
    """
    times_s = scan_video(path, stream).times_s
    return forecast_every(times_s, settings.every_s, start_s=settings.start_s, end_s=settings.end_s)[: settings.limit]


def _row(kept: KeptFrame, task: VideoTask, settings: ExtractFramesSettings) -> Frame:
    frame_id = f"{task.video_id}/f{kept.index:06d}"
    return Frame(
        frame_id=frame_id,
        video_id=task.video_id,
        frame_index=kept.index,
        time_s=round(kept.time_s, 6),
        path=f"frames/{frame_id}.jpg" if settings.keep else "",
        method=settings.method,
        score=None if kept.score is None else round(kept.score, 4),
        sharpness=round(kept.sharpness, 4),
        phash=kept.phash,
    )


def _rule(settings: ExtractFramesSettings) -> SelectionRule:
    return SelectionRule(
        method=settings.method,
        every_s=settings.every_s,
        sharpest=settings.sharpest,
        num=settings.num,
        change_threshold=settings.change_threshold,
        scene_threshold=settings.scene_threshold,
        min_gap_s=settings.min_gap_s,
        min_sharpness=settings.min_sharpness,
        dedup_bits=settings.dedup,
        seed=settings.seed,
    )
