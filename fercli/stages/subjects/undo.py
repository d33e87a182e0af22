"""Do the work of `fer subjects undo`: take back the last manual step, or delete what matching keeps."""

from dataclasses import dataclass, replace

from fercli.core.commit import Commit
from fercli.core.errors import InputError
from fercli.core.people import subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.stages.subjects import SubjectsResult
from fercli.stages.subjects.history import Step, are_damaged, put_steps, read_steps
from fercli.stages.subjects.proposals import forget, has_appearance
from fercli.stages.subjects.tables import put_subjects, together, unchanged


@dataclass(frozen=True, kw_only=True)
class UndoPlan(Plan):
    """The step to take back; None when only what matching keeps is to be deleted."""

    step: Step | None


def plan(project: Project, settings: None, forget: bool, *, force: bool, progress: Progress) -> UndoPlan:
    """Find the last step; with none, nothing is to be done.

    Raises:
        InputError: the note of steps cannot be read.
    """
    if forget:
        known = None if has_appearance(project) else unchanged(project, "there is no appearance to delete")
        return UndoPlan(lines=("delete the appearance of faces and the matching",), step=None, known=known)
    steps = read_steps(project)
    if are_damaged(project):
        hint = "Change the subjects by hand: fer subjects rename, merge, split or assign."
        raise InputError("the note of earlier steps is damaged, so none can be undone", hint=hint)
    if not steps:
        said = "there is no step to undo (assign, merge, rename, split, confirm)"
        return UndoPlan(step=None, known=unchanged(project, said))
    return UndoPlan(lines=(f"undo: fer {steps[-1].words}",), step=steps[-1])


def run(project: Project, settings: None, plan: UndoPlan, commit: Commit, *, progress: Progress) -> SubjectsResult:
    """Give the faces of the last step their subjects of before."""
    faces, sources = project.required_rows(Face), subject_sources(project)
    if plan.step is None:
        forget(project, commit)
        said = "Appearance and matching are deleted."
        subjects = {face.subject_id for face in faces if face.subject_id and face.is_usable}
        return SubjectsResult(num_subjects=len(subjects), warnings=(said,))
    wanted = {face_id: (old, new) for old, new, ids in plan.step.moves for face_id in ids}
    later = 0
    restored = []
    for face in faces:
        old, new = wanted.get(face.face_id, (face.subject_id, face.subject_id))
        later += face.subject_id != new
        restored.append(replace(face, subject_id=old) if face.subject_id == new else face)
    warnings = [f"Undone: fer {plan.step.words}", *together(restored)]
    if later:
        warnings.append(f"{counted(later, 'face')} changed subject since that step and stayed so.")
    put_steps(project, commit, read_steps(project)[:-1])
    return put_subjects(project, commit, restored, sources | plan.step.sources, warnings=warnings)
