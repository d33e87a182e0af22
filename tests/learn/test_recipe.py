import dataclasses
import json
import tomllib
from pathlib import Path

import pytest

from fercli.data.transforms import Augmentation
from fercli.learn.objectives import OBJECTIVES
from fercli.learn.recipe import fast_plan, make_plan, paper_plan, with_changes
from fercli.models.table.specs import MODELS


def test_paper_plan_of_sfer_mdfae_on_fer2013_is_section_4_3() -> None:
    plan = paper_plan(MODELS["sfer-mdfae"], "fer2013")
    assert (plan.optimizer, plan.lr, plan.weight_decay, plan.batch_size) == ("adam", 1e-5, 1e-4, 64)
    assert (plan.patience, plan.metric, plan.schedule, plan.gamma) == (50, "accuracy", "exponential", 0.98)
    assert plan.augmentation == {"flip": 0.5, "erase": 0.5, "erase_area": (0.02, 0.1)}


def test_notebook_networks_equalise_and_others_do_not() -> None:
    assert paper_plan(MODELS["drf-msam"]).is_equalised
    assert not paper_plan(MODELS["sfer-mdfae"]).is_equalised
    assert not fast_plan(MODELS["drf-msam"]).is_equalised


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_network_has_both_plans(name: str) -> None:
    spec = MODELS[name]
    plans = [paper_plan(spec, data_set) for data_set in spec.recipes] + [make_plan(spec, "fast", num_train=500)]
    for plan in plans:
        Augmentation(**plan.augmentation)  # type: ignore[arg-type]  # the plan's fields are Augmentation's
        assert plan.objective in OBJECTIVES
        assert plan.epochs >= 5


def test_small_data_gets_more_epochs() -> None:
    spec = MODELS["drf-msam"]
    assert fast_plan(spec, 700).epochs > fast_plan(spec, 28709).epochs


def test_only_our_own_recipes_look_ahead_of_the_momentum() -> None:
    assert not paper_plan(MODELS["ddamfn"]).nesterov
    assert paper_plan(MODELS["fercli-compact"]).nesterov


def test_changes_replace_single_fields_of_the_augmentation() -> None:
    plan = fast_plan(MODELS["drf-msam"])
    changed = with_changes(plan, {"lr": 0.5, "augmentation": {"flip": 0.0}})
    assert (changed.lr, changed.augmentation["flip"]) == (0.5, 0.0)
    assert changed.augmentation["zoom"] == plan.augmentation["zoom"] > 0


def test_our_own_network_has_one_recipe() -> None:
    plan = make_plan(MODELS["fercli-compact"], "fast", num_train=28709)
    assert plan == make_plan(MODELS["fercli-compact"], "paper")
    assert (plan.optimizer, plan.schedule, plan.mixup, plan.decays_norms) == ("sgd", "one-cycle", 0.2, False)
    assert not plan.is_equalised


def test_recipe_of_the_face_weights_is_the_one_that_was_measured() -> None:
    kept = Path(__file__).parents[2] / "docs" / "results" / "fer2013-fercli-mobilenet" / "config.toml"
    made = tomllib.loads(kept.read_text(encoding="utf-8"))["plan"]
    plan = json.loads(json.dumps(dataclasses.asdict(make_plan(MODELS["fercli-mobilenet"], "fast", num_train=25528))))
    # Written before there was a choice: sgd always looked ahead.
    assert plan.pop("nesterov")
    neutral = {"warmup_steps": 0, "restart_steps": 0, "ema_every": 1, "norm": "own"}
    assert {name: plan.pop(name) for name in neutral} == neutral
    assert set(plan.pop("sources").values()) == {"ours"}
    assert plan == {name: value for name, value in made.items() if name != "nesterov"}


