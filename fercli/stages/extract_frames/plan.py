"""Plan `fer extract-frames`: find the videos to work on, by its settings and what was done before."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fercli.core.errors import InputError, UsageError
from fercli.core.memory import StageState, changed_settings, read_state
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import PICTURES, Frame, Video
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.stages.extract_frames import CHANGED, ExtractFramesSettings, deciding, rule_key
from fercli.stages.extract_frames.voted import at_risk, is_foreseen, refusal, some_of, sure_to_go, voted_on


@dataclass(frozen=True, kw_only=True)
class ExtractionPlan(Plan):
    """What is to be done.

    Attributes:
        todo: videos to take frames from.
        keys: of each video asked for, what its frames depend on.
        old_items: the keys of the last run.
        num_unchanged: videos whose frames are there already.
    """

    todo: tuple[Video, ...]
    keys: dict[str, str]
    old_items: dict[str, str]
    num_unchanged: int


def plan(
    project: Project,
    settings: ExtractFramesSettings,
    names: Sequence[str],
    *,
    force: bool,
    progress: Progress = SILENT,
) -> ExtractionPlan:
    """Compare what is asked for with what the last run did.

    Raises:
        MissingStageError: there are no videos.
        UsageError: the end is not after the start.
        InputError: a name means no video of the project.
        CheckError: frames with voted faces would be removed for sure, and `force` was not given.
    """
    if settings.end_s is not None and settings.end_s <= settings.start_s:
        problem = f"'--end {settings.end_s:g}s' is not after '--start {settings.start_s:g}s'"
        raise UsageError(problem, hint="Give a later --end.")
    asked = _named(project.required_rows(Video), names)
    state = read_state(project.root, "extract-frames") or StageState("")
    rule = rule_key(settings)
    keys = {video.video_id: f"{rule}-{_content(video)}" for video in asked}
    old: dict[str, list[Frame]] = {}
    for frame in project.rows(Frame):
        old.setdefault(frame.video_id, []).append(frame)
    there = {video_id: item_key(key, len(old.get(video_id, ()))) for video_id, key in keys.items()}
    todo = [
        video
        for video in asked
        if force
        or state.items.get(video.video_id) != there[video.video_id]
        or not all(_is_there(project, frame) for frame in old.get(video.video_id, ()))
    ]
    known = {video_id: item.rpartition("-")[0] for video_id, item in state.items.items()}
    thinned = [
        video_id
        for video_id, key in keys.items()
        if known.get(video_id) == key and state.items[video_id] != there[video_id]
    ]
    redone = [video.video_id for video in todo if old.get(video.video_id)]
    changes = _changes(state, settings) if redone and state.fingerprint else []
    warnings = [f"frames of {some_of(redone)} will be replaced (changed: {', '.join(changes)})"] if changes else []
    warnings += [f"frames.csv lost rows of {some_of(thinned)}; the frames are extracted again"] if thinned else []
    changed = project.places.changed_videos(todo)
    lines = [f"leave out '{video_id}': {CHANGED}" for video_id in changed]
    lines += [
        f"extract frames of '{video.video_id}' by '{settings.method}'"
        for video in todo
        if video.video_id not in changed
    ]
    lines += [f"replace {counted(len(old[video_id]), 'frame')} of '{video_id}'" for video_id in redone]
    if not force and (lost := voted_on(project, sure_to_go(project, settings, todo, old))):
        raise refusal(lost)
    if changes and not is_foreseen(settings):
        warnings += at_risk(voted_on(project, [frame for name in redone for frame in old[name]]), force=force)
    if not asked:
        warnings.append("the project has images only; they are frames already")
    num_unchanged = len(asked) - len(todo)
    return ExtractionPlan(
        lines=tuple(lines),
        warnings=tuple(warnings),
        counts={"num_unchanged": num_unchanged},
        todo=tuple(todo),
        keys=keys,
        old_items=state.items,
        num_unchanged=num_unchanged,
    )


def _content(video: Video) -> str:
    """What a video shows: its file, and of several streams which."""
    return video.sha256[:16] + (f".{video.stream}" if video.stream else "")


def _is_there(project: Project, frame: Frame) -> bool:
    return not frame.path or project.inside(frame.path, "frames.csv").exists()


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


def _changes(state: StageState, settings: ExtractFramesSettings) -> list[str]:
    changes = changed_settings(state, settings)
    return [change for change in changes if change.partition(":")[0] in deciding(settings)]
