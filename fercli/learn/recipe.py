"""Collect all training settings for a model: its paper, its recipe and the size of the data; standard library only."""

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from fercli.models.table.schema import NormName
from fercli.models.table.specs import ModelSpec, Recipe

RecipeName = Literal["fast", "paper"]
ClassWeights = Literal["none", "sqrt", "inverse", "effective"]
Metric = Literal["accuracy", "macro-f1", "loss"]
Optimizer = Literal["adam", "adamw", "sgd"]
Schedule = Literal["constant", "cosine", "one-cycle", "exponential", "step", "cosine-restarts"]
Sampler = Literal["shuffle", "balanced"]
Thaw = Literal["at-once", "gradual"]

# Without a limit of the paper's own: its early stopping ends the training long before.
_ENDLESS_EPOCHS = 500
# Numbers in a network, and faces to train on, below which the fast recipe takes it for small.
_SMALL_NETWORK = 2_000_000
_SMALL_DATA = 5_000
_LIGHT_CHANGES: dict[str, float | tuple[float, float]] = {
    "flip": 0.5,
    "rotate_deg": 5.0,
    "shift": 0.04,
    "zoom": 0.05,
    "brightness": 0.1,
    "contrast": 0.15,
}
_STRONG_CHANGES: dict[str, float | tuple[float, float]] = {
    "flip": 0.5,
    "rotate_deg": 10.0,
    "shift": 0.06,
    "zoom": 0.1,
    "brightness": 0.15,
    "contrast": 0.2,
    "erase": 0.25,
    "erase_area": (0.02, 0.15),
}


