"""A drawn class filmed twice: the same pupils in other clothes, in another light and on other seats."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Subject, Video
from fercli.demo.classroom import Lesson, Pupil
from fercli.demo.identity import CLOTHES, Identity, draw_identity
from fercli.demo.seats import place_seats
from fercli.demo.timeline import draw_timeline
from fercli.stages.add import AddSettings, add
from fercli.stages.align import AlignSettings, align
from fercli.stages.extract_frames import ExtractFramesSettings, extract_frames
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.subjects import TrackSettings, track_subjects
from fercli.vision.align import crop_face
from fercli.vision.images import write_png
from fercli.vision.video.reader import VideoWriter

NUM_PUPILS, SECONDS, SIZE = 12, 6, (1280, 720)
DAYS = ("monday", "tuesday")


def draw_twice(seed: int = 0, absent: int = 0) -> dict[str, Lesson]:
    """Two lessons; on the second day the last `absent` pupils are away."""
    rng = np.random.default_rng((seed, 77))
    identities = [draw_identity(rng) for _ in range(NUM_PUPILS)]
    lessons = {}
    for day, name in enumerate(DAYS):
        present = identities[: NUM_PUPILS - absent * day]
        lessons[name] = _lesson(name, present, rng)
    return lessons


def film_twice(folder: Path, seed: int = 0, absent: int = 0) -> dict[str, Lesson]:
    """Write the two lessons as videos."""
    lessons = draw_twice(seed, absent)
    for day, name in enumerate(DAYS):
        with VideoWriter(folder / f"{name}.mp4", SIZE, 1) as video:
            for frame in lessons[name].frames():
                video.write(_in_evening_light(frame) if day else frame)
    return lessons


_PARTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
_POINTS = [f"{part}_{axis}" for part in _PARTS for axis in "xy"]


def film_project(root: Path, seed: int = 0, absent: int = 0) -> tuple[Project, dict[str, str]]:
    """A project of the two lessons, with tracks, and the pupil that each subject shows most of the time."""
    lessons = film_twice(root, seed, absent)
    project = create_project(root / "class", name="class", classes=("happy", "neutral", "tired"))
    for name in lessons:
        add(project, AddSettings(session=name), [root / f"{name}.mp4"])
    extract_frames(project, ExtractFramesSettings(every_s=1.0))
    align(project, AlignSettings())
    track_subjects(project, TrackSettings())
    return project, pupils_of(project, lessons)


def crop_project(root: Path, seed: int, absent: int = 0) -> tuple[Project, dict[str, str]]:
    """The same without video and detector: crops of every frame, cut by the true landmarks."""
    project = create_project(root / f"class-{seed}-{absent}", name="class", classes=("happy", "neutral", "tired"))
    faces, pupils = [], {}
    for day, lesson in enumerate(draw_twice(seed, absent).values()):
        for index, frame in enumerate(lesson.frames()):
            picture = _in_evening_light(frame) if day else frame
            for number, truth in enumerate(lesson.truth(index)):
                subject = f"s{1 + number + NUM_PUPILS * day:03d}"
                pupils[subject] = truth.pupil
                faces.append(_cut(project, picture, truth.landmarks, f"{lesson.name}/f{index:06d}-{number}", subject))
    project.write_rows(faces, Face)
    seen = {subject: [face for face in faces if face.subject_id == subject] for subject in pupils}
    rows = [Subject(name, "tracks", SECONDS, 1, own[0].video_id, own[0].face_id) for name, own in seen.items()]
    project.write_rows(rows, Subject)
    project.write_rows([Video(name, f"videos/{name}.mp4", "", 1, *SIZE) for name in DAYS], Video)
    return project, pupils


def _cut(project: Project, picture: np.ndarray, landmarks: np.ndarray, face_id: str, subject: str) -> Face:
    crop, affine = crop_face(picture, landmarks)
    write_png(project.root / f"faces/{face_id}.png", crop)
    points = dict(zip(_POINTS, landmarks.ravel().tolist(), strict=True))
    points |= dict(zip(("m00", "m01", "m02", "m10", "m11", "m12"), affine.ravel().tolist(), strict=True))
    frame_id, video = face_id.rpartition("-")[0], face_id.partition("/")[0]
    index = float(frame_id.rpartition("/f")[2])
    return Face(face_id, frame_id, video, index, path=f"faces/{face_id}.png", subject_id=subject, **points)


def pupils_of(project: Project, lessons: Mapping[str, Lesson]) -> dict[str, str]:
    seen: dict[str, Counter[str]] = {}
    for face in project.rows(Face):
        if face.status == "ok":
            truth = lessons[face.video_id].truth(int(face.frame_id.rpartition("/f")[2]))
            nose = np.array([face.nose_x, face.nose_y], dtype=float)
            nearest = min(truth, key=lambda one: float(np.linalg.norm(one.landmarks[2] - nose)))
            seen.setdefault(face.subject_id, Counter())[nearest.pupil] += 1
    return {subject: counts.most_common(1)[0][0] for subject, counts in seen.items()}


def vote_all(project: Project, folder: Path) -> None:
    """Two annotators call every face by one of the three classes, in turn."""
    lines = ["face_id,annotator,label"]
    faces = [face.face_id for face in project.rows(Face) if face.status == "ok"]
    for place, face_id in enumerate(faces):
        lines += [f"{face_id},{annotator},{project.classes[place % 3]}" for annotator in ("ann", "ben")]
    votes = folder / "votes.csv"
    votes.write_text("\n".join(lines) + "\n", encoding="utf-8")
    labels_import(project, LabelsImportSettings(), [votes])


def _in_evening_light(frame: np.ndarray) -> np.ndarray:
    warm = frame.astype(np.float32) * np.array([0.86, 0.75, 0.62], np.float32) + np.array([6, 2, 0], np.float32)
    return np.clip(warm, 0, 255).astype(np.uint8)


def _lesson(name: str, identities: Sequence[Identity], rng: np.random.Generator) -> Lesson:
    seats = place_seats(len(identities), SIZE, rng)
    order = rng.permutation(len(identities))
    pupils = []
    for number, seat in zip(order.tolist(), seats, strict=True):
        clothes, accent = (CLOTHES[int(rng.integers(len(CLOTHES)))] for _ in range(2))
        dressed = replace(identities[number], clothes=clothes, accent=accent)
        pupils.append(Pupil(f"pupil-{number + 1:02d}", dressed, seat, draw_timeline(float(SECONDS), rng)))
    return Lesson(name, tuple(pupils), num_frames=SECONDS, fps=1, size=SIZE, seed=int(rng.integers(2**31)))
