"""`fer extract-frames`: extract keyframes from videos, each with its index and time."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import PICTURES, Frame, Video
from fercli.core.settings import plain_settings, setting
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.align import came_as_crops


@dataclass(frozen=True)
class ExtractFramesSettings:
    """Which frames of a video are kept."""

    method: Literal["every", "uniform", "change", "kmeans", "scene"] = setting(
        "every", "Select frames with this method."
    )
    every_s: float = setting(
        2.0,
        "Keep one frame per interval of this length (every).",
        option="every",
        unit="s",
        minimum=0.001,
        only_with={"method": ("every",)},
    )
    sharpest: bool = setting(
        False, "Keep the sharpest frame of each interval (every).", only_with={"method": ("every",)}
    )
    num: int = setting(
        20,
        "Keep this many frames per video (uniform, kmeans).",
        option="num-frames",
        aliases=("num",),
        minimum=1,
        only_with={"method": ("uniform", "kmeans")},
    )
    start_s: float = setting(0.0, "Start at this time in each video.", option="start", unit="s", minimum=0)
    end_s: float | None = setting(None, "Stop at this time in each video.", option="end", unit="s", minimum=0)
    change_threshold: float = setting(
        8.0,
        "Keep frames that differ by this many grey levels (change).",
        minimum=0,
        maximum=255,
        only_with={"method": ("change",)},
    )
    scene_threshold: float = setting(
        15.0,
        "Treat a jump of this many grey levels as a cut (scene).",
        minimum=0,
        maximum=255,
        only_with={"method": ("scene",)},
    )
    min_gap_s: float = setting(
        0.5,
        "Keep frames at least this far apart (change, scene).",
        option="min-gap",
        unit="s",
        minimum=0,
        only_with={"method": ("change", "scene")},
    )
    min_sharpness: float | None = setting(None, "Drop frames below this sharpness (default: off).", minimum=0)
    dedup: int | None = setting(
        None,
        "Drop near-duplicates within this many hash bits (default: off).",
        option="hash-distance",
        aliases=("dedup",),
        minimum=0,
        maximum=64,
    )
    keep: bool = setting(
        True, "Save frames as files; otherwise align decodes the video again.", option="save-frames", aliases=("keep",)
    )
    seed: int = setting(0, "Set the random seed for clustering (kmeans).", minimum=0, only_with={"method": ("kmeans",)})
    limit: int | None = setting(None, "Keep at most this many frames per video.", minimum=1)
    workers: int = setting(1, "Process this many videos in parallel.", minimum=1)
    engine: Literal["local", "ray"] = setting("local", "Run on this machine or on a Ray cluster.")
    address: str = setting("", "Connect to the Ray cluster at HOST:PORT.", only_with={"engine": ("ray",)})


@dataclass(frozen=True, kw_only=True)
class ExtractFramesResult(StageResult):
    """What was kept.

    Attributes:
        num_videos: videos that frames were taken from now.
        num_frames: frames that were kept now.
        num_removed: frames of an earlier run with other settings that were removed.
        num_decoded: frames that were decoded to choose from.
        dropped: chosen frames that a filter dropped, by its reason.
        num_unchanged: videos whose frames were there already.
        num_frames_in_project: all frames, those of images included.
    """

    num_videos: int = 0
    num_frames: int = 0
    num_removed: int = 0
    num_decoded: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    num_unchanged: int = 0
    num_frames_in_project: int = 0


CHANGED = "the file has changed since it was added; restore it, or add the new version under another name"


def rule_key(settings: ExtractFramesSettings) -> str:
    """A name for what decides on the frames of a video; settings of other methods do not count."""
    values = plain_settings(settings)
    chosen = [values[name] for name in deciding(settings)]
    return hashlib.sha256(json.dumps(chosen).encode()).hexdigest()[:16]


def deciding(settings: ExtractFramesSettings) -> tuple[str, ...]:
    """The settings that decide on the frames of a video."""
    own = {
        "every": ("every_s", "sharpest"),
        "uniform": ("num",),
        "change": ("change_threshold", "min_gap_s"),
        "kmeans": ("num", "seed"),
        "scene": ("scene_threshold", "min_gap_s"),
    }[settings.method]
    return ("method", *own, "start_s", "end_s", "min_sharpness", "dedup", "limit", "keep")


def _with_changed_videos(
    project: Project, settings: ExtractFramesSettings, result: ExtractFramesResult, videos: Sequence[str]
) -> ExtractFramesResult:
    """What was kept of videos before, and which of them have changed since."""
    told = [f"'{name}': {CHANGED}" for name in project.places.changed_videos(project.rows(Video))]
    failed = {failure.item for failure in result.failures}
    said = [text for text in told if text not in result.warnings and text.split("'")[1] not in failed]
    return replace(result, warnings=(*result.warnings, *said))


def _inputs(project: Project, settings: ExtractFramesSettings, videos: Sequence[str]) -> Inputs:
    return Inputs([project.table_path(Video), project.table_path(Frame)], sorted(videos), counted="frames")


def _need_no_frames(project: Project) -> str:
    """Why there is no video to take frames from; empty where there is one, or nothing at all."""
    videos = project.rows(Video)
    has_images_only = bool(videos) and all(video.codec == PICTURES for video in videos)
    return came_as_crops(project) or ("the project has images only" if has_images_only else "")


extract_frames = Stage(
    words="extract-frames",
    settings=ExtractFramesSettings,
    result=ExtractFramesResult,
    work="fercli.stages.extract_frames.work",
    inputs=_inputs,
    now=_with_changed_videos,
    not_identity=("workers", "engine", "address"),
    arguments=(Argument("videos", list[str], "Process only these videos.", "[VIDEO]...", default=()),),
    is_long=True,
    batch=lambda _, settings, videos: rule_key(settings),
    retries=True,
    told=lambda _, settings, videos: sorted(videos),
    skip=_need_no_frames,
)
