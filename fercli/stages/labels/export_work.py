"""Do the work of `fer labels export`: write images, sheets or tasks, and instructions, to a folder of exports/."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from fercli.core.batch import Batch
from fercli.core.commit import Commit
from fercli.core.errors import InputError, UsageError
from fercli.core.files import replace_bytes, replace_text, replacing, slug, unused
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Label, Vote
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.data.crops import CropError, CropFiles
from fercli.labels.aggregate import is_open, is_short
from fercli.labels.pseudonyms import ADJUDICATOR
from fercli.labels.sheets import (
    Sheet,
    csv_sheet,
    cvat_annotations,
    cvat_labels,
    label_studio_config,
    label_studio_tasks,
    make_sheets,
    tallies,
)
from fercli.stages.labels.export import LabelsExportResult, LabelsExportSettings
from fercli.stages.labels.export_pages import page_sheets, write_pages
from fercli.vision.images import image_size

TOOLS = {
    "csv": """\
Look at each image that {files} names in its column `image`, in the order of the lines, and write one of the labels into
the column `label`. Leave the cell empty to skip an image. If the column `annotator` is empty, write your name into it,
in every line with a label, or name yourself at the import, which fills the empty cells:
fer labels import {file} --annotator NAME
""",
    "html": """\
Send each annotator a file of their own (all parts of it, where there are several); it opens in any browser, needs no
network and no installation. Votes stay in that browser until "Save votes" gives them back as CSV:
   fer labels import votes-*.csv
Another person who opens the same file on the same computer and browser sees the first one's votes: use one file each.
""",
    "label-studio": """\
1. Start Label Studio with access to the folder above this one:
   LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={parent} label-studio
2. Make a project; paste labelling-config.xml under Settings > Labeling Interface > Code.
3. Under Settings > Cloud Storage add a source storage "Local files" with the absolute path of this folder's images;
   do not synchronise it: the tasks name the images.
4. Import {files}{each}.
5. Export as JSON, JSON-MIN or CSV, and: fer labels import EXPORT
   The names of annotators come from Label Studio; --annotator is not needed.
""",
    "cvat": """\
1. Make a task; under "Raw" of the label constructor paste labels.json; upload images.zip.
2. Give each annotator a job of their own: one task for each, or "Consensus replicas" in the advanced settings.
   CVAT shows the images in the order of their names, to everybody the same.
