"""Write the sections of a report on data and split."""

from collections import Counter
from collections.abc import Mapping, Sequence

from fercli.core.people import SOURCE_WORDS
from fercli.core.rows import SPLITS, Face, Frame, Label, SplitRow, Subject, Video
from fercli.core.words import counted
from fercli.labels.leaks import Leaks
from fercli.reports.figures.scores import draw_class_counts
from fercli.reports.page import Missing, Picture, Section, Table, count, duration, percent

_MANY_VIDEOS = 12


def data_section(
    videos: Sequence[Video],
    frames: Sequence[Frame],
    faces: Sequence[Face],
    subjects: Sequence[Subject],
    *,
    contact: bytes | None = None,
    num_shown: int = 0,
) -> Section:
    """Say what was recorded, which frames were kept, which faces were found and which of them were dropped.

    Args:
        videos: recordings and folders of pictures.
        frames: kept ones.
        faces: all of them.
        subjects: who is who.
        contact: sheet with one face of each of the first subjects; None when there is none.
        num_shown: how many subjects it shows.
    """
    title = "Data"
    if not videos and not faces:
        return Section("data", title, missing=(Missing("no videos or images have been added.", "fer add VIDEO"),))
    usable = [face for face in faces if face.is_usable]
    duration_s = sum(video.duration_s or 0.0 for video in videos)
    facts = [("videos", count(len(videos)))]
    facts += [("duration", duration(duration_s))] if duration_s else []
    facts += [("frames extracted", count(len(frames)))] if frames else []
    facts += [
        ("faces detected", count(sum(face.status != "gone" for face in faces))),
        ("faces used", count(len(usable))),
    ]
    known = {face.subject_id for face in usable if face.subject_id}
    facts += [("subjects", count(len(known)) if known else "not assigned")]
    missing = []
    if not frames and not faces:
        missing.append(Missing("no frames have been extracted.", "fer extract-frames"))
    elif not faces:
        missing.append(Missing("no faces have been detected.", "fer align"))
    return Section(
        "data",
        title,
        text=(_data_text(usable, subjects),),
        facts=tuple(facts),
        tables=tuple(table for table in (_video_table(videos, frames, usable), _drop_table(faces)) if table),
        pictures=_contact_pictures(contact, num_shown, len(known)),
        missing=tuple(missing),
    )


def split_section(
    name: str,
    rows: Sequence[SplitRow],
    *,
    faces: Sequence[Face],
    labels: Sequence[Label],
    classes: Sequence[str],
    how: Mapping[str, object],
    leaks: Leaks | None,
    num_identical: int | None = None,
    doubts: Sequence[str] = (),
) -> Section:
    """Say who is in which part, how it was decided, and whether somebody is in two of them.

    Args:
        name: of the split.
        rows: its rows; empty when there is none yet.
        faces: all faces.
        labels: all labels.
        classes: of the project.
        how: what the split's JSON says of how it was made.
        leaks: what two parts share; None when it was not looked for.
        num_identical: faces of val and test that are byte-identical to one of an earlier part; None when they were
            not looked for.
        doubts: sentences on people who may be in two sets because nobody knows.
    """
    title = "Data split"
    if not rows:
        gap = Missing("the faces have not been split into training, validation and test sets.", "fer split")
        return Section("split", title, missing=(gap,))
    face_of = {face.face_id: face for face in faces}
    label_of = {label.face_id: label.label for label in labels}
    counts: dict[str, Counter[str]] = {
        part: Counter(label_of.get(row.face_id, "") for row in rows if row.split == part) for part in SPLITS
    }
    present = {part: by_class for part, by_class in counts.items() if by_class}
    has_subjects = any(face_of[row.face_id].subject_id for row in rows if row.face_id in face_of)
    return Section(
        "split",
        title,
        text=(
            "The model is trained on the training set and the best epoch is selected on the validation set. Results "
            "are for the test set, which was not used for any choice.",
        ),
        facts=(("name", name), *[(key.replace("_", " "), str(value)) for key, value in how.items()]),
        warnings=_leak_warnings(leaks, num_identical),
        tables=(_split_table(rows, face_of, present, classes),),
        pictures=(_count_picture(present, classes),),
        closing=(*doubts, *_leak_closing(leaks, num_identical, has_subjects=has_subjects, has_doubts=bool(doubts))),
    )


def _count_picture(counts: Mapping[str, Counter[str]], classes: Sequence[str]) -> Picture:
    shown = {part: {emotion: by_class[emotion] for emotion in classes} for part, by_class in counts.items()}
    totals = ", ".join(f"{part} {sum(by_class.values())}" for part, by_class in counts.items())
    return Picture(
        draw_class_counts(shown, classes),
        f"Bar chart of the faces of each class: {totals}.",
        "Faces per class and set. Scores of rare classes are uncertain.",
    )


