"""`fer predict`: predict the emotion of each face in images and videos, as tables and drawn on the images."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from fercli.core.baseline import find_model
from fercli.core.errors import InputError, UsageError
from fercli.core.memory import read_state
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Video
from fercli.core.runs import Run, checkpoint_word, digest, own_checkpoint
from fercli.core.settings import setting, suggestion
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.align import rules_of
from fercli.stages.evaluate import calibration_file
from fercli.stages.predict.names import names_of, predict_folder
from fercli.vision.media import Listing, content_of, find_media, list_files, shown

# What a face is called whose probability is below the threshold of --target-accuracy.
UNCERTAIN = "uncertain"


@dataclass(frozen=True)
class PredictSettings:
    """What is looked at, and what is written."""

    out: tuple[Literal["csv", "json", "video"], ...] = setting(
        ("csv", "video"), "Save results as csv, json or annotated video."
    )
    every_s: float = setting(
        0.2, "Detect faces at this interval; 0 means every frame.", option="every", unit="s", minimum=0
    )
    start_s: float = setting(0.0, "Start at this time in each video.", option="start", unit="s", minimum=0)
    end_s: float | None = setting(None, "Stop at this time in each video.", option="end", unit="s", minimum=0)
    limit: int | None = setting(None, "Process only the first N frames or images.", minimum=1)
    cropped: bool = setting(False, "Take pictures as faces that are cut out already.")
    stream: int | None = setting(
        None, "Use video stream N of each video (default: the one players show).", minimum=1, is_later=True
    )
    ensemble: tuple[str, ...] = setting((), "Average the probabilities with those of these runs.", is_later=True)
    calibrated: bool = setting(False, "Use the temperature that `fer eval` fitted.", is_later=True)
    target_accuracy: float | None = setting(
        None, "Call faces uncertain below the threshold for this accuracy.", minimum=0, maximum=1, is_later=True
    )
    checkpoint: str = setting("best", "Use the best or last checkpoint, or a .safetensors file.")
    engine: Literal["local", "ray"] = setting("local", "Process videos on this machine or on a Ray cluster.")
    address: str = setting("", "Connect to the Ray cluster at HOST:PORT.", only_with={"engine": ("ray",)})
    device: str = setting("auto", "Run on auto, cpu, cuda or mps; openvino detects faces only.")


@dataclass(frozen=True, kw_only=True)
class PredictResult(StageResult):
    """What was seen.

    Attributes:
        num_looked_at: images, and frames of videos, in which faces were looked for.
        num_without_faces: of these.
        num_written_frames: frames of the annotated videos.
        predicted: faces of each class, and of `uncertain` where a threshold was asked for.
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


@dataclass(frozen=True)
class FacePrediction:
    """One row of a predictions table.

    `frame` is its index in a video; `picture` the file of a picture. `predicted` is the class of this face alone,
    `shown` that of its track over half a second either way, and `shown_probability` its mean there, which an annotated
    video shows. Each is `uncertain` where its probability is below a threshold that was asked for.
    """

    face_id: str
    frame: int | None
    time_s: float | None
    picture: str
    track: str
    left: float
    top: float
    width: float
    height: float
    confidence: float | None
    predicted: str
    shown: str
    shown_probability: float
    probabilities: dict[str, float] = field(default_factory=dict)


def listing_of(project: Project, media: Sequence[str]) -> Listing:
    """The files that the words name: paths, or ids of the project's videos.

    Raises:
        InputError: a word is neither.
    """
    return list_files([_path_of(project, word) for word in media], project.root, skip_own=False)


def family_of(run: Run) -> str:
    """What the names of all predictions of a run begin with, in what is remembered."""
    return f"predict-{run.run_id}"


def _settle(
    project: Project, settings: PredictSettings, media: Sequence[str], run: str = ""
) -> tuple[PredictSettings, tuple[Sequence[str], Run]]:
    found = find_model(project.root, run)
    names = tuple(find_model(project.root, name).run_id for name in settings.ensemble)
    others = tuple(sorted({*names} - {found.run_id}))
    if others and certainty_name(settings):
        raise UsageError(
            "an ensemble has no temperature and no threshold of its own",
            hint="Predict with one run, or without --calibrated and --target-accuracy.",
        )
    return replace(settings, checkpoint=own_checkpoint(found, settings.checkpoint), ensemble=others), (media, found)


