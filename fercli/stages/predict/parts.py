"""One video for `fer predict` in parts, here one after the other or on a cluster at the same time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from fercli.core.progress import Progress
from fercli.engine.choose import choose_engine
from fercli.engine.parts import part_length, split_time
from fercli.stages.predict import FacePrediction, PredictSettings
from fercli.stages.predict.frames import declared_length

# A length that is a number of steps may seem to be a little more.
_ROUNDING = 1e-6
# Faces of different parts are never judged in one batch: what shares a batch may change the last digit.
PART_S = 60.0


@dataclass(frozen=True)
class VideoPart:
    """From `start_s` to before `end_s` of a video that is called `name` in face ids."""

    path: Path
    name: str
    start_s: float
    end_s: float | None


@dataclass(frozen=True)
class Looked:
    """The frames looked at, and the faces of each."""

    times_s: Sequence[float]
    by_frame: Sequence[Sequence[FacePrediction]]
    warnings: tuple[str, ...]


def count_looks(whole: VideoPart, settings: PredictSettings) -> int | None:
    """In how many frames faces are looked for, by what the video declares; None when it does not say its length.

    Raises:
        MediaError: the video cannot be opened.
    """
    duration_s, fps = declared_length(whole.path, settings.stream)
    if duration_s is None:
        return None
    length_s = min(duration_s, whole.end_s or duration_s) - whole.start_s
    num = max(1, ceil(length_s / max(settings.every_s, 1 / fps) - _ROUNDING))
    return min(num, settings.limit or num)


def look_on_cluster(
    make_looker: Callable[[], Callable[[VideoPart], Looked]],
    settings: PredictSettings,
    whole: VideoPart,
    progress: Progress,
) -> Looked:
    """What is found in the whole video, each part by whichever machine is free; `make_looker` is called on each."""
    engine = choose_engine(settings.engine, address=settings.address, device=settings.device)
    looked = []
    for one in engine.map_items(make_looker, _parts(whole, settings)):
        looked.append(one)
        progress.advance(len(one.times_s))
    return Looked(
        [time_s for one in looked for time_s in one.times_s],
        [faces for one in looked for faces in one.by_frame],
        tuple(dict.fromkeys(text for one in looked for text in one.warnings)),
    )


def _parts(whole: VideoPart, settings: PredictSettings) -> list[VideoPart]:
    """The video in parts; whole under a limit, because only decoding tells how many frames a part has."""
    if settings.limit is not None:
        return [whole]
    duration_s = declared_length(whole.path, settings.stream)[0] or 0.0
    parts = split_time(whole.start_s, whole.end_s, duration_s, part_length(PART_S, settings.every_s))
    return [replace(whole, start_s=start_s, end_s=end_s) for start_s, end_s in parts]
