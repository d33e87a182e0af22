"""Write labelling pages of one file each, for annotators without Python: `fer labels export --to html`."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fercli.core.emotions import NO_CLASS
from fercli.core.errors import MediaError
from fercli.core.files import replacing, slug
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Vote
from fercli.data.crops import CropFiles
from fercli.labels.journal import UNSURE
from fercli.labels.matching import blind_code
from fercli.labels.order import shuffled, with_repeats
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.labels.sheets import Sheet, tallies
from fercli.stages.labels.export import LabelsExportSettings
from fercli.stages.labels.guide import Definition, read_guide
from fercli.web.page import PageFile, page_file

Items = Sequence[tuple[str, str]]


def page_sheets(settings: LabelsExportSettings, faces: Sequence[Face]) -> list[Sheet]:
    """One sheet for each annotator, in an order of its own; no name tells the face, or that it comes again."""
    sheets = []
    for number in range(1, settings.repeat + 1):
        annotator = f"sheet {number}"
        order = shuffled([face.face_id for face in faces], seed=settings.seed, annotator=annotator)
        items = with_repeats(order, settings.blind, seed=settings.seed, annotator=annotator)
        sheets.append(Sheet(tuple((blind_code(face_id, copy), face_id) for face_id, copy in items), is_blind=True))
    return sheets


def write_pages(
    project: Project,
    settings: LabelsExportSettings,
    folder: Path,
    faces: Sequence[Face],
    sheets: Sequence[Sheet],
    *,
    progress: Progress,
) -> list[Failure]:
    """Write each sheet as a file, or as several where it is long; the faces whose crop cannot be read come back."""
    progress.start("write pages", sum(len(sheet.items) for sheet in sheets))
    writer = _Writer(project, settings, {face.face_id: face.path for face in faces}, progress)
    for number, sheet in enumerate(sheets, start=1):
        size = settings.part_size
        parts = [sheet.items[start : start + size] for start in range(0, len(sheet.items), size)]
        for part, items in enumerate(parts, start=1):
            tail = (f"-{number}" if len(sheets) > 1 else "") + (f"-part-{part}" if len(parts) > 1 else "")
            writer.write(folder / f"annotate{tail}.html", items, f"votes-{slug(project.name)}{tail}")
    return list(writer.failures.values())


class _Writer:
    """Pages of one export."""

    def __init__(
        self, project: Project, settings: LabelsExportSettings, paths: Mapping[str, str], progress: Progress
    ) -> None:
        self.failures: dict[str, Failure] = {}
        self._project, self._settings, self._paths, self._progress = project, settings, paths, progress
        self._files = CropFiles(project.root)
        guide = project.section("annotate").get("guide", {})
        assert isinstance(guide, Mapping)
        known = [face.face_id for face in project.rows(Face) if face.is_usable] if guide else []
        self._guide = read_guide(guide, project.classes, set(known))
        self._votes = tallies(project.rows(Vote)) if settings.only == "ties" else {}

    def write(self, path: Path, items: Items, name: str) -> None:
        """Write one file, picture by picture."""
        is_final = self._settings.only == "ties"
        page = PageFile(
            id=_page_id(self._project, items, name),
            name=name,
            annotator=ADJUDICATOR if is_final else "",
            session=self._session(is_final=is_final),
            examples=tuple(tuple(self._examples(one)) for one in self._guide),
            unsure=UNSURE,
        )
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            for piece in page_file(page, self._pictures(items)):
                file.write(piece)

    def _session(self, *, is_final: bool) -> dict[str, object]:
        guide = [{"label": one.label, "text": one.text, "num_examples": len(one.examples)} for one in self._guide]
        return {
            "project": self._project.name,
            "classes": list(self._project.classes),
            "others": list(NO_CLASS),
            "guide": guide,
            "suggests": "",
            "adjudicates": is_final,
            "has_scenes": False,
        }

    def _pictures(self, items: Items) -> Iterator[tuple[str, bytes, Mapping[str, int]]]:
        for code, face_id in items:
            try:
                picture = self._files.png(self._paths[face_id])
            except MediaError as error:
                self.failures[face_id] = Failure(face_id, error.message)
            else:
                yield code, picture, self._votes.get(face_id, {})
            self._progress.advance()

    def _examples(self, definition: Definition) -> Iterator[bytes]:
        paths = {face.face_id: face.path for face in self._project.rows(Face)}
        return (self._files.png(paths[face_id]) for face_id in definition.examples)


def _page_id(project: Project, items: Items, name: str) -> str:
    text = "\n".join([project.name, name, *project.classes, *(code for code, _ in items)])
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
