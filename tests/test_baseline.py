"""The baseline package (baseline/): its files, fercli with and without it, and the script that makes it."""

import csv
import hashlib
import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from baseline import build
from fercli.core import baseline
from fercli.core.errors import InputError, ProjectError
from fercli.core.files import replace_text
from fercli.core.progress import SILENT
from fercli.core.project import Project, create_project, open_project
from fercli.core.rows import Face, Label, SplitRow
from fercli.core.tables import write_table
from fercli.learn.checkpoints import load_checkpoint, save_checkpoint
from fercli.learn.predict import load_run_model, predict_probabilities
from fercli.stages.predictions import predict_faces
from fercli.vision.images import write_png
from tests.cli.run import run_fer
from tests.stages.trained import RUN_ID, drawn_face, trained_project

PACKAGE = Path(__file__).parents[1] / "baseline"
FILES = PACKAGE / "fercli_baseline" / "baseline"
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
HINT = "In a checkout of fercli, run: pip install ./baseline"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGE))


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "PACKAGE", "fercli_baseline_that_nobody_has")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Nine faces of three of the seven classes, three of them the test set; no run."""
    root = tmp_path_factory.mktemp("project") / "mine"
    project = create_project(root, name="mine", classes=CLASSES)
    faces, labels, rows = [], [], []
    for number in range(9):
        face_id, emotion = f"lesson/f{number:06d}-0", ("happy", "neutral", "surprise")[number % 3]
        (root / f"faces/{face_id}.png").parent.mkdir(parents=True, exist_ok=True)
        write_png(root / f"faces/{face_id}.png", drawn_face(number, number % 3))
        faces.append(Face(face_id, f"lesson/f{number:06d}", "lesson", float(number), path=f"faces/{face_id}.png"))
        labels.append(Label(face_id, emotion, "ok", "majority", 2, 1.0, 0.0, {emotion: 1.0}))
        rows.append(SplitRow(face_id, "test" if number > 5 else "train"))
    project.write_rows(faces, Face)
    project.write_rows(labels, Label)
    write_table(project.split_path("default"), rows, SplitRow)
    return project


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


_RECORD = read(FILES / "run.json")
NOT_FINAL = [] if _RECORD["status"] == "finished" else [f"The baseline is not final ({_RECORD['reason']})."]


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_weights_are_small_and_as_the_card_says() -> None:
    weights, card = FILES / "checkpoints" / "best.safetensors", (FILES / "MODEL_CARD.md").read_text(encoding="utf-8")
    metrics, record = read(FILES / "metrics.json"), read(FILES / "run.json")
    assert weights.stat().st_size == metrics["weights"]["num_bytes"] <= 8_000_000
    assert hashlib.sha256(weights.read_bytes()).hexdigest() == metrics["weights"]["sha256"]
    saved = load_checkpoint(weights)
    assert {str(one.dtype) for one in saved.tensors.values() if one.ndim > 1} == {"torch.float16"}
    assert saved.meta["temperature"] == round(metrics["temperature"], 4)
    for words in (
        metrics["weights"]["sha256"],
        f"{metrics['as_given']['accuracy']['value']:.1%}",
        f"{metrics['cut_again']['accuracy']['value']:.1%}",
        f"{metrics['ferplus']['accuracy']['value']:.1%}",
        "Must not be used for",
    ):
        assert words in card
    assert record["result"]["scores"]["FER2013 PublicTest"]["value"] == metrics["as_given"]["accuracy"]["value"]
    assert ("This is an interim state" in card) == (record["status"] != "finished")


def test_package_has_its_own_licence_and_is_no_part_of_fercli() -> None:
    assert "MIT licence; the weights in this folder are not" in (PACKAGE / "LICENSE").read_text(encoding="utf-8")
    targets = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert targets["targets"]["wheel"]["packages"] == ["fercli"]
    assert targets["targets"]["sdist"]["exclude"] == ["/baseline"]


@pytest.mark.usefixtures("absent")
def test_without_the_package_everybody_says_how_to_get_it(project: Project) -> None:
    image = project.root / "faces/lesson/f000000-0.png"
    for words in (
        ("predict", image, "--model", "baseline"),
        ("eval", "baseline"),
        ("labels", "suggest", "baseline"),
        ("models", "baseline"),
    ):
        code, _, err = run_fer(*words, cwd=project.root)
        assert code == 4
        assert "the baseline is not installed" in err
        assert HINT in err
    code, out, _ = run_fer("models", cwd=project.root)
    assert code == 0
    assert HINT in " ".join(out.split())


@pytest.mark.usefixtures("absent")
def test_without_the_package_a_run_may_be_called_so(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    (project.root / "runs" / RUN_ID).rename(project.root / "runs" / f"{RUN_ID}-baseline")
    assert baseline.find_model(project.root, "baseline").run_id == f"{RUN_ID}-baseline"


@pytest.mark.usefixtures("installed")
def test_models_tell_of_it(project: Project) -> None:
    assert "fer models baseline" in run_fer("models", cwd=project.root)[1]
    code, out, _ = run_fer("models", "baseline", cwd=project.root)
    assert code == 0
    scores = read(FILES / "run.json")["result"]["scores"]
    assert all(f"{score['value']:.1%}" in out for score in scores.values())
    assert read(FILES / "run.json")["reason"].split(";")[0] in " ".join(out.split())


@pytest.mark.usefixtures("installed")
def test_predict_takes_it_and_writes_into_the_project_alone(project: Project) -> None:
    before = digests(FILES)
    images = project.root / "faces" / "lesson"
    words = ("predict", images, "--model", "baseline", "--cropped", "--out", "csv", "--json")
    code, out, _ = run_fer(*words, cwd=project.root)
    result = json.loads(out)
    assert (code, result["result"]["num_faces"], result["result"]["run"]) == (0, 9, "baseline")
    assert result["warnings"] == NOT_FINAL
    (path,) = (project.root / one for one in result["outputs"])
    assert path.parent == project.root / "exports" / "predict" / "baseline"
    with path.open(encoding="utf-8", newline="") as file:
        assert {f"p_{name}" for name in CLASSES} < set(next(csv.reader(file)))
    assert digests(FILES) == before


@pytest.mark.usefixtures("installed")
def test_eval_scores_it_on_the_projects_own_labels(project: Project) -> None:
    before = digests(FILES)
    code, out, err = run_fer("eval", "baseline", cwd=project.root)
    assert code == 0, err
    metrics = read(project.root / "exports/baseline/eval/test/metrics.json")
    assert (metrics["num_faces"], metrics["data_set"], metrics["run"]) == (3, "mine", "baseline")
    assert metrics["subjects"] == "The model was trained on another dataset."
    assert "If images of fer2013 are in this project, the baseline may have been trained on them." in " ".join(
        (out + err).split()
    )
    assert "The crops of this project were not cut by fercli" in " ".join((out + err).split())
    assert "gradcam" not in out + err
    assert "(up to date)" in run_fer("eval", "baseline", cwd=project.root)[1]
    code, out, _ = run_fer("eval", "baseline", "--by", "brightness", "--json", cwd=project.root)
    assert code == 0
    assert "exports/baseline/eval/test/groups.json" in json.loads(out)["outputs"]
    assert digests(FILES) == before


@pytest.mark.usefixtures("installed")
def test_eval_looks_again_when_the_split_changes(project: Project) -> None:
    run_fer("eval", "baseline", cwd=project.root)
    rows = project.split_rows("default")
    write_table(project.split_path("default"), [SplitRow(row.face_id, "test") for row in rows], SplitRow)
    assert run_fer("eval", "baseline", cwd=project.root)[0] == 0
    assert read(project.root / "exports/baseline/eval/test/metrics.json")["num_faces"] == 9
    write_table(project.split_path("default"), rows, SplitRow)


@pytest.mark.usefixtures("installed")
def test_of_several_splits_the_published_one_is_taken_and_named(project: Project) -> None:
    rows, default = project.split_rows("default"), project.split_path("default")
    write_table(project.split_path("official"), [SplitRow(row.face_id, "test") for row in rows[:4]], SplitRow)
    default.rename(project.split_path("mine"))
    result = json.loads(run_fer("eval", "baseline", "--json", cwd=project.root)[1])
    project.split_path("mine").rename(default)
    project.split_path("official").unlink()
    assert result["result"]["num_faces"] == 4
    assert "The project has several splits; the test set is that of 'official'." in result["warnings"]


@pytest.mark.usefixtures("installed")
def test_suggestions_come_from_it(project: Project) -> None:
    found = predict_faces(project, "baseline", SILENT)
    assert (found.run_id, len(found.rows)) == ("baseline", 9)
    told = list(found.warnings)
    assert told[:-1] == NOT_FINAL
    assert told[-1].startswith("The crops of this project were not cut by fercli, those of 'baseline' by other rules")
    assert predict_faces(project, "baseline", SILENT).warnings == found.warnings
    code, out, _ = run_fer("labels", "suggest", "baseline", "--json", cwd=project.root)
    result = json.loads(out)
    assert (code, result["result"]["num_suggested"], result["warnings"]) == (0, 9, told)
    assert '"baseline"' in (project.root / result["outputs"][0] / "tasks.json").read_text(encoding="utf-8")


@pytest.mark.usefixtures("installed")
def test_crops_on_which_it_was_not_measured_are_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = baseline.installed_baseline()
    assert found is not None
    other = {**found.record.result, "also_measured_on": []}
    alone = replace(found, record=replace(found.record, result=other))
    monkeypatch.setattr(baseline, "installed_baseline", lambda: alone)
    (project.root / ".fer/cache/predictions-baseline.json").unlink(missing_ok=True)
    with pytest.raises(ProjectError, match="were not cut by fercli") as refused:
        predict_faces(project, "baseline", SILENT)
    assert "fer align --template none" in refused.value.hint


@pytest.mark.usefixtures("installed")
def test_labels_that_it_does_not_predict_are_refused(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    code, _, err = run_fer("eval", "baseline", cwd=project.root)
    assert code == 4
    assert "the baseline does not predict bored" in err
    with pytest.raises(InputError, match="which is not a class here"):
        predict_faces(project, "baseline", SILENT)


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another copy of the package, one bit of whose weights is turned over."""
    shutil.copytree(PACKAGE / "fercli_baseline", tmp_path / "fercli_baseline")
    path = tmp_path / "fercli_baseline/baseline/checkpoints/best.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    monkeypatch.syspath_prepend(str(tmp_path))
    return path


