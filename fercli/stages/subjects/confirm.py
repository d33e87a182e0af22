"""Do the work of `fer subjects confirm`: merge pairs that are one person, and mark those who are nobody else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fercli.core.commit import Commit
from fercli.core.errors import InputError, UsageError
from fercli.core.people import DECIDED, subject_sources, unmatched_videos
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.core.stage import Plan
from fercli.core.words import counted
from fercli.stages.subjects import SubjectsResult
from fercli.stages.subjects.history import read_steps
from fercli.stages.subjects.names import put_names
from fercli.stages.subjects.proposals import forget, has_appearance, read_proposals
from fercli.stages.subjects.tables import held_already, known_subject, listed, put_subjects, unchanged, unless_done

MATCHED = "matched"


@dataclass(frozen=True, kw_only=True)
class ConfirmPlan(Plan):
    """The new name of each subject that gets one, and where each subject comes from then."""

    words: str
    pairs: Sequence[tuple[str, str]]
    distinct: bool
    names: Mapping[str, str]
    sources: Mapping[str, str]


def _words(pairs: Sequence[str], distinct: bool) -> str:
    return " ".join(["subjects confirm", *pairs, *["--distinct"] * distinct])


@unless_done(_words)
def plan(
    project: Project, settings: None, pairs: Sequence[str], distinct: bool, *, force: bool, progress: Progress
) -> ConfirmPlan:
    """Read the pairs, "s001=s013" each; those of an open matching that are sure have been filled in.

    Raises:
        UsageError: there is nothing to confirm, or a word is no pair.
        InputError: a subject does not exist, or two of a person are seen in one frame.
    """
    if not pairs and not distinct:
        return ConfirmPlan(known=_nothing(project), words="", pairs=(), distinct=False, names={}, sources={})
    faces = project.required_rows(Face)
    sources = subject_sources(project, faces)
    named = [_pair(project, word, sources) for word in pairs]
    names = _joined(named, sources)
    _check_apart(faces, names)
    known = dict.fromkeys({*names, *names.values()}, MATCHED)
    if distinct:
        known |= {name: MATCHED for name, source in sources.items() if source not in DECIDED}
    into = "another" if len(names) == 1 else "others"
    lines = [f"merge {counted(len(names), 'subject')} into {into}"] if names else []
    lines += [f"take {counted(len(known) - len(names), 'subject')} for different people"] if distinct else []
    sources |= {name: source for name, source in known.items() if sources[name] not in DECIDED}
    is_open = names or has_appearance(project)
    known_already = None if is_open else held_already(project, faces, sources, done_before="that was confirmed before")
    return ConfirmPlan(
        lines=lines, words=_words(pairs, distinct), pairs=named, distinct=distinct, names=names, sources=sources,
        known=known_already,
    )  # fmt: skip


def run(project: Project, settings: None, plan: ConfirmPlan, commit: Commit, *, progress: Progress) -> SubjectsResult:
    """Give the faces the names of their people; what matching kept of their appearance is deleted."""
    faces = project.required_rows(Face)
    faces = [replace(face, subject_id=plan.names.get(face.subject_id, face.subject_id)) for face in faces]
    forget(project, commit)
    names = put_names(project, commit, [name for pair in plan.pairs for name in pair])
    commit.words = ["=".join(names.get(name, name) for name in pair) for pair in plan.pairs]
    commit.words += ["--distinct"] * plan.distinct
    return put_subjects(project, commit, faces, plan.sources, words=plan.words, warnings=_rest(project, faces, plan))


def _rest(project: Project, faces: Sequence[Face], plan: ConfirmPlan) -> list[str]:
    if not unmatched_videos(project, faces, plan.sources):
        return []
    left = sorted({face.subject_id for face in faces if face.is_usable and face.subject_id} - {*plan.names})
    left = [name for name in left if plan.sources[name] not in DECIDED]
    return [
        f"{counted(len(left), 'subject is', 'subjects are')} matched to nobody: {listed(left)}. Those "
        f"that are one person: fer subjects confirm "
        f"A=B. Where all others are different people: fer subjects confirm --distinct"
    ]


def _nothing(project: Project) -> SubjectsResult:
    """Nothing to do where the last step confirmed a matching.

    Raises:
        UsageError: no matching is open, or none of its pairs is sure.
    """
    if read_proposals(project) is None:
        steps = read_steps(project)
        if steps and steps[-1].words.startswith("subjects confirm "):
            return unchanged(project, f"the last matching was confirmed: fer {steps[-1].words}")
        raise UsageError(
            "nothing to confirm: no matching is open",
            hint="Run `fer subjects match` first, or name pairs: fer subjects confirm s001=s013",
        )
    raise UsageError(
        "no proposed pair is sure enough", hint="Look at reports/subjects-match.png, then: fer subjects confirm A=B ..."
    )


def _pair(project: Project, word: str, sources: Mapping[str, str]) -> tuple[str, str]:
    first, sign, second = word.partition("=")
    if not sign or first == second:
        raise UsageError(f"'{word}' is not a pair of subjects", hint="Write two ids with = between: s001=s013")
    return known_subject(project, first, sources), known_subject(project, second, sources)


def _joined(pairs: Sequence[tuple[str, str]], sources: Mapping[str, str]) -> dict[str, str]:
    """Each subject that is given up, and whose name it gets: a decided one's, else that of the first."""
    group_of: dict[str, set[str]] = {}
    for first, second in pairs:
        group = group_of.get(first, {first}) | group_of.get(second, {second})
        group_of |= dict.fromkeys(group, group)
    kept = {name: min(group, key=lambda one: (sources[one] not in DECIDED, one)) for name, group in group_of.items()}
    return {name: keep for name, keep in kept.items() if name != keep}


def _check_apart(faces: Sequence[Face], names: Mapping[str, str]) -> None:
    seen: dict[tuple[str, str], str] = {}
    for face in faces:
        if not (face.is_usable and face.frame_id and face.subject_id):
            continue
        person = names.get(face.subject_id, face.subject_id)
        other = seen.setdefault((face.frame_id, person), face.subject_id)
        if other != face.subject_id:
            raise InputError(
                f"{other} and {face.subject_id} are both seen in frame {face.frame_id}, so they are two people",
                hint="Leave that pair out. If one of them is a mixture: fer subjects split SUBJECT",
            )
