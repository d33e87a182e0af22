"""The demo's way through every stage, in order, with the figures that the truth allows."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from fercli.core.processors import count_processors
from fercli.core.progress import Progress
from fercli.core.project import CONFIG_NAME, Project
from fercli.core.results import Failure, StageResult
from fercli.core.rows import Face, Label, Prediction
from fercli.core.settings import Layer, resolve_settings
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.engine.local import LocalEngine
from fercli.stages.add import AddSettings, add
from fercli.stages.align import AlignSettings, align
from fercli.stages.demo import DemoResult, DemoSettings, Material
from fercli.stages.demo.material import draw_lessons, video_path, write_annotations
from fercli.stages.demo.truth import Found, compare_faces, judge_model, subject_purity, vote_accuracy
from fercli.stages.evaluate import EvalSettings, evaluate
from fercli.stages.extract_frames import ExtractFramesSettings, extract_frames
from fercli.stages.gradcam import GradcamSettings, gradcam
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.report import ReportSettings, report
from fercli.stages.split import SplitSettings, split
from fercli.stages.subjects import TrackSettings, confirm_subjects, track_subjects
from fercli.stages.train import TrainSettings, train

# What a stage must reach; the drawing is easier than life, so less means that a stage is broken.
BOUNDS = {
    "align_recall": 0.95,
    "align_precision": 0.98,
    "subject_purity": 0.95,
    "vote_accuracy": 0.9,
    "model_accuracy": 0.7,
}
_WORDS = {
    "add": "{num_videos} new videos, {num_known} known before",
    "extract-frames": "{num_frames_in_project:,} frames, one per second",
    "align": "{num_faces:,} faces cropped; dropped: {dropped}",
    "subjects": "{num_subjects} subjects from {num_tracks} tracks",
    "subjects confirm": "{num_subjects} different pupils, as rendered",
    "labels import": "{num_labelled:,} of {num_faces:,} faces labelled by majority",
    "split": "{parts}",
    "train drf-msam": "{epochs} epochs; validation accuracy {val_accuracy:.1%} (epoch {best_epoch})",
    "train sfer-mdfae": "{epochs} epochs; validation accuracy {val_accuracy:.1%} (epoch {best_epoch})",
    "eval": "{num_faces:,} test faces evaluated against their labels",
    "gradcam": "{num_right} correct and {num_wrong} wrong predictions explained (layer {layer})",
    "report": "one HTML file of {num_bytes:,} bytes",
}

Result = TypeVar("Result", bound=StageResult)
Settings = TypeVar("Settings")


class _Stop(Exception):  # noqa: N818  # no error: the demo ends early on purpose
    """A figure lies below its bound, and the user did not ask to go on."""


@dataclass
class Walk:
    """One demo; what it finds is collected in `rows`, `figures` and the lists of the result."""

    project: Project
    settings: DemoSettings
    material: Material
    progress: Progress
    rows: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    failed_checks: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def walk(self) -> DemoResult:
        """Run every stage; ends early at a figure below its bound, unless `keep_going`."""
        try:
            lessons = self._film()
            found = self._find_faces(lessons)
            self._tell_apart(found)
            if not self.settings.annotate:
                self._label(found)
                self._learn(found)
                self._explain()
        except _Stop:
            self.rows.append({"stage": "stopped", "made": "a figure lies below its bound; --keep-going goes on"})
        return DemoResult(
            root=str(self.project.root),
            rows=tuple(self.rows),
            warnings=tuple(self.warnings),
            failures=tuple(self.failures),
            failed_checks=tuple(self.failed_checks),
            outputs=tuple(self.outputs),
            **self.figures,
        )

    def _film(self) -> tuple[str, ...]:
        began = time.monotonic()
        engine = LocalEngine(self.settings.workers or count_processors())
        lessons, num_drawn = draw_lessons(self.project.root, self.material, engine=engine, progress=self.progress)
        made = (
            f"{counted(self.material.num_subjects, 'pupil')} in {counted(len(lessons), 'lesson')} of "
            f"{self.material.seconds:g} s"
        )
        self._row("draw", made if num_drawn else f"{made}, rendered before", began)
        paths = [video_path(self.project.root, lesson) for lesson in lessons]
        self._stage("add", lambda: add(self.project, AddSettings(), paths, progress=self.progress))
        return lessons

    def _find_faces(self, lessons: tuple[str, ...]) -> Found:
        every = self._settings("extract-frames", ExtractFramesSettings)
        self._stage("extract-frames", lambda: extract_frames(self.project, every, progress=self.progress))
        cutting = self._settings("align", AlignSettings)
        self._stage("align", lambda: align(self.project, cutting, progress=self.progress))
        found = compare_faces(self.project, lessons)
        self._figure(
            "align_recall", found.recall, f"{len(found.seen):,} of {counted(found.num_true, 'rendered face')} detected"
        )
        self._figure(
            "align_precision", found.precision, f"{len(found.seen):,} of {found.num_faces:,} detections are correct"
        )
        return found

    def _tell_apart(self, found: Found) -> None:
        self._stage("subjects", lambda: track_subjects(self.project, TrackSettings(), progress=self.progress))
        purity = subject_purity(self.project.rows(Face), found.seen)
        self._figure("subject_purity", purity, "faces assigned to the right pupil (purity)")
        # Each lesson has pupils of its own, which the drawing knows and no tool could see.
        self._stage("subjects confirm", lambda: confirm_subjects(self.project, distinct=True, progress=self.progress))

    def _label(self, found: Found) -> None:
        files = write_annotations(self.project.root, found.seen, self.material)
        self._stage(
            "labels import",
            lambda: labels_import(self.project, LabelsImportSettings(), files, progress=self.progress),
        )
        accuracy = vote_accuracy(self.project.rows(Label), found.seen)
        self._figure("vote_accuracy", accuracy, "majority labels that match the ground truth")

    def _learn(self, found: Found) -> None:
        parting = self._settings("split", SplitSettings)
        self._stage("split", lambda: split(self.project, parting, progress=self.progress))
        if self.settings.full:
            large = self._settings("train", TrainSettings, model="sfer-mdfae", epochs=2)
            self._stage("train sfer-mdfae", lambda: train(self.project, large, progress=self.progress))
        small = self._settings("train", TrainSettings, model="drf-msam")
        run = self._stage("train drf-msam", lambda: train(self.project, small, progress=self.progress)).run
        self.figures["run"] = run
        scoring = self._settings("eval", EvalSettings, confusion=True)
        self._stage("eval", lambda: evaluate(self.project, scoring, run, progress=self.progress))
        self._judge(found, run)

    def _judge(self, found: Found, run: str) -> None:
        path = self.project.root / "runs" / run / "eval" / "test" / "predictions.csv"
        judged = judge_model(read_table(path, Prediction), found.seen, self.project.classes, seed=self.settings.seed)
        self.figures |= {
            "model_accuracy_low": judged.low,
            "model_accuracy_high": judged.high,
            "majority_rate": judged.majority_rate,
            "num_subjects": judged.num_subjects,
        }
        if judged.accuracy <= judged.majority_rate:
            self.failed_checks.append(
                f"model_accuracy: {judged.accuracy:.1%} is not above the {judged.majority_rate:.1%} that calling every "
                "face by the most frequent emotion reaches."
            )
        if judged.low is None:
            self.warnings.append(f"The model's accuracy has no interval: {judged.reason}.")
        elif judged.low <= judged.majority_rate < judged.accuracy:
            self.failed_checks.append(
                f"model_accuracy: its interval begins at {judged.low:.1%}, not above the {judged.majority_rate:.1%} "
                "that calling every face by the most frequent emotion reaches."
            )
        span = "" if judged.low is None else f", 95% interval {judged.low:.1%} to {judged.high:.1%}"
        made = (
            f"{counted(judged.num_faces, 'face')} of "
            f"{counted(judged.num_subjects, 'held-out pupil')}{span}; majority-class baseline"
        )
        self._figure("model_accuracy", judged.accuracy, f"{made}: {judged.majority_rate:.1%}")

    def _explain(self) -> None:
        run = str(self.figures["run"])
        self._stage("gradcam", lambda: gradcam(self.project, GradcamSettings(), run, progress=self.progress))
        told = self._stage("report", lambda: report(self.project, ReportSettings(), run, progress=self.progress))
        self.figures["report"] = told.path
        self.outputs.append(told.path)

    def _settings(self, command: str, kind: type[Settings], **changes: object) -> Settings:
        """The command's settings as fer.toml has them, but for what only the demo does."""
        layers = (Layer(CONFIG_NAME, self.project.section(command)), Layer("fer demo", changes))
        return resolve_settings(kind, layers).settings

    def _stage(self, name: str, run: Callable[[], Result]) -> Result:
        """Run one stage, take over what it warns of, and note what it made."""
        began = time.monotonic()
        result = run()
        self.warnings += [f"{name}: {sentence}" for sentence in result.warnings]
        self.failures += [replace(failure, item=f"{name} {failure.item}") for failure in result.failures]
        self.failed_checks += [f"{name}: {sentence}" for sentence in result.failed_checks]
        self._row(name, _made(name, result), began)
        return result

    def _row(self, stage: str, made: str, began: float) -> None:
        self.rows.append({"stage": stage, "made": made, "seconds": round(time.monotonic() - began, 1)})

    def _figure(self, name: str, value: float, what: str) -> None:
        bound = BOUNDS[name]
        self.figures[name] = value
        self.rows.append({"stage": "", "made": what, "figure": name, "value": value, "bound": bound})
        if value < bound:
            self.failed_checks.append(f"{name}: {value:.1%}, the bound is {bound:.0%} ({what}).")
            if not self.settings.keep_going:
                raise _Stop


def _made(stage: str, result: StageResult) -> str:
    """What a stage made, in a few words; the counts are those of its result."""
    return _WORDS[stage].format_map({column.name: _plain(getattr(result, column.name)) for column in fields(result)})


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items()) or "none"
    return 0 if value is None else value
