"""Write the predictions of one video or folder: a table, a JSON file, and images with the faces drawn on them."""

import dataclasses
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from fercli.core.files import replace_text, slug, unused
from fercli.core.progress import Progress
from fercli.core.tables import write_table
from fercli.reports.figures.canvas import class_labels, font_path
from fercli.stages.predict import UNCERTAIN, FacePrediction, PredictSettings
from fercli.stages.predict.frames import Frames, look_at_image, look_at_video
from fercli.stages.predict.predictor import Prediction, Predictor
from fercli.vision.annotate import COLORS, Mark, draw_marks
from fercli.vision.images import write_jpeg
from fercli.vision.media import shown
from fercli.vision.video.reader import VideoWriter

SCHEMA = "fer.predictions/1"
# Smaller pictures are drawn larger, so that the words find room.
_LEAST_SIDE_PX = 240
_GREY = (128, 128, 128)


@dataclass(frozen=True)
class Written:
    """Files of one item, and the frames of its annotated video."""

    paths: tuple[Path, ...]
    num_frames: int = 0


def write_files(
    predictor: Predictor, prediction: Prediction, folder: Path, settings: PredictSettings, *, progress: Progress
) -> Written:
    """Write what `settings.out` names of one video or folder under its name into `folder`."""
    paths: list[Path] = []
    num_frames = 0
    if "csv" in settings.out:
        paths.append(folder / f"{prediction.name}.csv")
        write_table(paths[-1], prediction.faces, FacePrediction, predictor.classes)
    if "json" in settings.out:
        paths.append(folder / f"{prediction.name}.json")
        replace_text(paths[-1], _json(predictor, prediction, predictor.run_id))
    if "video" in settings.out and prediction.item.is_pictures:
        paths.append(folder / prediction.name)
        _draw_pictures(predictor, prediction, paths[-1], progress)
    elif "video" in settings.out:
        paths.append(folder / f"{prediction.name}.mp4")
        num_frames = _draw_video(predictor, prediction, paths[-1], settings, progress=progress)
    return Written(tuple(paths), num_frames)


def _json(predictor: Predictor, prediction: Prediction, run: str) -> str:
    faces = [dataclasses.asdict(face) for face in prediction.faces]
    certainty = {"temperature": predictor.certainty.temperature, "threshold": predictor.certainty.threshold}
    known = {name: value for name, value in certainty.items() if value is not None}
    values = {
        "schema": SCHEMA,
        "run": run,
        **known,
        "classes": predictor.classes,
        "media": prediction.name,
        "faces": faces,
    }
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def _draw_video(
    predictor: Predictor, prediction: Prediction, path: Path, settings: PredictSettings, *, progress: Progress
) -> int:
    """Write the whole video with its faces: every frame, at its time; the number of frames comes back."""
    source = prediction.item.files[0]
    info = look_at_video(source, settings.stream)
    frames = Frames(source, start_s=settings.start_s, end_s=settings.end_s, stream=settings.stream)
    last_s = prediction.times_s[-1] if settings.limit and prediction.times_s else None
    font = font_path(class_labels(predictor.classes))
    progress.start(f"draw {prediction.item.name}", total=info.num_frames)
    with VideoWriter(path, (info.width, info.height), info.fps) as writer:
        for frame in frames:
            if last_s is not None and frame.time_s > last_s:
                break
            marks = [_mark(face, predictor.classes) for face in faces_at(prediction, frame.time_s)]
            drawn = draw_marks(frame.image, marks, font)
            if drawn.shape[1::-1] != writer.size:  # recordings of calls change their size on the way
                drawn = np.asarray(cv2.resize(drawn, writer.size, interpolation=cv2.INTER_AREA))
            writer.write(drawn, frame.time_s - settings.start_s)
            progress.advance()
        return writer.num_frames


def _draw_pictures(predictor: Predictor, prediction: Prediction, folder: Path, progress: Progress) -> None:
    by_picture = {faces[0].picture: faces for faces in prediction.by_frame if faces}
    font, taken = font_path(class_labels(predictor.classes)), set[str]()
    progress.start(f"draw {prediction.item.name}", total=len(by_picture))
    for file in prediction.item.files:
        faces = by_picture.get(shown(Path(file.name)), ())
        if not faces:
            continue
        image = look_at_image(file)
        factor = max(1, -(-_LEAST_SIDE_PX // min(image.shape[:2])))
        large = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST))
        marks = [_enlarged(_mark(face, predictor.classes), factor) for face in faces]
        name = unused(slug(file.stem), taken)
        taken.add(name)
        write_jpeg(folder / f"{name}.jpg", draw_marks(large, marks, font))
        progress.advance()


def faces_at(prediction: Prediction, time_s: float) -> Iterator[FacePrediction]:
    """The faces of the moment looked at last, their boxes on the way to where the next look finds them."""
    place = bisect_right(prediction.times_s, time_s + 1e-6) - 1
    if place < 0:
        return
    later = prediction.by_frame[place + 1] if place + 1 < len(prediction.by_frame) else ()
    next_of = {face.track: face for face in later}
    for face in prediction.by_frame[place]:
        yield _between(prediction.times_s, place, face, next_of.get(face.track), time_s=time_s)


def _between(
    times_s: Sequence[float], place: int, face: FacePrediction, later: FacePrediction | None, *, time_s: float
) -> FacePrediction:
    if later is None:
        return face
    share = min(1.0, max(0.0, (time_s - times_s[place]) / (times_s[place + 1] - times_s[place])))
    sides = {
        side: getattr(face, side) + (getattr(later, side) - getattr(face, side)) * share
        for side in ("left", "top", "width", "height")
    }
    return replace(face, **sides)


def _mark(face: FacePrediction, classes: tuple[str, ...]) -> Mark:
    if face.shown == UNCERTAIN and UNCERTAIN not in classes:
        text = f"{UNCERTAIN} {100 * face.shown_probability:.0f}%"
        return Mark(face.left, face.top, face.width, face.height, text, _GREY)
    place = classes.index(face.shown)
    text = f"{class_labels(classes)[place]} {100 * face.shown_probability:.0f}%"
    color = COLORS[place % len(COLORS)]
    return Mark(face.left, face.top, face.width, face.height, text, color)


def _enlarged(mark: Mark, factor: int) -> Mark:
    return replace(
        mark, left=mark.left * factor, top=mark.top * factor, width=mark.width * factor, height=mark.height * factor
    )
