"""What a split is made from: labelled faces with their groups, subjects, videos and images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fercli.core.errors import InputError, MissingStageError
from fercli.core.people import how_to_match, subject_sources, unmatched_videos
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face, Label, Video
from fercli.core.splits import is_usable, labels_mark
from fercli.core.words import counted
from fercli.data.crops import image_digests
from fercli.labels.splits import merge_groups


@dataclass(frozen=True)
class Material:
    """Faces that can be learned from, and what must not be in two sets.

    Args:
        faces: all usable faces, labelled or not.
        labels: of each labelled face; empty where only its soft label is known.
        groups: of each labelled face that has one; groups that share a picture are joined.
        subjects: of each face, where known.
        videos: of each face, where known.
        digests: of each labelled face's picture.
        reads: the files that these pictures lie in, with their digests.
        labels_mark: names the labels that the split is made from.
        group: what was asked to stay together.
        unmatched_videos: those whose subjects hold within them alone.
        warnings: what was left out or joined.
    """

    faces: Sequence[Face]
    labels: Mapping[str, str]
    groups: Mapping[str, str]
    subjects: Mapping[str, str]
    videos: Mapping[str, str]
    digests: Mapping[str, str]
    reads: dict[str, str]
    labels_mark: str
    group: str
    unmatched_videos: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def gather_material(
    project: Project, group: str, *, is_given: bool = False, accepts_unknown: bool = False, progress: Progress = SILENT
) -> Material:
    """Join faces and labels, and find the groups.

    Args:
        project: has faces and labels.
        group: subject, video, session or none.
        is_given: the split comes from a file, so groups need not be known.
        accepts_unknown: people of several videos need not be matched.
        progress: told of each picture.

    Raises:
        MissingStageError: nobody knows the subjects, or they are known within one video and there are several.
        InputError: no face has a label.
    """
    labels = project.required_rows(Label)
    faces = [face for face in project.required_rows(Face) if face.is_usable and face.path]
    label_of = {label.face_id: label.label for label in labels if is_usable(label)}
    labelled = [face for face in faces if face.face_id in label_of]
    if not labelled:
        raise InputError(
            "no labelled faces", hint="Import votes with `fer labels import FILE`, or label with `fer annotate`."
        )
    sessions = {video.video_id: video.session for video in project.rows(Video)} if group == "session" else {}
    groups = {face.face_id: _group_of(face, group, sessions) for face in labelled}
    known = {face_id: name for face_id, name in groups.items() if name}
    if not known and not is_given:
        raise _no_groups(group)
    unmatched = unmatched_videos(project, labelled, subject_sources(project, faces))
    if unmatched and not accepts_unknown:
        raise _unmatched(unmatched)
    reads = project.digests((face.path for face in labelled), "faces.csv")
    digests = image_digests(project, labelled, progress=progress)
    joined = _joined(known, digests)
    return Material(
        faces,
        {face.face_id: label_of[face.face_id] for face in labelled},
        joined,
        {face.face_id: face.subject_id for face in faces if face.subject_id},
        {face.face_id: face.video_id for face in faces if face.video_id},
        digests,
        reads,
        labels_mark(labels),
        group,
        unmatched,
        () if is_given else tuple(_warnings(group, len(labelled) - len(known), known, joined)),
    )


def _group_of(face: Face, group: str, sessions: Mapping[str, str]) -> str:
    if group == "subject":
        return face.subject_id
    if group == "video":
        return face.video_id
    if group == "session":
        # A video without a session is one of its own.
        return sessions.get(face.video_id) or face.video_id
    return face.face_id


def _no_groups(group: str) -> Exception:
    if group == "subject":
        return MissingStageError(
            "subjects are not assigned, so the same person could end up in both train and test",
            hint="Run `fer subjects track`; for datasets without subjects use --group none.",
        )
    return InputError(f"no labelled face has a {group}", hint="Choose another group: fer split --group none")


def _unmatched(videos: Sequence[str]) -> Exception:
    number, names = len(videos), ", ".join(videos[:3])
    return MissingStageError(
        f"subjects are known only within one video, and {counted(number, 'video shows', 'videos show')} "
        f"such subjects ({names}"
        f"{', ...' if number > 3 else ''}): one person may be several subjects, in training and test",
        hint=f"Run: {how_to_match()}. To split anyway: fer split --accept-unknown-subjects",
    )


def _joined(groups: Mapping[str, str], digests: Mapping[str, str]) -> dict[str, str]:
    """The groups with those joined that share a picture."""
    face_ids = list(groups)
    merged = merge_groups(
        [groups[face_id] for face_id in face_ids], identical=[digests[face_id] for face_id in face_ids]
    )
    return dict(zip(face_ids, merged, strict=True))


def _warnings(group: str, num_without: int, known: Mapping[str, str], joined: Mapping[str, str]) -> list[str]:
    sentences = []
    members: dict[str, set[str]] = {}
    for face_id, name in joined.items():
        members.setdefault(name, set()).add(known[face_id])
    sharing = [len(names) for names in members.values() if len(names) > 1]
    if num_without:
        sentences.append(
            f"{counted(num_without, 'labelled face has', 'labelled faces have')} no {group} and were "
            f"excluded from the split."
        )
    if sharing and group != "none":
        sentences.append(
            f"{sum(sharing):,} {group}s share byte-identical images: they stay in the same set and count as "
            f"{len(sharing):,}."
        )
    return sentences
