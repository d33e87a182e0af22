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
    plan = dataclasses.asdict(make_plan(MODELS["fercli-mobilenet"], "fast", num_train=25528))
    # Written before there was a choice: sgd always looked ahead.
    assert json.loads(json.dumps(plan)) == {**made, "nesterov": True}
