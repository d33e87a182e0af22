"""Do the work of `fer predict`: predict one video or folder after another, to exports/predict/<run>/."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from fercli.core.baseline import state_words
from fercli.core.batch import Batch
from fercli.core.commit import Commit
from fercli.core.errors import InputError, MediaError, UsageError
from fercli.core.memory import overwritten_records
from fercli.core.progress import Progress
from fercli.core.project import Project
from fercli.core.results import Failure
from fercli.core.runs import Run
from fercli.core.stage import Plan
from fercli.learn.checkpoints import class_order_words
from fercli.reports.figures.canvas import number_words
from fercli.stages.align.rules import rule_words
from fercli.stages.predict import (
    UNCERTAIN,
    PredictResult,
    PredictSettings,
    family_of,
    folder_of,
    item_names,
    listing_of,
    others_of,
)
from fercli.stages.predict.certainty import certainty_of
from fercli.stages.predict.files import Written, write_files
from fercli.stages.predict.names import SOURCES_FILE, read_sources, source_of
from fercli.stages.predict.predictor import Prediction, Predictor
from fercli.vision.media import Media, find_media


@dataclass(frozen=True, kw_only=True)
class PredictPlan(Plan):
    """The run, and the videos and images that it looks at."""

    run: Run
    found: Media
    folder: Path
    names: list[str]
    warnings_of_rules: Sequence[str]


@dataclass(frozen=True)
class Predicted:
    """What each item came to; their files wait in the batch's room."""

    predictor: Predictor
    seen: list["_Seen"]
    failures: list[Failure]
    batch: Batch


@dataclass(frozen=True)
class _Seen:
    """What one video or folder came to, in plain values for the journal; `outputs` are relative to the project."""

    outputs: list[str]
    num_written: int
    num_looked_at: int
    num_faceless: int
    predicted: dict[str, int]
    warnings: list[str]
    failures: list[tuple[str, str]]


def plan(
    project: Project, settings: PredictSettings, media: Sequence[str], run: Run, *, force: bool, progress: Progress
) -> PredictPlan:
    """List what is to be looked at.

    Raises:
        UsageError: the end is not after the start.
        InputError: nothing of the media is a video or an image.
    """
    if settings.end_s is not None and settings.end_s <= settings.start_s:
        problem = f"'--end {settings.end_s:g}s' is not after '--start {settings.start_s:g}s'"
        raise UsageError(problem, hint="Give a later --end.")
    found = find_media(listing_of(project, media))
    if not found.items:
        raise InputError(
            f"no images or videos found in {', '.join(media)}", hint="Name files, or folders that hold some."
        )
    name = f"{settings.checkpoint}.safetensors"
    others = [one.folder / "checkpoints" / name for one in others_of(project, settings, run)]
    mapped = [text for path in others for text in class_order_words(path, run.record.classes)]
    return PredictPlan(
        lines=tuple(f"predict the faces of '{item.name}' with run {run.run_id}" for item in found.items),
        counts={"run": run.run_id, "num_foreign": found.num_foreign},
        run=run,
        found=found,
        folder=folder_of(project, settings, run),
        names=item_names(project, settings, media, run),
        warnings=certainty_of(run, settings).words,
        warnings_of_rules=[*state_words(run), *([] if settings.cropped else rule_words(project, run)), *mapped],
    )


def run(
    project: Project, settings: PredictSettings, plan: PredictPlan, *, progress: Progress, batch: Batch
) -> Predicted:
    """Look at one item after the other; what an interrupted call has finished is taken from the batch.

    Faces are cut out as those of the run were.

    Raises:
        MediaError: nothing could be read.
    """
    predictor = Predictor(project, plan.run, settings, progress)  # refuses a damaged run: nothing is written then
    folder = batch.room / project.relative(plan.folder)
    seen: list[_Seen] = []
    failures: list[Failure] = []
    for item, name in zip(plan.found.items, plan.names, strict=True):
        if name in batch.finished and _is_there(batch, known := _Seen(**batch.finished[name])):
            seen.append(known)
            continue
        try:
            prediction = predictor.look_at(item, name)
            files = write_files(predictor, prediction, folder, settings, progress=progress)
        except MediaError as error:
            failures.append(Failure(item.name, error.message))
            continue
        seen.append(_seen(batch.room, prediction, files))
        batch.add(name, asdict(seen[-1]))
    if not seen:
        raise MediaError(f"nothing could be read; {failures[0].item}: {failures[0].reason}", hint="Check the files.")
    return Predicted(predictor, seen, failures, batch)


def fold(
    project: Project, settings: PredictSettings, plan: PredictPlan, made: Predicted, commit: Commit, *, force: bool
) -> PredictResult:
    """Give the files their places, and forget the calls whose files they replace."""
    drawn = number_words(made.predictor.classes) if "video" in settings.out else []
    warnings = [*plan.warnings, *plan.warnings_of_rules, *drawn]
    result = _result(made, num_foreign=plan.found.num_foreign, warnings=warnings)
    sources = {name: source_of(project, item) for item, name in zip(plan.found.items, plan.names, strict=True)}
    sources = {**read_sources(plan.folder), **sources}
    commit.text(plan.folder / SOURCES_FILE, json.dumps(sources, indent=1, sort_keys=True) + "\n")
    for record in overwritten_records(project.root, family_of(plan.run), result.outputs):
        commit.delete(record)
    for folder in (project.root / path for path in result.outputs):
        waiting = made.batch.room / project.relative(folder)
        for old in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not (waiting / old.name).exists():
                commit.delete(old)
    made.batch.commit_to(commit)
    return result


def _is_there(batch: Batch, seen: _Seen) -> bool:
    return all((batch.room / path).exists() for path in seen.outputs)


def _seen(room: Path, prediction: Prediction, files: Written) -> _Seen:
    return _Seen(
        outputs=[path.relative_to(room).as_posix() for path in files.paths],
        num_written=files.num_frames,
        num_looked_at=len(prediction.by_frame),
        num_faceless=sum(not faces for faces in prediction.by_frame),
        predicted=dict(Counter(face.predicted for face in prediction.faces)),
        warnings=[f"'{prediction.name}': {text}" for text in prediction.warnings],
        failures=[(failure.item, failure.reason) for failure in prediction.failures],
    )


def _result(made: Predicted, *, num_foreign: int, warnings: Sequence[str]) -> PredictResult:
    predictor, seen, failures = made.predictor, made.seen, made.failures
    counts: Counter[str] = Counter()
    for one in seen:
        counts.update(one.predicted)
    num_faceless, num_looked_at = sum(one.num_faceless for one in seen), sum(one.num_looked_at for one in seen)
    warnings = [*warnings, *(text for one in seen for text in one.warnings)]
    if num_faceless == num_looked_at:
        warnings.append("no face was found; use --cropped for images that are cropped faces")
    words = [*predictor.classes, *[UNCERTAIN] * (predictor.certainty.threshold is not None)]
    unread = [Failure(*failure) for one in seen for failure in one.failures]
    return PredictResult(
        run=predictor.run_id,
        num_media=len(seen),
        num_looked_at=num_looked_at,
        num_without_faces=num_faceless,
        num_faces=counts.total(),
        num_written_frames=sum(one.num_written for one in seen),
        predicted={word: counts[word] for word in words},
        num_foreign=num_foreign,
        device=predictor.device,
        network_device=predictor.network_device,
        outputs=tuple(path for one in seen for path in one.outputs),
        warnings=tuple(warnings),
        failures=(*failures, *unread),
    )
