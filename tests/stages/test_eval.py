import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError, MissingStageError, ProjectError
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Label, Prediction, SplitRow, Vote
from fercli.core.runs import RunRecord, find_run, write_record
from fercli.core.tables import read_table, write_table
from fercli.learn.checkpoints import load_checkpoint, save_checkpoint
from fercli.sources.packs import PackWriter
from fercli.stages.evaluate import EvalSettings, evaluate
from fercli.stages.evaluate.findings import find_out, identical_to_earlier, put_files
from fercli.vision.images import write_png
from tests.stages.trained import CLASSES, RUN_ID, drawn_face, trained_project, write_crops

FILES = (
    "metrics.json",
    "per_class.csv",
    "confusion.csv",
    "predictions.csv",
    "by_subject.csv",
    "confusion.png",
    "reliability.png",
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of eight subjects, six of them in the test part, whose run has been evaluated."""
    project = trained_project(tmp_path_factory.mktemp("mine") / "mine", num_subjects=8)
    parts = {0: "train", 1: "val"}
    rows = [
        SplitRow(face.face_id, parts.get(int(face.subject_id[1:]), "test"))  # type: ignore[arg-type]  # of Split
        for face in project.rows(Face)
    ]
    folder = project.root / "runs" / RUN_ID
    write_table(folder / "split.csv", rows, SplitRow)
    write_table(folder / "labels.csv", project.rows(Label), Label, CLASSES)
    write_crops(project, folder)
    evaluate(project, EvalSettings())
    return project


def read_json(path: Path) -> dict[str, object]:
    loaded: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def cells(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


def folder_of(project: Project) -> Path:
    return project.root / "runs" / RUN_ID / "eval" / "test"


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_written(done: Project, name: str) -> None:
    assert (folder_of(done) / name).stat().st_size > 0


def test_predictions_name_every_test_face_with_shares_that_sum_to_one(done: Project) -> None:
    rows = read_table(folder_of(done) / "predictions.csv", Prediction)
    assert len(rows) == 18
    assert {row.split for row in rows} == {"test"}
    assert all(sum(row.probabilities.values()) == pytest.approx(1, abs=1e-5) for row in rows)
    assert all(row.predicted == max(CLASSES, key=row.probabilities.__getitem__) for row in rows)


def test_scores_are_those_of_the_predictions(done: Project) -> None:
    rows = read_table(folder_of(done) / "predictions.csv", Prediction)
    metrics = read_json(folder_of(done) / "metrics.json")
    accuracy = metrics["accuracy"]
    assert isinstance(accuracy, dict)
    assert accuracy["value"] == pytest.approx(np.mean([row.label == row.predicted for row in rows]))
    assert accuracy["unit"] == "subject"
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]


def test_metrics_have_the_promised_form(done: Project) -> None:
    metrics = read_json(folder_of(done) / "metrics.json")
    assert {"data_set", "split", "checkpoint", "num_faces", "accuracy", "balanced_accuracy", "macro_f1"} <= set(metrics)
    assert list(metrics["per_class"]) == list(CLASSES)  # type: ignore[call-overload]  # a dict
    assert metrics["without_duplicates"] is None


def test_tables_keep_the_order_of_the_classes(done: Project) -> None:
    assert [row[0] for row in cells(folder_of(done) / "per_class.csv")] == ["emotion", *CLASSES]
    confusion = cells(folder_of(done) / "confusion.csv")
    assert confusion[0] == ["true\\predicted", *CLASSES]
    assert [row[0] for row in confusion[1:]] == list(CLASSES)
    assert sum(int(cell) for row in confusion[1:] for cell in row[1:]) == 18


def test_every_subject_has_a_row(done: Project) -> None:
    assert [row[0] for row in cells(folder_of(done) / "by_subject.csv")[1:]] == [f"s{n:03d}" for n in range(2, 8)]


def test_the_human_ceiling_stands_beside_the_accuracy(done: Project) -> None:
    # Three annotators who always agree.
    ceiling = read_json(folder_of(done) / "metrics.json")["human_ceiling"]
    assert isinstance(ceiling, dict)
    assert ceiling["value"] == 1


def test_a_second_call_does_nothing_whatever_is_shown(done: Project) -> None:
    before = (folder_of(done) / "metrics.json").stat().st_mtime_ns
    assert evaluate(done, EvalSettings()).is_unchanged
    assert evaluate(done, EvalSettings(confusion=True, by=("subject",), calibration=True)).is_unchanged
    assert (folder_of(done) / "metrics.json").stat().st_mtime_ns == before


def test_a_second_call_loads_nothing_heavy(done: Project) -> None:
    code = (
        "import sys; from pathlib import Path; from fercli.core.project import open_project;"
        "from fercli.stages.evaluate import EvalSettings, evaluate;"
        f"assert evaluate(open_project(Path({str(done.root)!r})), EvalSettings()).is_unchanged;"
        "print([name for name in ('torch', 'numpy', 'cv2', 'pandas', 'sklearn', 'matplotlib') if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"


def test_another_way_to_draw_takes_the_predictions_as_they_are(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    evaluate(project, EvalSettings())
    before = (folder_of(project) / "confusion.png").read_bytes()
    # Without its weights the run cannot predict any more.
    (project.root / "runs" / RUN_ID / "checkpoints" / "best.safetensors").unlink()
    result = evaluate(project, EvalSettings(normalize="none"))
    assert not result.is_unchanged
    assert (folder_of(project) / "confusion.png").read_bytes() != before


def test_a_dry_run_only_says_what_it_would_score(done: Project) -> None:
    result = evaluate(done, EvalSettings(split="val"), dry_run=True)
    assert result.plan == (f"evaluate run {RUN_ID} (best) on the val faces",)
    assert not (folder_of(done).parent / "val").exists()


def test_too_few_subjects_give_no_interval_but_a_sentence(done: Project) -> None:
    result = evaluate(done, EvalSettings(split="train"))
    assert result.accuracy["low"] is None
    assert "No confidence interval: only 1 subject; a confidence interval needs at least 5." in result.warnings


def test_scores_of_faces_that_were_learned_from_are_called_so(done: Project) -> None:
    assert any("trained on these faces" in w for w in evaluate(done, EvalSettings(split="train")).warnings)


def test_changed_labels_are_told_and_the_runs_own_used(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    folder = project.root / "runs" / RUN_ID
    write_table(folder / "labels.csv", project.rows(Label), Label, CLASSES)
    first = evaluate(project, EvalSettings())
    changed = [Label(row.face_id, "bored", "ok", "majority", 2) for row in project.rows(Label)]
    project.write_rows(changed, Label)
    second = evaluate(project, EvalSettings())
    assert second.matrix == first.matrix
    assert any("The labels of 4 of these faces have changed" in warning for warning in second.warnings)


def test_other_votes_give_another_ceiling_and_the_same_predictions(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    evaluate(project, EvalSettings())
    # Without its weights the run cannot predict any more: its predictions do not depend on votes.
    (project.root / "runs" / RUN_ID / "checkpoints" / "best.safetensors").unlink()
    votes = [replace(row, label="bored") if row.annotator == "a3" else row for row in project.rows(Vote)]
    project.write_rows(votes, Vote)
    result = evaluate(project, EvalSettings())
    assert not result.is_unchanged
    assert result.human_ceiling is not None
    assert result.human_ceiling["value"] < 1


@pytest.mark.parametrize("name", ["labels.csv", "split.csv"])
def test_other_labels_or_faces_of_the_run_are_predicted_anew(tmp_path: Path, name: str) -> None:
    project = trained_project(tmp_path / "mine")
    folder = project.root / "runs" / RUN_ID
    write_table(folder / "labels.csv", project.rows(Label), Label, CLASSES)
    write_table(folder / "split.csv", project.split_rows("default"), SplitRow)
    first = evaluate(project, EvalSettings())
    if name == "labels.csv":
        changed = [Label(row.face_id, "bored", "ok", "majority", 2) for row in project.rows(Label)]
        write_table(folder / name, changed, Label, CLASSES)
    else:
        rows = [replace(row, split="test") for row in project.split_rows("default")]
        write_table(folder / name, rows, SplitRow)
    second = evaluate(project, EvalSettings())
    assert not second.is_unchanged
    assert (second.num_faces, sum(second.matrix[CLASSES.index("bored")])) == (
        (6, 6) if name == "labels.csv" else (18, 6)
    )
    assert first.num_faces == 6


def test_a_missing_checkpoint_is_told_with_the_other_one(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    with pytest.raises(InputError, match=r"last.*does not exist") as caught:
        evaluate(project, EvalSettings(checkpoint="last"))
    assert "--checkpoint best" in caught.value.hint


def test_a_checkpoint_can_be_named_by_its_path(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    path = project.root / "runs" / RUN_ID / "checkpoints" / "best.safetensors"
    assert evaluate(project, EvalSettings(checkpoint=str(path))).num_faces == 6


def test_a_run_can_be_named_by_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = trained_project(tmp_path / "mine")
    monkeypatch.chdir(project.root)
    assert evaluate(project, EvalSettings(), f"runs/{RUN_ID}").outputs[0] == f"runs/{RUN_ID}/eval/test/metrics.json"


def test_a_run_of_another_project_is_refused(tmp_path: Path) -> None:
    other = trained_project(tmp_path / "other")
    project = create_project(tmp_path / "mine", name="mine", classes=CLASSES)
    with pytest.raises(InputError, match="belongs to another project"):
        evaluate(project, EvalSettings(), str(other.root / "runs" / RUN_ID))


def test_without_a_run_the_command_to_train_is_named(tmp_path: Path) -> None:
    project = create_project(tmp_path / "mine", name="mine", classes=CLASSES)
    with pytest.raises(MissingStageError, match="no finished run") as caught:
        evaluate(project, EvalSettings())
    assert "fer train" in caught.value.hint


def packed(tmp_path: Path, labels: dict[str, tuple[str, str, int]]) -> Project:
    """A project of packed faces: face id -> label, part and number of its picture."""
    project = create_project(tmp_path / "packed", name="packed", classes=CLASSES)
    with PackWriter(project.root / "faces" / "set.npy") as pack:
        for _, _, number in labels.values():
            pack.append(np.full((8, 8), number, np.uint8))
    faces = [
        Face(face_id, "", "", path=f"faces/set.npy#{row}", status="given", source_row=row)
        for row, face_id in enumerate(labels)
    ]
    project.write_rows(faces, Face)
    run = project.root / "runs" / RUN_ID
    write_record(run, RunRecord(RUN_ID, "drf-msam", "finished", "2026-01-01T00:00:00", "f", classes=CLASSES))
    rows = [SplitRow(face_id, part) for face_id, (_, part, _) in labels.items()]  # type: ignore[arg-type]  # of Split
    write_table(run / "split.csv", rows, SplitRow)
    return project


@pytest.fixture
def leaking(tmp_path: Path) -> Project:
    """Ten test faces; the first two show a picture that is in train as well, and only these are recognised."""
    labels = {f"set/{n:06d}": ("happy", "train", n) for n in range(10)}
    labels |= {f"set/{10 + n:06d}": ("happy", "test", n if n < 2 else 100 + n) for n in range(10)}
    return packed(tmp_path, labels)


def predictions_of(project: Project) -> list[Prediction]:
    shares = {"happy": 0.5, "neutral": 0.3, "bored": 0.2}
    return [
        Prediction(f"set/{10 + n:06d}", "", "", "test", "happy", "happy" if n < 2 else "neutral", shares)
        for n in range(10)
    ]


def test_copies_of_earlier_pictures_are_found(leaking: Project) -> None:
    assert identical_to_earlier(leaking, find_run(leaking.root), "test") == {"set/000010", "set/000011"}
    assert identical_to_earlier(leaking, find_run(leaking.root), "train") == set()


def test_scores_without_copies_stand_beside_the_scores_with_them(leaking: Project) -> None:
    findings = find_out(leaking, find_run(leaking.root), EvalSettings(), predictions_of(leaking))
    assert findings.metrics["accuracy"]["value"] == pytest.approx(0.2)
    without = findings.metrics["without_duplicates"]
    assert (without["num_faces"], without["num_left_out"], without["accuracy"]["value"]) == (8, 2, 0)


def test_copies_of_the_published_split_count_though_the_run_left_them_out(leaking: Project) -> None:
    run = find_run(leaking.root)
    rows = [row for row in read_table(run.folder / "split.csv", SplitRow) if row.face_id not in ("set/000000",)]
    write_table(run.folder / "split.csv", rows, SplitRow)
    copies = [{"face_id": "set/000010", "split": "test", "copy_id": "set/000000", "copy_split": "train"}]
    record = leaking.split_path("official").with_suffix(".json")
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"leakage": {"identical": copies}}), encoding="utf-8")
    assert identical_to_earlier(leaking, run, "test") == {"set/000010", "set/000011"}


def test_copies_of_the_published_split_do_not_count_where_the_run_keeps_them_together(tmp_path: Path) -> None:
    project = packed(tmp_path, {f"set/{n:06d}": ("happy", "train" if n < 2 else "test", n) for n in range(4)})
    copies = [
        {"face_id": "set/000001", "split": "test", "copy_id": "set/000000", "copy_split": "train"},
        {"face_id": "set/000003", "split": "test", "copy_id": "set/000002", "copy_split": "train"},
    ]
    record = project.split_path("official").with_suffix(".json")
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"leakage": {"identical": copies}}), encoding="utf-8")
    assert identical_to_earlier(project, find_run(project.root), "test") == set()


def test_faces_without_subjects_have_no_table_of_subjects(leaking: Project) -> None:
    run = find_run(leaking.root)
    findings = find_out(leaking, run, EvalSettings(), predictions_of(leaking))
    with leaking.commit() as commit:
        outputs = put_files(leaking, run, EvalSettings(), findings, commit)
    assert not any(path.endswith("by_subject.csv") for path in outputs)
    assert findings.metrics["accuracy"]["unit"] == "face"
    assert findings.metrics["human_ceiling"] is None


def test_votes_of_other_classes_give_no_ceiling(leaking: Project) -> None:
    leaking.write_rows([Vote("set/000010", name, "jolly", "jolly") for name in ("a1", "a2", "a3")], Vote)
    findings = find_out(leaking, find_run(leaking.root), EvalSettings(), predictions_of(leaking))
    assert findings.metrics["human_ceiling"] is None


@pytest.fixture
def trained(tmp_path: Path) -> Project:
    return trained_project(tmp_path / "mine")


def swap_crops(project: Project, subject: int) -> None:
    """Give each face of one subject another crop, as other settings of align would."""
    for place in range(len(CLASSES)):
        write_png(project.root / f"faces/lesson/f{subject:06d}-{place}.png", drawn_face(0, place)[8:56, 8:56])


def test_faces_that_were_cut_anew_are_refused_with_the_difference(trained: Project) -> None:
    swap_crops(trained, 4)
    with pytest.raises(
        ProjectError, match="of its test faces, 3 of 6 have another crop, first 'lesson/f000004-0'"
    ) as caught:
        evaluate(trained, EvalSettings())
    assert caught.value.exit_code == 3
    assert "--accept-other-crops" in caught.value.hint
    assert not (trained.root / "runs" / RUN_ID / "eval").exists()


def test_crops_of_other_sets_may_change(trained: Project) -> None:
    swap_crops(trained, 0)
    assert evaluate(trained, EvalSettings()).num_faces == 6


def test_other_crops_that_are_accepted_are_scored_apart_and_marked(trained: Project) -> None:
    evaluate(trained, EvalSettings())
    swap_crops(trained, 4)
    result = evaluate(trained, EvalSettings(accept_other_crops=True))
    folder = folder_of(trained).with_name("test-other-crops")
    assert read_json(folder / "metrics.json")["crops"] == {"is_known": True, "num_changed": 3, "num_missing": 0}
    assert any("3 of these faces have other crops" in sentence for sentence in result.warnings)
    assert read_json(folder_of(trained) / "metrics.json")["crops"] == {
        "is_known": True, "num_changed": 0, "num_missing": 0,
    }  # fmt: skip


def test_a_face_that_is_gone_is_refused_too(trained: Project) -> None:
    faces = [
        replace(face, status="gone") if face.face_id == "lesson/f000005-1" else face for face in trained.rows(Face)
    ]
    trained.write_rows(faces, Face)
    with pytest.raises(ProjectError, match="1 of 6 are gone, first 'lesson/f000005-1'"):
        evaluate(trained, EvalSettings())


def test_a_run_copied_into_another_project_does_not_score_strangers_of_equal_ids(
    trained: Project, tmp_path: Path
) -> None:
    other = trained_project(tmp_path / "other")
    for subject in (4, 5):
        swap_crops(other, subject)
    shutil.rmtree(other.root / "runs")
    shutil.copytree(trained.root / "runs", other.root / "runs")
    with pytest.raises(ProjectError, match="6 of 6 have another crop"):
        evaluate(other, EvalSettings())


def test_a_run_of_an_older_version_is_scored_and_says_what_is_not_known(trained: Project) -> None:
    (trained.root / "runs" / RUN_ID / "crops.csv").unlink()
    result = evaluate(trained, EvalSettings())
    assert any("does not record its crops" in sentence for sentence in result.warnings)
    assert read_json(folder_of(trained) / "metrics.json")["crops"] == {"is_known": False}


def test_weights_whose_classes_come_in_another_order_are_mapped(trained: Project, tmp_path: Path) -> None:
    best = trained.root / "runs" / RUN_ID / "checkpoints" / "best.safetensors"
    saved = load_checkpoint(best)
    # The same network, whose last layer and whose classes are both turned about.
    last = [name for name, value in saved.tensors.items() if value.shape[:1] == (len(CLASSES),)][-2:]
    turned = {name: value.flip(0) if name in last else value for name, value in saved.tensors.items()}
    save_checkpoint(tmp_path / "turned.safetensors", turned, {**saved.meta, "classes": list(reversed(CLASSES))})
    evaluate(trained, EvalSettings())
    told = evaluate(trained, EvalSettings(checkpoint=str(tmp_path / "turned.safetensors")))
    assert any("another order (bored, neutral, happy)" in text for text in told.warnings)
    (foreign,) = folder_of(trained).parent.glob("test-turned-*")
    own, other = (read_table(place / "predictions.csv", Prediction) for place in (folder_of(trained), foreign))
    assert [row.label for row in own] == [row.label for row in other]
    for mine, theirs in zip(own, other, strict=True):
        assert theirs.probabilities == pytest.approx(mine.probabilities, abs=2e-6)


def test_weights_of_other_classes_are_refused_by_name(trained: Project, tmp_path: Path) -> None:
    best = trained.root / "runs" / RUN_ID / "checkpoints" / "best.safetensors"
    saved = load_checkpoint(best)
    meta = {**saved.meta, "classes": ["happy", "neutral", "tired"]}
    save_checkpoint(tmp_path / "other.safetensors", saved.tensors, meta)
    with pytest.raises(InputError, match="has other classes than the run: tired, no 'bored'"):
        evaluate(trained, EvalSettings(checkpoint=str(tmp_path / "other.safetensors")))


def test_no_variant_takes_the_place_of_the_headline(trained: Project) -> None:
    evaluate(trained, EvalSettings())
    best = (folder_of(trained) / "metrics.json").read_bytes()
    checkpoints = trained.root / "runs" / RUN_ID / "checkpoints"
    for suffix in ("safetensors", "json"):
        shutil.copy(checkpoints / f"best.{suffix}", checkpoints / f"last.{suffix}")
    for changes in ({"test_time": "flip"}, {"checkpoint": "last"}, {"checkpoint": "last", "test_time": "ten-crop"}):
        evaluate(trained, EvalSettings(**changes))  # type: ignore[arg-type]  # fields of it
    names = {path.parent.name for path in folder_of(trained).parent.glob("*/metrics.json")}
    assert names == {"test", "test-flip", "test-last", "test-last-ten-crop"}
    assert (folder_of(trained) / "metrics.json").read_bytes() == best
    assert evaluate(trained, EvalSettings()).is_unchanged


def test_the_path_of_the_best_weights_is_the_best(trained: Project) -> None:
    evaluate(trained, EvalSettings())
    best = trained.root / "runs" / RUN_ID / "checkpoints" / "best.safetensors"
    assert evaluate(trained, EvalSettings(checkpoint=str(best))).is_unchanged
