"""The table of networks: what each one is, eats, costs, comes from and how its paper trained it; no torch."""

from dataclasses import dataclass, field
from typing import Literal

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

ObjectiveName = Literal["cross-entropy", "eac", "emonext", "ddamfn", "poster"]
OptimizerName = Literal["adam", "adamw", "sgd", "sam-adam"]
SchedulerName = Literal["none", "exponential", "step", "warmup-cosine"]


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

    `not_stated` names the fields that the paper leaves open and that we filled; an `epochs` of None means that only
    early stopping ends the training. `scheduler_gamma` is the factor per epoch of "exponential" and per `step_epochs`
    of "step". `sam_rho` is the radius of sharpness-aware minimisation, used by "sam-adam".
    """

    lr: float
    batch_size: int
    optimizer: OptimizerName = "adam"
    epochs: int | None = None
    weight_decay: float = 0.0
    momentum: float = 0.0
    scheduler: SchedulerName = "none"
    scheduler_gamma: float = 1.0
    step_epochs: int | None = None
    sam_rho: float | None = None
    label_smoothing: float = 0.0
    ema_decay: float | None = None
    patience: int | None = None
    augmentation: tuple[str, ...] = ()
    not_stated: tuple[str, ...] = ()


@dataclass(frozen=True)
class ThopCounts:
    """What `thop.profile` prints for one image: multiply-adds of leaf modules, parameters of those that ran.

    Attention's matrix products are not counted, so the figures are lower than the real work. The numbers were read
    off the authors' code (`macs`, `parameters`) and belong to `num_classes` classes and `input_size` pixels.
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
        builder: "module:Class", imported only when the network is built.
        options: keyword arguments that this row gives the class, before the user's.
        input_size: side of the picture the network is fed, pixels.
        channels: 3 for RGB, 1 for grey.
        mean, std: per channel, of pixel values scaled to [0, 1].
        input_notes: what the paper does to pictures before the network, and which other sizes it takes.
        objective: the loss of its paper, by the name learn/objectives.py knows.
        cam_layer: dotted name of the module whose output a CAM is drawn from.
        cam_grid: (rows, columns) when that output is "batch tokens channels"; None when it is a map.
        parameters: numbers in the module at 7 classes, all of them, frozen ones too.
        parameters_per_class: what one class more adds.
        table4: counts by thop, the paper's way; None where nobody published one.
        reported: data set -> accuracy in percent, as the SFER-MDFAE paper's Table 3 has it.
        recipes: data set -> Recipe; "default" serves the data sets that are not named.
        backbone: which pretrained layout `--backbone-weights` fills; "" when none.
        notes: what a reader of results must know.
    """

    name: str
    title: str
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
    backbone: Literal[
        "", "ir50", "ir50+mobilefacenet", "resnet50", "convnext", "mobilefacenet", "mixed-mobilefacenet"
    ] = ""
    notes: tuple[str, ...] = ()

    def parameters_at(self, num_classes: int) -> int:
        """Numbers in the module when it tells `num_classes` classes apart."""
        return self.parameters + (num_classes - 7) * self.parameters_per_class

    def recipe_for(self, data_set: str) -> Recipe:
        """The paper's recipe on `data_set`, or its default one."""
        return self.recipes.get(data_set, self.recipes["default"])


_FER_CNN = Paper(
    title="Facial-Expression-Recognition-CNN",
    authors="Mersen130",
    venue="GitHub repository with a notebook; no publication",
    url="https://github.com/Mersen130/Facial-Expression-Recognition-CNN",
)
_FER_CNN_INPUT = "Min-max stretch and histogram equalisation; pictures of variance below 10 are dropped."


def _sfer_recipe(lr: float, *, batch_size: int = 64, weight_decay: float = 1e-4, patience: int = 50) -> Recipe:
    """Paper 4.3; "momentum 0.9" of its Adam is read as beta1, which is Adam's default."""
    return Recipe(
        lr=lr,
        batch_size=batch_size,
        weight_decay=weight_decay,
        patience=patience,
        scheduler="exponential",
        scheduler_gamma=0.98,
        augmentation=("horizontal-flip", "random-erasing .02-.1"),
        not_stated=("scheduler", "scheduler_gamma", "scale of random-erasing"),
    )


_ROWS = (
    ModelSpec(
        name="sfer-mdfae",
        title="Multi-dimensional feature fusion and top-n attention over IR-50",
        builder="fercli.models.sfer_mdfae:SferMdfae",
        paper=Paper(
            title="SFER-MDFAE",
            authors="Shou et al.",
            venue="Sensors 24, 6748",
            year=2024,
            doi="10.3390/s24206748",
        ),
        input_size=224,
        channels=3,
        mean=HALF,
        std=HALF,
        input_notes="224 is shrunk to 112 inside, antialiased (model.resize=nearest as POSTER++ does); 112 passes.",
        cam_layer="kroa",
        parameters=31_976_887,
        parameters_per_class=1_473,
        table4=ThopCounts(6_361_792_460, 31_975_414, num_classes=6, input_size=224, printed="6.362 G / 31.975 M"),
        reported={
            "fer2013": 76.18,
            "ferplus": 92.75,
            "raf-db": 92.93,
            "affectnet7": 67.86,
            "scfed": 93.74,
        },
        recipes={
            "default": _sfer_recipe(1e-5),
            "fer2013": _sfer_recipe(1e-5),
            "ferplus": _sfer_recipe(1e-5, batch_size=100),
            "raf-db": _sfer_recipe(3e-5),
            "affectnet7": _sfer_recipe(2e-6, weight_decay=5e-5, patience=12),
            "scfed": _sfer_recipe(1e-5),
        },
        backbone="ir50",
        notes=(
            "The paper starts IR-50 from MS-Celeb-1M weights, which are not part of this package.",
            "On FERPlus, RAF-DB and AffectNet the paper stops early on the set it reports; ours draws val from train.",
            "No code was published; ablations are variants: model.variant=nm|np|na|rw, model.topn=1..49.",
        ),
    ),
    ModelSpec(
        name="drf-msam",
        title="Different receptive fields and multi-scale attention, a small CNN",
        builder="fercli.models.drf_msam:DrfMsam",
        paper=_FER_CNN,
        input_size=48,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_notes=_FER_CNN_INPUT + " Pixels are divided by 255.",
        cam_layer="attention2",
        parameters=97_223,
        parameters_per_class=513,
        recipes={"default": Recipe(lr=2e-3, batch_size=32, epochs=100, not_stated=("batch_size",))},
        notes=("Its README claims .59 validation accuracy on FER2013; the log in its notebook shows .5010.",),
    ),
)

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in _ROWS}
