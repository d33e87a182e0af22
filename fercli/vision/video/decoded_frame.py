"""Convert decoded frames to arrays as a player would show them: upright, with square pixels."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

# Formats whose first plane is eight-bit luma, so it need not be converted.
_LUMA_FIRST = frozenset(
    {
        "gray", "nv12", "nv21", "yuv410p", "yuv411p", "yuv420p", "yuv422p", "yuv440p", "yuv444p", "yuva420p",
        "yuvj411p", "yuvj420p", "yuvj422p", "yuvj440p", "yuvj444p",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """What is done to a stored picture to show it: swap its axes, then flip left and right, then up and down."""

    is_sideways: bool = False
    flips_x: bool = False
    flips_y: bool = False


@dataclass(frozen=True)
class Showing:
    """How the frames of one video are shown; `pixel_aspect` is the width of a stored pixel over its height."""

    pixel_aspect: Fraction
    turn: Turn
    reformatter: VideoReformatter


class DecodedFrame:
    """One frame of a video; nothing is converted before it is asked for.

    Attributes:
        index: place of the frame in the file in order of display, from 0; frames that were left out or not decoded
            count, so it does not depend on where reading began.
        time_s: seconds since the file begins, from the container's time stamps.
    """

    def __init__(self, index: int, time_s: float, picture: Any, showing: Showing) -> None:
        self.index = index
        self.time_s = time_s
        self._picture = picture  # av.VideoFrame
        self._showing = showing

    @property
    def is_interlaced(self) -> bool:
        """Whether it is stored as two half pictures of different moments; the upper one is shown."""
        return bool(self._picture.interlaced_frame)

    @cached_property
    def luma(self) -> UInt8[np.ndarray, "height width"]:
        """Brightness, as stored: most videos use 16 to 235. A view into the decoder's memory where possible."""
        plane = self._picture.planes[0]
        if self._picture.format.name in _LUMA_FIRST and plane.line_size > 0:
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            stored = rows[: self._picture.height, : self._picture.width]
        else:
            stored = np.asarray(self._showing.reformatter.reformat(self._picture, format="gray").to_ndarray(), np.uint8)
        stored = self._upper_half(stored)
        width = self._shown_width()
        if width != stored.shape[1]:
            stored = cv2.resize(stored, (width, stored.shape[0]), interpolation=cv2.INTER_AREA)
        return self._upright(stored)

    def rgb(self) -> UInt8[np.ndarray, "height width 3"]:
        """The frame in colour; a new array each time."""
        picture = self._showing.reformatter.reformat(self._picture, width=self._shown_width(), format="rgb24")
        return self._upright(self._upper_half(picture.to_ndarray()))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown."""
        width, height = self._shown_width(), int(self._picture.height)
        return (height, width) if self._showing.turn.is_sideways else (width, height)

    def _shown_width(self) -> int:
        return max(1, round(int(self._picture.width) * self._showing.pixel_aspect))

    def _upper_half(self, stored: np.ndarray) -> np.ndarray:
        """Of an interlaced frame every second row, those between made of their neighbours: no combs where people move.

        FFmpeg's bwdif and yadif keep more where nothing moves, but look at the frames before and after, so that a
        frame would depend on where reading began; its estdif does not, and takes forty times as long.
        """
        if not self.is_interlaced or len(stored) < 4:
            return stored
        height, width = stored.shape[:2]
        # Row 2n of the frame is row n of the half.
        return np.asarray(
            cv2.warpAffine(
                stored[::2],
                np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0]]),
                (width, height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )

    def _upright(self, stored: np.ndarray) -> np.ndarray:
        turn = self._showing.turn
        turned = stored.swapaxes(0, 1) if turn.is_sideways else stored
        turned = turned[:, ::-1] if turn.flips_x else turned
        turned = turned[::-1] if turn.flips_y else turned
        # OpenCV takes rows that are padded, but not turned ones.
        return stored if turned is stored else np.ascontiguousarray(turned)


def turn_of(picture: Any) -> Turn:
    """How a frame (av.VideoFrame) wants to be turned.

    The matrix a b u c d v x y w takes a stored point to x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 6.2.2).
    Only quarter turns and flips are followed: phones and cameras write no others.
    """
    try:
        data = picture.side_data.get(SideDataType.DISPLAYMATRIX)
    except ValueError:
        # PyAV has no name for some kinds, such as the EXIF of MJPEG; those files were never turned by a matrix.
        data = None
    if data is None:
        return Turn()
    a, b, _, c, d = (int(value) for value in np.frombuffer(data, np.int32)[:5])
    if a == d == 0 and b and c:
        return Turn(is_sideways=True, flips_x=c < 0, flips_y=b < 0)
    return Turn(flips_x=a < 0 and b == c == 0, flips_y=d < 0 and b == c == 0)
