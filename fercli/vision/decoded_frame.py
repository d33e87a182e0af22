"""A decoded frame to arrays as a player would show it: turned upright, with square pixels."""

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


class DecodedFrame:
    """One frame of a video; nothing is converted before it is asked for.

    Attributes:
        index: place of the frame in the file in order of display, from 0; frames that were left out or not decoded
            count, so it does not depend on where reading began.
        time_s: seconds since the file begins, from the container's time stamps.
    """

    def __init__(
        self, index: int, time_s: float, picture: Any, *, pixel_aspect: Fraction, reformatter: VideoReformatter
    ) -> None:
        self.index = index
        self.time_s = time_s
        self._picture = picture  # av.VideoFrame
        self._pixel_aspect = pixel_aspect
        self._reformatter = reformatter

    @cached_property
    def luma(self) -> UInt8[np.ndarray, "height width"]:
        """Brightness, as stored: most videos use 16 to 235. A view into the decoder's memory where possible."""
        plane = self._picture.planes[0]
        if self._picture.format.name in _LUMA_FIRST and plane.line_size > 0:
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
            stored = rows[: self._picture.height, : self._picture.width]
        else:
            stored = np.asarray(self._reformatter.reformat(self._picture, format="gray").to_ndarray(), np.uint8)
        width = self._shown_width()
        if width != stored.shape[1]:
            stored = cv2.resize(stored, (width, stored.shape[0]), interpolation=cv2.INTER_AREA)
        return self._upright(stored)

    def rgb(self) -> UInt8[np.ndarray, "height width 3"]:
        """The frame in colour; a new array each time."""
        picture = self._reformatter.reformat(self._picture, width=self._shown_width(), format="rgb24")
        return self._upright(picture.to_ndarray())

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown."""
        width, height = self._shown_width(), int(self._picture.height)
        return (height, width) if self._turn()[0] else (width, height)

    def _shown_width(self) -> int:
        return max(1, round(int(self._picture.width) * self._pixel_aspect))

    def _upright(self, stored: np.ndarray) -> np.ndarray:
        is_sideways, flips_x, flips_y = self._turn()
        turned = stored.swapaxes(0, 1) if is_sideways else stored
        turned = turned[:, ::-1] if flips_x else turned
        turned = turned[::-1] if flips_y else turned
        # OpenCV takes rows that are padded, but not turned ones.
        return stored if turned is stored else np.ascontiguousarray(turned)

    def _turn(self) -> tuple[bool, bool, bool]:
        """Whether to swap the axes, then flip left-right, then flip up-down, by the frame's display matrix.

        The matrix a b u c d v x y w takes a stored point to x' = a x + c y, y' = b x + d y (ISO/IEC 14496-12, 6.2.2).
        Only quarter turns and flips are followed: phones and cameras write no others.
        """
        matrix = display_matrix(self._picture)
        if matrix is None:
            return False, False, False
        a, b, _, c, d = (int(value) for value in matrix[:5])
        if a == d == 0 and b and c:
            return True, c < 0, b < 0
        return False, a < 0 and b == c == 0, d < 0 and b == c == 0


def display_matrix(picture: Any) -> np.ndarray | None:
    """The nine numbers that say how the frame is to be turned for display; None when it is shown as stored."""
    data = picture.side_data.get(SideDataType.DISPLAYMATRIX)
    return None if data is None else np.frombuffer(data, np.int32)
