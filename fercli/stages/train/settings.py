"""What `fer train` can be set to, as options, as the text of a run's config.toml, and as what makes two runs equal."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w

from fercli.core.settings import identifying_settings, setting

# What only says how or how long to work, or is known by its contents; equal trainings may differ in it.
_OUTSIDE = (
    "time_limit_s",
    "workers",
    "ram_limit_mb",
    "backbone_weights",
    "gpus",
    "log",
    "tensorboard",
    "seeds",
    "study",
)


@dataclass(frozen=True)
class TrainSettings:
    """How a network is trained; what is not given comes from the recipe.

    `model` holds the network's own options (`--set model.topn=10`), `augment` fields of the augmentation
    (`--set augment.flip=0`); both are tables of their own in a config file.
    """

    model_name: str = setting("drf-msam", "Train this model (see `fer models`).", option="model")
    recipe: Literal["fast", "paper"] = setting("fast", "Use our training recipe (fast) or the paper's (paper).")
    epochs: int | None = setting(None, "Train for at most this many epochs.", minimum=1)
    batch_size: int | None = setting(None, "Set the batch size.", minimum=1)
    lr: float | None = setting(None, "Set the maximum learning rate.", minimum=0)
    class_weights: Literal["none", "sqrt", "inverse", "effective"] | None = setting(
        None, "Weight the loss by class frequency."
    )
    targets: Literal["hard", "soft"] = setting("hard", "Train on labels (hard) or vote distributions (soft).")
    backbone_weights: Path | None = setting(None, "Initialise the backbone from this weights file.")
    split: str = setting(
        "", "Use the split of this name (default: the only one, or 'default').", option="split-name", aliases=("split",)
    )
    fold: int | Literal["all"] | None = setting(
        None, "Use this fold of a cross-validation split, or train on each (all).", minimum=0
    )
    precision: Literal["auto", "fp32", "bf16"] = setting("auto", "Set the numerical precision.")
    time_limit_s: float | None = setting(
        None, "Stop after this time; the same command resumes.", option="time-limit", unit="s", minimum=0.001
    )
    name: str = setting("", "Append this to the run name.")
    seed: int = setting(0, "Set the random seed.", minimum=0, only_with={"seeds": ((),)})
    seeds: tuple[int, ...] = setting((), "Train once with each of these random seeds.", is_later=True)
    device: str = setting("auto", "Run on this device: auto, cpu, cuda or mps.")
    gpus: int | None = setting(None, "Train on this many GPUs of this machine.", minimum=1)
    procs: int = setting(1, "Train in this many processes, one GPU each where available.", minimum=1)
    log: tuple[Literal["tensorboard", "mlflow"], ...] = setting(
        (), "Also log to these experiment trackers: tensorboard, mlflow."
    )
    tensorboard: bool = setting(False, "Also log to TensorBoard: now --log tensorboard.", is_old=True)
    limit: int | None = setting(None, "Use at most this many training and validation faces.", minimum=2)
    workers: int = setting(2, "Load crops in N processes when they do not fit in memory.", minimum=0)

    objective: str | None = setting(None, "Minimise this loss.", is_hidden=True)
    optimizer: Literal["adam", "adamw", "sgd"] | None = setting(None, "Use this optimiser.", is_hidden=True)
    weight_decay: float | None = setting(None, "Set the weight decay.", minimum=0, is_hidden=True)
    momentum: float | None = setting(None, "Momentum of sgd.", minimum=0, maximum=1, is_hidden=True)
    adds_norms: bool | None = setting(
        None, "Train with batch normalisation that is folded in afterwards.", is_hidden=True
    )
    decays_norms: bool | None = setting(None, "Apply weight decay to biases and norm layers too.", is_hidden=True)
    schedule: Literal["constant", "cosine", "one-cycle", "exponential", "step"] | None = setting(
        None, "Set the learning-rate schedule.", is_hidden=True
    )
    warmup_epochs: float | None = setting(None, "Warm up for this many epochs.", minimum=0, is_hidden=True)
    gamma: float | None = setting(
        None, "Set the decay factor of exponential and step schedules.", minimum=0, is_hidden=True
    )
    step_epochs: int | None = setting(None, "Epochs between two steps.", minimum=1, is_hidden=True)
    sam_rho: float | None = setting(None, "Radius of sharpness-aware steps.", minimum=0, is_hidden=True)
    label_smoothing: float | None = setting(
        None, "Set the amount of label smoothing.", minimum=0, maximum=1, is_hidden=True
    )
    ema_decay: float | None = setting(
        None, "Set the decay of the weight average (EMA).", minimum=0, maximum=1, is_hidden=True
    )
    metric: Literal["accuracy", "macro-f1", "loss"] | None = setting(
        None, "Select the best epoch by this metric.", is_hidden=True
    )
    patience: int | None = setting(
        None, "Stop after this many epochs without improvement; 0 is off.", minimum=0, is_hidden=True
    )
    clip_norm: float | None = setting(None, "Clip the gradient norm at this value.", minimum=0, is_hidden=True)
    mixup: float | None = setting(None, "Set the mixup alpha.", minimum=0, is_hidden=True)
    cutmix: float | None = setting(None, "Set the CutMix alpha.", minimum=0, is_hidden=True)
    plain_epochs: int | None = setting(
        None, "Disable mixup and CutMix in the last N epochs.", minimum=0, is_hidden=True
    )
    accumulate: int | None = setting(
        None, "Accumulate gradients over this many micro-batches.", minimum=1, is_hidden=True
    )
    freeze_epochs: int | None = setting(
        None, "Freeze pretrained weights for this many epochs.", minimum=0, is_hidden=True
    )
    thaw: Literal["at-once", "gradual"] | None = setting(
        None, "Unfreeze pretrained weights at once or gradually.", is_hidden=True
    )
    sampler: Literal["shuffle", "balanced"] | None = setting(
        None, "Sample training faces with this method.", is_hidden=True
    )
    window: float | None = setting(
        None, "Train on random crops of this fraction of the side.", minimum=0.05, maximum=1, is_hidden=True
    )
    is_equalised: bool | None = setting(None, "Equalise the histogram of each crop.", is_hidden=True)
    norm: Literal["own", "half", "imagenet", "bytes"] | None = setting(
        None, "Normalise images by this mean and standard deviation.", is_hidden=True, is_later=True
    )
    image_size: int | None = setting(None, "Set the input image size.", minimum=8, is_hidden=True)
    threads: int | None = setting(None, "Use this many CPU threads.", minimum=1, maximum=1024, is_hidden=True)
    compile: Literal["auto", "yes", "no"] = setting("auto", "Compile the model with torch.compile.", is_hidden=True)
    ram_limit_mb: int = setting(2048, "Cache crops in memory up to this many MB.", minimum=0, is_hidden=True)
    study: str | None = setting(None, "Mark the run as this variant of a study.", is_hidden=True, is_later=True)
    model: dict[str, Any] = setting({}, "Set options of the model.", is_hidden=True)  # any option of any network
    augment: dict[str, Any] = setting({}, "Set data augmentation.", is_hidden=True)  # numbers, or text from --set

    def __post_init__(self) -> None:
        """Take `model="sfer-mdfae"` for the name of the model, as `--model` does."""
        if isinstance(self.model, str):
            object.__setattr__(self, "model_name", self.model)
            object.__setattr__(self, "model", {})

    @property
    def trackers(self) -> tuple[str, ...]:
        """The experiment trackers to log to, each once."""
        return tuple(dict.fromkeys((*self.log, *["tensorboard"] * self.tensorboard)))


def identity(settings: TrainSettings) -> dict[str, Any]:  # JSON
    """The settings that two equal trainings share."""
    model, augment = parse_values(settings.model), parse_values(settings.augment)
    plain = identifying_settings(dataclasses.replace(settings, model=model, augment=augment))
    return {name: value for name, value in plain.items() if name not in _OUTSIDE}


def settings_text(settings: TrainSettings, plan: Any, form: Any) -> str:  # a Plan and an InputFormat
    """The run's config.toml: `fer train --config` reads it; [plan] and [input] say what the recipe made of it."""
    header = "# How this run was made. Repeat it: fer train --config config.toml\n# [plan] and [input] only inform.\n"
    made = {"plan": dataclasses.asdict(plan), "input": dataclasses.asdict(form)}
    return header + given_text(settings) + "\n" + tomli_w.dumps(made)


def given_text(settings: TrainSettings) -> str:
    """The settings that are not left to the recipe, as TOML."""
    # A run has one seed.
    given = {name: value for name, value in dataclasses.asdict(settings).items() if value not in (None, ())}
    if settings.backbone_weights:
        given["backbone_weights"] = settings.backbone_weights.as_posix()
    tables = {name: parse_values(given.pop(name)) for name in ("model", "augment")}
    return tomli_w.dumps({"train": given, **tables})


def read_settings(text: str) -> TrainSettings:
    """The inverse of `settings_text`."""
    config = tomllib.loads(text)
    tables = {name: config.get(name, {}) for name in ("model", "augment")}
    given = dict(config["train"])
    if "backbone_weights" in given:
        given["backbone_weights"] = Path(given["backbone_weights"])
    if "log" in given:
        given["log"] = tuple(given["log"])
    return TrainSettings(**given, **tables)


def parse_values(values: Mapping[str, Any]) -> dict[str, Any]:  # TOML
    """Words of `--set` as the TOML values they spell: "15" is a number, "true" a truth, "rw" a word."""
    return {name: _parse_value(value) if isinstance(value, str) else value for name, value in values.items()}


def _parse_value(text: str) -> Any:  # TOML
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
