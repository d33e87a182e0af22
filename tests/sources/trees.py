"""Small datasets on disk, in the forms in which the real ones are published."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fercli.core.emotions import PRESETS, built_in_aliases
from fercli.core.results import Failure
from fercli.sources.items import Reader, SourceItem, SourceOptions
from fercli.vision.images import decode_image, write_jpeg, write_png


def options(preset: str, **more: object) -> SourceOptions:
    return SourceOptions(PRESETS[preset], built_in_aliases(PRESETS[preset]), **more)  # type: ignore[arg-type]


def grey(number: int, side: int = 48) -> np.ndarray:
    """A grey picture that no other number has."""
    return np.random.default_rng(number).integers(0, 256, (side, side), dtype=np.uint8)


def colour(number: int, side: int = 20) -> np.ndarray:
    """A smooth RGB picture that survives JPEG, unlike that of another number."""
    base = np.full((side, side, 3), (40 + 10 * number % 200, 120, 200 - 7 * number % 150), np.uint8)
    return cv2.circle(base, (side // 2, side // 2), side // 4, (250, 250, 30 + number), -1)


def pixels(image: np.ndarray) -> str:
    return " ".join(str(value) for value in image.ravel().tolist())


def write_fer2013(path: Path, rows: Sequence[tuple[int, np.ndarray, str]]) -> Path:
    lines = [f"{code},{pixels(image)},{usage}" for code, image, usage in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n", encoding="utf-8", newline="\n")
    return path


def write_votes(path: Path, rows: Sequence[tuple[str, Sequence[int]]]) -> Path:
    header = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    lines = [f"{usage},fer{n:07d}.png,{','.join(map(str, counts))}" for n, (usage, counts) in enumerate(rows)]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8", newline="\n")
    return path


def write_rafdb(root: Path, labels: Sequence[tuple[str, int]]) -> Path:
    (root / "EmoLabel").mkdir(parents=True)
    lines = "".join(f"{name} {code}\n" for name, code in labels)
    (root / "EmoLabel" / "list_patition_label.txt").write_text(lines, encoding="utf-8", newline="\n")
    for number, (name, _) in enumerate(labels):
        write_jpeg(root / "Image" / "aligned" / f"{Path(name).stem}_aligned.jpg", colour(number))
    return root


def write_affectnet(root: Path, codes: dict[str, Sequence[int]]) -> Path:
    for part, part_codes in codes.items():
        (root / part / "annotations").mkdir(parents=True)
        for number, code in enumerate(part_codes):
            write_jpeg(root / part / "images" / f"{number}.jpg", colour(number))
            # The published files hold a text scalar.
            np.save(root / part / "annotations" / f"{number}_exp.npy", np.array(str(code)))
    return root


def write_class_folders(root: Path, names: Sequence[str], *, per_folder: int = 2, side: int = 20) -> Path:
    for place, name in enumerate(names):
        for number in range(per_folder):
            write_png(root / name / f"{number}.png", colour(10 * place + number, side))
    return root


def read_all(read: Reader, path: Path, how: SourceOptions) -> tuple[list[SourceItem], list[np.ndarray], list[Failure]]:
    """Everything that a reader gives, in one piece."""
    batches = list(read(path, how, decode_image))
    items = [item for batch in batches for item in batch.items]
    images = [image for batch in batches for image in batch.images]
    return items, images, [failure for batch in batches for failure in batch.failures]
