"""A tiny project with faces, subjects and files of votes, for the stages on labels and splits."""

from pathlib import Path

import numpy as np

from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Frame
from fercli.vision.images import write_png

CLASSES = ("happy", "neutral", "bored")


def make_faces(root: Path, num_subjects: int = 4, num_frames: int = 6, video_id: str = "lesson-1") -> Project:
    """A project with one video: every subject has a face in every frame; each crop has bytes of its own."""
    project = create_project(root, name="tiny", classes=CLASSES)
    faces, frames = [], []
    for frame in range(num_frames):
        frames.append(
            Frame(f"{video_id}/f{frame:06d}", video_id, frame, 1.0 * frame, f"frames/{video_id}/f{frame:06d}.jpg")
        )
        for subject in range(num_subjects):
            name = f"{video_id}/f{frame:06d}-{subject}"
            path = f"faces/{name}.png"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            own = np.random.default_rng(list(name.encode())).integers(0, 255, (8, 8, 3), np.uint8)
            write_png(root / path, own)
            faces.append(Face(name, frames[-1].frame_id, video_id, path=path, subject_id=f"s{subject + 1:03d}"))
    project.write_rows(faces, Face)
    project.write_rows(frames, Frame)
    return project


def write_votes(path: Path, votes: dict[str, str], annotators: str = "abc") -> Path:
    """A long CSV: for each face one letter an annotator (h, n, b; u unknown; a dash is left out)."""
    words = {"h": "happy", "n": "neutral", "b": "bored", "u": "unknown", "x": "joyfull"}
    lines = [
        f"{face_id},{annotator},{words[letter]}\n"
        for face_id, letters in votes.items()
        for annotator, letter in zip(annotators, letters, strict=False)
        if letter != "-"
    ]
    path.write_text("face_id,annotator,label\n" + "".join(lines), encoding="utf-8")
    return path


def face(frame: int, subject: int) -> str:
    """The id of a face of `make_faces`."""
    return f"lesson-1/f{frame:06d}-{subject}"


def all_votes(num_subjects: int = 4, num_frames: int = 6) -> dict[str, str]:
    """Votes on every face; the class changes with frame and subject, and now and then somebody disagrees."""
    letters = "hnb"
    votes = {}
    for frame in range(num_frames):
        for subject in range(num_subjects):
            truth = letters[(frame + subject) % 3]
            votes[face(frame, subject)] = truth * 2 + letters[(frame * subject) % 3]
    return votes
