"""The records of the table of networks: paper, recipe, counts, spec; standard library only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypedDict

ObjectiveName = Literal["cross-entropy", "eac", "emonext", "ddamfn", "poster", "branches"]
OptimizerName = Literal["adam", "adamw", "sgd", "sam-adam"]
SchedulerName = Literal["none", "exponential", "step", "warmup-cosine", "one-cycle", "cosine-restarts"]
BackboneLayout = Literal["", "ir50", "ir50+mobilefacenet", "resnet50", "convnext", "mixed-mobilefacenet", "mobilenet"]
SamplerName = Literal["shuffle", "balanced"]
Source = Literal["paper", "code", "ours"]
NormName = Literal["own", "half", "imagenet", "bytes"]
# How far an image is changed: fields of data.transforms.Augmentation.
Amounts = Mapping[str, float | tuple[float, float]]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
# Mean and standard deviation of values in [0, 1] that images are normalised by, other than a row's own; one number
# serves all channels. "bytes" feeds 0 to 255.
NORMS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "half": ((0.5,), (0.5,)),
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "bytes": ((0.0,), (1 / 255,)),
}


@dataclass(frozen=True)
class Paper:
    """Where a network was published; an empty field is one that no source we read states."""

    title: str
    authors: str
    venue: str
    year: int | None = None
    doi: str = ""
    url: str = ""


@dataclass(frozen=True)
class Recipe:
    """How a network was trained on one dataset, and who says so.

    Made by `recipe`. An `epochs` of None means that only early stopping ends the training. `momentum` is beta1 where
    the optimiser is Adam. `scheduler_gamma` is the factor per epoch of "exponential" and per `step_epochs` of "step";
    of "warmup-cosine" and "one-cycle", `lr` is the highest rate. `sam_rho` is the radius of sharpness-aware
    minimisation, used by "sam-adam"; `mixup` and `cutmix` are the alphas of their Beta distributions, and neither is
    used in the last `plain_epochs`; without `decays_norms`, biases and norms are not shrunk. "cosine-restarts" begins
    anew every `restart_steps` steps, the first `warmup_steps` of which rise evenly to `lr`. The mean of the weights
    takes in every `ema_every`-th step. `norm` is what images are normalised by; `window` the share of the side that is
    cut out at random. `is_equalised` asks for the stretch and equalisation of the 48x48 networks' notebook.

    Attributes:
        sources: who states each value: the paper, the authors' code, or nobody, so that it is ours; an amount of the
            augmentation is called "augmentation.NAME". What is not named is not used, and has its neutral value.
    """

    lr: float
    batch_size: int
    optimizer: OptimizerName = "adam"
    epochs: int | None = None
    weight_decay: float = 0.0
    momentum: float = 0.9
    nesterov: bool = False
    scheduler: SchedulerName = "none"
    scheduler_gamma: float = 1.0
    step_epochs: int | None = None
    warmup_epochs: float = 0.0
    warmup_steps: int = 0
    restart_steps: int = 0
    sam_rho: float | None = None
    label_smoothing: float = 0.0
    ema_decay: float | None = None
    ema_every: int = 1
    grad_clip: float | None = None
    mixup: float = 0.0
    cutmix: float = 0.0
    plain_epochs: int = 0
    decays_norms: bool = True
    patience: int | None = None
    sampler: SamplerName = "shuffle"
    is_equalised: bool = False
    norm: NormName = "own"
    window: float = 1.0
    augmentation: Amounts = field(default_factory=dict)
    sources: Mapping[str, Source] = field(default_factory=dict)


class Values(TypedDict, total=False):
    """What one source says of a training; the fields of `Recipe`."""

    lr: float
    batch_size: int
    optimizer: OptimizerName
    epochs: int | None
    weight_decay: float
    momentum: float
    nesterov: bool
    scheduler: SchedulerName
    scheduler_gamma: float
    step_epochs: int
    warmup_epochs: float
    warmup_steps: int
    restart_steps: int
    sam_rho: float
    label_smoothing: float
    ema_decay: float
    ema_every: int
    grad_clip: float
    mixup: float
    cutmix: float
    plain_epochs: int
    decays_norms: bool
    patience: int
    sampler: SamplerName
    is_equalised: bool
    norm: NormName
    window: float
    augmentation: Amounts


def recipe(paper: Values | None = None, code: Values | None = None, ours: Values | None = None) -> Recipe:
    """Put together what the paper says, what the authors' code says beyond it, and what we filled in.

    Where two say something of the same value the paper goes before the code, and both before us.
    """
    values: dict[str, object] = {}
    amounts: dict[str, float | tuple[float, float]] = {}
    sources: dict[str, Source] = {}
    parts: tuple[tuple[Source, Values | None], ...] = (("paper", paper), ("code", code), ("ours", ours))
    for source, part in parts:
        for name, value in (part or {}).items():
            if name != "augmentation":
                values.setdefault(name, value)
                sources.setdefault(name, source)
        for name, amount in (part or {}).get("augmentation", {}).items():
            amounts.setdefault(name, amount)
            sources.setdefault(f"augmentation.{name}", source)
    return Recipe(**values, augmentation=amounts, sources=sources)  # type: ignore[arg-type]  # Values has Recipe's types


@dataclass(frozen=True)
class ThopCounts:
    """What `thop.profile` prints for one image: multiply-adds of leaf modules, parameters of those that ran.

    Attention's matrix products are not counted, so the figures are lower than the real work. The numbers were read
    off the authors' code (`macs`, `parameters`) and belong to `num_classes` classes and `input_size` pixels.
    `printed` is the paper's own line, empty for networks its table does not have; with `is_exact`, ours has their
    parameters to the last one.
    """

    macs: int
    parameters: int
    num_classes: int
    input_size: int
    printed: str = ""
    is_exact: bool = False


@dataclass(frozen=True)
class Ablation:
    """A variant of a network, its option `variant`, that lacks one part; `is_of_paper` where the paper ablates it."""

    title: str
    is_of_paper: bool = True


@dataclass(frozen=True)
class ModelSpec:
    """One network as `fer models` lists it; see docs/models.md for what the columns mean.

    Attributes:
        name: as in `fer train --model NAME`.
        title: what it is, in a few words.
        architecture: its parts in the order in which an image meets them.
        builder: "module:Class", imported only when the network is built.
        paper: where it was published.
        input_size: side of the image the network is fed, pixels.
        channels: 3 for RGB, 1 for grey.
        mean: per channel, of pixel values scaled to [0, 1].
        std: per channel, likewise.
        cam_layer: dotted name of the module whose output a CAM is drawn from.
        parameters: numbers in the module at 7 classes, all of them, frozen ones too.
        parameters_per_class: what one class more adds.
        recipes: dataset -> Recipe; "default" serves the datasets that are not named.
        options: keyword arguments that this row gives the class, before the user's.
        objective: the loss of its paper, by the name learn/objectives.py knows.
        cam_grid: (rows, columns) when that output is "batch tokens channels"; None when it is a map.
        table4: counts by thop, the paper's way; None where nobody published one.
        macs: multiply-adds at `input_size`, where they are known by another way than table4.
        reported: dataset -> accuracy in percent, as the SFER-MDFAE paper's Table 3 has it.
        ablations: the variants that `fer ablate` trains beside the full model, by name.
        input_notes: what the paper does to images before the network, and which other sizes it takes.
        fast_size: side that the recipe "fast" feeds; 0 is `input_size`.
        paper_size: side that the paper's recipe has before a window is cut; 0 is `input_size`.
        backbone: which pretrained layout `--backbone-weights` fills; "" when none.
        notes: what a reader of results must know.
        is_ours: not a network of the papers: it stands beside theirs, and our recipe is its only one.
        small_options: options that make it so narrow that a test of it takes a second.
        small_size: side of the image that the narrow one is fed; 0 is `input_size`.
        place: where it stands in lists; networks of the same place stand by name.
    """

    name: str
    title: str
    architecture: str
    builder: str
    paper: Paper
    input_size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    cam_layer: str
    parameters: int
    parameters_per_class: int
    recipes: dict[str, Recipe]
    options: dict[str, object] = field(default_factory=dict)
    objective: ObjectiveName = "cross-entropy"
    cam_grid: tuple[int, int] | None = None
    table4: ThopCounts | None = None
    macs: int | None = None
    reported: dict[str, float] = field(default_factory=dict)
    ablations: dict[str, Ablation] = field(default_factory=dict)
    input_notes: str = ""
    fast_size: int = 0
    paper_size: int = 0
    backbone: BackboneLayout = ""
    notes: tuple[str, ...] = ()
    is_ours: bool = False
    small_options: dict[str, object] = field(default_factory=dict)
    small_size: int = 0
    place: int = 100

    def parameters_at(self, num_classes: int) -> int:
        """Numbers in the module when it tells `num_classes` classes apart."""
        return self.parameters + (num_classes - 7) * self.parameters_per_class

    def recipe_for(self, data_set: str) -> Recipe:
        """The paper's recipe on `data_set`, or its default one."""
        return self.recipes.get(data_set, self.recipes["default"])
