"""`fer predict`: pictures and videos to the emotion of each face, as tables and drawn on the pictures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fercli.core.errors import InputError, MediaError, UsageError
from fercli.core.files import slug, unused
from fercli.core.journal import ItemJournal
from fercli.core.memory import fingerprint, forget_overwritten, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure, StageResult
from fercli.core.rows import Video
from fercli.core.runs import Run, digest, find_run
from fercli.core.settings import setting, suggestion
from fercli.stages.align.rules import told_rules
from fercli.vision.media import Listing, Media, find_media, list_files, shown

if TYPE_CHECKING:
    from fercli.stages.predict.files import Written
    from fercli.stages.predict.predictor import Prediction, Predictor


@dataclass(frozen=True)
class PredictSettings:
    """What is looked at, and what is written."""

    out: tuple[Literal["csv", "json", "video"], ...] = setting(
        ("csv", "video"), "Write csv, json, video (drawn faces)."
    )
    every_s: float = setting(
        0.2, "Look for faces this often in a video; 0 in each frame.", option="every", unit="s", minimum=0
    )
    start_s: float = setting(0.0, "Begin here in each video.", option="start", unit="s", minimum=0)
    end_s: float | None = setting(None, "End here in each video.", option="end", unit="s", minimum=0)
    limit: int | None = setting(None, "Look at the first so many frames or pictures.", minimum=1)
    cropped: bool = setting(False, "Take pictures as faces that are cut out already.")
    checkpoint: str = setting("best", "Use best, last or a .safetensors file.")
    engine: Literal["local", "ray"] = setting("local", "Look at videos on this machine or on a Ray cluster.")
    address: str = setting("", "Find the Ray cluster at HOST:PORT.")
    device: str = setting("auto", "Compute on: auto, cpu, cuda, mps; find faces on: openvino.")


@dataclass(frozen=True, kw_only=True)
class PredictResult(StageResult):
    """What was seen.

    Attributes:
        num_looked_at: pictures, and frames of videos, in which faces were looked for.
        num_without_faces: of these.
        num_written_frames: frames of the annotated videos.
        predicted: faces of each class.
        num_foreign: files of other types in the folders, passed over.
        device: where this run looked for faces.
        network_device: where it judged them.
    """

    run: str
    num_media: int = 0
    num_looked_at: int = 0
    num_without_faces: int = 0
    num_faces: int = 0
    num_written_frames: int = 0
    predicted: dict[str, int] = field(default_factory=dict)
    num_foreign: int = 0
    device: str = ""
    network_device: str = ""


def predict(
    project: Project,
    settings: PredictSettings,
    media: Sequence[str],
    run: str = "",
    *,
    progress: Progress = SILENT,
    force: bool = False,
    dry_run: bool = False,
) -> PredictResult:
    """Find the faces in pictures and videos and say what a run's network takes their emotion for.

    Everything is written to exports/predict/<run>/ in the project. Faces are cut out as `fer align` did it here.

    Args:
        project: holds the run.
        settings: what to look at and write.
        media: videos, pictures, folders of them, or ids of the project's videos.
        run: id of a run, or a part of it; the newest finished one when empty.
        progress: told of the frames.
        force: do it again although nothing has changed.
        dry_run: only say what would be done.

    Raises:
        MissingStageError: no run is finished.
        InputError: no such run or medium, or nothing of it can be read.
    """
    if settings.end_s is not None and settings.end_s <= settings.start_s:
        problem = f"'--end {settings.end_s:g}s' is not after '--start {settings.start_s:g}s'"
        raise UsageError(problem, hint="Give a later --end.")
    chosen = find_run(project.root, run)
    listing = list_files([_path_of(project, word) for word in media], project.root, skip_own=False)
    # Each set of media has its own memory: predicting one video forgets nothing of another.
    family = f"predict-{chosen.run_id}"
    stage, mark = f"{family}-{digest(sorted(media))[:12]}", _mark(project, chosen, settings, listing)
    known = recall(project.root, stage, mark, PredictResult)
    if known and not known.failures and not force:
        return known
    found = find_media(listing)
    if not found.items:
        raise InputError(f"no pictures or videos in {', '.join(media)}", hint="Name files, or folders that hold some.")
    if dry_run:
        plan = tuple(f"predict the faces of '{item.name}' with run {chosen.run_id}" for item in found.items)
        return PredictResult(run=chosen.run_id, is_dry_run=True, plan=plan, num_foreign=found.num_foreign)
    from fercli.stages.predict.predictor import Predictor

    with project.writing():
        predictor = Predictor(project, chosen, settings, progress)  # refuses a damaged run: nothing is written then
        with ItemJournal(project.root, stage, mark) as journal:
            if force:
                journal.finished.clear()
            result = _predict_all(project, predictor, settings, found, journal=journal, progress=progress)
            forget_overwritten(project.root, family, result.outputs)
            remember(project.root, stage, mark, settings, result=result)
            journal.discard()
    return result


@dataclass(frozen=True)
class _Seen:
    """What one video or folder came to, in plain values for the journal; `outputs` with the times of their writing."""

    outputs: dict[str, int]
    num_written: int
    num_looked_at: int
    num_faceless: int
    predicted: dict[str, int]
    warnings: list[str]
    failures: list[tuple[str, str]]


def _predict_all(
    project: Project,
    predictor: "Predictor",
    settings: PredictSettings,
    found: Media,
    *,
    journal: ItemJournal,
    progress: Progress,
) -> PredictResult:
    """Look at one item after the other; what an interrupted call has finished is taken from the journal."""
    from fercli.stages.predict.files import write_files

    folder = project.root / "exports" / "predict" / predictor.run_id
    taken: set[str] = set()
    seen: list[_Seen] = []
    failures: list[Failure] = []
    for item in found.items:
        name = unused(slug(item.name if item.is_pictures else item.files[0].stem), taken)
        taken.add(name)
        if name in journal.finished and _is_there(project, known := _Seen(**journal.finished[name])):
            seen.append(known)
            continue
        try:
            prediction = predictor.look_at(item, name)
            files = write_files(predictor, prediction, folder, settings, progress=progress)
        except MediaError as error:
            failures.append(Failure(item.name, error.message))
            continue
        seen.append(_seen(project, prediction, files))
        journal.add(name, asdict(seen[-1]))
    if not seen:
        journal.discard()
        raise MediaError(f"nothing could be read; {failures[0].item}: {failures[0].reason}", hint="Check the files.")
    return _result(predictor, seen, failures, num_foreign=found.num_foreign)


def _is_there(project: Project, seen: _Seen) -> bool:
    """Whether the files are those that were written: another call may have written over them since."""
    paths = {path: project.root / path for path in seen.outputs}
    return all(path.exists() and path.stat().st_mtime_ns == seen.outputs[name] for name, path in paths.items())


def _seen(project: Project, prediction: "Prediction", files: "Written") -> _Seen:
    return _Seen(
        outputs={project.relative(path): path.stat().st_mtime_ns for path in files.paths},
        num_written=files.num_frames,
        num_looked_at=len(prediction.by_frame),
        num_faceless=sum(not faces for faces in prediction.by_frame),
        predicted=dict(Counter(face.predicted for face in prediction.faces)),
        warnings=[f"'{prediction.name}': {text}" for text in prediction.warnings],
        failures=[(failure.item, failure.reason) for failure in prediction.failures],
    )


def _result(
    predictor: "Predictor", seen: Sequence[_Seen], failures: Sequence[Failure], *, num_foreign: int
) -> PredictResult:
    counts: Counter[str] = Counter()
    for one in seen:
        counts.update(one.predicted)
    num_faceless, num_looked_at = sum(one.num_faceless for one in seen), sum(one.num_looked_at for one in seen)
    warnings = [text for one in seen for text in one.warnings]
    if num_faceless == num_looked_at:
        warnings.append("no face was found; use --cropped for pictures that are cut-out faces")
    unread = [Failure(*failure) for one in seen for failure in one.failures]
    return PredictResult(
        run=predictor.run_id,
        num_media=len(seen),
        num_looked_at=num_looked_at,
        num_without_faces=num_faceless,
        num_faces=counts.total(),
        num_written_frames=sum(one.num_written for one in seen),
        predicted={emotion: counts[emotion] for emotion in predictor.classes},
        num_foreign=num_foreign,
        device=predictor.device,
        network_device=predictor.network_device,
        outputs=tuple(path for one in seen for path in one.outputs),
        warnings=tuple(warnings),
        failures=(*failures, *unread),
    )


def _path_of(project: Project, word: str) -> Path:
    path = Path(word)
    if path.exists():
        return path
    videos = {video.video_id: video for video in project.rows(Video)}
    if word in videos:
        return project.root / videos[word].path
    hint = suggestion(word, list(videos)) if videos else "Check the path."
    raise InputError(f"no file, folder or video '{word}'", hint=hint)


def _mark(project: Project, run: Run, settings: PredictSettings, listing: Listing) -> str:
    named = settings.checkpoint in ("best", "last")
    weights = run.folder / "checkpoints" / f"{settings.checkpoint}.json" if named else Path(settings.checkpoint)
    return fingerprint(
        replace(settings, engine="local", address=""),
        [weights],
        [listing.facts, [shown(path) for path in listing.missing], told_rules(project)],
    )
