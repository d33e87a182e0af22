"""`fer align`: detect faces in frames, keep or drop them for a reason, and crop them."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from fercli.core.memory import fingerprint, read_state
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Frame, Label, Video
from fercli.core.runs import Run
from fercli.core.settings import ANY, option_name, setting
from fercli.core.stage import Inputs, Stage

# Settings of align, and the rules that they are. Its bounds on tilt and the like choose faces to learn from.
RULE_OF = {
    "size": "size",
    "margin": "margin",
    "template": "template",
    "min_confidence": "min_confidence",
    "min_face": "min_face_px",
}
# Settings that change no face.
_NOT_IDENTITY = ("device", "workers", "engine", "address", "draw")


@dataclass(frozen=True)
class AlignSettings:
    """How faces are found, kept and cut out."""

    detector: Literal["mtcnn"] = setting("mtcnn", "Detect faces with this detector.")
    mode: Literal["fast", "exact"] = setting("fast", "Use the fast detector, or reproduce mtcnn 1.0.0 exactly.")
    min_confidence: float = setting(0.9, "Drop detections below this confidence.", minimum=0.0, maximum=1.0)
    min_face: int = setting(20, "Detect faces at least this many pixels on the longer side.", minimum=8)
    max_faces: int | None = setting(None, "Keep at most this many faces per frame, largest first.", minimum=1)
    max_roll: float | None = setting(None, "Drop faces tilted by more than this many degrees.", minimum=0.0)
    max_yaw: float | None = setting(
        None, "Drop faces turned further than this (0 frontal, 1 nose at an eye).", minimum=0.0
    )
    max_blur: float | None = setting(None, "Drop faces blurrier than this, from 0 to 1.", minimum=0.0, maximum=1.0)
    size: Literal[112, 224] = setting(112, "Set the side length of the crops, in pixels.")
    margin: float = setting(
        0.0, "Add this margin around the face, as a fraction of its side.", minimum=0.0, maximum=2.0
    )
    template: Literal["arcface", "none"] = setting(
        "arcface", "Align faces to the ArcFace template, or crop the plain box."
    )
    tracking: bool = setting(False, "Track faces between detections (fixed camera only).")
    track_every: int = setting(
        5, "With --tracking, run the detector every N frames.", minimum=1, only_with={"tracking": ANY}
    )
    realign: bool = setting(False, "Also align faces that were added as crops.")
    device: str = setting("auto", "Run on this device: auto, cpu, cuda, mps or openvino.")
    workers: int = setting(1, "Use this many processes.", minimum=1)
    engine: Literal["local", "ray"] = setting("local", "Run on this machine or on a Ray cluster.")
    address: str = setting("", "Connect to the Ray cluster at HOST:PORT.", only_with={"engine": ("ray",)})
    limit: int | None = setting(None, "Process only the first N frames.", minimum=1)
    draw: bool = setting(False, "Draw frames with the faces found, kept or dropped, to reports/align.", is_later=True)


@dataclass(frozen=True, kw_only=True)
class AlignResult(StageResult):
    """What the table of faces holds now.

    Attributes:
        num_frames: frames that were to be looked at, now or in an earlier run.
        num_frames_done: of them, in this run.
        num_frames_without_faces: of them, those in which no face was kept.
        num_faces: faces cut out, over all frames.
        dropped: faces found and not kept, by reason.
        num_gone: faces of an earlier run that are not found any more.
        num_realigned: given crops that were set upright.
        num_given: faces that came as crops.
        device: where this run computed.
    """

    num_frames: int = 0
    num_frames_done: int = 0
    num_frames_without_faces: int = 0
    num_faces: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    num_gone: int = 0
    num_realigned: int = 0
    num_given: int = 0
    device: str = ""


def settings_mark(settings: AlignSettings) -> str:
    """One name for the settings that change a face; an interrupted run goes on only under the same."""
    plain = AlignSettings()
    same = {name: getattr(plain, name) for name in (*_NOT_IDENTITY, "limit", "realign")}
    return fingerprint(replace(settings, **same))


def told_rules(project: Project) -> dict[str, Any]:  # JSON
    """What the rules follow from, without loading anything that cuts."""
    state = read_state(project.root, "align")
    known = state.settings if state else {}
    return {rule: known[name] for name, rule in RULE_OF.items() if name in known}


def rules_of(project: Project, run: Run) -> dict[str, Any]:  # JSON
    """What a run's faces were cut by; where it recorded nothing, what the project's are cut by now."""
    return told_rules(project) if run.record.cutting is None else dict(run.record.cutting)


def align_command(run: Run) -> str:
    """The command that cuts faces as they were for a run, as far as the run recorded it."""
    options = {rule: name for name, rule in RULE_OF.items()}
    plain, given = AlignSettings(), run.record.cutting or {}
    columns = {column.name: column for column in fields(AlignSettings)}
    words = [
        f" --{option_name(columns[options[rule]])} {value}"
        for rule, value in given.items()
        if rule in options and value != getattr(plain, options[rule])
    ]
    return f"fer align{''.join(words)}"


def _inputs(project: Project, settings: AlignSettings) -> Inputs:
    given = [face.face_id for face in project.rows(Face) if face.status == "given"] if settings.realign else []
    return Inputs([project.table_path(Frame)], [given], counted="faces")


def _with_device(_: Project, settings: AlignSettings, known: AlignResult) -> AlignResult:
    """The result of an earlier call, and a word on another device that is asked for now."""
    if settings.device in ("auto", known.device, known.device.partition(":")[0]) or not known.device:
        return known
    # Loads torch, which a call with nothing to do need not; a wrong name is refused.
    from fercli.vision.mtcnn.runtime import choose_device

    asked = choose_device(settings.device, mode=settings.mode)
    if asked == known.device:
        return known
    warning = f"The faces were detected on {known.device} and are kept; use --force to detect them again on {asked}."
    return replace(known, warnings=(*known.warnings, warning))


def came_as_crops(project: Project) -> str:
    """Why a project needs no stage that looks at videos; empty where it does."""
    has_labels = project.has(project.table_path(Label))
    return "the faces came as crops" if has_labels and not project.has(project.table_path(Video)) else ""


align = Stage(
    words="align",
    settings=AlignSettings,
    result=AlignResult,
    work="fercli.stages.align.work",
    planning="fercli.stages.align.plan",
    inputs=_inputs,
    not_identity=_NOT_IDENTITY,
    is_long=True,
    batch=lambda _, settings: settings_mark(settings),
    retries=True,
    now=_with_device,
    looks=lambda settings: settings.draw,
    skip=came_as_crops,
)
