"""`fer labels export`: faces to a folder that annotators, or a tool of theirs, can work on."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fercli.core.errors import InputError, MediaError
from fercli.core.files import slug, storage_error, unused
from fercli.core.memory import fingerprint, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure, StageResult
from fercli.core.rows import Face, Label, Vote
from fercli.core.settings import setting

if TYPE_CHECKING:
    from fercli.labels.sheets import Sheet

STAGE = "labels-export"


@dataclass(frozen=True)
class LabelsExportSettings:
    """Which faces go out, and in what form."""

    to: Literal["csv", "label-studio", "cvat"] = setting("csv", "Write for this tool.")
    repeat: int = setting(1, "Write this number of sheets, one for each annotator.", minimum=1, maximum=100)
    only: Literal["unlabelled", "ties"] | None = setting(None, "Take only faces without votes enough, or only ties.")
    blind: float = setting(0.0, "Show this share of the faces twice, under coded names.", minimum=0, maximum=1)
    with_votes: bool = setting(False, "Write the votes of earlier annotators as well.")
    name: str = setting("", "Call the folder in exports/ so.")
    seed: int = setting(0, "Draw order and repeated faces with this seed.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class LabelsExportResult(StageResult):
    """What went out.

    Attributes:
        folder: relative to the project.
        num_faces: different faces.
        num_items: pictures on each sheet, repeated ones included.
        num_sheets: one for each annotator.
    """

    folder: str = ""
    num_faces: int = 0
    num_items: int = 0
    num_sheets: int = 0


def labels_export(
    project: Project,
    settings: LabelsExportSettings,
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> LabelsExportResult:
    """Write pictures and sheets; a folder that is there already is left alone, because somebody may have filled it in.

    With `only="ties"` the sheet goes to one person who has the last word; what comes back is imported like any votes
    (from CSV), or with `--final`.

    Raises:
        MissingStageError: the project has no faces yet.
        InputError: there is no such face.
    """
    project.require(Face)
    mark = fingerprint(settings, _inputs(project, settings), project.classes)
    if not force and (known := recall(project.root, STAGE, mark, LabelsExportResult)):
        return known
    faces = _chosen(project, settings)
    if not faces:
        raise InputError(f"no face is left to export ({settings.only or 'all'})", hint="See: fer labels show")
    sheets = _sheets(settings, faces)
    counts: dict[str, Any] = {"num_faces": len(faces), "num_items": len(sheets[0].items), "num_sheets": len(sheets)}
    if dry_run:
        plan = (f"write {len(sheets)} sheets of {len(sheets[0].items)} pictures for {settings.to}",)
        return LabelsExportResult(is_dry_run=True, plan=plan)
    with project.writing():
        folder = _new_folder(project, settings)
        # A folder with its name is whole: somebody may begin to fill it in.
        waiting = project.root / ".fer" / "running" / STAGE
        shutil.rmtree(waiting, ignore_errors=True)
        failures = _write_images(project, waiting / folder.name / "images", faces, sheets[0], progress=progress)
        sheets = _without(sheets, failures)
        _write_sheets(project, settings, waiting / folder.name, sheets)
        _move(waiting / folder.name, folder)
        shutil.rmtree(waiting, ignore_errors=True)
        result = LabelsExportResult(
            folder=project.relative(folder),
            **counts | {"num_faces": len(faces) - len(failures), "num_items": len(sheets[0].items)},
            failures=tuple(failures),
            outputs=(project.relative(folder),),
            next_command=_next_command(project, settings, folder),
        )
        remember(project.root, STAGE, mark, settings, result=result)
    return result


def _inputs(project: Project, settings: LabelsExportSettings) -> list[Path]:
    """The tables that decide what is written: votes that came in since make no difference to a plain sheet."""
    labels = [project.table_path(Label)] if settings.only else []
    votes = [project.table_path(Vote)] if settings.with_votes or settings.only == "ties" else []
    return [project.table_path(Face), *labels, *votes]


def _chosen(project: Project, settings: LabelsExportSettings) -> list[Face]:
    from fercli.labels.aggregate import is_open, is_short

    faces = [face for face in project.required_rows(Face) if face.status in ("ok", "given") and face.path]
    labels = {label.face_id: label for label in project.rows(Label)}
    if settings.only == "ties":
        return [face for face in faces if face.face_id in labels and is_open(labels[face.face_id])]
    if settings.only == "unlabelled":
        return [face for face in faces if face.face_id not in labels or is_short(labels[face.face_id])]
    return faces


def _sheets(settings: LabelsExportSettings, faces: Sequence[Face]) -> "list[Sheet]":
    import numpy as np

    from fercli.labels.sheets import make_sheets

    return make_sheets(
        [face.face_id for face in faces],
        num_sheets=settings.repeat,
        blind_share=settings.blind,
        rng=np.random.default_rng(settings.seed),
    )


def _new_folder(project: Project, settings: LabelsExportSettings) -> Path:
    name = (
        slug(settings.name)
        if settings.name
        else f"labels-{settings.to}" + (f"-{settings.only}" if settings.only else "")
    )
    exports = project.root / "exports"
    taken = {path.name for path in exports.iterdir()} if exports.exists() else set()
    return exports / unused(name, taken)


def _move(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    except OSError as error:
        raise storage_error(error, target) from error


def _write_images(
    project: Project, folder: Path, faces: Sequence[Face], sheet: "Sheet", *, progress: Progress
) -> list[Failure]:
    """Write the picture of each item; the faces whose crop cannot be read come back."""
    from fercli.core.files import replace_bytes

    path_of = {face.face_id: face.path for face in faces}
    failures: dict[str, Failure] = {}
    progress.start("write pictures", len(sheet.items))
    for name, face_id in sheet.items:
        try:
            picture = _png(project, path_of[face_id])
        except MediaError as error:
            failures[face_id] = Failure(face_id, error.message)
        else:
            replace_bytes(folder / f"{name}.png", picture)
        progress.advance()
    return list(failures.values())


def _without(sheets: "Sequence[Sheet]", failures: Sequence[Failure]) -> "list[Sheet]":
    """The sheets without faces that have no picture; InputError when none is left."""
    failed = {failure.item for failure in failures}
    if failed and failed >= {face_id for _, face_id in sheets[0].items}:
        raise InputError(f"no crop can be read; {failures[0].item}: {failures[0].reason}", hint="Run: fer align")
    return [replace(sheet, items=tuple(item for item in sheet.items if item[1] not in failed)) for sheet in sheets]


def _png(project: Project, path: str) -> bytes:
    """A face's crop as PNG; a file that is one already goes out as it is.

    Raises:
        MediaError: it is missing or damaged.
    """
    import cv2

    from fercli.vision.images import read_image

    name, _, row = path.partition("#")
    try:
        if not row and name.lower().endswith(".png"):
            return (project.root / name).read_bytes()
        if row:
            import numpy as np

            image = np.asarray(np.load(project.root / name, mmap_mode="r", allow_pickle=False)[int(row)])
        else:
            image = read_image(project.root / name)
    except (OSError, ValueError, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"'{path}' cannot be read: {reason}", hint="Run: fer align") from error
    data: bytes = cv2.imencode(".png", image if image.ndim == 2 else image[:, :, ::-1])[1].tobytes()
    return data


def _write_sheets(project: Project, settings: LabelsExportSettings, folder: Path, sheets: "Sequence[Sheet]") -> None:
    from fercli.core.files import replace_text
    from fercli.stages.labels.readme import readme_text

    wanted = {face_id for _, face_id in sheets[0].items}
    votes = [vote for vote in project.rows(Vote) if vote.face_id in wanted] if settings.with_votes else []
    if settings.to == "cvat":
        _write_cvat(project, folder, sheets[0], votes)
    for number, sheet in enumerate(sheets, start=1):
        tail = f"-{number}" if len(sheets) > 1 else ""
        if settings.to == "csv":
            replace_text(folder / f"votes{tail}.csv", _csv(project, settings, sheet, votes))
        if settings.to == "label-studio":
            replace_text(folder / f"tasks{tail}.json", _tasks(folder, sheet, votes))
    if settings.to == "label-studio":
        from fercli.labels.sheets import label_studio_config

        replace_text(folder / "labelling-config.xml", label_studio_config(project.classes))
    is_final = settings.only == "ties"
    text = readme_text(settings.to, project.classes, num_sheets=len(sheets), is_final=is_final)
    replace_text(folder / "README.txt", text)


def _csv(project: Project, settings: LabelsExportSettings, sheet: "Sheet", votes: Sequence[Vote]) -> str:
    from fercli.labels.pseudonyms import ADJUDICATOR
    from fercli.labels.sheets import csv_sheet

    if settings.only != "ties":
        return csv_sheet(sheet, votes=votes)
    counts: dict[str, Counter[str]] = {}
    for vote in project.rows(Vote):
        counts.setdefault(vote.face_id, Counter())[vote.label] += 1
    remarks = {
        face_id: ", ".join(f"{label} {number}" for label, number in found.most_common())
        for face_id, found in counts.items()
    }
    return csv_sheet(sheet, annotator=ADJUDICATOR, remarks=remarks)


def _tasks(folder: Path, sheet: "Sheet", votes: Sequence[Vote]) -> str:
    from fercli.labels.sheets import label_studio_tasks

    return label_studio_tasks(sheet, folder=f"{folder.name}/images", votes=votes)


def _write_cvat(project: Project, folder: Path, sheet: "Sheet", votes: Sequence[Vote]) -> None:
    import zipfile

    from fercli.core.files import replace_text, replacing
    from fercli.labels.sheets import cvat_annotations, cvat_labels
    from fercli.vision.images import image_size

    replace_text(folder / "labels.json", cvat_labels(project.classes))
    # PNG does not shrink; a fixed date makes the same faces the same archive.
    with replacing(folder / "images.zip") as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, _ in sorted(sheet.items):
            entry = zipfile.ZipInfo(f"{name}.png", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, (folder / "images" / f"{name}.png").read_bytes())
    size = image_size(folder / "images" / f"{sheet.items[0][0]}.png")
    for annotator in sorted({vote.annotator for vote in votes}):
        text = cvat_annotations(sheet, votes, annotator=annotator, size=size)
        replace_text(folder / f"annotations-{annotator}.xml", text)


def _next_command(project: Project, settings: LabelsExportSettings, folder: Path) -> str:
    if settings.to == "csv":
        tail = "-1" if settings.repeat > 1 else ""
        return f"fer labels import {project.relative(folder)}/votes{tail}.csv"
    final = " --final" if settings.only == "ties" else ""
    return f"fer labels import EXPORT{final}"