@pytest.mark.usefixtures("damaged")
def test_altered_weights_are_not_loaded(project: Project) -> None:
    image = project.root / "faces/lesson/f000000-0.png"
    code, _, err = run_fer("predict", image, "--model", "baseline", "--cropped", "--force", cwd=project.root)
    assert code == 4
    assert "SHA-256 mismatch" in " ".join(err.split())


def test_a_temperature_divides_the_logits(tmp_path: Path) -> None:
    folder = trained_project(tmp_path / "mine").root / "runs" / RUN_ID
    images = [drawn_face(number, number % 3) for number in range(4)]
    plain = predict_probabilities(load_run_model(folder, device="cpu", precision="fp32"), images)
    path = folder / "checkpoints" / "best.safetensors"
    saved = load_checkpoint(path)
    save_checkpoint(path, saved.tensors, {**saved.meta, "temperature": 0.5})
    sharp = predict_probabilities(load_run_model(folder, device="cpu", precision="fp32"), images)
    np.testing.assert_allclose(sharp, plain**2 / (plain**2).sum(1, keepdims=True), rtol=1e-4)
    save_checkpoint(path, saved.tensors, {**saved.meta, "temperature": 0.0})
    with pytest.raises(InputError, match="does not match the model: temperature"):
        load_run_model(folder)


