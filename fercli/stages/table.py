"""The one table of commands: what a user types, what the help says, and where its stage is, loaded when asked for.

From it come the command line, the sections of fer.toml, the order of `fer status` and `fer run`, and what a report
says to reproduce it. Adding a stage is a package, a row here, and its tests.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fercli.core import project as core_project
from fercli.core.errors import SettingsError
from fercli.core.project import Project
from fercli.core.settings import suggestion
from fercli.core.stage import Stage


@dataclass(frozen=True)
class Row:
    """One command.

    Attributes:
        words: what a user types.
        panel: where the help lists it.
        help: one line, verb first.
        example: a real call.
        home: module and name of its `Stage`, below `fercli.stages`; without it, the command is made by hand.
        command: module and function below `fercli.cli` where the command is made by hand.
        is_step: `fer status` and `fer run` take it in turn.
        has_section: fer.toml may hold settings of it.
        only_reads: whatever is asked of it, it changes no file that anybody looks at, so it has no `--dry-run`.
        alias_of: the command that these words stand for, hidden from the help.
    """

    words: str
    panel: str
    help: str
    example: str = ""
    home: str = ""
    command: str = ""
    is_step: bool = False
    has_section: bool = True
    only_reads: bool = False
    alias_of: str = ""

    @property
    def section(self) -> str:
        """The section of fer.toml, and the name in environment variables."""
        return (self.alias_of or self.words).replace(" ", "-")

    def stage(self) -> Stage[Any]:
        """Its stage."""
        module, _, name = self.home.partition(":")
        found = getattr(importlib.import_module(f"fercli.stages.{module}"), name)
        assert isinstance(found, Stage)
        return found


TABLE: tuple[Row, ...] = (
    Row("demo", "Start", "Run the whole pipeline on a synthetic classroom.", "fer demo my-demo", command="demo:demo"),
    Row(
        "init", "Start", "Create a project and define its emotion classes.", "fer init my-class --preset scfed",
        command="init:init",
    ),
    Row(
        "add", "Data", "Add videos, image folders or a public dataset to the project.", "fer add lesson-1.mp4",
        home="add:add", command="add:add",
    ),
    Row(
        "extract-frames", "Data", "Extract keyframes from the videos.", "fer extract-frames --every 2s",
        home="extract_frames:extract_frames", is_step=True,
    ),
    Row(
        "align", "Data", "Detect, align and crop the faces in the frames.", "fer align --size 112",
        home="align:align", is_step=True,
    ),
    Row(
        "subjects track", "Data", "Assign subjects automatically, by seat.", "fer subjects track",
        home="subjects:track_subjects", is_step=True,
    ),
    Row(
        "subjects assign", "Data", "Assign subjects from a CSV table.", "fer subjects assign pupils.csv",
        home="subjects:assign_subjects", has_section=False,
    ),
    Row(
        "subjects merge", "Data", "Merge subjects that are the same person.", "fer subjects merge s001 s007",
        home="subjects:merge_subjects", has_section=False,
    ),
    Row(
        "subjects rename", "Data", "Rename a subject.", "fer subjects rename s001 p-12",
        home="subjects:rename_subject", has_section=False,
    ),
    Row(
        "subjects split", "Data", "Split a subject that is several people.", "fer subjects split s003",
        home="subjects:split_subject", has_section=False,
    ),
    Row(
        "subjects match", "Data", "Propose who is one person in several videos, by appearance.", "fer subjects match",
        home="subjects:match_subjects", has_section=False,
    ),
    Row(
        "subjects confirm", "Data", "Confirm which subjects of different videos are one person.",
        "fer subjects confirm s001=s013", home="subjects:confirm_subjects", has_section=False,
    ),
    Row(
        "subjects undo", "Data", "Undo the last change of subjects made by hand.", "fer subjects undo",
        home="subjects:undo_subjects", has_section=False,
    ),
    Row(
        "annotate", "Labels", "Label faces in the browser, on this machine.", "fer annotate --annotator maria",
        home="annotate:annotate",
    ),
    Row(
        "labels show", "Labels", "Summarise votes, labels and inter-annotator agreement.", "fer labels show",
        home="labels.show:labels_show",
    ),
    Row(
        "labels export", "Labels", "Export faces for annotation.", "fer labels export --to csv",
        home="labels.export:labels_export",
    ),
    Row(
        "labels import", "Labels", "Import annotators' votes and update the labels.", "fer labels import votes.csv",
        home="labels.importing:labels_import",
    ),
    Row(
        "labels remove", "Labels", "Take an import back, with its votes and labels.", "fer labels remove import-3",
        home="labels.annotators:remove_import", has_section=False,
    ),
    Row(
        "labels annotators merge", "Labels", "Merge annotators that are the same person.",
        "fer labels annotators merge a2 a3", home="labels.annotators:merge_annotators", has_section=False,
    ),
    Row(
        "labels annotators rename", "Labels", "Rename an annotator's pseudonym.",
        "fer labels annotators rename a2 expert", home="labels.annotators:rename_annotator", has_section=False,
    ),
    Row(
        "labels suggest", "Labels", "Export faces with a run's predictions as suggestions.", "fer labels suggest",
        home="labels.suggest:labels_suggest",
    ),
    Row(
        "labels vote", "Labels", "Aggregate votes into labels.", "fer labels vote --min-votes 3",
        home="labels.vote:labels_vote", is_step=True,
    ),
    Row(
        "labels agreement", "Labels", "Compute inter-annotator agreement.", "fer labels agreement",
        home="labels.agreement:labels_agreement",
    ),
    Row(
        "split", "Labels", "Split faces into train, validation and test sets by subject.", "fer split --seed 1",
        home="split:split", is_step=True,
    ),
    Row(
        "check all", "Labels", "Check images, labels and splits for problems.", "fer check all",
        home="check.all:check_all",
    ),
    Row(
        "check images", "Labels", "Find missing, corrupt, blank and duplicate crops.", "fer check images",
        home="check.images:check_images",
    ),
    Row(
        "check labels", "Labels", "Check labels against votes, faces and classes.", "fer check labels",
        home="check.labels:check_labels",
    ),
    Row(
        "check leakage", "Labels", "Find subjects and images shared between sets of a split.", "fer check leakage",
        home="check.leakage:check_leakage",
    ),
    Row(
        "stats", "Labels", "Count faces by split, class, subject or video.", "fer stats --by class --plot",
        home="stats:stats",
    ),
    Row(
        "models", "Train", "List the available models, or describe one.", "fer models sfer-mdfae",
        command="models:models", has_section=False, only_reads=True,
    ),
    Row(
        "train", "Train", "Train a model on the labelled faces.", "fer train --model drf-msam --epochs 40",
        home="train:train", command="train:train", is_step=True,
    ),
    Row(
        "ablate", "Train", "Train a model without each of its parts, and compare.",
        "fer ablate --model sfer-mdfae --seeds 0,1,2", command="studying:ablate",
    ),
    Row(
        "sweep", "Train", "Train with each of several values of a setting, and compare.",
        "fer sweep --model sfer-mdfae --set model.topn=1,10,15,20,30,40,49", command="studying:sweep",
    ),
    Row("runs", "Train", "List the training runs.", "fer runs", home="runs:runs", has_section=False, only_reads=True),
    Row(
        "eval", "Inspect", "Evaluate a run on the test set, with confidence intervals.", "fer eval --confusion",
        home="evaluate:evaluate", command="evaluating:evaluate", is_step=True,
    ),
    Row(
        "val", "Inspect", "Evaluate a run on the test set.",
        home="evaluate:evaluate", command="evaluating:evaluate", alias_of="eval",
    ),
    Row(
        "compare", "Inspect", "Compare runs: scores, costs, differences with tests.", "fer compare RUN RUN --paper",
        home="compare:compare",
    ),
    Row(
        "gradcam", "Inspect", "Visualise which face regions drive predictions (Grad-CAM).", "fer gradcam --per-class 3",
        home="gradcam:gradcam", is_step=True,
    ),
    Row(
        "cam", "Inspect", "Visualise which face regions drive predictions.",
        home="gradcam:gradcam", alias_of="gradcam",
    ),
    Row(
        "predict", "Inspect", "Predict facial expressions in images or videos.", "fer predict lesson-2.mp4",
        home="predict:predict",
    ),
    Row(
        "report", "Share", "Generate an HTML report of the project and one run.", "fer report",
        home="report:report", is_step=True,
    ),
    Row(
        "status", "Project", "Show the status of every stage.", "fer status",
        command="pipeline:status", has_section=False, only_reads=True,
    ),
    Row(
        "run", "Project", "Run all stages that are out of date.", "fer run --until eval",
        command="pipeline:run", has_section=False,
    ),
    Row(
        "trace", "Project", "Trace a face back to its video, votes and split.", "fer trace lesson-1/f000042-0",
        home="trace:trace", has_section=False, only_reads=True,
    ),
    Row(
        "doctor", "Project", "Check the installation and the project for problems.", "fer doctor",
        command="doctor:doctor", has_section=False, only_reads=True,
    ),
    Row(
        "config show", "Project", "Show the current settings of every command.", "fer config show --origin",
        command="config:config_show", has_section=False, only_reads=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Commands under one word, or under two; the word alone runs `default`, where there is one."""

    panel: str
    help: str
    default: str = ""


