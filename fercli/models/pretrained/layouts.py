"""Map the parameter names of published weights to the layers of the backbones.

A layout turns one of our names into the name in the file; None says that the part is not of the backbone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn

from fercli.models.networks.backbones import Ir50, MobileFaceNet
from fercli.models.networks.ddamfn import MixedFeatureNet
from fercli.models.networks.eac import ResNet50
from fercli.models.networks.emonext import EmoNext
from fercli.models.networks.mobilenet import MobileNet

# Parts of files that no backbone has: heads for other classes.
HEADS = (
    "output_layer.",
    "fc.",
    "head.fc.",
    "head.weight",
    "head.bias",
    "classifier.2.",
    "linear.",
    "conv_6_dw.",
    "age_pred/",
    "gender_pred/",
    "feats/",
)


@dataclass(frozen=True)
class Layout:
    """One way of naming the layers of backbone `kind`; `note` is said when it was used.

    Where several trainings share the names, `notes_by_classes` has the notes that the head's number of classes tells.
    With `folds_norms`, the file's normalisation has no statistics: only a factor, where it is not part of the
    convolution before it, and a shift.
    """

    title: str
    kind: type[nn.Module]
    rename: Callable[[nn.Module, str], str | None]
    note: str = ""
    notes_by_classes: Mapping[int, str] = field(default_factory=dict)
    folds_norms: bool = False


def _evolve(backbone: nn.Module, key: str) -> str:
    """`stages.1.2.residual.0` is `body.5.res_layer.0`: blocks are numbered through."""
    assert isinstance(backbone, Ir50)
    if key.startswith("stem."):
        return "input_layer." + key.removeprefix("stem.")
    _, stage, block, rest = key.split(".", 3)
    lengths = [len(list(blocks.children())) for blocks in backbone.stages]
    return f"body.{sum(lengths[: int(stage)]) + int(block)}.{_ir_block(rest)}"


def _poster_ir(backbone: nn.Module, key: str) -> str:
    """`stages.1.2.residual.0` is `body2.2.res_layer.0`: blocks are numbered per stage."""
    if key.startswith("stem."):
        return "input_layer." + key.removeprefix("stem.")
    _, stage, block, rest = key.split(".", 3)
    return f"body{int(stage) + 1}.{block}.{_ir_block(rest)}"


def _ir_block(rest: str) -> str:
    return rest.replace("residual", "res_layer").replace("shortcut", "shortcut_layer")


_UNIT = {"0": "conv", "1": "bn", "2": "prelu"}
_STAGES = {"conv3": ("conv_23", "conv_3"), "conv4": ("conv_34", "conv_4"), "conv5": ("conv_45", "conv_5")}
_POINTS = {"0": "conv_6_dw.conv", "1": "conv_6_dw.bn", "3": "linear", "4": "bn"}
_AXIS_GATE = {"squeeze": "conv1", "norm": "bn1", "rows": "conv2", "columns": "conv3"}


def _mobilefacenet(backbone: nn.Module, key: str) -> str | None:
    """Both face networks share the outer names: conv1, conv2_dw, conv_23, conv_3.model.0, ..., conv_6_sep."""
    first, _, rest = key.partition(".")
    if first == "points":
        index, _, rest = rest.partition(".")
        return f"output_layer.{_POINTS[index]}.{rest}"
    if first in _STAGES:
        block, _, rest = rest.partition(".")
        entry, residual = _STAGES[first]
        outer = entry if block == "0" else f"{residual}.model.{int(block) - 1}"
        return f"{outer}.{_mobile_block(rest)}"
    outer = {"conv1": "conv1", "conv2": "conv2_dw", "conv6": "conv_6_sep"}[first]
    return f"{outer}.{_unit(rest)}"


def _mobile_block(rest: str) -> str:
    part, _, rest = rest.partition(".")
    if part == "attention":
        _, name, rest = rest.split(".", 2)
        return f"CA.{_AXIS_GATE[name]}.{rest}"
    if part == "depthwise" and rest.startswith("convs."):
        return f"conv_dw.mixed_depthwise_conv.{rest.removeprefix('convs.')}"
    outer = {"expand": "conv", "depthwise": "conv_dw", "project": "project"}[part]
    return f"{outer}.{_unit(rest)}"


def _unit(rest: str) -> str:
    index, _, rest = rest.partition(".")
    return f"{_UNIT[index]}.{rest}"


_FEATURES = ("conv1", "conv2_dw", "conv_23", "conv_3", "conv_34", "conv_4", "conv_45", "conv_5", "conv_6_sep")


def _ddamfn_checkpoint(backbone: nn.Module, key: str) -> str | None:
    """A whole DDAMFN numbers its backbone's parts: `features.2` is conv_23."""
    name = _mobilefacenet(backbone, key)
    assert name is not None
    outer, _, rest = name.partition(".")
    return f"features.{_FEATURES.index(outer)}.{rest}"


def _same(backbone: nn.Module, key: str) -> str:
    return key


_FACERES = {
    "depthwise.conv.weight": "conv_dw_{}/depthwise_kernel",
    "norm1.weight": "conv_dw_{}_bn/batchnorm_1/mul",
    "norm1.bias": "conv_dw_{}_bn/batchnorm_1/sub",
    "pointwise.weight": "conv_pw_{}/convolution/merged_input",
    "norm2.bias": "conv_pw_{}_bn/batchnorm_1/sub",
}


