"""Frames on which people have voted and that `fer extract-frames` would not choose again: known before it decodes."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float

from fercli.core.errors import CheckError, MediaError
from fercli.core.project import Project
from fercli.core.rows import Face, Frame, Video, Vote
from fercli.core.words import counted
from fercli.engine import guard
from fercli.stages.extract_frames import ExtractFramesSettings

_MOST_NAMED = 5


def voted_on(project: Project, frames: Sequence[Frame]) -> list[str]:
    """Faces with votes that lie on `frames`."""
    if not frames:
        return []
    ids = {frame.frame_id for frame in frames}
    voted = {vote.face_id for vote in project.rows(Vote)}
    return sorted(face.face_id for face in project.rows(Face) if face.frame_id in ids and face.face_id in voted)


def sure_to_go(
    project: Project, settings: ExtractFramesSettings, videos: Iterable[Video], frames: Mapping[str, Sequence[Frame]]
) -> list[Frame]:
    """Those frames of `videos` that the settings leave out by their time alone.

    Outside --start and --end for every method; between the times of `every`. What pixels decide is not foreseen.
    """
    going = []
    for video in videos:
        old = [frame for frame in frames.get(video.video_id, ()) if frame.time_s is not None]
        if old:
            are_kept = _may_stay(project, settings, video, np.array([frame.time_s for frame in old]))
            going += [frame for frame, is_kept in zip(old, are_kept.tolist(), strict=True) if not is_kept]
    return going


def is_foreseen(settings: ExtractFramesSettings) -> bool:
    """Whether time alone decides which frames are chosen."""
    by_time = settings.method == "every" and not settings.sharpest
    return by_time and settings.min_sharpness is None and settings.dedup is None


def refusal(lost: Sequence[str]) -> CheckError:
    """The error of a run that would take these faces' frames away."""
    return CheckError(
        f"these settings would remove frames of {counted(len(lost), 'face that has', 'faces that have')} "
        f"votes: {some_of(lost)}",
        hint="Nothing was changed. Use the previous settings, or --force to remove them (the votes are kept).",
    )


def at_risk(voted: Sequence[str], *, force: bool) -> list[str]:
    """A sentence on faces with votes whose frames may or may not be chosen again."""
    end = " and lost, as --force allows" if force else "; if one is not chosen again, nothing is changed"
    said = counted(len(voted), "face that has votes lies on a frame", "faces that have votes lie on frames")
    return [f"{said} that may be replaced{end}"] if voted else []


def some_of(ids: Sequence[str]) -> str:
    """The first few ids, for a sentence."""
    return ", ".join(ids[:_MOST_NAMED]) + (", ..." if len(ids) > _MOST_NAMED else "")


def _may_stay(
    project: Project, settings: ExtractFramesSettings, video: Video, times_s: Float[np.ndarray, " frames"]
) -> Bool[np.ndarray, " frames"]:
    inside = times_s >= settings.start_s - 1e-5
    if settings.end_s is not None:
        inside &= times_s < settings.end_s
    if settings.method != "every" or settings.sharpest:
        return np.asarray(inside)
    try:
        chosen: Float[np.ndarray, " chosen"] = guard.call(
            "fercli.stages.extract_frames.choosing:forecast",
            project.inside(video.path, "videos.csv"),
            video.stream,
            settings,
            name=video.video_id,
        )
    except MediaError:
        return np.asarray(inside)  # told when it is read in earnest
    if not chosen.size:
        return np.zeros_like(inside)
    # Tables keep six digits.
    return np.asarray(inside & (np.abs(times_s[:, None] - chosen[None, :]).min(axis=1) < 1e-5))
