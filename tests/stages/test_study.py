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
from fercli.core.project import Project, create_project
from fercli.core.rows import Prediction, SplitRow
from fercli.core.runs import RunRecord, list_runs, newest_finished, write_record
from fercli.core.tables import write_table
from fercli.stages.study import STAGES, AblateSettings, Study, StudyResult, SweepSettings, Variant, ablate, sweep
from fercli.stages.study.variants import ablation, swept
from fercli.stages.train.settings import TrainSettings
from tests.cli.run import run_fer
from tests.drawn import must
from tests.stages.train_project import Signaller, drawn_project
from tests.stages.trained import CLASSES

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
BAD = {3 * subject for subject in range(NUM_SUBJECTS)}


# Statistics, on predictions made by hand


def judged_run(project: Project, run_id: str, wrong: set[int], num_subjects: int) -> None:
    """What a run and `fer eval` leave that err on some faces, three of each subject."""
    rows = []
    for number in range(3 * num_subjects):
        place = number % 3
        label, predicted = CLASSES[place], CLASSES[(place + (number in wrong)) % 3]
        shares = {name: 0.8 if name == predicted else 0.1 for name in CLASSES}
        face = f"l/f{number // 3:06d}-{place}"
        rows.append(Prediction(face, f"s{number // 3}", "l", "test", label, predicted, shares))
    folder = project.root / "runs" / run_id
    write_record(folder, RunRecord(run_id, "drf-msam", "finished", "", "f", classes=CLASSES))
    write_table(folder / "eval/test/predictions.csv", rows, Prediction, CLASSES)
    replace_text(folder / "eval/test/metrics.json", json.dumps({"checkpoint": "best", "crops": {"is_known": True}}))


def studied(root: Path, wrong: dict[str, list[set[int]]], num_subjects: int = NUM_SUBJECTS) -> StudyResult:
    """A sweep whose variants err on these faces, seed after seed."""
    project = create_project(root, name="mine", classes=CLASSES)
    variants, found = [], {}
    for name, seeds in wrong.items():
        runs = [f"2026010{len(found)}-00000{seed}-drf-msam" for seed in range(len(seeds))]
        for run_id, faces in zip(runs, seeds, strict=True):
            judged_run(project, run_id, faces, num_subjects)
        trainings = tuple(TrainSettings(seed=seed) for seed in range(len(seeds)))
        variants.append(Variant(name, name, trainings, tuple({"settings": name} for _ in seeds)))
        found[name] = tuple(runs)
    study = Study("sweep", "lr", "drf-msam", "default", tuple(variants), "lr=1", found)
    return STAGES["sweep"](project, SweepSettings(), study)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyResult]:
    root = tmp_path_factory.mktemp("three") / "mine"
    return root, studied(root, {"lr=1": [set()], "lr=2": [BAD], "lr=3": [{0}]})


def test_differences_are_paired_over_subjects_and_what_is_clear_is_told_apart(three: tuple[Path, StudyResult]) -> None:
    _, result = three
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


def test_tables_and_figure_say_the_same_as_the_result(three: tuple[Path, StudyResult]) -> None:
    root, result = three
    files = {Path(path).suffix: root / path for path in result.outputs if not path.endswith("differences.csv")}
    assert set(files) == {".csv", ".md", ".tex", ".html", ".png", ".pdf"}
    rows = list(csv.DictReader(files[".csv"].read_text(encoding="utf-8").splitlines()))
    assert [float(row["accuracy"]) for row in rows] == pytest.approx([1, 18 / 27, 26 / 27])
    assert "| lr=1 | 1 | - | 100.00% [100.00%, 100.00%]" in files[".md"].read_text(encoding="utf-8")
    assert "\\toprule" in files[".tex"].read_text(encoding="utf-8")
    assert files[".png"].read_bytes().startswith(b"\x89PNG")