3. Set the assignee of each job; CVAT does not note who set a tag, so the assignee is the annotator.
4. Export each job as "CVAT for images 1.1" (no images needed), and: fer labels import EXPORT.zip
   A job without an assignee needs --annotator NAME.
{earlier}""",
}
_FINAL = """
These are the faces on which the annotators could not agree. Whoever decides them has the last word: labels that come
back from the CSV sheet or the page are final by their annotator's name, `adjudicator`; from other tools import them
with --adjudicated.
"""


@dataclass(frozen=True, kw_only=True)
class ExportPlan(Plan):
    """The faces that go out, with the digests of their crops, and the sheets that list them."""

    faces: Sequence[Face]
    reads: dict[str, str]
    sheets: Sequence[Sheet]


@dataclass(frozen=True)
class Exported:
    """A folder that waits for its place in exports/, where `folder` will be its name."""

    batch: Batch
    folder: Path
    sheets: Sequence[Sheet]
    failures: Sequence[Failure]


def plan(project: Project, settings: LabelsExportSettings, *, force: bool, progress: Progress) -> ExportPlan:
    """Choose the faces.

    Raises:
        MissingStageError: the project has no faces yet.
        InputError: there is no such face.
        UsageError: `with_votes` for a page, where annotators would see them.
    """
    if settings.to == "html" and settings.with_votes:
        raise UsageError("--with-votes does not go with --to html", hint="Annotators should not see earlier votes.")
    project.require(Face)
    faces = chosen_faces(project, settings.only)
    if not faces:
        raise InputError(f"no face is left to export ({settings.only or 'all'})", hint="See: fer labels show")
    sheets = _sheets(settings, faces)
    num_items = len(sheets[0].items)
    return ExportPlan(
        lines=(f"write {counted(len(sheets), 'sheet')} of {counted(num_items, 'image')} for {settings.to}",),
        faces=faces,
        reads=project.digests((face.path for face in faces), "faces.csv"),
        sheets=sheets,
    )


def run(
    project: Project, settings: LabelsExportSettings, plan: ExportPlan, *, progress: Progress, batch: Batch
) -> Exported:
    """Write images and sheets into the batch's room.

    With `only="ties"` the sheet goes to one person who has the last word; what comes back is imported like any votes
    (from CSV), or with `--adjudicated`.
    """
    batch.clear()
    # A folder with its name is left alone: somebody may have begun to fill it in.
    folder = new_folder(project, _folder_name(settings))
    waiting = batch.room / project.relative(folder)
    if settings.to == "html":
        failures = write_pages(project, settings, waiting, plan.faces, plan.sheets, progress=progress)
        sheets = without(plan.sheets, failures)
        _write_readme(project, settings, waiting, len(sheets))
        return Exported(batch, folder, sheets, failures)
    failures = write_images(project, waiting / "images", plan.faces, plan.sheets[0], progress=progress)
    sheets = without(plan.sheets, failures)
    _write_sheets(project, settings, waiting, sheets)
    return Exported(batch, folder, sheets, failures)


def fold(
    project: Project,
    settings: LabelsExportSettings,
    plan: ExportPlan,
    made: Exported,
    commit: Commit,
    *,
    force: bool,
) -> LabelsExportResult:
    """Give the folder its place."""
    made.batch.commit_to(commit)
    commit.reads = plan.reads
    where = project.relative(made.folder)
    return LabelsExportResult(
        folder=where,
        num_faces=len(plan.faces) - len(made.failures),
        num_items=len(made.sheets[0].items),
        num_sheets=len(made.sheets),
        failures=tuple(made.failures),
        outputs=(where,),
        next_command=_next_command(project, settings, made.folder),
    )


def chosen_faces(project: Project, only: Literal["unlabelled", "ties"] | None) -> list[Face]:
    """The usable faces with a crop; only those with too few votes, or those that the annotators could not settle."""
    faces = [face for face in project.required_rows(Face) if face.is_usable and face.path]
    labels = {label.face_id: label for label in project.rows(Label)}
    if only == "ties":
        return [face for face in faces if face.face_id in labels and is_open(labels[face.face_id])]
    if only == "unlabelled":
        return [face for face in faces if face.face_id not in labels or is_short(labels[face.face_id])]
    return faces


def _sheets(settings: LabelsExportSettings, faces: Sequence[Face]) -> list[Sheet]:
    if settings.to == "html":
        return page_sheets(settings, faces)
    return make_sheets(
        [face.face_id for face in faces],
        num_sheets=settings.repeat,
        blind_share=settings.blind,
        rng=np.random.default_rng(settings.seed),
    )


def _folder_name(settings: LabelsExportSettings) -> str:
    return settings.name or f"labels-{settings.to}" + (f"-{settings.only}" if settings.only else "")


def new_folder(project: Project, name: str) -> Path:
    """A folder in exports/ that is not there yet."""
    exports = project.root / "exports"
    taken = {path.name for path in exports.iterdir()} if exports.exists() else set()
    return exports / unused(slug(name), taken)


def write_images(
    project: Project, folder: Path, faces: Sequence[Face], sheet: Sheet, *, progress: Progress
) -> list[Failure]:
    """Write the picture of each item; the faces whose crop cannot be read come back.

    Raises:
        InputError: no crop can be read.
    """
    path_of = {face.face_id: face.path for face in faces}
    failures: dict[str, CropError] = {}
    files = CropFiles(project.root)
    progress.start("write pictures", len(sheet.items))
    for name, face_id in sheet.items:
        try:
            picture = files.png(path_of[face_id])
        except CropError as error:
            failures[face_id] = error
        else:
            replace_bytes(folder / f"{name}.png", picture)
        progress.advance()
    if failures and len(failures) == len(faces):
        face_id, first = next(iter(failures.items()))
        raise InputError(f"no crop can be read; {face_id}: {first.message}", hint=first.hint) from first
    return [Failure(face_id, error.told) for face_id, error in failures.items()]


def without(sheets: Sequence[Sheet], failures: Sequence[Failure]) -> list[Sheet]:
    """The sheets without faces that have no picture."""
    failed = {failure.item for failure in failures}
    return [replace(sheet, items=tuple(item for item in sheet.items if item[1] not in failed)) for sheet in sheets]


def _write_sheets(project: Project, settings: LabelsExportSettings, folder: Path, sheets: Sequence[Sheet]) -> None:
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
        replace_text(folder / "labelling-config.xml", label_studio_config(project.classes))
    _write_readme(project, settings, folder, len(sheets))


def _write_readme(project: Project, settings: LabelsExportSettings, folder: Path, num_sheets: int) -> None:
    is_final = settings.only == "ties"
    has_votes = any(folder.glob("annotations-*.xml"))
    text = _readme_text(settings, project.classes, num_sheets=num_sheets, has_votes=has_votes, is_final=is_final)
    replace_text(folder / "README.txt", text)


def _csv(project: Project, settings: LabelsExportSettings, sheet: Sheet, votes: Sequence[Vote]) -> str:
    if settings.only != "ties":
        return csv_sheet(sheet, votes=votes)
    remarks = {
        face_id: ", ".join(f"{label} {number}" for label, number in found.most_common())
        for face_id, found in tallies(project.rows(Vote)).items()
    }
    return csv_sheet(sheet, annotator=ADJUDICATOR, remarks=remarks)


def _tasks(folder: Path, sheet: Sheet, votes: Sequence[Vote]) -> str:
    return label_studio_tasks(sheet, folder=f"{folder.name}/images", votes=votes)


def _write_cvat(project: Project, folder: Path, sheet: Sheet, votes: Sequence[Vote]) -> None:
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
    if settings.to == "html":
        return "fer labels import votes-*.csv"
    final = " --adjudicated" if settings.only == "ties" else ""
    return f"fer labels import EXPORT{final}"


def _readme_text(
    settings: LabelsExportSettings, classes: Sequence[str], *, num_sheets: int, has_votes: bool, is_final: bool
) -> str:
    """The README of an export, with its files by their names."""
    lines = [f"Labels: {', '.join(classes)}; or unknown, where nobody could tell.", ""]
    if num_sheets > 1:
        what = "annotators" if settings.to == "cvat" else "sheets, one for each annotator, each in an order of its own"
        lines = [f"{num_sheets} {what}. Everybody works alone.", *lines]
    text = tool_text(settings.to, num_sheets=num_sheets, has_votes=has_votes)
    return "\n".join(lines) + text + (_FINAL if is_final else "")


def tool_text(tool: str, *, num_sheets: int = 1, has_votes: bool = False) -> str:
    """How an export is used with a tool, with its files by their names."""
    stem, suffix = {"csv": ("votes", "csv"), "label-studio": ("tasks", "json")}.get(tool, ("", ""))
    names = [f"{stem}-{number}.{suffix}" for number in range(1, num_sheets + 1)] if num_sheets > 1 else []
    names = names or [f"{stem}.{suffix}"]
    return TOOLS[tool].format(
        files=names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} (one for each annotator)",
        file=names[0],
        parent="<the folder above this one>",
        each=", each into a project of its own" if num_sheets > 1 else "",
        earlier='Votes of earlier annotators are in annotations-*.xml ("CVAT 1.1").\n' if has_votes else "",
    )
