"""What a pupil feels through a lesson: a seeded row of segments, and the movements that never stop."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from fercli.demo.expressions import EMOTIONS, REST, Expression, draw_expression, mix_expressions

# How often each emotion comes up in class, in the order of EMOTIONS: balanced enough to learn from, not uniform.
FREQUENCIES = (0.19, 0.2, 0.19, 0.14, 0.14, 0.14)
SEGMENT_S = (2.5, 6.0)
_TRANSITION_S = 0.5
_BLINK_S = 0.24


@dataclass(frozen=True, slots=True)
class Segment:
    """One emotion from `start_s` on, shown in one way."""

    start_s: float
    emotion: str
    intensity: float
    expression: Expression


@dataclass(frozen=True, slots=True)
class Mood:
    """What a pupil feels and shows at one moment; `intensity` is low while one emotion gives way to another."""

    emotion: str
    intensity: float
    expression: Expression


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """A pupil's segments and what goes on beside them.

    Attributes:
        segments: in order; the first starts at 0.
        sway: amplitude, frequency (Hz) and phase of yaw, pitch, roll, drop of the head and of the gaze, right and down.
        pulse: the same for the strength of the expression, which swells and fades.
        blinks_s: middle of each blink.
    """

    segments: tuple[Segment, ...]
    sway: Float64[np.ndarray, "movements 3"]
    pulse: Float64[np.ndarray, "3"]
    blinks_s: Float64[np.ndarray, " blinks"]

    def at(self, time_s: float) -> Mood:
        """The pupil's mood at `time_s`; emotions change softly over half a second."""
        index = max(sum(segment.start_s <= time_s for segment in self.segments) - 1, 0)
        segment = self.segments[index]
        mood = Mood(segment.emotion, segment.intensity, segment.expression)
        since = (time_s - segment.start_s) / _TRANSITION_S
        if index and since < 1:
            mood = _change(self.segments[index - 1], segment, since * since * (3 - 2 * since))
        effort = 1 + self.pulse[0] * np.sin(2 * np.pi * self.pulse[1] * time_s + self.pulse[2])
        shown = mix_expressions(REST, mood.expression, float(effort))
        return Mood(mood.emotion, min(mood.intensity * float(effort), 1.0), self._alive(shown, time_s))

    def _alive(self, face: Expression, time_s: float) -> Expression:
        yaw, pitch, roll, drop, right, down = self.sway[:, 0] * np.sin(
            2 * np.pi * self.sway[:, 1] * time_s + self.sway[:, 2]
        )
        blinking = bool(len(self.blinks_s)) and bool(np.min(np.abs(self.blinks_s - time_s)) < _BLINK_S / 2)
        lids = 0.1 if blinking else 1.0
        return replace(
            face,
            lid_left=face.lid_left * lids,
            lid_right=face.lid_right * lids,
            gaze_x=float(np.clip(face.gaze_x + right, -1.1, 1.1)),
            gaze_y=float(np.clip(face.gaze_y + down, -1.1, 1.1)),
            yaw=face.yaw + float(yaw),
            pitch=face.pitch + float(pitch),
            roll=face.roll + float(roll),
            drop=face.drop + float(drop),
        )


def draw_timeline(seconds: float, rng: np.random.Generator) -> Timeline:
    """Draw a pupil's lesson; neighbouring segments differ."""
    segments: list[Segment] = []
    start = 0.0
    while start < seconds:
        weights = np.array(FREQUENCIES)
        if segments:
            weights[EMOTIONS.index(segments[-1].emotion)] = 0
        emotion = str(rng.choice(EMOTIONS, p=weights / weights.sum()))
        intensity = 0.62 + 0.38 * float(rng.beta(2.6, 1.2))
        segments.append(Segment(start, emotion, intensity, draw_expression(emotion, intensity, rng)))
        start += float(rng.uniform(*SEGMENT_S))
    amplitudes = np.array((0.04, 0.02, 1.5, 0.03, 0.12, 0.08)) * rng.uniform(0.5, 1.5, 6)
    sway = np.stack([amplitudes, rng.uniform(0.05, 0.3, 6), rng.uniform(0, 2 * np.pi, 6)], axis=1)
    pulse = np.array((rng.uniform(0.05, 0.2), rng.uniform(0.1, 0.3), rng.uniform(0, 2 * np.pi)))
    blinks = np.cumsum(rng.exponential(6.0, max(1, round(seconds / 6))) + 1.0)
    return Timeline(tuple(segments), sway, pulse, blinks)


def _change(before: Segment, after: Segment, weight: float) -> Mood:
    shown = mix_expressions(before.expression, after.expression, weight)
    if weight < 0.5:
        return Mood(before.emotion, before.intensity * (1 - weight), shown)
    return Mood(after.emotion, after.intensity * weight, shown)
