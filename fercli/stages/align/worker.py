"""Detect and crop the faces of frames or given crops, in whichever process.

Pictures are read, searched, cut and written at the same time: while the detector works on some, the next are decoded
and the crops of those before are written.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fercli.core.errors import MediaError
from fercli.core.processors import count_processors
from fercli.core.rows import Face
from fercli.data.crops import CropError
from fercli.engine.pipeline import Step, run_pipeline
from fercli.learn.device import torch_threads
from fercli.stages.align.pictures import Pictures, PictureTask
from fercli.stages.align.plan import REALIGNED
from fercli.vision.cutting import Cut, CuttingRules, cut_faces, enlarge_small, shrunk_back
from fercli.vision.detection import Detection
from fercli.vision.following import FaceFollower
from fercli.vision.images import write_png
from fercli.vision.mtcnn.detector import FaceDetector
from fercli.vision.quality import roll_deg
from fercli.vision.tracks import match_boxes

Record = dict[str, Any]  # {"faces": [fields of Face, ...]} or {"failure": reason}, as the journal holds it
# Small given crops are enlarged to this side before the detector sees them: at 48 pixels it misses most.
_GIVEN_SIDE_PX = 160
# More threads of one kind in one process wait for each other's Python.
_MAX_THREADS = 8
# They mostly wait for the disk, as each crop lies there before its row comes: with four, 240 frames of twelve faces
# take 14 to 17 s where one writer needs 20 to 28; eight are no faster.
_NUM_WRITERS = 4
# Of each detector: with more, sums of floats come in another order, and a face's last digits would tell how many.
_THREADS = 1


@dataclass(frozen=True)
class WorkerPlan:
    """What each process needs to know.

    Attributes:
        root: of the project.
        out: where crops go, under their paths in the project.
        num_threads: of the processor that this process may use; None for all.
    """

    root: Path
    out: Path
    rules: CuttingRules
    exact: bool
    device: str
    num_threads: int | None


@dataclass(frozen=True)
class _Look:
    """A picture on its way through the steps; `failure` says why it goes no further."""

    task: PictureTask
    image: np.ndarray | None = None
    found: tuple[Detection, ...] = ()
    failure: str = ""


def look_for_faces(
    plan: WorkerPlan, tasks: Sequence[PictureTask], idle: list[FaceDetector] | None = None
) -> Iterator[Record]:
    """The record of each picture, in order; its crops are written before it comes.

    Args:
        plan: what each process needs to know.
        tasks: the pictures.
        idle: detectors of an earlier call with the same plan; those of this one are in it afterwards.
    """
    num_cores = min(plan.num_threads or count_processors(), _MAX_THREADS)
    # A device of its own works best on one picture after the other, and to follow faces takes them in order.
    is_single = plan.device.startswith(("cuda", "mps")) or any(task.chunk for task in tasks)
    num_detectors = 1 if is_single else num_cores
    pictures = Pictures(plan.root, tasks)
    idle = [] if idle is None else idle
    used: list[FaceDetector] = []

    def make_follower() -> Callable[[_Look], _Look]:
        try:
            detector = idle.pop()
        except IndexError:
            detector = _detector(plan)
        used.append(detector)
        return partial(_detect, FaceFollower(detector))

    steps = (
        Step(lambda: partial(_read, pictures)),
        Step(make_follower, num_detectors),
        Step(lambda: partial(_cut_and_write, plan), _NUM_WRITERS),
    )
    with torch_threads(_THREADS):
        yield from run_pipeline(tasks, steps)
    idle += used


def make_worker(plan: WorkerPlan) -> Callable[[Sequence[PictureTask]], list[Record]]:
    """A function that does some pictures of one video and returns their records; for other processes."""
    idle: list[FaceDetector] = []
    return lambda tasks: list(look_for_faces(plan, tasks, idle))


def _detector(plan: WorkerPlan) -> FaceDetector:
    return FaceDetector(
        min_face_px=plan.rules.min_face_px,
        # Never hides what --min-confidence would keep.
        min_confidence=min(0.8, plan.rules.min_confidence),
        mode="exact" if plan.exact else "fast",
        device=plan.device,
        num_threads=_THREADS,
    )


def _read(pictures: Pictures, task: PictureTask) -> _Look:
    try:
        return _Look(task, pictures.read(task))
    except CropError as error:
        return _Look(task, failure=error.told)
    except MediaError as error:
        return _Look(task, failure=error.message)


def _detect(follower: FaceFollower, look: _Look) -> _Look:
    if look.image is None:
        return look
    if look.task.given is None:
        return replace(look, found=tuple(_rounded(face) for face in follower.find(look.image, look.task.chunk)))
    large, factor = enlarge_small(look.image, _GIVEN_SIDE_PX)
    return replace(look, found=tuple(_rounded(shrunk_back(face, factor)) for face in follower.find(large, "")))


def _cut_and_write(plan: WorkerPlan, look: _Look) -> Record:
    if look.image is None:
        return {"failure": look.failure}
    make = _faces_of_given if look.task.given else _faces_of_frame
    return {"faces": [asdict(face) for face in make(plan, look.task, look.image, look.found)]}


def _faces_of_frame(
    plan: WorkerPlan, task: PictureTask, image: np.ndarray, found: Sequence[Detection]
) -> Iterator[Face]:
    cuts = cut_faces(image, found, plan.rules)
    for number, face, (reason, cut) in zip(_numbers(task, found), found, cuts, strict=True):
        row = _with_detection(Face(f"{task.item}-{number}", task.item, task.video_id, task.time_s), face)
        if cut and not reason:
            yield _written(plan, row, cut)
        else:
            # Dropped rows have what is known of them, too: from it one chooses a bound that drops fewer.
            row = replace(row, status="dropped", reason=reason or "", roll=round(roll_deg(face.landmarks), 2))
            yield _measured(row, cut) if cut else row


def _faces_of_given(
    plan: WorkerPlan, task: PictureTask, image: np.ndarray, found: Sequence[Detection]
) -> Iterator[Face]:
    rules = replace(plan.rules, max_faces=1, max_blur=None)
    for face, (reason, cut) in zip(found, cut_faces(image, found, rules), strict=True):
        if task.given and cut and not reason:
            row = replace(_with_detection(task.given, face), reason=f"{REALIGNED}{task.path}")
            yield _written(plan, row, cut)


def _numbers(task: PictureTask, detections: Sequence[Detection]) -> list[int]:
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


def _rounded(face: Detection) -> Detection:
    """The detection to a hundredth of a pixel, far below its error.

    How many threads compute, and what else the machine does, changes the digits behind that; crops are cut by what the
    table says, so that a run that was killed ends with the same files.
    """
    sides = {name: round(getattr(face, name), 2) for name in ("left", "top", "width", "height")}
    return replace(face, landmarks=face.landmarks.round(2), confidence=round(face.confidence, 5), **sides)


def _with_detection(row: Face, face: Detection) -> Face:
    names = [
        f"{part}_{axis}" for part in ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth") for axis in "xy"
    ]
    points = (float(value) for value in face.landmarks.ravel())
    columns: dict[str, Any] = dict(zip(names, points, strict=True))  # Face has columns of several types
    columns |= {name: getattr(face, name) for name in ("left", "top", "width", "height")}
    return replace(row, confidence=face.confidence, **columns)


def _written(plan: WorkerPlan, row: Face, cut: Cut) -> Face:
    path = f"faces/{row.face_id}.png"
    write_png(plan.out / path, cut.image)
    names = ("m00", "m01", "m02", "m10", "m11", "m12")
    values = (round(float(value), 9) for value in cut.affine.ravel())
    columns: dict[str, Any] = dict(zip(names, values, strict=True))  # Face has columns of several types
    return replace(_measured(row, cut), path=path, **columns)


def _measured(row: Face, cut: Cut) -> Face:
    return replace(row, roll=round(cut.roll, 2), blur=round(cut.blur, 4))
