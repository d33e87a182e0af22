"""The table of networks: what each one is, eats, costs, comes from and how its paper trained it; no torch."""

from difflib import get_close_matches

from fercli.core.errors import UsageError
from fercli.models import recipes
from fercli.models.schema import ModelSpec, Paper, Recipe, ThopCounts

__all__ = ["ALIASES", "MODELS", "ModelSpec", "Paper", "Recipe", "ThopCounts", "find_spec"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

_FER_CNN = Paper(
    title="Facial-Expression-Recognition-CNN",
    authors="Mersen130",
    venue="GitHub repository with a notebook; no publication",
    url="https://github.com/Mersen130/Facial-Expression-Recognition-CNN",
)
_FER_CNN_INPUT = (
    "Pixels divided by 255, after min-max stretch and histogram equalisation; pictures of variance below 10 dropped."
)
_EMONEXT = Paper(
    title="EmoNeXt: an Adapted ConvNeXt for Facial Emotion Recognition",
    authors="El Boudouri and Bohi",
    venue="MMSP",
    year=2023,
)


def find_spec(name: str) -> ModelSpec:
    """The row of `name`, which may be an alias.

    Raises:
        UsageError: no network has this name.
    """
    known = ALIASES.get(name, name)
    if known in MODELS:
        return MODELS[known]
    close = get_close_matches(name, [*MODELS, *ALIASES], n=1)
    meant = f"Did you mean '{close[0]}'? " if close else ""
    raise UsageError(f"no model is called '{name}'", hint=f"{meant}Known: {', '.join(MODELS)}")


def _emonext(
    size: str,
    *,
    depths: tuple[int, ...],
    widths: tuple[int, ...],
    parameters: int,
    table4: ThopCounts,
    reported: dict[str, float] | None = None,
) -> ModelSpec:
    return ModelSpec(
        name=f"emonext-{size}",
        title=f"ConvNeXt-{size.capitalize()} behind a spatial transformer, with channel gates",
        builder="fercli.models.emonext:EmoNext",
        paper=_EMONEXT,
        input_size=224,
        channels=3,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        input_notes="Grey, repeated to three channels, in [0, 1]; crop 224 of 236 in training, ten crops in the test.",
        objective="emonext",
        options={"depths": depths, "widths": widths},
        cam_layer="stages.3",
        parameters=parameters,
        parameters_per_class=widths[-1] + 1,
        table4=table4,
        reported=reported or {},
        recipes=recipes.EMONEXT,
        backbone="convnext",
        notes=("The authors start from ImageNet's ConvNeXt weights.",),
    )


_ROWS = (
    ModelSpec(
        name="sfer-mdfae",
        title="Multi-dimensional feature fusion and top-n attention over IR-50",
        builder="fercli.models.sfer_mdfae:SferMdfae",
        paper=Paper("SFER-MDFAE", "Shou et al.", "Sensors 24, 6748", 2024, doi="10.3390/s24206748"),
        input_size=224,
        channels=3,
        mean=HALF,
        std=HALF,
        input_notes="224 is shrunk to 112 inside, antialiased (model.resize=nearest as POSTER++ does); 112 passes.",
        cam_layer="kroa",
        parameters=31_976_887,
        parameters_per_class=1_473,
        table4=ThopCounts(6_361_792_460, 31_975_414, num_classes=6, input_size=224, printed="6.362 G / 31.975 M"),
        reported={"fer2013": 76.18, "ferplus": 92.75, "raf-db": 92.93, "affectnet7": 67.86, "scfed": 93.74},
        recipes=recipes.SFER_MDFAE,
        backbone="ir50",
        notes=(
            "The paper starts IR-50 from MS-Celeb-1M weights, which are not part of this package.",
            "On FERPlus, RAF-DB and AffectNet the paper stops early on the set it reports; ours draws val from train.",
            "No code was published; ablations are variants: model.variant=nm|np|na|rw, model.topn=1..49.",
        ),
    ),
    ModelSpec(
        name="sfernet",
        title="Attention among superpixels in four stages, learned by mixed experts",
        builder="fercli.models.sfernet:SferNet",
        paper=Paper("SFERNet", "", "README and figures of the SFERD project; no publication found"),
        input_size=224,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        input_notes="Faces aligned by five points; sides divisible by 32.",
        cam_layer="tokens",
        cam_grid=(7, 7),
        parameters=29_320_504,
        parameters_per_class=769,
        recipes=recipes.SFERNET,
        notes=("Sizes that no source states are ours, and so is the recipe; no accuracy of it is published.",),
    ),
    ModelSpec(
        name="aer-cnn",
        title="A very small CNN whose maps gate themselves",
        builder="fercli.models.aer_cnn:AerCnn",
        paper=_FER_CNN,
        input_size=48,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_notes=_FER_CNN_INPUT,
        cam_layer="gate2",
        parameters=24_487,
        parameters_per_class=65,
        recipes=recipes.AER_CNN,
        notes=("The log in its notebook shows .457 validation accuracy on FER2013.",),
    ),
    ModelSpec(
        name="msff-cnn",
        title="Three branches of different depth and a wide dense layer",
        builder="fercli.models.msff_cnn:MsffCnn",
        paper=_FER_CNN,
        input_size=48,
        channels=1,
        mean=(0.0,),
        std=(1.0,),
        input_notes=_FER_CNN_INPUT,
        cam_layer="fusion",
        parameters=33_368_135,
        parameters_per_class=257,
        recipes=recipes.MSFF_CNN,
        notes=(
            "Keras counts 1,600 running means and variances too and prints 33,369,735.",
            "The log in its notebook shows .4998 validation accuracy on FER2013.",
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
        input_notes=_FER_CNN_INPUT,
        cam_layer="attention2",
        parameters=97_223,
        parameters_per_class=513,
        recipes=recipes.DRF_MSAM,
        notes=("Its README claims .59 validation accuracy on FER2013; the log in its notebook shows .5010.",),
    ),
    ModelSpec(
        name="eac",
        title="ResNet-50 trained by erasing attention consistency",
        builder="fercli.models.eac:Eac",
        paper=Paper("EAC (erasing attention consistency)", "Zhang et al.", "ECCV", 2022),
        input_size=224,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        objective="eac",
        cam_layer="backbone.layer4",
        parameters=23_522_375,
        parameters_per_class=2_049,
        table4=ThopCounts(3_898_290_176, 23_522_375, num_classes=7, input_size=224, printed="3.898 G / 23.522 M"),
        reported={"fer2013": 72.78, "ferplus": 89.98, "raf-db": 90.16, "affectnet7": 64.74, "scfed": 92.03},
        recipes=recipes.EAC,
        backbone="resnet50",
        notes=("The authors start from a ResNet-50 of VGGFace2.",),
    ),
    _emonext(
        "tiny",
        depths=(3, 3, 9, 3),
        widths=(96, 192, 384, 768),
        parameters=30_564_331,
        table4=ThopCounts(4_537_700_000, 30_542_900, num_classes=7, input_size=224),
    ),
    _emonext(
        "small",
        depths=(3, 3, 27, 3),
        widths=(96, 192, 384, 768),
        parameters=52_198_891,
        table4=ThopCounts(8_765_900_000, 52_156_700, num_classes=7, input_size=224),
    ),
    _emonext(
        "base",
        depths=(3, 3, 27, 3),
        widths=(128, 256, 512, 1024),
        parameters=91_765_259,
        table4=ThopCounts(15_438_156_056, 91_708_042, num_classes=6, input_size=224, printed="15.438 G / 91.708 M"),
        reported={"fer2013": 73.78, "ferplus": 90.23, "raf-db": 87.25, "affectnet7": 65.54, "scfed": 92.42},
    ),
    _emonext(
        "large",
        depths=(3, 3, 27, 3),
        widths=(192, 384, 768, 1536),
        parameters=204_582_475,
        table4=ThopCounts(34_448_700_000, 204_498_200, num_classes=7, input_size=224),
    ),
    ModelSpec(
        name="ddamfn",
        title="MobileFaceNet of mixed kernels with dual-direction attention heads",
        builder="fercli.models.ddamfn:Ddamfn",
        paper=Paper(
            "A Dual-Direction Attention Mixed Feature Network for Facial Expression Recognition",
            "Zhang et al.",
            "Electronics",
            2023,
        ),
        input_size=112,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        objective="ddamfn",
        cam_layer="weighted",
        parameters=4_105_999,
        parameters_per_class=513,
        table4=ThopCounts(563_549_088, 4_105_999, num_classes=7, input_size=112, printed="0.564 G / 4.106 M"),
        reported={"fer2013": 72.03, "ferplus": 90.45, "raf-db": 90.97, "affectnet7": 66.72, "scfed": 93.00},
        recipes=recipes.DDAMFN,
        backbone="mixed-mobilefacenet",
        notes=("The authors start from their backbone trained on MS-Celeb-1M.",),
    ),
    ModelSpec(
        name="poster",
        title="Pyramid of cross-fusion between image and landmark features",
        builder="fercli.models.poster:Poster",
        paper=Paper(
            "POSTER: a Pyramid Cross-Fusion Transformer Network for Facial Expression Recognition",
            "Zheng, Mendieta and Chen",
            "ICCV Workshops",
            2023,
        ),
        input_size=224,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        input_notes="224 is shrunk to 112 inside; 112 passes. The authors feed RAF-DB in BGR; we feed RGB.",
        objective="poster",
        cam_layer="backbone.stages.2",
        parameters=59_002_271,
        parameters_per_class=513,
        table4=ThopCounts(7_895_148_064, 58_976_158, num_classes=6, input_size=224, printed="7.895 G / 58.976 M"),
        reported={"fer2013": 74.87, "ferplus": 91.55, "raf-db": 92.14, "affectnet7": 67.23, "scfed": 93.25},
        recipes=recipes.POSTER,
        backbone="ir50+mobilefacenet",
        notes=(
            "Without pretrained landmark weights set model.freeze_landmarks=false: frozen noise says little.",
            "The authors choose the best epoch on the set they report.",
        ),
    ),
    ModelSpec(
        name="poster-pp",
        title="Landmark queries at three scales, joined by a small transformer",
        builder="fercli.models.poster_pp:PosterPp",
        paper=Paper(
            "POSTER++: A simpler and stronger facial expression recognition network",
            "Mao et al.",
            "arXiv 2301.12149",
            2023,
            url="https://arxiv.org/abs/2301.12149",
        ),
        input_size=224,
        channels=3,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        input_notes="224 is shrunk to 112 inside; 112 passes. The authors feed RAF-DB in BGR; we feed RGB.",
        cam_layer="embeds.2",
        parameters=43_849_957,
        parameters_per_class=769,
        table4=ThopCounts(8_482_266_176, 43_723_542, num_classes=6, input_size=224, printed="8.482 G / 43.724 M"),
        reported={"fer2013": 74.73, "ferplus": 91.92, "raf-db": 92.17, "affectnet7": 67.34, "scfed": 93.11},
        recipes=recipes.POSTER_PP,
        backbone="ir50+mobilefacenet",
        notes=(
            "Without pretrained landmark weights set model.freeze_landmarks=false: frozen noise says little.",
            "The authors choose the best epoch on the set they report.",
        ),
    ),
)

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in _ROWS}
ALIASES = {"emonext": "emonext-base"}