def test_several_seeds_count_by_their_mean_and_their_spread_is_told(tmp_path: Path) -> None:
    result = studied(tmp_path / "mine", {"lr=1": [{0, 1}, {0, 1, 2, 4}], "lr=2": [{0}, set()]})
    first, second = result.variants
    accuracies = [25 / 27, 23 / 27]
    assert first["accuracy"]["value"] == pytest.approx(np.mean(accuracies), abs=1e-12)
    assert first["seed_std"] == pytest.approx(np.std(accuracies, ddof=1), abs=1e-12)
    gap = result.differences[0]
    assert gap["value"] == pytest.approx(second["accuracy"]["value"] - first["accuracy"]["value"], abs=1e-12)
    assert any(f"by up to {100 * first['seed_std']:.1f} points" in one for one in result.conclusions)


def test_a_test_set_of_too_few_people_shows_no_difference(tmp_path: Path) -> None:
    result = studied(tmp_path / "mine", {"lr=1": [set()], "lr=2": [{0}]}, num_subjects=1)
    assert result.conclusions[0] == (
        "With 1 subject in the test set, no difference between variants can be tested: at least 5 subjects are needed."
    )


# What is studied


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A sweep of two values, one of which is refused, that was interrupted in its first training and went on."""
    project = drawn_project(tmp_path_factory.mktemp("mine") / "mine", num=16)
    with pytest.raises(KeyboardInterrupt):
        sweep(project, SweepSettings(**QUICK, values={"model.topn": ("60", "4")}), progress=Signaller(1))
    (begun,) = list_runs(project.root)
    assert begun.status == "interrupted"
    must_fail_partly("sweep", *WORDS, "--set", "model.topn=60,4", "-p", project.root)
    return project


def must_fail_partly(*words: object) -> dict[str, Any]:
    code, out, err = run_fer(*words, "--json")
    assert code == 6, err
    answer: dict[str, Any] = json.loads(out)["result"]
    return answer


def test_a_refused_value_stops_none_of_the_others(template: Project) -> None:
    answer = must_fail_partly("sweep", *WORDS, "--set", "model.topn=60,4", "-p", template.root)
    assert answer["is_unchanged"]
    refused, trained = answer["variants"]
    assert (refused["runs"], "topn is 60; 2 x 2 regions allow 1 to 4" in refused["refused"]) == ([], True)
    # The run that was interrupted has been gone on with.
    assert trained["runs"] == [list_runs(template.root)[0].run_id]
    assert (answer["against"], answer["chosen"], answer["differences"]) == ("topn=4", "topn=4", [])
    assert [one["model"] for one in answer["reported"]] == ["sfer-mdfae"]


def test_a_second_call_loads_no_torch(template: Project) -> None:
    words = ["sweep", *WORDS, "--set", "model.topn=60,4", "-p", str(template.root)]
    code = (
        f"import sys; from fercli.cli.app import run; code = run({words!r}); sys.exit(code + ('torch' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path.cwd(), env=os.environ, capture_output=True, text=True)
    assert (done.returncode, "(up to date)" in done.stdout) == (6, True), done.stderr


def test_only_what_is_missing_is_trained(template: Project) -> None:
    before = {run.run_id for run in list_runs(template.root)}
    settings = SweepSettings(**QUICK, values={"model.topn": (4, 1)})
    plan = sweep(template, settings, dry_run=True)
    assert (plan.num_to_train, plan.plan[0]) == (1, "train topn=1, seed 0")
    assert "as 1 finished run took" in plan.plan[1]
    result = sweep(template, settings)
    assert len({run.run_id for run in list_runs(template.root)} - before) == 1
    assert {*before} <= {run_id for one in result.variants for run_id in one["runs"]}
    assert [one["variant"] for one in result.differences if one["score"] == "accuracy"] == ["topn=1"]


def test_variants_are_marked_and_no_default_run(template: Project) -> None:
    studies = {run.record.study for run in list_runs(template.root)}
    assert "sweep topn=4" in studies
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
    assert [(one.trainings[0].lr, one.trainings[0].augment["flip"]) for one in study.variants] == [
        (0.1, "0"), (0.1, "0.5"), (0.01, "0"), (0.01, "0.5"),
    ]  # fmt: skip
    assert study.against == study.variants[2].name


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
