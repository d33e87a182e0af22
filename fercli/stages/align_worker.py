"""What `fer align` does to one picture, in whichever process: a frame or given crop to rows of faces and crops."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fercli.core.errors import MediaError
from fercli.core.rows import Face

if TYPE_CHECKING:
    import numpy as np

    from fercli.vision.cutting import Cut, CuttingRules
    from fercli.vision.mtcnn import Detection, FaceDetector

REALIGNED = "realigned from "
Box = tuple[float, float, float, float]
# Small given crops are enlarged to this side before the detector sees them: at 48 pixels it misses most.
_GIVEN_SIDE_PX = 160


@dataclass(frozen=True)
class PictureTask:
    """One picture to look at.

    Attributes:
        item: frame id, or face id of a given crop.
        path: relative to the project; `pack.npy#row` for a packed crop.
        known: number and box of the faces that an earlier run found here; they keep their numbers.
        next_number: what the next new face is called.
        given: the row of a given crop, which is set upright where it is.
    """

    item: str
    video_id: str
    path: str
    time_s: float | None = None
    known: tuple[tuple[int, Box], ...] = ()
    next_number: int = 0
    given: Face | None = None


@dataclass(frozen=True)
class WorkerPlan:
    """What each process needs to build its detector; `out` is where crops go, under their paths in the project."""

    root: Path
    out: Path
    rules: "CuttingRules"
    exact: bool
    device: str
    num_threads: int | None


def make_worker(plan: WorkerPlan) -> Callable[[PictureTask], dict[str, Any]]:
    """Build the detector once; the worker turns a task into a record, `{"faces": [...]}` or `{"failure": reason}`."""
    import torch

    from fercli.vision.mtcnn import FaceDetector

    if plan.num_threads:
        torch.set_num_threads(plan.num_threads)
    detector = FaceDetector(
        min_face_px=plan.rules.min_face_px,
        # The last threshold never hides what --min-confidence would keep.
        thresholds=(0.6, 0.7, min(0.8, plan.rules.min_confidence)),
        mode="exact" if plan.exact else "fast",
        device=plan.device,
    )
    return partial(_work, plan, detector)


def _work(plan: WorkerPlan, detector: "FaceDetector", task: PictureTask) -> dict[str, Any]:
    try:
        if task.given is not None:
            return _work_on_given(plan, detector, task, task.given)
        return _work_on_frame(plan, detector, task)
    except MediaError as error:
        return {"failure": error.message}


def _work_on_frame(plan: WorkerPlan, detector: "FaceDetector", task: PictureTask) -> dict[str, Any]:
    from fercli.vision.cutting import cut_face, drop_reasons
    from fercli.vision.images import read_image

    image = read_image(plan.root / task.path)
    detections = [_rounded(face) for face in detector.detect([image])[0]]
    reasons = drop_reasons(detections, (image.shape[1], image.shape[0]), plan.rules)
    faces = []
    for number, face, reason in zip(_numbers(task, detections), detections, reasons, strict=True):
        row = Face(f"{task.item}-{number}", task.item, task.video_id, task.time_s)
        if reason:
            faces.append(_with_detection(replace(row, status="dropped", reason=reason), face))
        else:
            cut = cut_face(image, face, plan.rules)
            faces.append(_written(plan, _with_detection(row, face), cut))
    return {"faces": [asdict(face) for face in faces]}


def _work_on_given(plan: WorkerPlan, detector: "FaceDetector", task: PictureTask, given: Face) -> dict[str, Any]:
    from fercli.vision.cutting import cut_face, drop_reasons, enlarge_small, shrunk_back

    image = _read_given(plan.root, task.path)
    large, factor = enlarge_small(image, _GIVEN_SIDE_PX)
    found = [_rounded(shrunk_back(face, factor)) for face in detector.detect([large])[0]]
    reasons = drop_reasons(found, (image.shape[1], image.shape[0]), plan.rules)
    kept = [face for face, reason in zip(found, reasons, strict=True) if reason is None]
    if not kept:
        return {"faces": []}
    face = max(kept, key=lambda face: face.width * face.height)
    row = replace(_with_detection(given, face), reason=f"{REALIGNED}{task.path}")
    return {"faces": [asdict(_written(plan, row, cut_face(image, face, plan.rules)))]}


def _read_given(root: Path, path: str) -> "np.ndarray":
    import numpy as np

    from fercli.vision.images import read_image

    name, mark, row = path.rpartition("#")
    if not mark:
        return read_image(root / path)
    try:
        crop = np.array(np.load(root / name, mmap_mode="r", allow_pickle=False)[int(row)])
    except (OSError, ValueError, IndexError) as error:
        raise MediaError(f"packed crop '{path}' cannot be read ({error})", hint="Add the data set again.") from error
    return np.repeat(crop[:, :, None], 3, axis=2) if crop.ndim == 2 else crop


def _numbers(task: PictureTask, detections: Sequence["Detection"]) -> list[int]:
    import numpy as np

    from fercli.vision.tracks import match_boxes

    old = np.array([box for _, box in task.known], dtype=np.float64).reshape(-1, 4)
    new = np.array([(face.left, face.top, face.width, face.height) for face in detections]).reshape(-1, 4)
    numbers, unused = [], task.next_number
    for place in match_boxes(old, new):
        if place is None:
            numbers.append(unused)
            unused += 1
        else:
            numbers.append(task.known[place][0])
    return numbers


def _rounded(face: "Detection") -> "Detection":
    """The detection to a hundredth of a pixel, far below its error.

    How many threads compute, and what else the machine does, changes the digits behind that; crops are cut by what the
    table says, so that a run that was killed ends with the same files.
    """
    sides = {name: round(getattr(face, name), 2) for name in ("left", "top", "width", "height")}
    return replace(face, landmarks=face.landmarks.round(2), confidence=round(face.confidence, 5), **sides)


def _with_detection(row: Face, face: "Detection") -> Face:
    names = [
        f"{part}_{axis}" for part in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for axis in "xy"
    ]
    points = (float(value) for value in face.landmarks.ravel())
    columns: dict[str, Any] = dict(zip(names, points, strict=True))  # Face has columns of several types
    columns |= {name: getattr(face, name) for name in ("left", "top", "width", "height")}
    return replace(row, confidence=face.confidence, **columns)


def _written(plan: WorkerPlan, row: Face, cut: "Cut") -> Face:
    from fercli.vision.images import write_png

    path = f"faces/{row.face_id}.png"
    write_png(plan.out / path, cut.image)
    names = ("m00", "m01", "m02", "m10", "m11", "m12")
    values = (round(float(value), 9) for value in cut.affine.ravel())
    columns: dict[str, Any] = dict(zip(names, values, strict=True))  # Face has columns of several types
    return replace(row, path=path, roll=round(cut.roll, 2), blur=round(cut.blur, 4), **columns)
