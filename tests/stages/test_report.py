import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fercli.core.errors import InputError, MissingStageError, ProjectError, TableError
from fercli.core.files import replace_text
from fercli.core.memory import remember
from fercli.core.project import Project, create_project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Prediction, SplitRow, Video
from fercli.core.settings import plain_settings
from fercli.core.tables import write_table
from fercli.stages.evaluate import EvalSettings
from fercli.stages.gradcam import GradcamSettings, gradcam
from fercli.stages.report import ReportSettings, report
from fercli.stages.subjects import rename_subject
from fercli.stages.train import TrainSettings
from tests.reports.test_html import Reader
from tests.stages.trained import CLASSES, RUN_ID, evaluated, trained_project

RUN = f"runs/{RUN_ID}"
HISTORY = (
    "epoch,train_loss,train_accuracy,val_loss,val_accuracy,val_macro_f1,lr,seconds,images_per_s,data_wait,cpu_s\n"
    "1,1.1,0.3,1.2,0.4,0.3,0.01,1.0,9.0,0.0,1.0\n2,0.9,0.5,,,,0.001,1.0,9.0,0.0,1.0\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return trained_project(tmp_path / "mine")


def words_of(project: Project, path: str) -> str:
    text = (project.root / path).read_text(encoding="utf-8")
    return " ".join(Reader(text).words.replace("\N{NO-BREAK SPACE}", " ").split())


def test_report_of_a_whole_run_misses_nothing(project: Project) -> None:
    evaluated(project)
    gradcam(project, GradcamSettings())
    replace_text(project.root / RUN / "metrics.csv", HISTORY)
    project.write_rows([Video("lesson", "videos/lesson.mp4", "0" * 64, 9, 640, 480, 25.0, 150, 6.0)], Video)
    result = report(project, ReportSettings())
    assert result.missing == ()
    assert result.path == f"{RUN}/report.html"
    page = Reader((project.root / result.path).read_text(encoding="utf-8"))
    headings = [attributes["id"] for tag, attributes in page.elements if tag == "h2"]
    assert headings == [
        *("warnings", "data", "labels", "split", "model", "training"),
        *("results", "looks", "errors", "reproduce", "responsible-use"),
    ]
    words = words_of(project, result.path)
    assert "83.3%" in words  # five of six test faces
    assert "95% CI 60.0 to 95.0%, over subjects" in words
    assert "always predicting 'happy'" in words
    assert "Fleiss' kappa" in words
    assert f"fer trace {'lesson/f000004-0'}" in words
    assert "Article 5(1)(f)" in words
    assert len(page.all("img")) >= 7


def test_page_is_small_and_the_same_every_time(project: Project) -> None:
    evaluated(project)
    gradcam(project, GradcamSettings())
    path = project.root / report(project, ReportSettings()).path
    before = path.read_bytes()
    assert len(before) < 5_000_000
    assert not report(project, ReportSettings(), force=True).is_unchanged
    assert path.read_bytes() == before


def test_second_call_does_nothing_until_something_changes(project: Project) -> None:
    report(project, ReportSettings())
    assert report(project, ReportSettings()).is_unchanged
    evaluated(project)
    assert not report(project, ReportSettings()).is_unchanged


def test_page_is_made_again_when_the_commands_that_made_the_project_change(project: Project) -> None:
    report(project, ReportSettings())
    line = {"time": "2026-01-01T00:00:00+00:00", "stage": "align", "settings": {"size": 96}, "counts": {}}
    with (project.root / ".fer/journal.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(line) + "\n")
    told = report(project, ReportSettings())
    assert not told.is_unchanged
    assert "fer align --size 96" in words_of(project, told.path)
    assert report(project, ReportSettings()).is_unchanged


def test_second_call_imports_nothing_heavy(project: Project) -> None:
    report(project, ReportSettings())
    code = (
        "import sys; from pathlib import Path; from fercli.core.project import open_project;"
        "from fercli.stages.report import ReportSettings, report;"
        f"assert report(open_project(Path({str(project.root)!r})), ReportSettings()).is_unchanged;"
        "assert not {'torch', 'numpy', 'matplotlib', 'jinja2', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_parts_are_said_with_their_commands(project: Project) -> None:
    result = report(project, ReportSettings())
    assert set(result.missing) == {"Training", "Results", "Visual explanations (Grad-CAM)", "Error analysis"}
    words = words_of(project, result.path)
    assert "Run fer eval --confusion, then fer report again." in words
    assert "Run fer gradcam, then fer report again." in words


def test_project_without_a_run_has_a_report_of_its_own(tmp_path: Path) -> None:
    project = create_project(tmp_path / "new", name="new class", classes=CLASSES)
    result = report(project, ReportSettings())
    assert result.path == "reports/report.html"
    assert result.run == ""
    assert result.next_command == "fer add VIDEO"
    assert "No model has been trained yet." in words_of(project, result.path)


def test_few_faces_of_a_class_and_unknown_subjects_are_warned_of(project: Project) -> None:
    evaluated(project)
    rows = project.rows(Face)
    project.write_rows([Face(row.face_id, row.frame_id, row.video_id, path=row.path) for row in rows], Face)
    words = words_of(project, report(project, ReportSettings()).path)
    assert "Fewer than 5 test faces are labelled happy or neutral or bored" in words
    assert "Subjects have not been assigned" in words


def test_score_not_above_the_majority_class_is_warned_of(project: Project) -> None:
    evaluated(project, num_wrong=5)
    metrics = {"accuracy": {"value": 1 / 6, "low": 0.1, "high": 0.3, "unit": "subject"}}
    replace_text(project.root / RUN / "eval" / "test" / "metrics.json", json.dumps(metrics))
    words = words_of(project, report(project, ReportSettings()).path)
    assert "The test accuracy (16.7%) does not exceed the majority-class baseline (33.3%" in words


def test_score_of_too_few_people_for_an_interval_is_compared_with_the_majority_class_first(project: Project) -> None:
    reason = "only 2 subjects; an interval needs at least 5"
    for num_wrong, said in ((5, "accuracy (16.7%) does not exceed"), (1, "accuracy (83.3%) may not really exceed")):
        evaluated(project, num_wrong=num_wrong)
        metrics = {"accuracy": {"value": 1 - num_wrong / 6, "low": None, "high": None, "reason": reason}}
        replace_text(project.root / RUN / "eval" / "test" / "metrics.json", json.dumps(metrics))
        words = words_of(project, report(project, ReportSettings(), force=True).path)
        caveats = words[words.index("Caveats") :]
        assert caveats.removeprefix("Caveats").strip().startswith("The test " + said)


def test_run_without_a_mistake_says_so(project: Project) -> None:
    evaluated(project, num_wrong=0)
    assert "Every face in this set was classified correctly." in words_of(
        project, report(project, ReportSettings()).path
    )


def test_commands_that_made_the_run_are_told_with_what_differs_from_the_built_in(project: Project) -> None:
    with project.commit() as commit:
        commit.log("train", plain_settings(TrainSettings(epochs=3, model={"topn": 10})), {})
    settings = EvalSettings(confusion=True)
    with project.commit() as commit:
        remember(commit, f"eval-{RUN_ID}-test", "mark", settings, result=StageResult())
    config = '[train]\nmodel_name = "sfer-mdfae"\nepochs = 3\nlr = 0.001\n'
    replace_text(project.root / RUN / "config.toml", config)
    words = words_of(project, report(project, ReportSettings()).path)
    assert "fer train --model sfer-mdfae --epochs 3 --lr 0.001 fer eval --confusion fer report" in words


def test_split_that_shares_a_subject_is_warned_of(project: Project) -> None:
    faces = [
        Face(row.face_id, row.frame_id, row.video_id, path=row.path, subject_id="s000") for row in project.rows(Face)
    ]
    project.write_rows(faces, Face)
    words = words_of(project, report(project, ReportSettings()).path)
    assert "1 subject in more than one set, so scores are overestimated." in words


def test_of_a_split_with_folds_one_is_described(project: Project) -> None:
    rows = project.split_rows("default")
    folds = [SplitRow(row.face_id, row.split, fold) for fold in (0, 1) for row in rows]
    write_table(project.split_path("default"), folds, SplitRow)
    words = words_of(project, report(project, ReportSettings()).path)
    assert "train 9 3 1 none" in words  # three subjects with a face of each class, counted once


def test_page_does_without_pictures_that_are_gone(project: Project) -> None:
    evaluated(project)
    for path in (project.root / "faces").rglob("*.png"):
        path.unlink()
    assert "Misclassified: 1 of 6 faces." in words_of(project, report(project, ReportSettings()).path)


def test_dry_run_writes_nothing(project: Project) -> None:
    result = report(project, ReportSettings(), dry_run=True)
    assert result.plan == (f"write {RUN}/report.html",)
    assert not (project.root / result.path).exists()


def test_unknown_run_is_named(project: Project) -> None:
    with pytest.raises(InputError, match="run 'nowhere' not found"):
        report(project, ReportSettings(), "nowhere")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("metrics.csv", HISTORY.replace("0.9", "much"), r"metrics\.csv:3"),
        ("metrics.csv", "epoch\n\xe9\0", r"metrics\.csv"),
        ("config.toml", "[train\n", r"config\.toml: not valid TOML.*line 1"),
    ],
    ids=["a word for a number", "no text", "no TOML"],
)
def test_damaged_file_of_the_run_is_named_with_its_line(project: Project, name: str, text: str, told: str) -> None:
    (project.root / RUN / name).write_bytes(text.encode("latin-1"))
    with pytest.raises((TableError, ProjectError), match=told):
        report(project, ReportSettings())


def test_page_shows_no_name_that_a_person_gave_to_a_subject(project: Project) -> None:
    evaluated(project, num_wrong=1)
    for old, new in (("s004", "anna"), ("s005", "ben")):
        rename_subject(project, old, new)
    table = project.root / RUN / "eval" / "test" / "predictions.csv"
    text = table.read_text(encoding="utf-8").replace(",s004,", ",anna,").replace(",s005,", ",ben,")
    replace_text(table, text)
    words = words_of(project, report(project, ReportSettings()).path)
    assert not {"anna", "ben"} & set(words.split())
    assert {"name-1", "name-2"} <= set(words.split())
    assert "replaced by name-1, name-2, ..." in words


def test_project_without_a_run_describes_its_only_split(project: Project) -> None:
    shutil.rmtree(project.root / "runs")
    for suffix in (".csv", ".json"):
        path = project.split_path("default").with_suffix(suffix)
        if path.exists():
            path.rename(path.with_stem("mine"))
    words = words_of(project, report(project, ReportSettings()).path)
    assert "not been split" not in words
    assert "train 9 3 1 none" in words


def test_split_that_is_asked_for_and_not_there_is_named(project: Project) -> None:
    shutil.rmtree(project.root / "runs")
    with pytest.raises(MissingStageError, match="split 'yours' not found"):
        report(project, ReportSettings(split_name="yours"))


def test_project_without_a_split_says_so(project: Project) -> None:
    shutil.rmtree(project.root / "runs")
    project.split_path("default").unlink()
    assert "have not been split" in words_of(project, report(project, ReportSettings()).path)


def test_surest_mistakes_come_first(project: Project) -> None:
    rows = evaluated(project, num_wrong=3)
    shares = dict(zip([row.face_id for row in rows[:3]], (0.5, 0.9, 0.7), strict=True))
    changed = []
    for row in rows:
        sure = shares.get(row.face_id, 0.8)
        others = {name: (1 - sure) / 2 for name in CLASSES if name != row.predicted}
        changed.append(replace(row, subject_id="", probabilities=others | {row.predicted: sure}))
    path = project.root / RUN / "eval" / "test" / "predictions.csv"
    write_table(path, changed, Prediction, CLASSES)
    words = words_of(project, report(project, ReportSettings()).path)
    assert f"fer trace {rows[1].face_id}" in words
    table = words[words.index("List of misclassified faces") :]
    places = [table.index(rows[number].face_id) for number in (1, 2, 0)]
    assert places == sorted(places)