# Read in the papers and in the authors' programs; what is given is asked for to the letter.
AFFINE = {"flip": 0.5, "rotate_deg": 20.0, "scale": (0.8, 1.0), "shift": 0.2, "move": 0.7}
NOISE = pytest.approx(0.0215, abs=5e-5)  # variance 30 of values from 0 to 255
FACTS: dict[tuple[str, str], dict[str, object]] = {
    ("sfer-mdfae", "fer2013"): {
        "optimizer": "adam", "lr": 1e-5, "momentum": 0.9, "weight_decay": 1e-4, "batch_size": 64, "patience": 50,
        "augmentation": {"flip": 0.5, "erase": 0.5, "erase_area": (0.02, 0.1)},
    },
    ("sfer-mdfae", "ferplus"): {"lr": 1e-5, "batch_size": 100, "patience": 50},
    ("sfer-mdfae", "raf-db"): {"lr": 3e-5, "batch_size": 64, "weight_decay": 1e-4},
    ("sfer-mdfae", "affectnet7"): {"lr": 2e-6, "weight_decay": 5e-5, "patience": 12},
    ("sfer-mdfae", "scfed"): {"lr": 1e-5},
    ("aer-cnn", "default"): {
        "optimizer": "adam", "lr": 1e-3, "batch_size": 32, "epochs": 25, "is_equalised": True, "norm": "bytes",
    },
    ("msff-cnn", "default"): {"optimizer": "adam", "lr": 1e-3, "epochs": 5, "is_equalised": True, "norm": "bytes"},
    ("drf-msam", "default"): {"optimizer": "adam", "lr": 2e-3, "epochs": 100, "is_equalised": True, "norm": "own"},
    ("eac", "default"): {
        "objective": "eac", "optimizer": "adam", "lr": 1e-4, "weight_decay": 1e-4, "schedule": "exponential",
        "gamma": 0.9, "batch_size": 32, "epochs": 60,
        "augmentation": {"erase": 0.5, "erase_area": (0.02, 0.25), "noise": 0.5, "noise_std": NOISE},
    },
    ("emonext-base", "default"): {
        "objective": "emonext", "optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.01, "batch_size": 64,
        "epochs": 300, "schedule": "cosine-restarts", "warmup_steps": 128, "restart_steps": 1024, "ema_decay": 0.99,
        "ema_every": 16, "patience": 12, "clip_norm": 1.0, "label_smoothing": 0.2, "window": 224 / 236,
        "augmentation": {"flip": 0.5, "flip_vertical": 0.5, "grey": 1.0, "rotate_deg": 20.0},
    },
    ("ddamfn", "raf-db"): {
        "objective": "ddamfn", "optimizer": "sgd", "lr": 0.01, "momentum": 0.9, "nesterov": False,
        "weight_decay": 1e-4, "schedule": "step", "step_epochs": 10, "gamma": 0.1, "batch_size": 256, "epochs": 40,
        "augmentation": {
            "flip": 0.5, "rotate_deg": 5.0, "shift": 8 / 112, "move": 0.2, "erase": 0.5, "erase_area": (0.02, 0.25),
        },
    },
    ("ddamfn", "ferplus"): {
        "epochs": 80,
        "augmentation": {
            "flip": 0.5, "rotate_deg": 10.0, "shift": 16 / 112, "move": 0.2, "erase": 0.5, "erase_area": (0.02, 0.25),
        },
    },
    ("ddamfn", "affectnet7"): {
        "optimizer": "adam", "lr": 1e-4, "weight_decay": 0.0, "schedule": "exponential", "gamma": 0.6,
        "sampler": "balanced", "augmentation": {**AFFINE, "erase": 0.5, "erase_area": (0.02, 0.33)},
    },
    ("poster", "raf-db"): {
        "objective": "poster", "optimizer": "adam", "sam_rho": 0.05, "lr": 4e-5, "batch_size": 200, "epochs": 300,
        "schedule": "exponential", "gamma": 0.98, "sampler": "shuffle",
        "augmentation": {"flip": 0.5, "noise": 0.25, "noise_std": NOISE, "erase": 0.5, "erase_area": (0.02, 0.1)},
    },
    ("poster", "affectnet7"): {"lr": 2e-6, "sampler": "balanced", "batch_size": 200},
    ("poster-pp", "raf-db"): {
        "objective": "cross-entropy", "sam_rho": 0.05, "lr": 3.5e-5, "batch_size": 144, "epochs": 200, "gamma": 0.98,
        "sampler": "shuffle", "augmentation": {"flip": 0.5, "erase": 0.5, "erase_area": (0.02, 0.1)},
    },
    ("poster-pp", "affectnet7"): {
        "lr": 1e-6, "sampler": "balanced", "augmentation": {"flip": 0.5, "erase": 1.0, "erase_area": (0.05, 0.05)},
    },
}  # fmt: skip


@pytest.mark.parametrize(("name", "data_set"), FACTS, ids=" ".join)
def test_the_papers_recipe_is_what_its_sources_say(name: str, data_set: str) -> None:
    plan = dataclasses.asdict(paper_plan(MODELS[name], data_set))
    facts = dict(FACTS[name, data_set])
    amounts = facts.pop("augmentation", {})
    assert isinstance(amounts, dict)
    assert {key: plan[key] for key in facts} == facts
    assert amounts in ({}, plan["augmentation"])


def test_each_value_of_a_papers_plan_has_a_source() -> None:
    plan = paper_plan(MODELS["poster"], "affectnet7")
    fields = {column.name for column in dataclasses.fields(plan)} - {"augmentation", "sources"}
    assert plan.sources.keys() == fields | {f"augmentation.{name}" for name in plan.augmentation}
    assert (plan.sources["lr"], plan.sources["batch_size"], plan.sources["accumulate"]) == ("paper", "code", "ours")
    assert (plan.sources["schedule"], plan.sources["objective"]) == ("code", "paper")


def test_what_the_user_changes_is_told_as_given() -> None:
    plan = with_changes(paper_plan(MODELS["poster"]), {"lr": 0.5, "augmentation": {"flip": 0.0}})
    assert (plan.sources["lr"], plan.sources["augmentation.flip"], plan.sources["epochs"]) == ("given", "given", "code")
    assert with_changes(fast_plan(MODELS["poster"]), {"lr": 0.5}).sources == {}
