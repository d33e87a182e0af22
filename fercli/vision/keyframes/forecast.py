"""Forecast the frames that `every` will choose, without decoding any."""

import numpy as np
from jaxtyping import Float

from fercli.vision.video.decoding import SAME_MOMENT_S


def forecast_every(
    times_s: Float[np.ndarray, " frames"], step_s: float, *, start_s: float = 0.0, end_s: float | None = None
) -> Float[np.ndarray, " chosen"]:
    """The times of the frames that `VideoReader.every` gives of an undamaged video.

    Args:
        times_s: of all frames, rising.
        step_s: the first frame at or after each multiple of this is chosen, counted from the start.
        start_s: frames before are left out.
        end_s: frames at or after are left out.
    """
    inside = times_s[times_s + SAME_MOMENT_S >= start_s]
    inside = inside if end_s is None else inside[inside < end_s]
    steps = np.floor((inside + SAME_MOMENT_S - start_s) / step_s)
    # A frame is chosen when a multiple lies between the frame before and it.
    is_first = np.concatenate([np.ones(min(1, len(steps)), bool), steps[1:] > steps[:-1]])
    return np.asarray(inside[is_first])