@dataclass(frozen=True)
class Plan:
    """Everything that decides how weights move; two trainings of equal plan, data and seed give equal weights.

    Args:
        lr: the largest learning rate that the schedule reaches.
        momentum: of "sgd"; beta1 of "adam" and "adamw".
        nesterov: whether "sgd" looks ahead of its momentum.
        adds_norms: whether a network without normalisation learns with it; see learn/norms.py.
        decays_norms: whether weight decay also acts on biases and normalisation, as plain optimisers do.
        warmup_epochs: of linear warm-up before "cosine"; a share of an epoch is allowed.
        warmup_steps: of linear warm-up at the beginning of each round of "cosine-restarts".
        restart_steps: steps of a round of "cosine-restarts".
        gamma: factor per epoch of "exponential", per `step_epochs` of "step".
        sam_rho: radius of sharpness-aware minimisation; 0 is off.
        ema_decay: of the running mean of the weights that is validated and kept; 0 is off.
        ema_every: steps between two weights that the running mean takes in.
        patience: epochs without a better `metric` on val before stopping; 0 never stops.
        clip_norm: largest norm of the gradient; 0 is off.
        mixup: alpha of the Beta distribution that blends pairs of pictures; 0 is off.
        cutmix: alpha of the one that pastes a part of another picture in; 0 is off. See data/mixing.py.
        plain_epochs: epochs at the end that mix no pictures.
        accumulate: parts that a batch is cut into to save memory; their gradients are added up.
        freeze_epochs: epochs at the start in which pretrained weights rest; as many as `epochs` trains the head alone.
        thaw: rest until then "at-once", or wake from the last layer to the first, "gradual".
        augmentation: fields of data.transforms.Augmentation.
        window: share of the side that is learnt from and judged; see data.transforms.InputFormat.
        is_equalised: the notebook's stretch and equalisation; flat pictures then leave train and val.
        norm: what images are normalised by, see models.table.schema.NORMS; "own" is what the network's row names.
        sources: who states each value of a paper's recipe: paper, code or ours, or "given" by the user.
    """

    epochs: int
    batch_size: int
    lr: float
    objective: str = "cross-entropy"
    optimizer: Optimizer = "adam"
    weight_decay: float = 0.0
    momentum: float = 0.9
    nesterov: bool = True
    adds_norms: bool = False
    decays_norms: bool = True
    schedule: Schedule = "constant"
    warmup_epochs: float = 0.0
    warmup_steps: int = 0
    restart_steps: int = 0
    gamma: float = 1.0
    step_epochs: int = 10
    sam_rho: float = 0.0
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    ema_every: int = 1
    metric: Metric = "accuracy"
    patience: int = 0
    clip_norm: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    plain_epochs: int = 0
    accumulate: int = 1
    freeze_epochs: int = 0
    thaw: Thaw = "at-once"
    class_weights: ClassWeights = "none"
    sampler: Sampler = "shuffle"
    window: float = 1.0
    is_equalised: bool = False
    norm: NormName = "own"
    augmentation: dict[str, float | tuple[float, float]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


def make_plan(spec: ModelSpec, recipe: RecipeName, *, data_set: str = "", num_train: int = 0) -> Plan:
    """The plan of a recipe for one network; `num_train` faces decide how many epochs "fast" takes.

    A network of this package has one recipe, whatever it is called.
    """
    is_own = recipe == "paper" or spec.is_ours
    return paper_plan(spec, data_set) if is_own else fast_plan(spec, num_train)


def paper_plan(spec: ModelSpec, data_set: str = "") -> Plan:
    """What the network's paper did on `data_set`, its default where the paper doesn't name that set."""
    recipe = spec.recipe_for(data_set)
    plan = Plan(
        epochs=recipe.epochs or _ENDLESS_EPOCHS,
        batch_size=recipe.batch_size,
        lr=recipe.lr,
        objective=spec.objective,
        optimizer=_optimizer(recipe),
        weight_decay=recipe.weight_decay,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        decays_norms=recipe.decays_norms,
        schedule=_schedule(recipe),
        warmup_epochs=recipe.warmup_epochs,
        warmup_steps=recipe.warmup_steps,
        restart_steps=recipe.restart_steps,
        gamma=recipe.scheduler_gamma,
        step_epochs=recipe.step_epochs or 10,
        sam_rho=(recipe.sam_rho or 0.05) if recipe.optimizer == "sam-adam" else 0.0,
        label_smoothing=recipe.label_smoothing,
        ema_decay=recipe.ema_decay or 0.0,
        ema_every=recipe.ema_every,
        patience=recipe.patience or 0,
        clip_norm=recipe.grad_clip or 0.0,
        mixup=recipe.mixup,
        cutmix=recipe.cutmix,
        plain_epochs=recipe.plain_epochs,
        sampler=recipe.sampler,
        window=recipe.window,
        is_equalised=recipe.is_equalised,
        norm=recipe.norm,
        augmentation=dict(recipe.augmentation),
    )
    return dataclasses.replace(plan, sources=_sources(plan, spec, recipe))


def fast_plan(spec: ModelSpec, num_train: int = 0) -> Plan:
    """Our own recipe: AdamW on one cosine with warm-up, moving average, cheap augmentation in batches.

    A small network underfits, so its pictures are changed less. Small datasets get smaller batches and more epochs:
    at least some 1,200 steps. The cosine brings its gains at the end, so patience is long.
    """
    is_small = spec.parameters < _SMALL_NETWORK
    batch_size = 32 if num_train < _SMALL_DATA or not is_small else 64
    steps_per_epoch = max(1, -(-num_train // batch_size))
    epochs = min(60, max(25 if is_small else 20, -(-1200 // steps_per_epoch)))
    return Plan(
        epochs=epochs,
        batch_size=batch_size,
        lr=4e-3 if is_small else 5e-4,
        objective=spec.objective,
        optimizer="adamw",
        weight_decay=0.01 if is_small else 0.05,
        adds_norms=True,
        decays_norms=False,
        schedule="cosine",
        warmup_epochs=min(3.0, epochs / 10),
        label_smoothing=0.05,
        # Over the few steps of small data the average lags behind more than it smooths.
        ema_decay=0.0 if num_train < _SMALL_DATA else 0.99,
        patience=max(15, epochs * 2 // 3),
        clip_norm=5.0,
        augmentation=dict(_LIGHT_CHANGES if is_small else _STRONG_CHANGES),
    )


def paper_size(spec: ModelSpec) -> int:
    """The side of the images that the paper's recipe has, of which a window may be cut."""
    return spec.paper_size or spec.input_size


def fast_size(spec: ModelSpec) -> int:
    """The side of the images that "fast" feeds: 112 to networks that shrink 224 to 112 themselves."""
    return spec.fast_size or spec.input_size


def with_changes(plan: Plan, changes: dict[str, object]) -> Plan:
    """The plan with some fields replaced; the augmentation's fields are replaced one by one."""
    augmentation = {**plan.augmentation, **dict(changes.get("augmentation", {}))}  # type: ignore[call-overload]  # a dict
    named = {name for name in changes if name != "augmentation"}
    named |= {f"augmentation.{name}" for name in dict(changes.get("augmentation", {}))}  # type: ignore[call-overload]  # a dict
    sources = plan.sources | dict.fromkeys(sorted(named), "given") if plan.sources else {}
    every = {**changes, "augmentation": augmentation, "sources": sources}
    return dataclasses.replace(plan, **every)  # type: ignore[arg-type]  # checked by the settings class


# What a recipe calls otherwise than a plan.
_OWN_NAMES = {"schedule": "scheduler", "gamma": "scheduler_gamma", "clip_norm": "grad_clip"}


def _sources(plan: Plan, spec: ModelSpec, recipe: Recipe) -> dict[str, str]:
    """Who states each value of the plan; what nobody states has a neutral value and is ours."""
    fields = [column.name for column in dataclasses.fields(plan) if column.name not in ("augmentation", "sources")]
    sources: dict[str, str] = {name: recipe.sources.get(_OWN_NAMES.get(name, name), "ours") for name in fields}
    if spec.objective != "cross-entropy" and not spec.is_ours:
        sources["objective"] = "paper"
    return sources | {name: source for name, source in recipe.sources.items() if name.startswith("augmentation.")}


def _optimizer(recipe: Recipe) -> Optimizer:
    return "adam" if recipe.optimizer == "sam-adam" else recipe.optimizer


def _schedule(recipe: Recipe) -> Schedule:
    names: dict[str, Schedule] = {
        "none": "constant",
        "warmup-cosine": "cosine",
        "exponential": "exponential",
        "one-cycle": "one-cycle",
        "cosine-restarts": "cosine-restarts",
    }
    return names.get(recipe.scheduler, "step")
