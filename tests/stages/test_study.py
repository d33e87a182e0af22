import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fercli.cli.studying import split_values
from fercli.core.errors import MissingStageError, SettingsError, UsageError
from fercli.core.files import replace_text
from fercli.core.project import Project
from fercli.core.rows import Prediction, SplitRow
from fercli.core.runs import list_runs, newest_finished
from fercli.core.tables import write_table
from fercli.stages.study import STAGES, AblateSettings, Study, StudyResult, SweepSettings, Variant, ablate, sweep
from fercli.stages.study.variants import ablation, swept
from fercli.stages.train.settings import TrainSettings
from tests.cli.run import run_fer
from tests.drawn import must
from tests.stages.train_project import Signaller, drawn_project
from tests.stages.trained import CLASSES, trained_project, write_run

# A network so narrow that three epochs take a second; at 32 pixels it has 2 x 2 regions.
NARROW: dict[str, Any] = {"widths": [4, 4, 4, 8], "blocks": [1, 1, 1, 1], "image_size": 32, "heads": 2, "topn": 2}
QUICK: dict[str, Any] = {
    "model_name": "sfer-mdfae", "epochs": 1, "batch_size": 8, "precision": "fp32", "threads": 1, "image_size": 32,
    "model": NARROW,
}  # fmt: skip
WORDS = ("--model", "sfer-mdfae", "--epochs", "1", "--batch-size", "8", "--precision", "fp32")
WORDS += ("--set", "threads=1", "--set", "image_size=32")
WORDS += tuple(word for key, value in NARROW.items() if key != "topn" for word in ("--set", f"model.{key}={value}"))
NUM_SUBJECTS = 9


# Statistics, on predictions made by hand


def predict(project: Project, run_id: str, wrong: set[int]) -> None:
    """What `fer eval` leaves of a run that errs on some of 27 faces, three of each of nine subjects."""
    rows = []
    for number in range(3 * NUM_SUBJECTS):
        place = number % 3
        label, predicted = CLASSES[place], CLASSES[(place + (number in wrong)) % 3]
        shares = {name: 0.8 if name == predicted else 0.1 for name in CLASSES}
        rows.append(
            Prediction(f"l/f{number // 3:06d}-{place}", f"s{number // 3}", "l", "test", label, predicted, shares)
        )
    folder = project.root / "runs" / run_id / "eval/test"
    write_table(folder / "predictions.csv", rows, Prediction, CLASSES)
    replace_text(folder / "metrics.json", json.dumps({"checkpoint": "best", "crops": {"is_known": True}}))


def studied(project: Project, wrong: dict[str, list[set[int]]]) -> StudyResult:
    """A sweep whose variants err on these faces, seed after seed."""
    variants, found = [], {}
    for name, seeds in wrong.items():
        runs = [f"2026010{len(found)}-00000{seed}-drf-msam" for seed in range(len(seeds))]
        for run_id, faces in zip(runs, seeds, strict=True):
            write_run(project, run_id)
            predict(project, run_id, faces)
        trainings = tuple(TrainSettings(seed=seed) for seed in range(len(seeds)))
        variants.append(Variant(name, name, trainings, tuple({"settings": name} for _ in seeds)))
        found[name] = tuple(runs)
    study = Study("sweep", "lr", "drf-msam", "default", tuple(variants), found)
    return STAGES["sweep"](project, SweepSettings(), study)


def read(project: Project, result: StudyResult, name: str) -> str:
    (path,) = (path for path in result.outputs if path.endswith(name))
    return (project.root / path).read_text(encoding="utf-8")


@pytest.fixture
def judged(tmp_path: Path) -> Project:
    return trained_project(tmp_path / "mine", num_subjects=NUM_SUBJECTS)


def test_differences_are_paired_over_subjects_and_what_is_clear_is_told_apart(judged: Project) -> None:
    bad = {3 * subject for subject in range(NUM_SUBJECTS)}
    result = studied(judged, {"lr=1": [set()], "lr=2": [bad], "lr=3": [{0}]})
    worse, alike = (one for one in result.differences if one["score"] == "accuracy")
    # Each subject loses one face of three: no resample differs, and all signs agree in 2 of 2^9 ways.
    assert (worse["value"], worse["low"], worse["high"]) == pytest.approx((-1 / 3, -1 / 3, -1 / 3))
    assert (worse["p"], worse["p_holm"]) == pytest.approx((2 / 2**9, 2 * 2 / 2**9))
    assert alike["p"] == 1
    half = 50 * (alike["high"] - alike["low"])
    (width, apart, seeds) = result.conclusions
    assert f"With 9 subjects, differences in accuracy below about 0.0 to {half:.1f} points" in width
    assert "lr=2 (-33.33 points); lr=3 cannot." in apart
    assert seeds.startswith("One seed each")


