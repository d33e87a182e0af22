"""Do the work of `fer subjects match`: propose pairs of subjects of different videos that may be one person."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fercli.core.commit import Commit
from fercli.core.errors import InputError
from fercli.core.people import DECIDED, WITHIN_SESSION, subject_sources
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.rows import Face, Video
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.stages.subjects import MatchResult
from fercli.stages.subjects.appearance import looks_of
from fercli.stages.subjects.proposals import SHEET, Proposal, put_proposals
from fercli.stages.subjects.tables import listed, pictures_of
from fercli.vision.appearance import check_weights
from fercli.vision.images import png_bytes
from fercli.vision.likeness import pair_alike
from fercli.vision.sheets import SheetRow, contact_sheet

_FACES_EACH = 5


@dataclass(frozen=True, kw_only=True)
class MatchPlan(Plan):
    """The faces of each subject in order of time, and the subjects of each group to match with those before.

    Attributes:
        faces: by subject.
        groups: first those whom a person has decided on, then those of each video, or session.
    """

    faces: Mapping[str, Sequence[Face]]
    groups: Sequence[Sequence[str]]


def plan(project: Project, settings: None, *, force: bool, progress: Progress) -> MatchPlan:
    """Find the subjects to compare.

    Raises:
        MissingStageError: there are no faces.
        InputError: no subject is known only within a video, there is only one video, or the network is not installed.
    """
    faces = project.required_rows(Face)
    sources = subject_sources(project, faces)
    of_subject: dict[str, list[Face]] = defaultdict(list)
    for face in sorted(faces, key=lambda face: (face.video_id, face.time_s or 0.0, face.face_id)):
        if face.is_usable and face.subject_id and sources[face.subject_id] != "given":
            of_subject[face.subject_id].append(face)
    decided = [name for name in sorted(of_subject) if sources[name] in DECIDED]
    groups: dict[str, list[str]] = defaultdict(list)
    sessions = {video.video_id: video.session for video in project.rows(Video)}
    for name in sorted(set(of_subject) - {*decided}):
        video = of_subject[name][0].video_id
        groups[f"session {sessions.get(video)}" if sources[name] == WITHIN_SESSION else video].append(name)
    in_turn = [group for group in (decided, *(groups[place] for place in sorted(groups))) if group]
    if len(in_turn) < 2:
        raise InputError(
            "no subjects of different videos to match",
            hint="Assign subjects first: fer subjects track. Fragments within a video: fer subjects merge KEEP OTHER",
        )
    check_weights()
    number = sum(map(len, in_turn))
    lines = (
        f"compare the faces of {counted(number, 'subject')} of "
        f"{counted(len(groups), 'video or session', 'videos or sessions')} "
        f"as biometric data",
    )
    return MatchPlan(lines=lines, faces=of_subject, groups=in_turn)


def run(project: Project, settings: None, plan: MatchPlan, commit: Commit, *, progress: Progress) -> MatchResult:
    """Propose pairs and draw them; nobody is merged.

    Raises:
        InputError: the network is not installed.
    """
    looks = looks_of(project, plan.faces, progress)
    proposals = _proposals(plan, looks.vectors)
    put_proposals(project, commit, proposals)
    sheet, failures = _put_sheet(project, commit, plan, proposals)
    blind = sorted(set(plan.faces) - {*looks.vectors})
    paired = {name for one in proposals for name in (one.first, one.second)}
    alone = sorted(set(looks.vectors) - paired)
    warnings = [
        "Faces were compared as biometric data (GDPR Art. 9; RESPONSIBLE_USE.md). What is kept of it is deleted by "
        "`fer subjects confirm` and `fer subjects undo --forget`."
    ]
    warnings += [f"No readable crop with landmarks: {listed(blind)}."] * bool(blind)
    warnings += [f"Paired with nobody: {listed(alone)}."] * bool(alone)
    num_sure = sum(one.is_sure for one in proposals)
    if num_sure < len(proposals):
        unsure = counted(len(proposals) - num_sure, "pair")
        warnings.append(f"{unsure} not sure enough to be taken without being named: fer subjects confirm A=B")
    return MatchResult(
        num_subjects=len(plan.faces),
        num_faces=looks.num_faces,
        num_proposed=len(proposals),
        num_sure=num_sure,
        proposals=tuple({**vars(one), "pair": one.word} for one in proposals),
        outputs=(sheet,),
        warnings=tuple(warnings),
        failures=tuple(failures),
        next_command="fer subjects confirm" if num_sure else "fer subjects confirm A=B",
    )


def _proposals(plan: MatchPlan, vectors: Mapping[str, np.ndarray]) -> list[Proposal]:
    """Each group in turn with the people of those before; who is surely one of them makes their mean surer."""
    people: dict[str, list[str]] = {name: [name] for name in plan.groups[0] if name in vectors}
    frames = {name: {face.frame_id for face in faces} for name, faces in plan.faces.items()}
    found = []
    for group in plan.groups[1:]:
        new = [name for name in group if name in vectors]
        known = list(people)
        table = np.array([[_similarity(people[one], name, vectors, frames) for name in new] for one in known])
        for like in pair_alike(table.reshape(len(known), len(new))):
            first, second = known[like.row], new[like.column]
            found.append(Proposal(first, second, round(like.similarity, 3), round(like.margin, 3), like.is_sure))
            if like.is_sure:
                people[first].append(second)
        taken = {name for members in people.values() for name in members}
        people |= {name: [name] for name in new if name not in taken}
    return sorted(found, key=lambda one: (one.first, one.second))


def _similarity(
    members: Sequence[str], name: str, vectors: Mapping[str, np.ndarray], frames: Mapping[str, set[str]]
) -> float:
    if any(not frames[member].isdisjoint(frames[name]) for member in members):
        return -np.inf  # seen together
    mean = np.mean([vectors[member] for member in members], axis=0)
    return float(mean @ vectors[name] / max(float(np.linalg.norm(mean)), 1e-9))


def _put_sheet(
    project: Project, commit: Commit, plan: MatchPlan, proposals: Sequence[Proposal]
) -> tuple[str, list[Failure]]:
    failures: list[Failure] = []
    rows = []
    for one in sorted(proposals, key=lambda one: (-one.is_sure, -one.similarity)):
        pictures = [pictures_of(project, plan.faces[name], failures, _FACES_EACH) for name in (one.first, one.second)]
        blank = [np.full((8, 8, 3), 255, np.uint8)] * (_FACES_EACH - len(pictures[0]) + 1)
        note = f"{one.similarity:.2f}, lead {one.margin:.2f}{', sure' * one.is_sure}"
        rows.append(SheetRow(f"{one.first} = {one.second}", note, [*pictures[0], *blank, *pictures[1]]))
    place = commit.data(project.root / SHEET, png_bytes(contact_sheet(rows, num_columns=2 * _FACES_EACH + 1)))
    return place, failures
