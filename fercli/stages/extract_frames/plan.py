"""Which videos `fer extract-frames` has to work on, by its settings and what was done before."""

import difflib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fercli.core.errors import InputError
from fercli.core.memory import StageState, changed_settings, read_state
from fercli.core.project import Project
from fercli.core.rows import Frame, Video
from fercli.core.settings import plain_settings, setting
from fercli.vision.media import PICTURES

STAGE = "extract-frames"
_MOST_NAMED = 5


@dataclass(frozen=True)
class ExtractFramesSettings:
    """Which frames of a video are kept."""

    method: Literal["every", "uniform", "change", "kmeans", "scene"] = setting("every", "Choose frames by this rule.")
    every_s: float = setting(2.0, "Keep a frame in each such time (every).", option="every", unit="s", minimum=0.001)
    sharpest: bool = setting(False, "Keep the sharpest frame of each such time (every).")
    num: int = setting(20, "Keep so many frames of a video (uniform, kmeans).", minimum=1)
    start_s: float = setting(0.0, "Begin here in each video.", option="start", unit="s", minimum=0)
    end_s: float | None = setting(None, "End here in each video.", option="end", unit="s", minimum=0)
    change_threshold: float = setting(8.0, "Keep frames this many grey levels apart (change).", minimum=0, maximum=255)
    scene_threshold: float = setting(15.0, "Call such a step in grey levels a cut (scene).", minimum=0, maximum=255)
    min_gap_s: float = setting(
        0.5, "Keep frames at least so far apart (change, scene).", option="min-gap", unit="s", minimum=0
    )
    min_sharpness: float | None = setting(None, "Drop frames less sharp than this (off).", minimum=0)
    dedup: int | None = setting(
        None, "Drop frames within so many bits of the kept one before (off).", minimum=0, maximum=64
    )
    keep: bool = setting(True, "Write the frames as files; else align takes them from the video.")
    seed: int = setting(0, "Begin clustering with this seed (kmeans).", minimum=0)
    limit: int | None = setting(None, "Keep at most so many frames of a video.", minimum=1)
    workers: int = setting(1, "Work on so many videos at a time.", minimum=1)
    engine: Literal["local", "ray"] = setting("local", "Work on this machine or on a Ray cluster.")
    address: str = setting("", "Find the Ray cluster at HOST:PORT.")


@dataclass(frozen=True)
class ExtractionPlan:
    """What is to be done.

    Attributes:
        todo: videos to take frames from.
        keys: of each video asked for, what its frames depend on.
        old_items: the keys of the last run.
        num_unchanged: videos whose frames are there already.
        lines: for `--dry-run`.
        warnings: what a researcher should know before.
    """

    todo: tuple[Video, ...]
    keys: dict[str, str]
    old_items: dict[str, str]
    num_unchanged: int
    lines: tuple[str, ...]
    warnings: tuple[str, ...]


def plan_extraction(
    project: Project, settings: ExtractFramesSettings, names: Sequence[str], *, force: bool
) -> ExtractionPlan:
    """Compare what is asked for with what the last run did.

    Raises:
        InputError: a name means no video of the project.
    """
    asked = _named(project.required_rows(Video), names)
    state = read_state(project.root, STAGE) or StageState("")
    rule = rule_key(settings)
    keys = {video.video_id: f"{rule}-{video.sha256[:16]}" for video in asked}
    old: dict[str, list[Frame]] = {}
    for frame in project.rows(Frame):
        old.setdefault(frame.video_id, []).append(frame)
    there = {video_id: item_key(key, len(old.get(video_id, ()))) for video_id, key in keys.items()}
    todo = [
        video
        for video in asked
        if force
        or state.items.get(video.video_id) != there[video.video_id]
        or not all((project.root / frame.path).exists() for frame in old.get(video.video_id, ()))
    ]
    known = {video_id: item.rpartition("-")[0] for video_id, item in state.items.items()}
    thinned = [
        video_id
        for video_id, key in keys.items()
        if known.get(video_id) == key and state.items[video_id] != there[video_id]
    ]
    redone = [video.video_id for video in todo if old.get(video.video_id)]
    changes = _changes(state, settings) if redone and state.fingerprint else []
    warnings = [f"frames of {some_of(redone)} give way to new ones: {', '.join(changes)}"] if changes else []
    warnings += [f"frames.csv lost rows of {some_of(thinned)}; the frames are taken again"] if thinned else []
    lines = [f"extract frames of '{video.video_id}' by '{settings.method}'" for video in todo]
    lines += [f"replace {len(old[video_id])} frames of '{video_id}'" for video_id in redone]
    if not asked:
        warnings.append("the project has pictures only; they are frames already")
    return ExtractionPlan(tuple(todo), keys, state.items, len(asked) - len(todo), tuple(lines), tuple(warnings))


def item_key(key: str, num_frames: int) -> str:
    """What is remembered of a video that is done: its key, and how many frames were kept of it."""
    return f"{key}-{num_frames}"


def _named(videos: Sequence[Video], names: Sequence[str]) -> list[Video]:
    moving = [video for video in videos if video.codec != PICTURES]
    if not names:
        return moving
    by_name = {video.path.rpartition("/")[2]: video for video in moving} | {v.path: v for v in moving}
    by_name |= {video.video_id: video for video in moving}
    found = {}
    for name in names:
        video = by_name.get(name) or by_name.get(Path(name).name)
        if video is None:
            close = difflib.get_close_matches(name, by_name, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"Videos: {some_of(sorted(v.video_id for v in moving))}."
            raise InputError(f"no video '{name}' in the project", hint=f"{hint} Add one with: fer add {name}")
        found[video.video_id] = video
    return [found[video_id] for video_id in sorted(found)]


def rule_key(settings: ExtractFramesSettings) -> str:
    """A name for what decides on the frames of a video; settings of other methods do not count."""
    values = plain_settings(settings)
    deciding = [values[name] for name in _deciding(settings)]
    return hashlib.sha256(json.dumps(deciding).encode()).hexdigest()[:16]


def _deciding(settings: ExtractFramesSettings) -> tuple[str, ...]:
    own = {
        "every": ("every_s", "sharpest"),
        "uniform": ("num",),
        "change": ("change_threshold", "min_gap_s"),
        "kmeans": ("num", "seed"),
        "scene": ("scene_threshold", "min_gap_s"),
    }[settings.method]
    return ("method", *own, "start_s", "end_s", "min_sharpness", "dedup", "limit", "keep")


def _changes(state: StageState, settings: ExtractFramesSettings) -> list[str]:
    changes = changed_settings(state, settings)
    return [change for change in changes if change.partition(":")[0] in _deciding(settings)]


def some_of(ids: Sequence[str]) -> str:
    """The first few ids, for a sentence."""
    return ", ".join(ids[:_MOST_NAMED]) + (", ..." if len(ids) > _MOST_NAMED else "")
