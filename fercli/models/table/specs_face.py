"""Rows of the table of networks: those fed colour faces of 112 or 224 pixels; no torch."""

from fercli.models.table import papers, recipes
from fercli.models.table.schema import ModelSpec

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)
_POSTER_NOTES = (
    "Without pretrained landmark weights set model.freeze_landmarks=false: frozen noise says little.",
    "The authors choose the best epoch on the set they report.",
)
_POSTER_INPUT = "224 is shrunk to 112 inside; 112 passes. The authors feed RAF-DB in BGR; we feed RGB."


def _emonext(size: str, *, depths: tuple[int, ...], widths: tuple[int, ...], parameters: int) -> ModelSpec:
    name = f"emonext-{size}"
    return ModelSpec(
        name=name,
        title=f"ConvNeXt-{size.capitalize()} behind a spatial transformer, with channel gates",
        architecture=(
            "Spatial transformer; ConvNeXt in four stages with squeeze and excitation after each halving; mean, "
            "norm, linear. Its objective evens out the attention among the pictures of a batch."
        ),
        builder="fercli.models.networks.emonext:EmoNext",
        paper=papers.EMONEXT,
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
        table4=papers.TABLE4[name],
        reported=papers.TABLE3.get(name, {}),
        recipes=recipes.EMONEXT,
        backbone="convnext",
        notes=("The authors start from ImageNet's ConvNeXt weights.",),
    )