def _contact_pictures(contact: bytes | None, num_shown: int, num_subjects: int) -> tuple[Picture, ...]:
    if contact is None:
        return ()
    which = "" if num_shown == num_subjects else f" (first {num_shown} of {num_subjects})"
    return (
        Picture(
            contact,
            f"Contact sheet of {counted(num_shown, 'face')}, one for each subject.",
            f"One face per subject{which}. If one person appears as two subjects, or two people as one, correct it "
            "with `fer subjects`: otherwise the split may leak.",
            is_photo=True,
        ),
    )


def _data_text(usable: Sequence[Face], subjects: Sequence[Subject]) -> str:
    if usable and all(face.status == "given" for face in usable):
        return "The faces were added as crops from a public dataset or class folders; no detector was used."
    sources = sorted({SOURCE_WORDS.get(subject.source, subject.source) for subject in subjects})
    by = f" Subjects were assigned by {' and by '.join(sources)}." if sources else ""
    return (
        "Faces were detected in the extracted frames with MTCNN, aligned by five landmarks and cropped. Excluded faces "
        f"are listed below by reason.{by}"
    )


def _video_table(videos: Sequence[Video], frames: Sequence[Frame], usable: Sequence[Face]) -> Table | None:
    if not videos:
        return None
    kept, found = Counter(frame.video_id for frame in frames), Counter(face.video_id for face in usable)
    rows = [
        (
            video.video_id,
            f"{video.width} x {video.height}" if video.width else "-",
            "-" if video.fps is None else f"{video.fps:.4g}",
            "-" if video.duration_s is None else duration(video.duration_s),
            video.session or "-",
            count(kept[video.video_id]),
            count(found[video.video_id]),
        )
        for video in videos
    ]
    columns = ("video", "size, px", "frames/s", "duration", "session", "frames extracted", "faces used")
    return Table("Videos", columns, tuple(rows), is_folded=len(rows) > _MANY_VIDEOS)


def _drop_table(faces: Sequence[Face]) -> Table | None:
    reasons = Counter(face.reason or "no reason noted" for face in faces if face.status == "dropped")
    if not reasons:
        return None
    total = sum(reasons.values())
    found = sum(face.status != "gone" for face in faces)
    rows = tuple((reason, count(number), percent(number / found)) for reason, number in reasons.most_common())
    return Table(f"Excluded faces (n = {count(total)})", ("reason", "faces", "of all detected"), rows)


def _split_table(
    rows: Sequence[SplitRow],
    face_of: Mapping[str, Face],
    counts: Mapping[str, Counter[str]],
    classes: Sequence[str],
) -> Table:
    lines = []
    for part in counts:
        inside = [face_of[row.face_id] for row in rows if row.split == part and row.face_id in face_of]
        people = {face.subject_id for face in inside if face.subject_id}
        videos = {face.video_id for face in inside if face.video_id}
        absent = [emotion for emotion in classes if not counts[part][emotion]]
        lines.append(
            (
                part,
                count(sum(counts[part].values())),
                count(len(people)) if people else "-",
                count(len(videos)) if videos else "-",
                ", ".join(absent) or "none",
            )
        )
    return Table("Sets", ("set", "faces", "subjects", "videos", "missing classes"), tuple(lines))


def _leak_warnings(leaks: Leaks | None, num_identical: int | None) -> tuple[str, ...]:
    found = []
    if leaks is not None and leaks.subjects:
        found.append(f"{counted(len(leaks.subjects), 'subject')} in more than one set, so scores are overestimated.")
    if num_identical:
        number = counted(num_identical, "face")
        found.append(f"{number} of the validation or test set: byte-identical to a face in another set.")
    return tuple(found)


def _leak_closing(
    leaks: Leaks | None, num_identical: int | None, *, has_subjects: bool, has_doubts: bool
) -> tuple[str, ...]:
    if leaks is None or _leak_warnings(leaks, num_identical):
        return ()
    clean = ["subject"] * (has_subjects and not has_doubts) + ["identical image"] * (num_identical is not None)
    text = f"Leakage check: no {' or '.join(clean)} appears in more than one set." if clean else ""
    unsure = "" if has_subjects else " Subjects are not assigned, so leakage between subjects cannot be checked."
    whose = "with subjects" if has_subjects else "with faces"
    videos = f" {counted(len(leaks.videos), 'video')} {whose} in more than one set." if leaks.videos else ""
    said = f"{text}{unsure}{videos}".strip()
    return (said,) if said else ()
