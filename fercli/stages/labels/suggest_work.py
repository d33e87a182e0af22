"""The work of `fer labels suggest`: images, and tasks that carry what a model makes of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fercli.core.batch import Batch
from fercli.core.commit import Commit
from fercli.core.errors import InputError
from fercli.core.files import replace_text
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face
from fercli.core.runs import Run
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.labels.matching import flat_name
from fercli.labels.sheets import Sheet, Suggestions, label_studio_config, label_studio_tasks
from fercli.stages.labels.export_work import chosen_faces, new_folder, tool_text, without, write_images
from fercli.stages.labels.suggest import LabelsSuggestResult, LabelsSuggestSettings
from fercli.stages.predictions import predict_faces

_NOTE = """
Each task carries the prediction of run {run} as a suggestion. It is no vote: only what annotators submit is imported.
People follow suggestions: report agreement apart from that of faces labelled without them.
"""


@dataclass(frozen=True, kw_only=True)
class SuggestPlan(Plan):
    """The faces that go out."""

    run: Run
    faces: Sequence[Face]


@dataclass(frozen=True)
class Suggested:
    """A folder that waits for its place."""

    batch: Batch
    folder: Path
    sheet: Sheet
    suggestions: Mapping[str, tuple[str, float]]
    failures: Sequence[Failure]
    warnings: tuple[str, ...]


def plan(
    project: Project, settings: LabelsSuggestSettings, run: Run, *, force: bool, progress: Progress
) -> SuggestPlan:
    """Choose the faces.

    Raises:
        MissingStageError: the project has no faces yet.
        InputError: there is no such face.
    """
    project.require(Face)
    faces = chosen_faces(project, settings.only)
    if not faces:
        raise InputError(f"no face is left to export ({settings.only or 'all'})", hint="See: fer labels show")
    return SuggestPlan(
        lines=(f"write {counted(len(faces), 'task')} with suggestions of {run.run_id}",), run=run, faces=faces
    )


def run(
    project: Project, settings: LabelsSuggestSettings, plan: SuggestPlan, *, progress: Progress, batch: Batch
) -> Suggested:
    """Predict, and write images and tasks into the batch's room."""
    batch.clear()
    found = predict_faces(project, plan.run.run_id, progress)
    folder = new_folder(project, settings.name or f"suggestions-{plan.run.run_id}")
    waiting = batch.room / project.relative(folder)
    sheet = Sheet(tuple((flat_name(face.face_id), face.face_id) for face in plan.faces))
    failures = write_images(project, waiting / "images", plan.faces, sheet, progress=progress)
    (sheet,) = without([sheet], failures)
    best = {face_id: found.best(face_id) for _, face_id in sheet.items}
    suggestions = {face_id: one for face_id, one in best.items() if one and one[1] >= settings.min_probability}
    tasks = label_studio_tasks(
        sheet, folder=f"{folder.name}/images", suggestions=Suggestions(plan.run.run_id, suggestions)
    )
    replace_text(waiting / "tasks.json", tasks)
    replace_text(waiting / "labelling-config.xml", label_studio_config(project.classes))
    replace_text(waiting / "README.txt", tool_text(settings.to) + _NOTE.format(run=plan.run.run_id))
    return Suggested(batch, folder, sheet, suggestions, failures, found.warnings)


def fold(
    project: Project,
    settings: LabelsSuggestSettings,
    plan: SuggestPlan,
    made: Suggested,
    commit: Commit,
    *,
    force: bool,
) -> LabelsSuggestResult:
    """Give the folder its place."""
    made.batch.commit_to(commit)
    where = project.relative(made.folder)
    counts = Counter(label for label, _ in made.suggestions.values())
    return LabelsSuggestResult(
        run=plan.run.run_id,
        folder=where,
        num_faces=len(made.sheet.items),
        num_suggested=len(made.suggestions),
        suggested={name: counts[name] for name in project.classes if counts[name]},
        failures=tuple(made.failures),
        warnings=made.warnings,
        outputs=(where,),
        next_command="fer labels import EXPORT",
    )
