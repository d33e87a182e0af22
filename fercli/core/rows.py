"""The rows of the project's tables, one frozen class per table, columns in the order of the file."""

from dataclasses import dataclass, field
from typing import Any, Literal

FaceStatus = Literal["ok", "dropped", "given", "gone"]
LabelStatus = Literal["ok", "tie", "no_majority", "too_few", "unknown", "adjudicated", "given"]
# Of a face that can be labelled, split and learned from: it was cut out, or came as a crop.
USABLE: tuple[FaceStatus, ...] = ("ok", "given")
Split = Literal["train", "val", "test"]
Suggested = Literal["", "before", "after"]
Chosen = Literal["", "uncertain"]
AttributeOf = Literal["subject", "video"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
# Fewer subjects (videos, faces) than this give no confidence interval.
MIN_UNITS = 5


def later(default: Any) -> Any:  # a dataclass field, which takes the type of its annotation
    """A column that came after the table's first version, at the row's end: a file without it has `default`."""
    return field(default=default, metadata={"is_later": True})


PICTURES = "pictures"  # stands in the column codec of a folder of images


@dataclass(frozen=True, slots=True)
class Video:
    """One row of videos.csv; a folder of pictures is a video without time. `origin` is the path as it was given.

    `stream` is the video stream of the file that is read, from 1; None for the one that players show.
    """

    video_id: str
    path: str
    sha256: str
    bytes: int
    width: int
    height: int
    fps: float | None = None
    num_frames: int | None = None
    duration_s: float | None = None
    codec: str = ""
    session: str = ""
    recorded_at: str = ""
    origin: str = later("")
    stream: int | None = later(None)


@dataclass(frozen=True, slots=True)
class Link:
    """One row of links.csv: a link under videos/ or images/ that `fer add --link` made, and the file that it means."""

    path: str
    target: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One row of frames.csv; `time_s` comes from the container's time stamps, `path` is empty for frames not kept.

    `origin` of a picture that was added is the path as it was given; it may hold names, and stays in the project.
    """

    frame_id: str
    video_id: str
    frame_index: int
    time_s: float | None
    path: str
    method: str = ""
    score: float | None = None
    sharpness: float | None = None
    phash: str = ""
    origin: str = later("")


@dataclass(frozen=True, slots=True)
class Face:
    """One row of faces.csv.

    Box and landmarks are pixels of the frame, left and right as the viewer sees them. `m00`..`m12` is
    the 2x3 affine that takes frame pixels to crop pixels. `path` of a packed face is `pack.npy#row`.
    `origin` of a crop that was given is its path below the folder or data set that it came from.
    `status`: ok (cut out), dropped (see `reason`), given (came as a crop), gone (a re-run no longer finds it).
    """

    face_id: str
    frame_id: str
    video_id: str
    time_s: float | None = None
    left: float | None = None
    top: float | None = None
    width: float | None = None
    height: float | None = None
    confidence: float | None = None
    left_eye_x: float | None = None
    left_eye_y: float | None = None
    right_eye_x: float | None = None
    right_eye_y: float | None = None
    nose_x: float | None = None
    nose_y: float | None = None
    left_mouth_x: float | None = None
    left_mouth_y: float | None = None
    right_mouth_x: float | None = None
    right_mouth_y: float | None = None
    m00: float | None = None
    m01: float | None = None
    m02: float | None = None
    m10: float | None = None
    m11: float | None = None
    m12: float | None = None
    roll: float | None = None
    blur: float | None = None
    path: str = ""
    track_id: str = ""
    subject_id: str = ""
    status: FaceStatus = "ok"
    reason: str = ""
    source_row: int | None = None
    origin: str = later("")

    @property
    def landmarks(self) -> tuple[tuple[float, float], ...] | None:
        """Its five points, x and y in pixels of the frame; None where they are not known."""
        xs = (self.left_eye_x, self.right_eye_x, self.nose_x, self.left_mouth_x, self.right_mouth_x)
        ys = (self.left_eye_y, self.right_eye_y, self.nose_y, self.left_mouth_y, self.right_mouth_y)
        points = tuple((x, y) for x, y in zip(xs, ys, strict=True) if x is not None and y is not None)
        return points if len(points) == len(xs) else None

    @property
    def is_usable(self) -> bool:
        """Whether it can be labelled, split and learned from."""
        return self.status in USABLE


@dataclass(frozen=True, slots=True)
class Subject:
    """One row of subjects.csv: a person seen, under a pseudonym; `source` says how it is known, see core/people.py."""

    subject_id: str
    source: str
    num_faces: int
    num_tracks: int
    videos: str
    first_face_id: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """One row of attributes.csv: what a user has said of a subject or a video, such as glasses or camera.

    `of` says whether `item` is a subject's id or a video's; `column` and `value` are the user's own words.
    """

    of: AttributeOf
    item: str
    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Vote:
    """One row of votes.csv: one judgement by one annotator (a pseudonym) of one face.

    `suggested` says whether the annotator saw a model's suggestion before or after choosing, `chosen` why the face was
    shown: because a model was uncertain of it, or, where empty, by chance or in order.
    """

    face_id: str
    annotator: str
    label: str
    raw_label: str
    confidence: float | None = None
    created_at: str = ""
    source: str = ""
    suggested: Suggested = later("")
    chosen: Chosen = later("")


@dataclass(frozen=True, slots=True)
class Label:
    """One row of labels.csv: what the votes on a face agree on; `label` is empty unless they do.

    `agreement` is the share of the votes that the largest label has, `entropy` that of the votes in bits,
    `probabilities` the share of votes of each class (columns `p_<class>`).
    """

    face_id: str
    label: str
    status: LabelStatus
    rule: str
    num_votes: int
    agreement: float | None = None
    entropy: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One row of splits/<name>.csv; `fold` is empty without k-fold."""

    face_id: str
    split: Split
    fold: int | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row of predictions.csv; `probabilities` are the columns `p_<class>`, softmax of the logits."""

    face_id: str
    subject_id: str
    video_id: str
    split: str
    label: str
    predicted: str
    probabilities: dict[str, float] = field(default_factory=dict)