def test_several_seeds_count_by_their_mean_and_their_spread_is_told(judged: Project) -> None:
    result = studied(judged, {"lr=1": [{0, 1}, {0, 1, 2, 4}], "lr=2": [{0}, set()]})
    first, second = result.variants
    accuracies = [25 / 27, 23 / 27]
    assert first["accuracy"]["value"] == pytest.approx(np.mean(accuracies), abs=1e-12)
    assert first["seed_std"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-12)
    gap = result.differences[0]
    assert gap["value"] == pytest.approx(second["accuracy"]["value"] - first["accuracy"]["value"], abs=1e-12)
    assert any(f"by up to {100 * first['seed_std']:.1f} points" in one for one in result.conclusions)


def test_a_test_set_of_too_few_people_shows_no_difference(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    result = studied(project, {"lr=1": [set()], "lr=2": [{0}]})
    for run in list_runs(project.root):
        path = run.folder / "eval/test/predictions.csv"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        replace_text(path, "\n".join(line for line in lines if ",s0," in line or line.startswith("face_id")) + "\n")
    few = STAGES["sweep"](project, SweepSettings(), replace(_study_of(result), found=_found(result)), force=True)
    assert few.conclusions[0] == (
        "With 1 subject in the test set, no difference between variants can be tested: at least 5 subjects are needed."
    )


def _found(result: StudyResult) -> dict[str, tuple[str, ...]]:
    return {one["name"]: one["runs"] for one in result.variants}


def _study_of(result: StudyResult) -> Study:
    variants = tuple(
        Variant(one["name"], one["label"], (TrainSettings(),), ({"settings": "s"},)) for one in result.variants
    )
    return Study("sweep", "lr", "drf-msam", "default", variants)


def test_tables_and_figure_say_the_same_as_the_result(judged: Project) -> None:
    result = studied(judged, {"lr=1": [{1}], "lr=2": [set()]})
    assert {Path(path).suffix for path in result.outputs} == {".csv", ".md", ".tex", ".html", ".png", ".pdf"}
    rows = list(csv.DictReader(read(judged, result, "variants.csv").splitlines()))
    assert [float(row["accuracy"]) for row in rows] == pytest.approx([26 / 27, 1])
    assert "| lr=2 | 1 | - | 100.00% [100.00%, 100.00%]" in read(judged, result, "sweep.md")
    assert "\\toprule" in read(judged, result, "sweep.tex")
    figure = next(path for path in result.outputs if path.endswith(".png"))
    before = (judged.root / figure).read_bytes()
    assert before.startswith(b"\x89PNG")
    STAGES["sweep"](judged, SweepSettings(), replace(_study_of(result), found=_found(result)), force=True)
    assert (judged.root / figure).read_bytes() == before


# What is studied


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A sweep of three values, one of which is refused, that was interrupted in its first training and went on."""
    project = drawn_project(tmp_path_factory.mktemp("mine") / "mine", num=16)
    with pytest.raises(KeyboardInterrupt):
        sweep(project, SweepSettings(**QUICK, values={"model.topn": ("1", "4", "60")}), progress=Signaller(1))
    (begun,) = list_runs(project.root)
    assert begun.status == "interrupted"
    must_fail_partly("sweep", *WORDS, "--set", "model.topn=1,4,60", "-p", project.root)
    return project


def must_fail_partly(*words: object) -> dict[str, Any]:
    code, out, err = run_fer(*words, "--json")
    assert code == 6, err
    answer: dict[str, Any] = json.loads(out)["result"]
    return answer


def test_a_refused_value_stops_none_of_the_others(template: Project) -> None:
    answer = must_fail_partly("sweep", *WORDS, "--set", "model.topn=1,4,60", "-p", template.root)
    assert answer["is_unchanged"]
    # The run that was interrupted has been gone on with.
    assert [[run.run_id] for run in list_runs(template.root)][:2] == [one["runs"] for one in answer["variants"][:2]]
    assert [bool(one["runs"]) for one in answer["variants"]] == [True, True, False]
    assert "topn is 60; 2 x 2 regions allow 1 to 4" in answer["variants"][2]["refused"]
    assert answer["chosen"] in ("topn=1", "topn=4")
    assert [one["variant"] for one in answer["differences"] if one["score"] == "accuracy"] == ["topn=4"]
    assert [one["model"] for one in answer["reported"]] == ["sfer-mdfae"]


def test_a_second_call_loads_no_torch(template: Project) -> None:
    words = ["sweep", *WORDS, "--set", "model.topn=1,4,60", "-p", str(template.root)]
    code = (
        f"import sys; from fercli.cli.app import run; code = run({words!r}); sys.exit(code + ('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path.cwd(), env=os.environ, capture_output=True, text=True)
    assert (done.returncode, "(up to date)" in done.stdout) == (6, True), done.stderr


def test_only_what_is_missing_is_trained(template: Project) -> None:
    before = {run.run_id for run in list_runs(template.root)}
    settings = SweepSettings(**QUICK, values={"model.topn": (1, 2, 4)})
    plan = sweep(template, settings, dry_run=True)
    assert (plan.num_to_train, plan.plan[0]) == (1, "train topn=2, seed 0")
    assert "as 2 finished runs took" in plan.plan[1]
    result = sweep(template, settings)
    assert len({run.run_id for run in list_runs(template.root)} - before) == 1
    assert {*before} <= {run_id for one in result.variants for run_id in one["runs"]}


def test_variants_are_marked_and_no_default_run(template: Project) -> None:
    studies = {run.record.study for run in list_runs(template.root)}
    assert {"sweep topn=1", "sweep topn=4"} <= studies
    with pytest.raises(MissingStageError, match="only runs of fer ablate or fer sweep are finished"):
        newest_finished(template.root)
    assert "sweep topn=4" in run_fer("runs", "-p", template.root)[1]


def test_a_dry_run_tells_about_how_long_it_takes_and_writes_nothing(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine", num=16)
    before = {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()}
    result = ablate(project, AblateSettings(**QUICK, variants=("nm",), seeds=(0, 1)), dry_run=True)
    assert (result.is_dry_run, result.num_to_train) == (True, 4)
    assert any(
        line.startswith("spend about ") and "4 trainings of at most 1 epoch each" in line for line in result.plan
    )
    assert {path: path.read_bytes() for path in project.root.rglob("*") if path.is_file()} == before


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return drawn_project(tmp_path_factory.mktemp("plain") / "mine", num=16)


def test_ablation_has_the_papers_variants_beside_the_full_model(plain: Project) -> None:
    study = ablation(plain, AblateSettings(seeds=(0, 1)))
    assert [one.name for one in study.variants] == ["full", "nm", "np", "na", "rw"]
    assert [one.seed for one in study.variants[1].trainings] == [0, 1]
    assert [one.trainings[0].model for one in study.variants[:2]] == [{}, {"variant": "nm"}]
    assert {one.trainings[0].epochs for one in study.variants} == {30}


def test_a_sweep_takes_any_setting_and_combinations(plain: Project) -> None:
    values = {"lr": (0.1, 0.01), "augment.flip": (0, 0.5), "model.widths": ("[4, 4, 4, 8]",)}
    study = swept(plain, SweepSettings(values=values, against="lr=0.01, augment.flip=0, widths=[4, 4, 4, 8]"))
    assert len(study.variants) == 4
    first = study.variants[0].trainings[0]
    assert (first.lr, first.augment["flip"]) == (0.01, "0")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (SweepSettings(), "a sweep needs several values"),
        (SweepSettings(values={"lr": (1, 1)}), "a value of 'lr' is named twice"),
        (SweepSettings(values={"seed": (1, 2)}), "'seed' cannot be swept"),
        (SweepSettings(values={"lr": (1, 2)}, against="3"), "--against 3: no such value is tried"),
        (AblateSettings(model_name="eac"), "model 'eac' has no variants to ablate"),
        (AblateSettings(variants=("nn",)), "unknown variant 'nn'"),
        (AblateSettings(model={"variant": "nm"}), "names one variant"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_studied_is_refused_before_anything_is_trained(
    plain: Project, settings: Any, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        (ablate if isinstance(settings, AblateSettings) else sweep)(plain, settings)
    assert not list_runs(plain.root)


def test_a_setting_that_does_not_exist_is_named(plain: Project) -> None:
    with pytest.raises(SettingsError, match="unknown setting 'lrr'"):
        sweep(plain, SweepSettings(values={"lrr": (1, 2)}))


def test_a_split_without_a_test_set_is_refused(tmp_path: Path) -> None:
    project = drawn_project(tmp_path / "mine", num=16)
    rows = [replace(row, split="train") for row in project.split_rows("default")]
    write_table(project.split_path("default"), rows, SplitRow)
    with pytest.raises(MissingStageError, match="split 'default' has no test set"):
        ablate(project, AblateSettings(**QUICK))


def test_commas_within_brackets_and_quotes_divide_no_values() -> None:
    assert list(split_values("1, 10,15")) == ["1", "10", "15"]
    assert list(split_values("[8,16],[16,32]")) == ["[8,16]", "[16,32]"]
    assert list(split_values("'a,b',c")) == ["'a,b'", "c"]
    assert list(split_values("rw")) == ["rw"]


def test_settings_of_fer_train_in_fer_toml_count_below_the_options(plain: Project) -> None:
    text = (plain.root / "fer.toml").read_text(encoding="utf-8")
    replace_text(plain.root / "fer.toml", text + '\n[train]\nepochs = 7\nmodel = "eac"\n')
    code, _, err = run_fer("ablate", "-p", plain.root, "--dry-run")
    assert (code, "model 'eac' has no variants to ablate" in err) == (2, True)
    answer = must("ablate", *WORDS, "--epochs", "1", "--set", "model.topn=2", "-p", plain.root, "--dry-run")
    assert answer["result"]["epochs"] == 1
