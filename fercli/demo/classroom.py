"""The drawn classroom: lessons of pupils who do not exist, frame by frame, with the truth about every face."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from fercli.demo.canvas import Light
from fercli.demo.faces import SUPERSAMPLING, Placement, draw_face, locate_face
from fercli.demo.head import HeadSprite, paint_head
from fercli.demo.identity import Identity, draw_identity
from fercli.demo.room import paint_room
from fercli.demo.seats import SEATS, Seat, place_seats
from fercli.demo.timeline import Timeline, draw_timeline

_LIGHT: Light = (-0.5, -0.45, 0.75)
_NOISE_SIGMA = 2.0
_LENS_BLUR_PX = 0.55


@dataclass(frozen=True, slots=True, eq=False)
class Pupil:
    """One pupil in a lesson; `name` is unique in the classroom."""

    name: str
    identity: Identity
    seat: Seat
    timeline: Timeline


@dataclass(frozen=True, slots=True, eq=False)
class TrueFace:
    """What is true about one face in one frame: box and landmarks in pixels, `intensity` from 0 to 1."""

    pupil: str
    box: tuple[float, float, float, float]
    landmarks: Float64[np.ndarray, "5 2"]
    emotion: str
    intensity: float


class Lesson:
    """One video's worth of class: every pupil is in every frame."""

    def __init__(
        self, name: str, pupils: tuple[Pupil, ...], *, num_frames: int, fps: int, size: tuple[int, int], seed: int
    ):
        self.name = name
        self.pupils = pupils
        self.num_frames = num_frames
        self.fps = fps
        self.size = size
        self._seed = seed

    def frames(self) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Draw the lesson, RGB; the same pixels every time."""
        noise = _SensorNoise(self.size, np.random.default_rng((self._seed, 1)))
        for index in range(self.num_frames):
            frame = self._room.copy()
            for pupil, head in zip(reversed(self.pupils), reversed(self._heads), strict=True):
                mood = pupil.timeline.at(index / self.fps)
                draw_face(frame, pupil.identity, head, mood.expression, place=_placement(pupil))
            yield noise.add_to(cv2.GaussianBlur(frame, (3, 3), _LENS_BLUR_PX))

    def truth(self, frame_index: int) -> list[TrueFace]:
        """The faces of one frame, in the order of `pupils`."""
        faces = []
        for pupil, head in zip(self.pupils, self._heads, strict=True):
            mood = pupil.timeline.at(frame_index / self.fps)
            place = locate_face(pupil.identity, head, mood.expression, _placement(pupil))
            faces.append(TrueFace(pupil.name, place.box, place.landmarks, mood.emotion, mood.intensity))
        return faces

    @cached_property
    def _heads(self) -> tuple[HeadSprite, ...]:
        return tuple(
            paint_head(pupil.identity, pupil.seat.unit_px * SUPERSAMPLING, _LIGHT, pupil.seat.gain)
            for pupil in self.pupils
        )

    @cached_property
    def _room(self) -> UInt8[np.ndarray, "height width 3"]:
        seated = tuple((pupil.identity, pupil.seat) for pupil in self.pupils)
        return paint_room(self.size, seated, light=_LIGHT, rng=np.random.default_rng((self._seed, 2)))


class Classroom:
    """Several lessons, each with its own pupils; everything follows from `seed`.

    Args:
        num_subjects: pupils in all; a lesson seats up to 12 of them.
        seconds: length of each lesson.
        size: width and height of a frame; both even, as H.264 wants them.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        num_subjects: int = 36,
        seconds: float = 60.0,
        fps: int = 10,
        size: tuple[int, int] = (1280, 720),
    ) -> None:
        if num_subjects < 1 or seconds <= 0 or fps < 1 or min(size) < 64 or size[0] % 2 or size[1] % 2:
            raise ValueError("a classroom needs a pupil, some time, frames, and even sides of at least 64 pixels")
        num_lessons = -(-num_subjects // SEATS)
        shares = np.array_split(np.arange(num_subjects), num_lessons)
        self.lessons: tuple[Lesson, ...] = tuple(
            _draw_lesson(index, [int(number) for number in share], seed=seed, seconds=seconds, fps=fps, size=size)
            for index, share in enumerate(shares)
        )


def _draw_lesson(
    index: int, numbers: list[int], *, seed: int, seconds: float, fps: int, size: tuple[int, int]
) -> Lesson:
    rng = np.random.default_rng((seed, index))
    seats = place_seats(len(numbers), size, rng)
    pupils = tuple(
        Pupil(f"pupil-{number + 1:02d}", draw_identity(rng), seat, draw_timeline(seconds, rng))
        for number, seat in zip(numbers, seats, strict=True)
    )
    num_frames = max(1, round(seconds * fps))
    return Lesson(
        f"lesson-{index + 1}", pupils, num_frames=num_frames, fps=fps, size=size, seed=int(rng.integers(2**31))
    )


def _placement(pupil: Pupil) -> Placement:
    return Placement(pupil.seat.center, pupil.seat.unit_px)


class _SensorNoise:
    """Grain of the camera: a drawn sheet of noise, laid at another place on every frame."""

    def __init__(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        width, height = size
        grain = np.round(rng.normal(0, _NOISE_SIGMA, (height + 32, width + 32, 3)))
        self._lighter = np.clip(grain, 0, 255).astype(np.uint8)
        self._darker = np.clip(-grain, 0, 255).astype(np.uint8)
        self._size, self._rng = size, rng

    def add_to(self, frame: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
        """A copy of the frame with grain."""
        width, height = self._size
        top, left = self._rng.integers(0, 32, 2)
        here = (slice(top, top + height), slice(left, left + width))
        return np.asarray(cv2.subtract(cv2.add(frame, self._lighter[here]), self._darker[here]))
