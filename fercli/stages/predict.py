"""`fer predict`: pictures and videos to the emotion of each face, as tables and drawn on the pictures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fercli.core.errors import InputError, MediaError, UsageError
from fercli.core.files import slug, unused
from fercli.core.memory import fingerprint, forget_overwritten, recall, remember
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.results import Failure, StageResult
from fercli.core.rows import Video
from fercli.core.runs import Run, digest, find_run
from fercli.core.settings import setting, suggestion
from fercli.stages.cutting_rules import told_rules
from fercli.stages.media_files import Listing, MediaItem, find_media, list_files, shown

if TYPE_CHECKING:
    from fercli.stages.predict_media import Prediction, Predictor


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
    with project.writing():
        result = _predict_all(project, chosen, settings, found.items, num_foreign=found.num_foreign, progress=progress)
        forget_overwritten(project.root, family, result.outputs)
        remember(project.root, stage, mark, settings, result=result)
    return result


def _predict_all(
    project: Project,
    run: Run,
    settings: PredictSettings,
    items: Sequence[MediaItem],
    *,
    num_foreign: int,
    progress: Progress,
) -> PredictResult:
    from fercli.stages.predict_files import write_files
    from fercli.stages.predict_media import Predictor

    predictor = Predictor(project, run, settings, progress)
    folder = project.root / "exports" / "predict" / run.run_id
    taken: set[str] = set()
    made: list[Prediction] = []
    failures: list[Failure] = []
    outputs: list[str] = []
    num_written = 0
    for item in items:
        name = unused(slug(item.name if item.is_pictures else item.files[0].stem), taken)
        taken.add(name)
        try:
            prediction = predictor.look_at(item, name)
            files = write_files(predictor, prediction, folder, settings, progress=progress)
        except MediaError as error:
            failures.append(Failure(item.name, error.message))
            continue
        made.append(prediction)
        failures += prediction.failures
        outputs += [project.relative(path) for path in files.paths]
        num_written += files.num_frames
    if not made:
        raise MediaError(f"nothing could be read; {failures[0].item}: {failures[0].reason}", hint="Check the files.")
    return _result(
        run, predictor, made, tuple(outputs), failures=tuple(failures), num_written=num_written, num_foreign=num_foreign
    )


def _result(
    run: Run,
    predictor: "Predictor",
    made: "Sequence[Prediction]",
    outputs: tuple[str, ...],
    *,
    failures: tuple[Failure, ...],
    num_written: int,
    num_foreign: int,
) -> PredictResult:
    counts = Counter(face.predicted for prediction in made for face in prediction.faces)
    num_faceless = sum(not faces for prediction in made for faces in prediction.by_frame)
    num_looked_at = sum(len(prediction.by_frame) for prediction in made)
    warnings = [f"'{prediction.name}': {text}" for prediction in made for text in prediction.warnings]
    if num_faceless == num_looked_at:
        warnings.append("no face was found; use --cropped for pictures that are cut-out faces")
    return PredictResult(
        run=run.run_id,
        num_media=len(made),
        num_looked_at=num_looked_at,
        num_without_faces=num_faceless,
        num_faces=counts.total(),
        num_written_frames=num_written,
        predicted={emotion: counts[emotion] for emotion in predictor.classes},
        num_foreign=num_foreign,
        device=predictor.device,
        network_device=predictor.network_device,
        outputs=outputs,
        warnings=tuple(warnings),
        failures=failures,
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