GROUPS: dict[str, Group] = {
    "subjects": Group("Data", "Assign faces to subjects: by seat, from a table or by hand.", "track"),
    "labels": Group("Labels", "Import votes, derive labels and measure agreement.", "show"),
    "labels annotators": Group("Labels", "Merge or rename annotators."),
    "check": Group("Labels", "Check images, labels and splits for problems.", "all"),
    "config": Group("Project", "Show the current settings.", "show"),
}

# Sections of fer.toml that belong to no command alone.
_SHARED_SECTIONS = ("project", "labels", "model", "augment")


def words_of(name: str) -> str:
    """The words of the command that works under this name, such as "add-fer2013"."""
    alike = (row.words for row in TABLE if name == row.section or name.startswith(f"{row.section}-"))
    return max(alike, key=len, default=name)


def sections() -> tuple[str, ...]:
    """The sections that fer.toml may have."""
    return (*_SHARED_SECTIONS, *dict.fromkeys(row.section for row in TABLE if row.has_section))


def check_sections(place: object, config: Mapping[str, Any], more: tuple[str, ...] = ()) -> None:
    """Raise SettingsError when a settings file has a section that no command reads, or a key outside a section."""
    known = (*sections(), *more)
    for name, value in config.items():
        if not isinstance(value, Mapping):
            raise SettingsError(f"{place}: '{name}' is not in a section", hint=f"Add a section, such as [{known[0]}].")
        if name not in known:
            raise SettingsError(f"{place}: unknown section [{name}]", hint=suggestion(name, known))


def open_project(root: Path) -> Project:
    """Read the project whose folder holds fer.toml.

    Raises:
        ProjectError: there is no fer.toml, or it is not TOML.
        SettingsError: it names no classes, or has a section that no command reads.
    """
    project = core_project.open_project(root)
    check_sections(project.root / core_project.CONFIG_NAME, project.config)
    return project
