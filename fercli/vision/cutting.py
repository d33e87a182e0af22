"""Select the detections to keep and crop them; the others get the reason why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from fercli.vision.align import MIN_EYE_DISTANCE_PX, crop_box, crop_face, eye_distance
from fercli.vision.detection import Detection
from fercli.vision.quality import blur, roll_deg, yaw_share

DropReason = Literal[
    "low confidence",
    "too small",
    "eyes too close",
    "outside the frame",
    "tilted",
    "turned aside",
    "blurred",
    "too many faces",
]


@dataclass(frozen=True)
class CuttingRules:
    """Which faces are kept, and how they are cut out.

    Attributes:
        min_confidence: of the detector.
        min_face_px: of the box's longer side.
        max_faces: of one frame, the largest; None for all.
        size: side of the crop.
        margin: see `vision.align.crop_face`.
        max_roll_deg: largest tilt of the eye line to either side; None for any.
        max_yaw: largest `vision.quality.yaw_share` to either side; None for any.
        max_blur: of the crop, 0 to 1 (`vision.quality.blur`); None for any.
        template: `arcface` sets the face upright by its landmarks, `none` cuts the square about its box.
    """

    min_confidence: float = 0.9
    min_face_px: int = 20
    max_faces: int | None = None
    size: int = 112
    margin: float = 0.0
    template: Literal["arcface", "none"] = "arcface"
    max_roll_deg: float | None = None
    max_yaw: float | None = None
    max_blur: float | None = None


@dataclass(frozen=True, eq=False)
class Cut:
    """A crop, the affine from frame to crop, the crop's blur (0 to 1), and the face's roll in degrees."""

    image: UInt8[np.ndarray, "side side 3"]
    affine: Float[np.ndarray, "2 3"]
    blur: float
    roll: float


def cut_faces(
    image: UInt8[np.ndarray, "height width 3"], detections: Sequence[Detection], rules: CuttingRules
) -> list[tuple[DropReason | None, Cut | None]]:
    """Why each detection of a frame is dropped, None for those that are kept, and its crop, where one was cut.

    Blur is seen in the crop alone; faces that are dropped for another reason are not cut. What is dropped takes no
    place among the `max_faces` largest.
    """
    reasons = [drop_reason(face, (image.shape[1], image.shape[0]), rules) for face in detections]
    cuts: list[Cut | None] = [None] * len(reasons)
    places = [place for place, reason in enumerate(reasons) if reason is None]
    places.sort(key=lambda place: -detections[place].width * detections[place].height)
    num_kept = 0
    for place in places:
        if num_kept == rules.max_faces:
            reasons[place] = "too many faces"
            continue
        cuts[place] = cut = cut_face(image, detections[place], rules)
        if rules.max_blur is not None and cut.blur > rules.max_blur:
            reasons[place] = "blurred"
        else:
            num_kept += 1
    return list(zip(reasons, cuts, strict=True))


def cut_face(image: UInt8[np.ndarray, "height width 3"], face: Detection, rules: CuttingRules) -> Cut:
    """Cut one detection out of its frame.

    Raises:
        MediaError: the face is one that `cut_faces` drops for its eyes.
    """
    if rules.template == "none":
        crop, affine = crop_box(image, (face.left, face.top, face.width, face.height), rules.size, rules.margin)
    else:
        crop, affine = crop_face(image, face.landmarks, rules.size, rules.margin)
    return Cut(crop, affine, blur(crop), roll_deg(face.landmarks))


def enlarge_small(
    image: UInt8[np.ndarray, "height width 3"], side_px: int
) -> tuple[UInt8[np.ndarray, "tall wide 3"], float]:
    """A picture whose shorter side is below `side_px`, enlarged to it, and by what factor; else itself and 1."""
    factor = max(1.0, side_px / min(image.shape[:2]))
    if factor == 1.0:
        return image, 1.0
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)), factor


def shrunk_back(face: Detection, factor: float) -> Detection:
    """A detection in an enlarged picture, in pixels of the picture before."""
    return Detection(
        face.left / factor,
        face.top / factor,
        face.width / factor,
        face.height / factor,
        face.confidence,
        # Pixel centres lie at whole numbers.
        (face.landmarks + 0.5) / factor - 0.5,
    )


def drop_reason(face: Detection, frame_size: tuple[float, float], rules: CuttingRules) -> DropReason | None:
    """Why the rules drop a detection, without looking at its pixels or at the others of its frame; None if they don't.

    Args:
        face: pixels of the frame.
        frame_size: width and height of the frame.
        rules: see there.
    """
    if face.confidence < rules.min_confidence:
        return "low confidence"
    if max(face.width, face.height) < rules.min_face_px:
        return "too small"
    if bool((face.landmarks < 0).any() or (face.landmarks > np.array(frame_size) - 1).any()):
        return "outside the frame"
    if rules.template == "arcface" and eye_distance(face.landmarks) < MIN_EYE_DISTANCE_PX:
        return "eyes too close"
    if rules.max_roll_deg is not None and abs(roll_deg(face.landmarks)) > rules.max_roll_deg:
        return "tilted"
    if rules.max_yaw is not None and abs(yaw_share(face.landmarks)) > rules.max_yaw:
        return "turned aside"
    return None