def _faceres(backbone: nn.Module, key: str) -> str | None:
    """`blocks.0.norm1.bias` is `conv_dw_1_bn/batchnorm_1/sub`: blocks are counted from 1."""
    first = {"stem.conv.weight": "conv1/convolution/merged_input", "norm.bias": "conv1_bn/batchnorm_1/sub"}
    if not key.startswith("blocks."):
        return first.get(key)
    _, block, rest = key.split(".", 2)
    name = _FACERES.get(rest)
    return name.format(int(block) + 1) if name else None


def _convnext(key: str) -> tuple[str, int, int, str] | None:
    """("block", stage, block, rest), ("downsample", stage, index, rest), ("norm", 0, 0, rest), or None."""
    first, *parts = key.split(".")
    if first == "stages":
        return "block", int(parts[0]), int(parts[1]), ".".join(parts[2:])
    if first == "downsample" and parts[1] != "2":
        return "downsample", int(parts[0]), int(parts[1]), parts[2]
    return ("norm", 0, 0, parts[0]) if first == "norm" else None


def _convnext_renamer(
    *, block: str, downsample: str, stem: str, norm: str, inner: dict[str, str]
) -> Callable[[nn.Module, str], str | None]:
    """Build a renamer from patterns with {stage}, {block}, {index}; `inner` names the parts of a block."""

    def rename(backbone: nn.Module, key: str) -> str | None:
        found = _convnext(key)
        if found is None:
            return None
        kind, stage, index, rest = found
        if kind == "norm":
            return f"{norm}.{rest}"
        if kind == "downsample":
            pattern = stem if stage == 0 else downsample
            return pattern.format(stage=stage, before=2 * stage, index=index) + f".{rest}"
        part = next(part for part in inner if rest == part or rest.startswith(part + "."))
        return block.format(stage=stage, place=2 * stage + 1, block=index) + "." + inner[part] + rest[len(part) :]

    return rename


_CONVNEXT_AUTHORS = _convnext_renamer(
    block="stages.{stage}.{block}",
    downsample="downsample_layers.{stage}.{index}",
    stem="downsample_layers.0.{index}",
    norm="norm",
    inner={"depthwise": "dwconv", "norm": "norm", "mlp.widen": "pwconv1", "mlp.narrow": "pwconv2", "scale": "gamma"},
)
_CONVNEXT_TIMM = _convnext_renamer(
    block="stages.{stage}.blocks.{block}",
    downsample="stages.{stage}.downsample.{index}",
    stem="stem.{index}",
    norm="head.norm",
    inner={"depthwise": "conv_dw", "norm": "norm", "mlp.widen": "mlp.fc1", "mlp.narrow": "mlp.fc2", "scale": "gamma"},
)
_CONVNEXT_TORCHVISION = _convnext_renamer(
    block="features.{place}.{block}",
    downsample="features.{before}.{index}",
    stem="features.0.{index}",
    norm="classifier.0",
    inner={
        "depthwise": "block.0",
        "norm": "block.2",
        "mlp.widen": "block.3",
        "mlp.narrow": "block.5",
        "scale": "layer_scale",
    },
)
_STRIDE_NOTE = "ImageNet's ResNet-50 of torchvision has its stride on the 3x3 convolution, EAC's on the 1x1 before it"

_ORIGIN_NOTE = "Face weights of this layout descend from MS-Celeb-1M, a withdrawn dataset; see `fer models --weights`"
_VGGFACE2_NOTE = "These weights were trained on VGGFace2, which is no longer available; see `fer models --weights`"

_NUM_IMAGENET, _NUM_VGGFACE2 = 1000, 8631

LAYOUTS = (
    Layout("face.evoLVe IR-50", Ir50, _evolve, note=_ORIGIN_NOTE),
    Layout("POSTER++ IR-50", Ir50, _poster_ir, note=_ORIGIN_NOTE),
    Layout("MobileFaceNet landmarks", MobileFaceNet, _mobilefacenet),
    Layout("DDAMFN backbone", MixedFeatureNet, _mobilefacenet, note=_ORIGIN_NOTE),
    Layout("DDAMFN checkpoint", MixedFeatureNet, _ddamfn_checkpoint),
    Layout(
        "ResNet-50 of torchvision, timm or VGGFace2",
        ResNet50,
        _same,
        # Without a head nothing tells where the file is from.
        note=f"{_STRIDE_NOTE}, VGGFace2's too",
        notes_by_classes={_NUM_IMAGENET: _STRIDE_NOTE, _NUM_VGGFACE2: _VGGFACE2_NOTE},
    ),
    Layout("ConvNeXt of its authors", EmoNext, _CONVNEXT_AUTHORS),
    Layout("ConvNeXt of timm", EmoNext, _CONVNEXT_TIMM),
    Layout("ConvNeXt of torchvision", EmoNext, _CONVNEXT_TORCHVISION),
    Layout("HSE-FaceRes MobileNet of TensorFlow.js", MobileNet, _faceres, note=_VGGFACE2_NOTE, folds_norms=True),
)
