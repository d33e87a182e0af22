"""How far `fer extract-frames` is, counted in the frames of all videos."""

from fercli.core.progress import Progress
from fercli.core.rows import Video


def num_frames_of(video: Video) -> int:
    """By which a video counts in the progress; 1 where it does not say how many it has."""
    return video.num_frames or 1


class FrameMeter:
    """Counts the frames of all videos; a second pass over a video does not count again."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._reached = 0
        progress.start("extract frames", total)

    def skip(self, num_frames: int) -> None:
        """Count what an interrupted run has done."""
        self._progress.advance(num_frames)

    def reach(self, index: int) -> None:
        """Count the frames of the video at work up to `index`."""
        if index > self._reached:
            self._progress.advance(index - self._reached)
            self._reached = index

    def finish(self, video: Video) -> None:
        """Count the rest of a video."""
        self._progress.advance(max(0, num_frames_of(video) - self._reached), video=video.video_id)
        self._reached = 0
