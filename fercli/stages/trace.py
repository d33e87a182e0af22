"""`fer trace`: show everything known of one face, from the second of the video to the last prediction."""

import difflib
from dataclasses import dataclass

from fercli.core.errors import InputError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Frame, Label, Prediction, Subject, Video, Vote
from fercli.core.runs import list_runs
from fercli.core.stage import Argument, Stage
from fercli.core.tables import read_table
from fercli.stages.labels.archive import numbered, read_imports


@dataclass(frozen=True)
class TracedPrediction:
    """What one run said of the face."""

    run_id: str
    split: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class TraceResult(StageResult):
    """Where a face comes from and what became of it; empty where a stage has not been run."""

    face: Face
    frame: Frame | None = None
    video: Video | None = None
    subject: Subject | None = None
    votes: tuple[Vote, ...] = ()
    label: Label | None = None
    splits: dict[str, str]
    predictions: tuple[TracedPrediction, ...] = ()


def call(
    project: Project, settings: None, face_id: str, *, progress: Progress, force: bool, dry_run: bool
) -> TraceResult:
    """Follow a face back to its video and forward to its predictions.

    Raises:
        InputError: the project has no face of that id.
        MissingStageError: the project has no faces yet.
    """
    faces = {face.face_id: face for face in project.required_rows(Face)}
    face = faces.get(face_id)
    if face is None:
        close = difflib.get_close_matches(face_id, faces, n=3, cutoff=0.6)
        hint = f"Close to it: {', '.join(close)}." if close else "Face ids stand in manifests/faces.csv."
        raise InputError(f"no face '{face_id}' in '{project.name}'", hint=hint)
    frame = next((frame for frame in project.rows(Frame) if frame.frame_id == face.frame_id), None)
    video = next((video for video in project.rows(Video) if video.video_id == face.video_id), None)
    for row, table in ((face, "faces.csv"), (frame, "frames.csv"), (video, "videos.csv")):
        if row and row.path:
            project.inside(row.path.partition("#")[0], table)
    return TraceResult(
        face=face,
        frame=frame,
        video=video,
        subject=next((one for one in project.rows(Subject) if one.subject_id == face.subject_id), None),
        votes=tuple(numbered((vote for vote in project.rows(Vote) if vote.face_id == face_id), read_imports(project))),
        label=next((label for label in project.rows(Label) if label.face_id == face_id), None),
        splits=_splits_of(project, face_id),
        predictions=tuple(_predictions_of(project, face_id)),
        outputs=(face.path.partition("#")[0],) if face.path else (),
    )


def _splits_of(project: Project, face_id: str) -> dict[str, str]:
    found = {
        name: [row.split for row in project.split_rows(name) if row.face_id == face_id] for name in project.splits()
    }
    return {name: ", ".join(sorted(set(splits))) for name, splits in found.items() if splits}


def _predictions_of(project: Project, face_id: str) -> list[TracedPrediction]:
    found = []
    for run in list_runs(project.root):
        for path in sorted(run.folder.glob("eval/*/predictions.csv")):
            rows = [row for row in read_table(path, Prediction) if row.face_id == face_id]
            found += [
                TracedPrediction(
                    run.run_id, path.parent.name, row.label, row.predicted, row.probabilities[row.predicted]
                )
                for row in rows
            ]
    return found


trace = Stage(
    words="trace",
    settings=None,
    result=TraceResult,
    work=__name__,
    arguments=(Argument("face_id", str, "Trace this face.", "FACE_ID"),),
    is_whole=True,
    writes=lambda _: False,
)