def test_the_package_is_made_from_a_stopped_run(tmp_path: Path) -> None:
    root = trained_project(tmp_path / "mine").root
    folder = root / "runs" / RUN_ID
    replace_text(folder / "metrics.csv", "epoch\n1\n2\n")
    replace_text(folder / "config.toml", "[train]\nepochs = 9\n\n[plan]\nepochs = 9\n")
    record = read(folder / "run.json")
    replace_text(folder / "run.json", json.dumps({**record, "status": "interrupted"}))
    before = digests(root)
    assert build.main([str(folder), "--out", str(tmp_path / "made")]) == 0
    assert digests(root) == before
    made, metrics = read(tmp_path / "made/run.json"), read(tmp_path / "made/metrics.json")
    assert made["reason"].startswith("interim: taken at epoch 2 of 9")
    assert made["cutting"]["template"] == "arcface"
    assert (metrics["val"]["num_faces"], metrics["as_given"]["num_faces"], metrics["cut_again"]) == (3, 6, None)
    saved = load_checkpoint(tmp_path / "made/checkpoints/best.safetensors")
    assert saved.meta["temperature"] != 1
    assert read(tmp_path / "made/checkpoints/best.json")["previous"] is None
    # A better temperature than none, on the set that it was fitted on.
    project = open_project(root)
    source = build.read_source(folder)
    samples = build.run_samples(project, source.run, "val")
    fitted = predict_probabilities(load_run_model(tmp_path / "made"), samples)
    plain = predict_probabilities(load_run_model(folder), samples)
    right = np.arange(len(samples)), samples.targets
    assert np.log(fitted[right]).mean() > np.log(plain[right]).mean()
