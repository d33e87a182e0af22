"""What is proposed as the next command is accepted, wherever a project stands."""

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fercli.core.people import has_matcher
from fercli.core.project import Project, create_project, open_project
from fercli.core.rows import Face, Label, SplitRow
from fercli.core.tables import write_table
from fercli.stages.evaluate import EvalSettings, evaluate
from fercli.stages.gradcam import GradcamSettings, gradcam
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.labels.vote import LabelsVoteSettings, labels_vote
from fercli.stages.next_steps import after_labels
from fercli.stages.report import ReportSettings, report
from fercli.stages.runs import runs
from fercli.stages.split import SplitSettings, split
from fercli.stages.train import train
from fercli.vision.images import write_png
from tests.cli.run import run_fer
from tests.drawn import must
from tests.stages.train_project import Signaller, drawn_project, quick
from tests.stages.voted import all_votes, face, make_faces, write_votes

# Whatever is in the project, these look at it and say what comes next.
READERS = ("status", "runs", "stats", "labels show", "labels agreement", "check leakage")
_NO_DRY_RUN = ("status", "runs")


def answer(root: Path, *words: object) -> tuple[int, dict[str, Any]]:
    code, out, _ = run_fer(*words, "-p", root, "--json")
    return code, json.loads(out)


def refusal(root: Path, command: str) -> str:
    """Why a proposed command is refused; files stand in for the words in capitals."""
    known = {"FILE": root / "any.csv", "CSV": root / "any.csv", "VIDEO": root / "any.png"}
    (root / "any.csv").write_text("", encoding="utf-8")
    write_png(root / "any.png", np.zeros((9, 9, 3), np.uint8))
    first, *words = shlex.split(command)
    assert first == "fer"
    if set(words) & {"FILE", "CSV"}:
        # The file is the user's: here it only has to be asked for.
        words = [*words, "--help"]
    elif " ".join(words) not in _NO_DRY_RUN:
        words.append("--dry-run")
    code, out, err = run_fer(
        *(known.get(word, word) for word in words), *(["-p", root] if "--help" not in words else [])
    )
    return "" if code == 0 else f"{command}: {err or out}"