FACE_ROWS = (
    ModelSpec(
        name="sfer-mdfae",
        title="Multi-dimensional feature fusion and top-n attention over IR-50",
        architecture=(
            "Picture at 112; IR-50 in four stages; MDPFA: channel attention and mean of every stage (960 "
            "numbers); KROA: each of the 7x7 last patches attends to the 15 most related of them, 8 heads, plus a "
            "depthwise 5x5 of the values, mean (512); linear."
        ),
        builder="fercli.models.networks.sfer_mdfae:SferMdfae",
        paper=papers.SFER_MDFAE,
        input_size=224,
        channels=3,
        mean=_HALF,
        std=_HALF,
        input_notes="224 is shrunk to 112 inside, antialiased (model.resize=nearest as POSTER++ does); 112 passes.",
        cam_layer="kroa",
        parameters=31_976_887,
        parameters_per_class=1_473,
        table4=papers.TABLE4["sfer-mdfae"],
        reported=papers.TABLE3["sfer-mdfae"],
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
        architecture=(
            "Two strided 3x3 convolutions and a block of eight mixed experts (MEFE); four stages of blocks, each "
            "attention among superpixels (SPAA), then an MLP gated by local and global context (DARF); "
            "generalised mean; linear."
        ),
        builder="fercli.models.networks.sfernet:SferNet",
        paper=papers.SFERNET,
        input_size=224,
        channels=3,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        input_notes="Faces aligned by five points; sides divisible by 32.",
        cam_layer="tokens",
        cam_grid=(7, 7),
        parameters=29_320_504,
        parameters_per_class=769,
        recipes=recipes.SFERNET,
        notes=("Sizes that no source states are ours, and so is the recipe; no accuracy of it is published.",),
    ),
    ModelSpec(
        name="eac",
        title="ResNet-50 trained by erasing attention consistency",
        architecture=(
            "ResNet-50 with the stride on the first 1x1 of a bottleneck; mean; linear. Its objective holds the "
            "class maps of a picture and of its mirror image equal."
        ),
        builder="fercli.models.networks.eac:Eac",
        paper=papers.EAC,
        input_size=224,
        channels=3,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        objective="eac",
        cam_layer="backbone.layer4",
        parameters=23_522_375,
        parameters_per_class=2_049,
        table4=papers.TABLE4["eac"],
        reported=papers.TABLE3["eac"],
        recipes=recipes.EAC,
        backbone="resnet50",
        notes=("The authors start from a ResNet-50 of VGGFace2.",),
    ),
    _emonext(
        "tiny",
        depths=(3, 3, 9, 3),
        widths=(96, 192, 384, 768),
        parameters=30_564_331,
    ),
    _emonext(
        "small",
        depths=(3, 3, 27, 3),
        widths=(96, 192, 384, 768),
        parameters=52_198_891,
    ),
    _emonext(
        "base",
        depths=(3, 3, 27, 3),
        widths=(128, 256, 512, 1024),
        parameters=91_765_259,
    ),
    _emonext(
        "large",
        depths=(3, 3, 27, 3),
        widths=(192, 384, 768, 1536),
        parameters=204_582_475,
    ),
    ModelSpec(
        name="ddamfn",
        title="MobileFaceNet of mixed kernels with dual-direction attention heads",
        architecture=(
            "MobileFaceNet of 31 residual and 3 halving blocks with depthwise kernels 3 to 9 and coordinate "
            "attention; two direction-attention heads whose maximum weighs the last map; depthwise 7x7; linear."
        ),
        builder="fercli.models.networks.ddamfn:Ddamfn",
        paper=papers.DDAMFN,
        input_size=112,
        channels=3,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        objective="ddamfn",
        cam_layer="weighted",
        parameters=4_105_999,
        parameters_per_class=513,
        table4=papers.TABLE4["ddamfn"],
        reported=papers.TABLE3["ddamfn"],
        recipes=recipes.DDAMFN,
        backbone="mixed-mobilefacenet",
        notes=("The authors start from their backbone trained on MS-Celeb-1M.",),
    ),
    ModelSpec(
        name="poster",
        title="Pyramid of cross-fusion between image and landmark features",
        architecture=(
            "IR-50 in three stages and a frozen landmark MobileFaceNet, 49 tokens each and a mean token; eight pyramid "
            "blocks at widths 512, 256 and 128 in which each stream's queries are the other's tokens; gate; linear."
        ),
        builder="fercli.models.networks.poster:Poster",
        paper=papers.POSTER,
        input_size=224,
        channels=3,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        input_notes=_POSTER_INPUT,
        objective="poster",
        cam_layer="backbone.stages.2",
        parameters=59_002_271,
        parameters_per_class=513,
        table4=papers.TABLE4["poster"],
        reported=papers.TABLE3["poster"],
        recipes=recipes.POSTER,
        backbone="ir50+mobilefacenet",
        notes=_POSTER_NOTES,
    ),
    ModelSpec(
        name="poster-pp",
        title="Landmark queries at three scales, joined by a small transformer",
        architecture=(
            "IR-50 in three stages; at each scale a frozen landmark MobileFaceNet's map asks it by window "
            "cross-attention; three scales as 147 tokens and a class token; transformer of depth 2; gate; linear."
        ),
        builder="fercli.models.networks.poster_pp:PosterPp",
        paper=papers.POSTER_PP,
        input_size=224,
        channels=3,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
        input_notes=_POSTER_INPUT,
        cam_layer="embeds.2",
        parameters=43_849_957,
        parameters_per_class=769,
        table4=papers.TABLE4["poster-pp"],
        reported=papers.TABLE3["poster-pp"],
        recipes=recipes.POSTER_PP,
        backbone="ir50+mobilefacenet",
        notes=_POSTER_NOTES,
    ),
    ModelSpec(
        name="fercli-mobilenet",
        title="MobileNet, to be started from face weights; light enough for a processor",
        architecture=(
            "Convolution 3x3 of stride 2 to 32; 13 blocks of a depthwise 3x3 and a pointwise convolution (64 to 1024 "
            "channels), BN and ReLU6 after each; mean; dropout; linear."
        ),
        builder="fercli.models.networks.mobilenet:FaceMobileNet",
        paper=papers.MOBILENET,
        input_size=112,
        channels=3,
        mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
        std=(1 / 255, 1 / 255, 1 / 255),
        input_notes="Values of 0 to 255 less ImageNet's means. Any size; its face weights were learnt at 224.",
        cam_layer="backbone",
        parameters=3_214_151,
        parameters_per_class=1025,
        recipes=recipes.FERCLI_MOBILENET,
        backbone="mobilenet",
        notes=(
            "Not one of the compared papers' networks: it stands beside them, never in place of one.",
            "The recipe is meant for face weights; see fer models --weights.",
        ),
        is_ours=True,
    ),
)
