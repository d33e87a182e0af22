"""Do the work of `fer gradcam --images`: find the faces of images and overlay their maps."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fercli.cam.faces import overlay_faces
from fercli.cam.gradcam import CamMethod
from fercli.core.errors import FerError, InputError
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.runs import Run
from fercli.learn.predict import LoadedModel, predict_probabilities
from fercli.reports.figures.canvas import class_labels, number_words
from fercli.reports.figures.grids import SheetFace, draw_contact_sheet
from fercli.stages.align.rules import run_rules
from fercli.vision.cutting import CuttingRules, cut_faces
from fercli.vision.images import list_images, read_image
from fercli.vision.mtcnn.detector import FaceDetector, make_detector

_COLUMNS = ("picture", "face", "predicted", "probability", "map_of")


@dataclass(frozen=True)
class LookedAt:
    """What was drawn from images; files by their names."""

    num_faces: int
    files: dict[str, bytes]
    warnings: tuple[str, ...]
    failures: tuple[Failure, ...]


def look_at_images(
    project: Project,
    run: Run,
    pictures: Path,
    loaded: LoadedModel,
    *,
    map_of: str | None,
    layer: str,
    method: CamMethod,
    legend: str,
    device: str,
    progress: Progress,
) -> LookedAt:
    """Cut the faces out of pictures as those of the run were, and draw each beside its map.

    A picture in which no face is found is taken as a face already cut out, with a warning.

    Args:
        project: whose rules of alignment hold where the run recorded none.
        run: whose rules of alignment hold.
        pictures: a picture or a folder of them.
        loaded: the trained network.
        map_of: class whose map is drawn; None for the predicted one.
        layer: empty for the model's own.
        method: of the map.
        legend: what the colours mean.
        device: where faces are looked for.
        progress: told of the pictures.

    Raises:
        InputError: there is no such picture, the folder has none, or none can be read.
    """
    names, crops, failures, faceless = _faces_of(run_rules(project, run), pictures, device, progress)
    probabilities = predict_probabilities(loaded, crops, progress=progress)
    predicted = [int(place) for place in probabilities.argmax(axis=1)]
    mapped = predicted if map_of is None else [loaded.classes.index(map_of)] * len(crops)
    overlays = overlay_faces(loaded.model, loaded.spec, crops, mapped, form=loaded.form, layer=layer, method=method)
    sure = [float(row.max()) for row in probabilities]
    calls = [loaded.classes[place] for place in predicted]
    drawn = [class_labels(loaded.classes)[place] for place in predicted]
    table = _table(names, calls, sure, [loaded.classes[place] for place in mapped])
    files = {
        "images.png": _sheet(names, crops, overlays, drawn, sure=sure, legend=legend),
        "images.csv": table.encode("utf-8"),
    }
    return LookedAt(len(crops), files, (*_faceless_warning(faceless), *number_words(loaded.classes)), failures)


def _faceless_warning(names: list[str]) -> tuple[str, ...]:
    if not names:
        return ()
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return (f"No face was found in {shown}; the whole picture was taken as a face that is already cut out.",)


def _faces_of(
    rules: CuttingRules, path: Path, device: str, progress: Progress
) -> tuple[list[tuple[str, int]], list[np.ndarray], tuple[Failure, ...], list[str]]:
    detector = make_detector(rules, device)
    names: list[tuple[str, int]] = []
    crops: list[np.ndarray] = []
    failures: list[Failure] = []
    faceless: list[str] = []
    pictures = _pictures(path)
    progress.start("find faces", len(pictures))
    for picture in pictures:
        try:
            image = read_image(picture)
            found = _cut(detector, image, rules)
        except FerError as error:
            failures.append(Failure(picture.name, error.message))
            found, image = [], None
        if not found and image is not None:
            faceless.append(picture.name)
            found = [image]
        names += [(picture.name, number) for number in range(len(found))]
        crops += found
        progress.advance()
    if not crops:
        raise InputError(f"no picture of '{path}' can be read: {failures[0].reason}", hint="Check the files.")
    return names, crops, tuple(failures), faceless


def _pictures(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError(f"'{path}' is no picture and no folder", hint="Name a picture or a folder of pictures.")
    pictures, _ = list_images(path)
    if not pictures:
        raise InputError(f"'{path}' holds no picture", hint="Pictures end in .png, .jpg, .webp and the like.")
    return pictures


def _cut(detector: FaceDetector, image: np.ndarray, rules: CuttingRules) -> list[np.ndarray]:
    return [cut.image for reason, cut in cut_faces(image, detector.detect([image])[0], rules) if cut and not reason]


def _sheet(
    names: list[tuple[str, int]],
    crops: list[np.ndarray],
    overlays: list[np.ndarray],
    calls: list[str],
    *,
    sure: list[float],
    legend: str,
) -> bytes:
    faces = []
    for (name, number), crop, overlay, call, share in zip(names, crops, overlays, calls, sure, strict=True):
        faces.append(SheetFace(crop, (name[:18], f"face {number}")))
        faces.append(SheetFace(overlay, (call, f"{100 * share:.0f}%")))
    return draw_contact_sheet(faces, legend=legend)


def _table(names: list[tuple[str, int]], calls: list[str], sure: list[float], mapped: list[str]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for (name, number), call, share, mapped_class in zip(names, calls, sure, mapped, strict=True):
        writer.writerow([name, number, call, f"{share:.6f}", mapped_class])
    return out.getvalue()