def voted(root: Path, *, num_subjects: int = 6, votes: dict[str, str] | None = None) -> Project:
    project = make_faces(root, num_subjects=num_subjects)
    rng = np.random.default_rng(0)
    for row in project.rows(Face):
        write_png(project.root / row.path, rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    path = write_votes(root / "votes.csv", votes if votes is not None else all_votes(num_subjects))
    labels_import(project, LabelsImportSettings(), [path])
    return project


def without_subjects(project: Project, **changes: Any) -> Project:  # fields of Face
    project.write_rows([replace(row, subject_id="", **changes) for row in project.rows(Face)], Face)
    return project


def two_lessons(root: Path) -> Project:
    """The same class filmed twice: nobody has said who of the one is who of the other."""
    project = voted(root)
    rows = project.rows(Face)
    others = [replace(row, face_id=row.face_id.replace("lesson-1", "lesson-2"), frame_id="", video_id="lesson-2",
                      subject_id=f"t{row.subject_id[1:]}") for row in rows]  # fmt: skip
    for row, other in zip(rows, others, strict=True):
        picture = np.random.default_rng(list(other.face_id.encode())).integers(0, 256, (24, 24, 3), dtype=np.uint8)
        write_png(root / f"faces/{other.face_id}.png", picture)
        assert row.path
    others = [replace(row, path=f"faces/{row.face_id}.png") for row in others]
    labels = project.rows(Label)
    twice = [replace(label, face_id=label.face_id.replace("lesson-1", "lesson-2")) for label in labels]
    project.write_rows([*rows, *others], Face)
    project.write_rows([*labels, *twice], Label)
    return project


def split_of(project: Project, **settings: Any) -> Project:  # fields of SplitSettings
    split(project, SplitSettings(**settings))
    return project


def relabelled(project: Project) -> Project:
    path = write_votes(project.root / "more.csv", {face(0, 0): "bbbb"}, annotators="defg")
    labels_import(project, LabelsImportSettings(), [path])
    return project


def leaking(project: Project) -> Project:
    rows = project.split_rows("default")
    one, other = (next(row.face_id for row in rows if row.split == part) for part in ("train", "test"))
    shutil.copy(project.root / f"faces/{one}.png", project.root / f"faces/{other}.png")
    return project


def with_foreign_split(project: Project) -> Project:
    write_table(project.split_path("default-deduplicated"), project.split_rows("default"), SplitRow)
    return project


def trained(root: Path, **changes: Any) -> Project:  # fields of TrainSettings
    project = drawn_project(root)
    train(project, quick(epochs=1, **changes))
    return project


def interrupted(root: Path) -> Project:
    project = drawn_project(root)
    with pytest.raises(KeyboardInterrupt):
        train(project, quick(epochs=8), progress=Signaller(4))
    return project


def evaluated(project: Project) -> Project:
    name = runs(project).runs[0]["run"]
    evaluate(project, EvalSettings(), name)
    gradcam(project, GradcamSettings(), name)
    report(project, ReportSettings(), name)
    return project


def of_dataset(root: Path) -> Project:
    project = drawn_project(root)
    project.split_path("default").unlink()
    return without_subjects(project)


STATES: dict[str, Callable[[Path], Project]] = {
    "empty": lambda root: create_project(root, name="x", classes=("a", "b")),
    "faces": lambda root: make_faces(root),
    "votes that decide nothing": lambda root: voted(root, votes={face(0, 0): "hnb"}),
    "labels": voted,
    "labels, no subjects": lambda root: without_subjects(voted(root)),
    "labels of images, no subjects": lambda root: without_subjects(voted(root), time_s=None),
    "labels of a film, no subjects": lambda root: without_subjects(voted(root), time_s=1.0),
    "labels of two subjects": lambda root: voted(root, num_subjects=2),
    "a dataset without subjects": of_dataset,
    "two lessons of unmatched people": two_lessons,
    "split": lambda root: split_of(voted(root)),
    "split named otherwise": lambda root: split_of(voted(root), name="mine"),
    "two splits": lambda root: split_of(split_of(voted(root), name="mine"), name="yours"),
    "folds": lambda root: split_of(voted(root), kfold=3),
    "split by video": lambda root: relabelled(split_of(without_subjects(voted(root)), group="none", name="mine")),
    "split of other labels": lambda root: relabelled(split_of(voted(root), name="mine")),
    "split that leaks": lambda root: leaking(split_of(voted(root))),
    "split that leaks beside one": lambda root: with_foreign_split(leaking(split_of(voted(root)))),
    "only a try-out": lambda root: trained(root, limit=16),
    "a try-out looked at": lambda root: evaluated(trained(root, limit=16)),
    "interrupted": interrupted,
    "trained": trained,
    "evaluated": lambda root: evaluated(trained(root)),
}  # fmt: skip

REPORTED = ("empty", "faces", "labels", "labels of images, no subjects", "split named otherwise", "only a try-out")


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    made: dict[str, Path] = {}

    def state(name: str) -> Path:
        if name not in made:
            made[name] = STATES[name](tmp_path_factory.mktemp("state") / "p").root
        return made[name]

    return state


@pytest.mark.parametrize("name", STATES)
def test_what_is_proposed_is_accepted(states: Callable[[str], Path], name: str) -> None:
    root = states(name)
    proposed: dict[str, str] = {}
    for reader in (*READERS, *(["report"] if name in REPORTED else [])):
        code, said = answer(root, *reader.split())
        if code in (0, 5, 6) and (command := said["result"]["next_command"]):
            proposed.setdefault(command, reader)
    assert proposed
    refused = {reader: why for command, reader in proposed.items() if (why := refusal(root, command))}
    assert refused == {}


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("votes that decide nothing", "fer labels export --to csv"),
        ("labels", "fer split"),
        ("labels, no subjects", "fer subjects assign CSV"),
        ("labels of a film, no subjects", "fer subjects track"),
        ("labels of two subjects", "fer add VIDEO"),
        ("two lessons of unmatched people", "fer subjects match" if has_matcher() else "fer subjects assign CSV"),
        ("a dataset without subjects", "fer split --group none"),
        ("split", "fer train"),
        ("split named otherwise", "fer train --split-name mine"),
        ("folds", "fer train --fold all"),
        ("split by video", "fer split --group none --name mine"),
        ("split of other labels", "fer split --name mine"),
    ],
)
def test_after_labels_comes_what_is_missing(states: Callable[[str], Path], name: str, command: str) -> None:
    project = open_project(states(name))
    assert after_labels(project, project.rows(Label)) == command


