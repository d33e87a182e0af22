"""A tiny project with drawn frames: two pupils who sway, at known places."""

from pathlib import Path

import numpy as np

from fercli.core.project import Project, create_project
from fercli.core.rows import Frame, Video, Vote
from fercli.vision.images import write_jpeg
from tests.vision.drawn import draw_face, draw_room

SIZE = (360, 200)
WIDTHS = (70.0, 84.0)
PLACES = ((90.0, 100.0), (260.0, 100.0))


def make_lesson(root: Path, num_frames: int = 3, video_id: str = "lesson-1", session: str = "") -> Project:
    """A project with one video's frames; calling it again adds another video."""
    project = create_project(root, name="tiny", classes=("happy", "bored"))
    rng = np.random.default_rng(len(video_id))
    frames = [_draw_frame(project, video_id, index, rng) for index in range(num_frames)]
    video = Video(video_id, f"videos/{video_id}.mp4", "0" * 64, 1, *SIZE, num_frames=num_frames, session=session)
    others = [row for row in project.rows(Video) if row.video_id != video_id]
    project.write_rows([*others, video], Video)
    project.write_rows([*(row for row in project.rows(Frame) if row.video_id != video_id), *frames], Frame)
    return project


def vote(project: Project, *face_ids: str) -> None:
    project.write_rows([Vote(face_id, "a1", "happy", "happy") for face_id in face_ids], Vote)


def _draw_frame(project: Project, video_id: str, index: int, rng: np.random.Generator) -> Frame:
    frame = draw_room(SIZE[1], SIZE[0])
    for (x, y), width in zip(PLACES, WIDTHS, strict=True):
        draw_face(frame, (x + rng.uniform(-5, 5), y + rng.uniform(-5, 5)), width)
    path = f"frames/{video_id}/f{index:06d}.jpg"
    write_jpeg(project.root / path, frame)
    return Frame(f"{video_id}/f{index:06d}", video_id, index, 2.0 * index, path)
