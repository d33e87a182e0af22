"""`fer eval --on PROJECT`: score a run on the labels of another project, through a map between the classes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fercli.core.errors import InputError, MissingStageError, ProjectError
from fercli.core.files import input_digest, slug
from fercli.core.project import CONFIG_NAME, Project, find_project, open_project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Label
from fercli.core.runs import RECORD_FILE, Run, digest, find_own_run, own_checkpoint
from fercli.core.splits import choose_split
from fercli.core.stage import Argument, Inputs, Stage
from fercli.stages.evaluate import EvalSettings, predictions_mark, variant_of
from fercli.stages.transfer.mapping import map_words

ALL_FACES = "all"
FOLDER = "on"


@dataclass(frozen=True, kw_only=True)
class TransferResult(StageResult):
    """How good a run is on another project's faces.

    Attributes:
        project: the other project's name.
        faces: "test" or another set of its split, or "all".
        split_name: the split it is a set of; empty for all faces.
        variant: see `EvalResult`.
        mapping: of each pair of classes what it is evaluated as, and how many faces are labelled so.
        num_left_out: faces whose class was left out.
        num_seen: faces whose crop is, byte for byte, one that the run was trained on or selected by; None where the
            run recorded no crops.
        without_seen: the scores without them, where there are any.
    """

    run: str
    project: str
    faces: str
    split_name: str = ""
    variant: str = ""
    classes: tuple[str, ...] = ()
    num_faces: int = 0
    accuracy: dict[str, Any] = field(default_factory=dict)
    balanced_accuracy: dict[str, Any] = field(default_factory=dict)
    macro_f1: dict[str, Any] = field(default_factory=dict)
    majority_class: dict[str, Any] = field(default_factory=dict)
    per_class: dict[str, dict[str, Any]] = field(default_factory=dict)
    matrix: tuple[tuple[int, ...], ...] = ()
    mapping: tuple[dict[str, Any], ...] = ()
    num_left_out: int = 0
    num_seen: int | None = None
    without_seen: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class MatrixResult(StageResult):
    """Several runs on several projects: one cell each."""

    name: str = ""
    runs: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    cells: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Target:
    """The faces that are scored: the other project, which of its sets, and why that one."""

    project: Project
    faces: str
    split_name: str
    words: str


def find_target(place: Path, settings: EvalSettings, *, all_faces: bool) -> Target:
    """The other project and its set: the test set of its split, or all faces where that is asked for or it has none.

    Raises:
        InputError: there is no project.
        MissingStageError: it has no labels, or several splits and none of them is meant.
    """
    if not (place / CONFIG_NAME).is_file():
        raise InputError(f"'{place}' is not a fercli project", hint=f"--on takes the folder that holds {CONFIG_NAME}.")
    other = open_project(place)
    for table in (Face, Label):
        try:
            other.require(table)
        except MissingStageError as error:
            raise MissingStageError(error.message, hint=f"{error.hint} -p {place}") from error
    if all_faces:
        return Target(other, ALL_FACES, "", f"All labelled faces of '{other.name}' are scored (--all-faces).")
    if not other.splits():
        return Target(other, ALL_FACES, "", f"'{other.name}' has no split: all its labelled faces are scored.")
    name = choose_split(other, "")
    words = f"The {settings.split} set of split '{name}' of '{other.name}' is scored; --all-faces scores all of them."
    return Target(other, settings.split, name, words)


def home_of(project: Project, run: str) -> tuple[Project, Run]:
    """The project that a run lies in, this one or, for a folder that is named, another, and the run.

    Raises:
        InputError: there is no such run.
    """
    folder = Path(run)
    if run and (folder / RECORD_FILE).is_file() and not folder.resolve().is_relative_to(project.root.resolve()):
        try:
            project = open_project(find_project(folder))
        except ProjectError as error:
            raise InputError(
                f"run '{run}' does not lie in a project",
                hint=f"Copy it into the folder runs of the project '{project.name}', and name it by its id.",
            ) from error
    return project, find_own_run(project.root, run)


def transfer_folder(settings: EvalSettings, run: Run, target: Target, given: Sequence[str]) -> Path:
    """Where the scores lie: never below eval/, so that nothing takes them for those of the run's own sets."""
    variant = variant_of(settings)
    mark = digest([str(target.project.root.resolve()), sorted(map_words(given)), variant])[:6]
    words = [slug(target.project.name), target.faces, *([variant] if variant else []), mark]
    return run.folder / FOLDER / "-".join(words)


def _settle(
    project: Project,
    settings: EvalSettings,
    on: Path,
    run: str = "",
    given: Sequence[str] = (),
    all_faces: bool = False,
) -> tuple[EvalSettings, tuple[Target, Run, Sequence[str]]]:
    found = find_own_run(project.root, run)
    settings = replace(settings, by=None, checkpoint=own_checkpoint(found, settings.checkpoint))
    return settings, (find_target(on, settings, all_faces=all_faces), found, tuple(given))


def _inputs(project: Project, settings: EvalSettings, target: Target, run: Run, given: Sequence[str]) -> Inputs:
    other = target.project
    paths = [other.root / CONFIG_NAME, other.table_path(Face), other.table_path(Label)]
    paths += [other.split_path(target.split_name)] if target.split_name else []
    crops = other.digests([face.path for face in other.rows(Face) if face.is_usable and face.path], "faces.csv")
    marks = [predictions_mark(project, run, settings), input_digest(run.folder / "crops.csv")]
    marks += [
        input_digest(run.folder / RECORD_FILE),
        digest(crops),
        target.faces,
        *(input_digest(one) for one in paths),
    ]
    return Inputs([], [marks, sorted(map_words(given))])


transfer: Stage[TransferResult] = Stage(
    words="eval",
    settings=EvalSettings,
    result=TransferResult,
    work="fercli.stages.transfer.work",
    inputs=_inputs,
    not_identity=("confusion", "by", "calibration"),
    arguments=(
        Argument("on", Path, "Evaluate on this project."),
        Argument("run", str, "Evaluate this run (default: the latest).", "[RUN]", default=""),
        Argument("given", list[str], "Map classes.", default=()),
        Argument("all_faces", bool, "Evaluate on all labelled faces.", default=False),
    ),
    settle=_settle,
    name=lambda _, settings, target, run, given: (
        f"eval-on-{run.run_id}-{transfer_folder(settings, run, target, given).name}"
    ),
    told=lambda _project, _settings, target, run, given: [run.run_id, "--on", target.project.name],
    is_long=True,
)
