"""The records of the table of networks: paper, recipe, counts, spec; standard library only."""

from dataclasses import dataclass, field
from typing import Literal

ObjectiveName = Literal["cross-entropy", "eac", "emonext", "ddamfn", "poster", "branches"]
OptimizerName = Literal["adam", "adamw", "sgd", "sam-adam"]
SchedulerName = Literal["none", "exponential", "step", "warmup-cosine", "one-cycle"]
BackboneLayout = Literal["", "ir50", "ir50+mobilefacenet", "resnet50", "convnext", "mixed-mobilefacenet", "mobilenet"]


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
    """How a paper trained a network on one data set.

    `not_stated` names the fields that the paper leaves open and that we filled, from the authors' code where there is
    one; an `epochs` of None means that only early stopping ends the training. `scheduler_gamma` is the factor per
    epoch of "exponential" and per `step_epochs` of "step"; of "warmup-cosine" and "one-cycle", `lr` is the highest
    rate. `sam_rho` is the radius of sharpness-aware minimisation, used by "sam-adam"; `mixup` and `cutmix` are the
    alphas of their Beta distributions, and neither is used in the last `plain_epochs`; without `decays_norms`, biases
    and norms are not shrunk.
    """

    lr: float
    batch_size: int
    optimizer: OptimizerName = "adam"
    epochs: int | None = None
    weight_decay: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False
    scheduler: SchedulerName = "none"
    scheduler_gamma: float = 1.0
    step_epochs: int | None = None
    sam_rho: float | None = None
    label_smoothing: float = 0.0
    ema_decay: float | None = None
    grad_clip: float | None = None
    mixup: float = 0.0
    cutmix: float = 0.0
    plain_epochs: int = 0
    decays_norms: bool = True
    patience: int | None = None
    augmentation: tuple[str, ...] = ()
    not_stated: tuple[str, ...] = ()


@dataclass(frozen=True)
class ThopCounts:
    """What `thop.profile` prints for one image: multiply-adds of leaf modules, parameters of those that ran.

    Attention's matrix products are not counted, so the figures are lower than the real work. The numbers were read
    off the authors' code (`macs`, `parameters`) and belong to `num_classes` classes and `input_size` pixels.
    `printed` is the paper's own line, empty for networks its table does not have.
    """

    macs: int
    parameters: int
    num_classes: int
    input_size: int
    printed: str = ""


@dataclass(frozen=True)
class ModelSpec:
    """One network as `fer models` lists it; see docs/models.md for what the columns mean.

    Attributes:
        name: as in `fer train --model NAME`.
        title: what it is, in a few words.
        architecture: its parts in the order in which a picture meets them.
        builder: "module:Class", imported only when the network is built.
        paper: where it was published.
        input_size: side of the picture the network is fed, pixels.
        channels: 3 for RGB, 1 for grey.
        mean: per channel, of pixel values scaled to [0, 1].
        std: per channel, likewise.
        cam_layer: dotted name of the module whose output a CAM is drawn from.
        parameters: numbers in the module at 7 classes, all of them, frozen ones too.
        parameters_per_class: what one class more adds.
        recipes: data set -> Recipe; "default" serves the data sets that are not named.
        options: keyword arguments that this row gives the class, before the user's.
        objective: the loss of its paper, by the name learn/objectives.py knows.
        cam_grid: (rows, columns) when that output is "batch tokens channels"; None when it is a map.
        table4: counts by thop, the paper's way; None where nobody published one.
        reported: data set -> accuracy in percent, as the SFER-MDFAE paper's Table 3 has it.
        input_notes: what the paper does to pictures before the network, and which other sizes it takes.
        backbone: which pretrained layout `--backbone-weights` fills; "" when none.
        notes: what a reader of results must know.
        is_ours: not a network of the papers: it stands beside theirs, and our recipe is its only one.
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
    reported: dict[str, float] = field(default_factory=dict)
    input_notes: str = ""
    backbone: BackboneLayout = ""
    notes: tuple[str, ...] = ()
    is_ours: bool = False

    def parameters_at(self, num_classes: int) -> int:
        """Numbers in the module when it tells `num_classes` classes apart."""
        return self.parameters + (num_classes - 7) * self.parameters_per_class

    def recipe_for(self, data_set: str) -> Recipe:
        """The paper's recipe on `data_set`, or its default one."""
        return self.recipes.get(data_set, self.recipes["default"])
