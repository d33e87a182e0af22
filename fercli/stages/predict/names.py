"""Name the predictions of videos and folders so that no other file of the same name takes them over."""

import json
from collections.abc import Sequence
from pathlib import Path

from fercli.core.files import slug, unused
from fercli.core.project import Project
from fercli.core.runs import Run, checkpoint_word, digest
from fercli.vision.media import MediaItem

SOURCES_FILE = "sources.json"


def predict_folder(
    project: Project, run: Run, checkpoint: str, ensemble: Sequence[str] = (), certainty: str = ""
) -> Path:
    """Where the predictions of a run lie.

    Weights other than its best, ensembles, and a temperature or threshold (`certainty`) have a folder of their own.
    """
    others = f"with-{digest(list(ensemble))[:6]}" if ensemble else ""
    words = [run.run_id, checkpoint_word(checkpoint), others, certainty]
    return project.root / "exports" / "predict" / "-".join(filter(None, words))


def read_sources(folder: Path) -> dict[str, str]:
    """A digest of the path of the file that each name stands for; names of older versions are not among them."""
    try:
        values = json.loads((folder / SOURCES_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(source) for name, source in values.items()} if isinstance(values, dict) else {}


def source_of(project: Project, item: MediaItem) -> str:
    """A digest of where a video, or a folder of images, lies; it tells nobody the path."""
    first = item.files[0].resolve()
    place = first.parent if item.is_pictures and len(item.files) > 1 else first
    inside = place.is_relative_to(project.root)
    return digest(place.relative_to(project.root).as_posix() if inside else place.as_posix())[:16]


def names_of(project: Project, folder: Path, items: Sequence[MediaItem], own: Sequence[str]) -> list[str]:
    """The name of each item in `folder`: the one that it had, else its own, with a number where that is taken.

    Args:
        project: paths are told apart relative to it.
        folder: of the run's predictions.
        items: what is predicted.
        own: outputs of an earlier call with the same words, by a version that did not note where they came from.
    """
    known = read_sources(folder)
    mine = {Path(path).stem if Path(path).suffix else Path(path).name for path in own}
    there = {path.stem if path.is_file() else path.name for path in folder.glob("[!.]*") if path.name != SOURCES_FILE}
    taken = (there - mine) | set(known)
    by_source = {source: name for name, source in known.items()}
    names = []
    for item in items:
        source = source_of(project, item)
        name = by_source.get(source) or unused(slug(item.name if item.is_pictures else item.files[0].stem), taken)
        taken.add(name)
        by_source[source] = name
        names.append(name)
    return names