def test_split_that_was_accepted_with_unmatched_people_is_proposed_so_again(tmp_path: Path) -> None:
    project = relabelled(split_of(two_lessons(tmp_path / "p"), accept_unknown_subjects=True))
    assert after_labels(project, project.rows(Label)) == "fer split --accept-unknown-subjects"


def test_try_out_is_evaluated_by_its_name(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "p")
    tried = train(project, quick(epochs=1, limit=16))
    assert tried.next_command == f"fer eval {tried.run} --confusion"
    assert runs(project).next_command == "fer train"
    assert evaluate(project, EvalSettings(), tried.run).next_command == f"fer gradcam {tried.run}"
    assert gradcam(project, GradcamSettings(), tried.run).next_command == f"fer report {tried.run}"
    real = train(project, quick(epochs=1))
    assert real.next_command == runs(project).next_command == "fer eval --confusion"
    again = train(project, quick(epochs=1, limit=16))
    assert (again.is_unchanged, again.next_command) == (True, f"fer eval {tried.run} --confusion")
    assert evaluate(project, EvalSettings(split="val")).next_command == "fer gradcam --split val"


def test_interrupted_run_is_gone_on_with(states: Callable[[str], Path]) -> None:
    assert runs(open_project(states("interrupted"))).next_command.startswith("fer train --resume ")


def test_runs_of_a_project_without_labels_points_to_the_status(states: Callable[[str], Path]) -> None:
    assert runs(open_project(states("empty"))).next_command == "fer status"


def test_split_that_somebody_made_is_not_proposed_to_be_replaced(states: Callable[[str], Path]) -> None:
    proposed = [
        answer(states(name), "check", "leakage")[1]["result"]["next_command"] for name in STATES if "leaks" in name
    ]
    assert proposed == ["fer check leakage --split-name default --drop-duplicates", ""]


def test_status_names_a_command_that_can_be_run(states: Callable[[str], Path]) -> None:
    assert answer(states("empty"), "status")[1]["result"]["next_command"] == "fer add VIDEO"
    assert answer(states("faces"), "status")[1]["result"]["next_command"] != "fer labels import"


@pytest.mark.parametrize(("until", "command"), [("split", "fer train"), ("labels vote", "fer train")])
def test_run_does_not_propose_what_the_project_has(
    states: Callable[[str], Path], tmp_path: Path, until: str, command: str
) -> None:
    root = Path(shutil.copytree(states("split named otherwise"), tmp_path / "p"))
    project = without_frames(open_project(root))
    assert answer(project.root, "run", "--until", until)[1]["result"]["next_command"] == command


def without_frames(project: Project) -> Project:
    """Given crops: nothing before the labels is to be done."""
    project.write_rows([replace(row, frame_id="", status="given") for row in project.rows(Face)], Face)
    labels_vote(project, LabelsVoteSettings())
    return project


def test_subjects_that_have_changed_since_the_split_are_split_anew(states: Callable[[str], Path]) -> None:
    project = open_project(states("split"))
    labels, faces = project.rows(Label), project.rows(Face)
    assert after_labels(project, labels, faces) == "fer train"
    renamed = [replace(face, subject_id=f"pupil-{face.subject_id}") for face in faces]
    assert after_labels(project, labels, renamed) == "fer train"  # the groups are the same
    joined = [replace(face, subject_id="s001" if face.subject_id == "s002" else face.subject_id) for face in faces]
    assert after_labels(project, labels, joined) == "fer split"


def test_film_that_is_aligned_is_gone_on_with(aligned: Path) -> None:
    for words in (("extract-frames", "--end", "7s"), ("align",), ("subjects",)):
        said = must(*words, "-p", aligned)["result"]
        assert refusal(aligned, said["next_command"]) == ""
    assert said["next_command"] == "fer labels export --to csv"