def others_of(project: Project, settings: PredictSettings, run: Run) -> list[Run]:
    """The runs with whose probabilities those of `run` are averaged.

    Raises:
        UsageError: one of them knows faces that were cut otherwise, or other weights than the runs' own are named.
    """
    others = [find_model(project.root, name) for name in settings.ensemble]
    if others and settings.checkpoint not in ("best", "last"):
        raise UsageError("an ensemble predicts by its runs' own weights", hint="Use --checkpoint best or last.")
    if strange := next((one for one in others if rules_of(project, one) != rules_of(project, run)), None):
        raise UsageError(
            f"the faces of runs '{run.run_id}' and '{strange.run_id}' were cut by different rules",
            hint="Average runs that were trained on crops of the same size, margin and template.",
        )
    return others


def certainty_name(settings: PredictSettings) -> str:
    """What tells predictions with a temperature or a threshold from those without."""
    target = "" if settings.target_accuracy is None else f"target-{settings.target_accuracy:g}"
    return "-".join(filter(None, ("calibrated" * settings.calibrated, target)))


def _inputs(project: Project, settings: PredictSettings, media: Sequence[str], run: Run) -> Inputs:
    named = settings.checkpoint in ("best", "last")
    weights = run.folder / "checkpoints" / f"{settings.checkpoint}.json" if named else Path(settings.checkpoint)
    listing = listing_of(project, media)
    # Another call may take a name meanwhile.
    names = item_names(project, settings, media, run)
    others = others_of(project, settings, run)
    files = [weights, *(one.folder / "checkpoints" / f"{settings.checkpoint}.json" for one in others)]
    if certainty_name(settings):
        variant = checkpoint_word(settings.checkpoint)
        files += [calibration_file(run, variant, ending) for ending in ("json", "csv")]
    missing = [shown(path) for path in listing.missing]
    return Inputs(files, [content_of(listing, project.root), missing, rules_of(project, run), names])


def folder_of(project: Project, settings: PredictSettings, run: Run) -> Path:
    """Where the predictions lie."""
    return predict_folder(project, run, settings.checkpoint, settings.ensemble, certainty_name(settings))


def item_names(project: Project, settings: PredictSettings, media: Sequence[str], run: Run) -> list[str]:
    """The name under which the predictions of each video or folder lie."""
    before = read_state(project.root, predict.name_of(project, settings, media, run))
    own = before.result.get("outputs", ()) if before else ()
    folder = folder_of(project, settings, run)
    return names_of(project, folder, find_media(listing_of(project, media)).items, own)


def _path_of(project: Project, word: str) -> Path:
    path = Path(word)
    if path.exists():
        return path
    videos = {video.video_id: video for video in project.rows(Video)}
    if word in videos:
        return project.inside(videos[word].path, "videos.csv")
    hint = suggestion(word, list(videos)) if videos else "Check the path."
    raise InputError(f"no file, folder or video '{word}'", hint=hint)


def _mark(project: Project, settings: PredictSettings, media: Sequence[str], run: Run) -> str:
    return predict.mark_of(project, settings, media, run)


predict: Stage[PredictResult] = Stage(
    words="predict",
    settings=PredictSettings,
    result=PredictResult,
    work="fercli.stages.predict.work",
    inputs=_inputs,
    not_identity=("engine", "address"),
    arguments=(
        Argument("media", list[str], "Images, videos, folders, or ids of project videos.", "MEDIA"),
        Argument(
            "run",
            str,
            "Use this run, or baseline (default: the latest).",
            "RUN",
            default="",
            option="--run",
            alias="--model",
        ),
    ),
    settle=_settle,
    # Each set of media has its own memory: predicting one video forgets nothing of another.
    name=lambda project, settings, media, run: "-".join(
        filter(None, (family_of(run), digest(sorted(media))[:12], *settings.ensemble, certainty_name(settings)))
    ),
    is_long=True,
    batch=_mark,
    retries=True,
    told=lambda project, settings, media, run: [shown(Path(Path(word).name)) for word in media],
)
