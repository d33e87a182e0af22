"""From a video and votes to a report in Python: `python quickstart.py` first simulates a lesson and its annotators.

If you have a video and votes (a CSV with face_id, annotator, label), leave out `draw_lesson` and `draw_votes`.
"""

import sys
from pathlib import Path

import numpy as np

import fercli
from fercli.core.rows import Face, Frame
from fercli.demo.classroom import Classroom, Lesson
from fercli.demo.votes import cast_votes, draw_annotators, present_face, write_votes
from fercli.vision.video.reader import VideoWriter


def main(folder: Path) -> None:
    """Go from a synthetic lesson to an evaluated model in `folder`."""
    lesson = draw_lesson(folder / "lesson.mp4")
    classes = ("happy", "dedicated", "neutral", "confused", "tired", "bored")
    project = fercli.create_project(folder / "project", name="quickstart", classes=classes)

    fercli.add(project, fercli.AddSettings(), [folder / "lesson.mp4"])
    frames = fercli.extract_frames(project, fercli.ExtractFramesSettings(every_s=1.0))
    faces = fercli.align(project, fercli.AlignSettings())
    subjects = fercli.track_subjects(project, fercli.TrackSettings())
    print(f"{frames.num_frames} frames, {faces.num_faces} faces of {subjects.num_subjects} people")

    votes = draw_votes(project, lesson, folder / "votes")
    labels = fercli.labels_import(project, fercli.LabelsImportSettings(), votes)
    print(f"{labels.num_labelled} of {labels.num_faces} faces have a label: {labels.classes}")

    fercli.split(project, fercli.SplitSettings(seed=1))
    run = fercli.train(project, fercli.TrainSettings(model="drf-msam", epochs=2))
    scores = fercli.evaluate(project, fercli.EvalSettings(), run.run)
    print(f"accuracy {scores.accuracy['value']:.1%} on {scores.num_faces} faces of held-out subjects")
    fercli.gradcam(project, fercli.GradcamSettings(), run.run)
    page = fercli.report(project, fercli.ReportSettings(), run.run)
    print(project.root / page.path)


def draw_lesson(path: Path) -> Lesson:
    """Render twelve pupils for ten seconds."""
    lesson = Classroom(seed=8, num_subjects=12, seconds=10, fps=2).lessons[0]
    with VideoWriter(path, lesson.size, lesson.fps) as video:
        for frame in lesson.frames():
            video.write(frame)
    return lesson


def draw_votes(project: fercli.Project, lesson: Lesson, folder: Path) -> tuple[Path, ...]:
    """Let three simulated annotators label the detected faces; a face's pupil is the one with the nearest nose."""
    index_of = {frame.frame_id: frame.frame_index for frame in project.rows(Frame)}
    shown = []
    for face in (face for face in project.rows(Face) if face.status == "ok"):
        truths = lesson.truth(index_of[face.frame_id])
        nose = np.array((face.nose_x, face.nose_y), dtype=float)
        nearest = min(truths, key=lambda truth: float(np.linalg.norm(truth.landmarks[2] - nose)))
        shown.append(present_face(face.face_id, face.path, nearest.emotion, nearest.intensity, seed=0))
    return write_votes(folder, [cast_votes(annotator, shown, 0) for annotator in draw_annotators(3, 0)])


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "quickstart")
    target.mkdir(parents=True, exist_ok=True)
    main(target)
