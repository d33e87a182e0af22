"""A dry run of any stage, forced or not, leaves every byte of the project as it was."""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fercli.core.errors import FerError
from fercli.core.project import Project, open_project
from fercli.core.rows import Vote
from fercli.stages.add import AddSettings, add
from fercli.stages.check.all import CheckAllSettings
from fercli.stages.check.images import CheckImagesSettings
from fercli.stages.check.labels import CheckLabelsSettings
from fercli.stages.check.leakage import CheckLeakageSettings
from fercli.stages.extract_frames import ExtractFramesSettings, extract_frames
from fercli.stages.gradcam import GradcamSettings
from fercli.stages.labels.agreement import LabelsAgreementSettings
from fercli.stages.labels.show import LabelsShowSettings
from fercli.stages.stats import StatsSettings
from fercli.stages.table import TABLE
from tests.cli.run import run_fer
from tests.stages.filmed import film
from tests.stages.trained import evaluated, trained_project

STAGES = {row.words: row.stage() for row in TABLE if row.home and not row.alias_of}
FACE = "lesson/f000000-0"


@dataclass(frozen=True)
class Outside:
    """A project in which every stage has something to do, and files beside it."""

    root: Path
    film: Path
    votes: Path
    table: Path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    folder = tmp_path_factory.mktemp("dry")
    project = trained_project(folder / "mine")
    evaluated(project)
    add(project, AddSettings(), [film(folder / "one.mp4", num_frames=5)])
    extract_frames(project, ExtractFramesSettings())
    # Something for every check to find, and to mend.
    (project.root / f"faces/{FACE}.png").unlink()
    shutil.copy(project.root / "faces/lesson/f000001-0.png", project.root / "faces/lesson/f000005-0.png")
    project.write_rows([*project.rows(Vote), Vote("lesson/f000001-1", "a4", "bored", "bored")], Vote)
    votes, table = folder / "votes.csv", folder / "pupils.csv"
    votes.write_text(f"face_id,annotator,label\n{FACE},zoe,bored\n", encoding="utf-8")
    table.write_text(f"face_id,subject\n{FACE},s009\n", encoding="utf-8")
    return Outside(project.root, film(folder / "two.mp4", num_frames=5, seed=1), votes, table)


@pytest.fixture
def outside(template: Outside, tmp_path: Path) -> Outside:
    root = Path(shutil.copytree(template.root, tmp_path / "mine"))
    return Outside(root, template.film, template.votes, template.table)


# What a call needs, by the words of its command; those not named need nothing.
ARGUMENTS: dict[str, Callable[[Outside], list[Any]]] = {
    "add": lambda outside: [[outside.film]],
    "subjects assign": lambda outside: [outside.table],
    "subjects merge": lambda _: ["s000", ["s001"]],
    "subjects rename": lambda _: ["s000", "anna"],
    "labels import": lambda outside: [[outside.votes]],
    "predict": lambda outside: [[str(outside.root / "faces/lesson/f000001-0.png")]],
    "trace": lambda _: [FACE],
    "subjects split": lambda _: ["s000"],
    "labels remove": lambda _: ["import-1"],
    "labels annotators merge": lambda _: ["a1", ["a2"]],
    "labels annotators rename": lambda _: ["a1", "a9"],
}
# What refuses this project in a dry run as well; align where it would lose faces that have votes.
REFUSED = {
    ("align", False), *((words, force) for force in (False, True) for words in (
        "compare", "labels remove", "subjects split", "subjects match", "subjects confirm",
    )),
}  # fmt: skip
# Settings with which a stage that looks writes, or writes more.
MORE: dict[str, tuple[Any, ...]] = {
    "labels show": (LabelsShowSettings(plot=True),),
    "labels agreement": (LabelsAgreementSettings(plot=True),),
    "check all": (CheckAllSettings(fix=True),),
    "check images": (CheckImagesSettings(fix=True),),
    "check labels": (CheckLabelsSettings(fix=True),),
    "check leakage": (CheckLeakageSettings(drop_duplicates=True),),
    "stats": (StatsSettings(plot=True),),
    "gradcam": (GradcamSettings(list_layers=True),),
}
CALLS = [(words, None) for words in STAGES] + [(words, one) for words, several in MORE.items() for one in several]


@pytest.mark.parametrize("force", [False, True], ids=["plain", "forced"])
@pytest.mark.parametrize(("words", "settings"), CALLS)
def test_dry_run_changes_no_byte(outside: Outside, words: str, settings: Any, force: bool) -> None:
    project = open_project(outside.root)
    before = everything(project)
    arguments = ARGUMENTS.get(words, lambda _: [])(outside)
    given = [] if settings is None else [settings]
    with pytest.raises(FerError) if (words, force) in REFUSED else contextlib.nullcontext():
        STAGES[words](project, *given, *arguments, dry_run=True, force=force)
    assert everything(project) == before


@pytest.mark.parametrize("force", [False, True], ids=["plain", "forced"])
def test_dry_run_of_a_dataset_changes_no_byte(outside: Outside, force: bool) -> None:
    project = open_project(outside.root)
    for name in ("happy", "bored"):
        folder = outside.root.parent / "set" / name
        folder.mkdir(parents=True)
        shutil.copy(outside.root / "faces/lesson/f000001-0.png", folder / "one.png")
    before = everything(project)
    settings = AddSettings(source="folder", name="set")
    assert add(project, settings, [outside.root.parent / "set"], dry_run=True, force=force).is_dry_run
    assert everything(project) == before


@pytest.mark.parametrize(
    "words",
    [
        *[row.words.split() + [FACE] * (row.words == "trace") for row in TABLE if row.only_reads],
        ["run", "--until", "split", "--dry-run"],
        ["subjects", "rename", "s000", "anna", "--dry-run"],
        ["demo", "new", "--dry-run"],
        ["init", "new", "--classes", "a,b", "--dry-run"],
    ],
    ids=" ".join,
)
def test_command_that_reads_or_runs_dry_leaves_every_file_alone(outside: Outside, words: list[str]) -> None:
    """Cached digests may be written: nobody looks at them."""
    project = open_project(outside.root)
    before = everything(project)
    run_fer(*words, cwd=outside.root)
    assert {name: data for name, data in everything(project).items() if not name.startswith(".fer/cache")} == before


def test_arguments_are_those_of_stages_that_exist() -> None:
    assert set(ARGUMENTS) | set(MORE) <= set(STAGES)


def everything(project: Project) -> dict[str, bytes]:
    return {
        path.relative_to(project.root).as_posix(): path.read_bytes()
        for path in sorted(project.root.rglob("*"))
        if path.is_file()
    }
