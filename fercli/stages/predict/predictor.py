"""Predict one video or folder of images: its faces, their tracks and their emotions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from fercli.core.errors import MediaError
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.runs import Run
from fercli.engine.parts import part_length, part_number
from fercli.engine.pipeline import Step, run_pipeline
from fercli.learn.device import torch_threads
from fercli.learn.predict import load_run_model, predict_probabilities
from fercli.stages.align.rules import run_rules
from fercli.stages.predict import FacePrediction, PredictSettings, others_of
from fercli.stages.predict.certainty import certainty_of
from fercli.stages.predict.frames import Frames, look_at_image, start_early
from fercli.stages.predict.parts import PART_S, Looked, VideoPart, count_looks, look_on_cluster
from fercli.stages.predict.tracks import steady, tracked
from fercli.vision.cutting import cut_faces
from fercli.vision.detection import Detection
from fercli.vision.media import MediaItem, shown
from fercli.vision.mtcnn.detector import FaceDetector, make_detector
from fercli.vision.mtcnn.runtime import OPENVINO, choose_device

# Crops wait until so many can be judged, and the processor judges so many at once: as in `fer align`, each computation
# is one thread's, so that no digit of a table tells how many threads a machine has.
_BATCH, _CHUNK = 128, 16
_MAX_THREADS = 8


@dataclass(frozen=True)
class Prediction:
    """What was seen in one video or folder; `by_frame` has a list of faces for each frame or picture looked at."""

    name: str
    item: MediaItem
    times_s: tuple[float, ...]
    by_frame: tuple[tuple[FacePrediction, ...], ...]
    warnings: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def faces(self) -> Iterator[FacePrediction]:
        """All faces in order."""
        return (face for faces in self.by_frame for face in faces)


@dataclass(frozen=True)
class _Look:
    """A picture in which faces are looked for."""

    image: np.ndarray
    frame: int | None
    time_s: float | None
    picture: str
    number: int


class Predictor:
    """Detectors and network, built once for all media.

    Attributes:
        run_id: of the run whose network judges.
        certainty: its temperature and threshold, as asked for.
        device: where faces are looked for.
    """

    def __init__(self, project: Project, run: Run, settings: PredictSettings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        start_early()
        # OpenVINO runs the detector alone; the network, which is torch's, then stays on the processor.
        is_shared = settings.engine == "ray"
        is_cpu = settings.device.partition(":")[0] == OPENVINO or (is_shared and settings.device == "auto")
        device = "cpu" if is_cpu else settings.device
        self.run_id = run.run_id
        self._loaded = load_run_model(run.folder, settings.checkpoint, device)
        classes = self._loaded.classes
        self._others = [
            load_run_model(one.folder, settings.checkpoint, device, classes=classes)
            for one in others_of(project, settings, run)
        ]
        self.certainty = certainty_of(run, settings)
        self._rules = run_rules(project, run)
        self.device = choose_device(settings.device, is_shared=is_shared)
        # A device of its own works best on one picture after the other.
        is_single = self.device.startswith(("cuda", "mps"))
        num_threads = min(torch.get_num_threads(), _MAX_THREADS)
        self._num_detectors = 1 if is_single else num_threads
        self._num_judges = num_threads if self._loaded.machine.device == "cpu" else 1
        self._idle: list[FaceDetector] = []
        # For other machines, which build their own.
        same = shared_device(settings.device, network=self._loaded.machine.device, detector=self.device)
        self._make_looker = partial(_make_looker, project, run, replace(settings, engine="local", device=same))

    @property
    def classes(self) -> tuple[str, ...]:
        """Of the run, in order."""
        return self._loaded.classes

    @property
    def network_device(self) -> str:
        """Where faces are judged."""
        return self._loaded.machine.device

    def look_at(self, item: MediaItem, name: str) -> Prediction:
        """Find and judge the faces of one video or folder of pictures.

        Raises:
            MediaError: the video, or every picture, cannot be read.
        """
        return self._look_at_pictures(item, name) if item.is_pictures else self._look_at_video(item, name)

    def look_at_part(self, part: VideoPart) -> Looked:
        """The faces in a part of a video, not linked to tracks yet.

        Raises:
            MediaError: the video cannot be read.
        """
        settings = self._settings
        frames = Frames(
            part.path,
            start_s=part.start_s,
            end_s=part.end_s,
            every_s=settings.every_s,
            limit=settings.limit,
            stream=settings.stream,
        )
        looks = (_Look(frame.image, frame.index, frame.time_s, "", frame.index) for frame in frames)
        with closing(looks):
            times_s, by_frame = self._judge(looks, part.name)
        return Looked(times_s, by_frame, frames.warnings)

    def _look_at_video(self, item: MediaItem, name: str) -> Prediction:
        settings = self._settings
        whole = VideoPart(item.files[0].resolve(), name, settings.start_s, settings.end_s)
        self._progress.start(f"find faces in {item.name}", total=count_looks(whole, settings))
        if settings.engine == "ray":
            looked = look_on_cluster(self._make_looker, settings, whole, self._progress)
        else:
            looked = self.look_at_part(whole)
        if not looked.times_s:
            where = " between --start and --end" if settings.start_s or settings.end_s is not None else ""
            raise MediaError(f"'{item.name}' has no frame{where}", hint="Open it in a player to see how long it is.")
        by_frame = steady(tracked(looked.by_frame), looked.times_s, self.classes, self.certainty)
        return Prediction(name, item, tuple(looked.times_s), by_frame, warnings=looked.warnings)

    def _look_at_pictures(self, item: MediaItem, name: str) -> Prediction:
        failures: list[Failure] = []
        files = item.files[: self._settings.limit]
        self._progress.start(f"find faces in {item.name}", total=len(files))
        times_s, by_frame = self._judge(_pictures(files, failures), name)
        if not by_frame:
            reason = f"no picture of '{item.name}' can be read; {failures[0].reason}"
            raise MediaError(reason, hint="Open the files in a picture viewer.")
        return Prediction(name, item, tuple(times_s), tuple(map(tuple, by_frame)), failures=tuple(failures))

    def _judge(self, looks: Iterable[_Look], name: str) -> tuple[list[float], list[list[FacePrediction]]]:
        """Faces of each picture with their probabilities; only one batch of crops is held."""
        times_s: list[float] = []
        by_frame: list[list[FacePrediction]] = []
        waiting: list[tuple[int, FacePrediction, np.ndarray]] = []
        length_s, part = part_length(PART_S, self._settings.every_s), 0
        with torch_threads(1):
            step = Step(lambda: partial(self._find, name), self._num_detectors)
            for place, (look, found) in enumerate(run_pipeline(looks, (step,))):
                now = part_number(look.time_s or 0.0, self._settings.start_s, length_s)
                if now != part:
                    self._settle(waiting, by_frame)
                    waiting, part = [], now
                times_s.append(look.time_s or 0.0)
                by_frame.append([])
                waiting += [(place, face, crop) for face, crop in found]
                if len(waiting) >= _BATCH:
                    self._settle(waiting, by_frame)
                    waiting = []
                self._progress.advance(faces=str(sum(map(len, by_frame)) + len(waiting)))
            self._settle(waiting, by_frame)
        return times_s, by_frame

    def _settle(
        self, waiting: "Sequence[tuple[int, FacePrediction, np.ndarray]]", by_frame: list[list[FacePrediction]]
    ) -> None:
        rows = self._probabilities([crop for _, _, crop in waiting])
        for (place, face, _), row in zip(waiting, rows, strict=True):
            shares = dict(zip(self.classes, self.certainty.shares(row), strict=True))
            top = self.classes[int(row.argmax())]
            word = self.certainty.word(top, shares[top])
            by_frame[place].append(
                replace(face, predicted=word, shown=word, shown_probability=shares[top], probabilities=shares)
            )

    def _probabilities(self, crops: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """A row of the network's probabilities for each crop."""
        num = _CHUNK if self._loaded.machine.device == "cpu" else _BATCH
        chunks = [crops[start : start + num] for start in range(0, len(crops), num)]
        judge = self._mean_probabilities
        for rows in run_pipeline(chunks, (Step(lambda: judge, self._num_judges),)):
            yield from rows

    def _mean_probabilities(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """The mean over the runs."""
        models = (self._loaded, *self._others)
        rows = [predict_probabilities(model, crops, progress=SILENT) for model in models]
        return rows[0] if len(rows) == 1 else np.mean(rows, axis=0)

    def _find(self, name: str, look: _Look) -> "tuple[_Look, list[tuple[FacePrediction, np.ndarray]]]":
        """The picture with its faces and their crops."""
        height, width = look.image.shape[:2]
        frame_id = f"{name}/f{look.number:06d}"
        if self._settings.cropped and look.picture:
            return look, [(_face(f"{frame_id}-0", look, (0.0, 0.0, width, height), None), look.image)]
        detections = self._detect(look.image)
        cuts = cut_faces(look.image, detections, self._rules)
        kept = [(found, cut) for found, (reason, cut) in zip(detections, cuts, strict=True) if cut and not reason]
        faces = []
        for number, (found, cut) in enumerate(kept):
            box = (found.left, found.top, found.width, found.height)
            faces.append((_face(f"{frame_id}-{number}", look, box, found.confidence), cut.image))
        return look, faces

    def _detect(self, image: np.ndarray) -> Sequence[Detection]:
        """By a detector that no other thread uses; there come to be as many as threads."""
        try:
            detector = self._idle.pop()
        except IndexError:
            detector = make_detector(self._rules, self.device, num_threads=1)
        found = detector.detect([image])[0]
        self._idle.append(detector)
        return found


def shared_device(asked: str, *, network: str, detector: str) -> str:
    """The device by which a cluster's machines compute as this one does: no table mixes what "auto" means on each.

    Args:
        asked: the setting.
        network: where the network lies here.
        detector: where faces are looked for here; OpenVINO's name says that the network is on the processor.
    """
    is_openvino = detector.partition(":")[0] == "openvino"
    return detector if detector == network or (is_openvino and network == "cpu") else asked


def _make_looker(project: Project, run: Run, settings: PredictSettings) -> Callable[[VideoPart], Looked]:
    return Predictor(project, run, settings, SILENT).look_at_part


def _face(
    face_id: str, look: _Look, box: tuple[float, float, float, float], confidence: float | None
) -> FacePrediction:
    left, top, width, height = (round(float(side), 2) for side in box)
    sure = None if confidence is None else round(confidence, 6)
    time_s = None if look.time_s is None else round(look.time_s, 6)
    return FacePrediction(face_id, look.frame, time_s, look.picture, "", left, top, width, height, sure, "", "", 0.0)


def _pictures(files: Sequence[Path], failures: list[Failure]) -> Iterator[_Look]:
    for number, file in enumerate(files):
        try:
            yield _Look(look_at_image(file), None, None, shown(Path(file.name)), number)
        except MediaError as error:
            failures.append(Failure(shown(file), error.message))
