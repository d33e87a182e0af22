"""Whether our networks compute what their authors' code computes: same weights, same images, side by side in float64.

    python benchmarks/parity.py emonext-tiny=~/EmoNeXt                 # one network and your checkout of its code
    python benchmarks/parity.py poster=~/POSTER poster-pp=~/POSTER_V2  # several
    python benchmarks/parity.py ddamfn=~/mine --factory net:build      # your own module; net.build() makes the network
    python benchmarks/parity.py --list                                 # networks, and where their code comes from

This runs the code of the checkout. Their network is built by their constructor, but the pretrained files that some
constructors want are not read (loading does nothing meanwhile). Every weight is then drawn anew from the seed, so that
no layer is idle, the norms' statistics are taken from drawn images, and all is copied into ours. Both see the same
further images, in evaluation mode.

Prints a Markdown table. Differences are the largest ones, divided by the largest value of theirs. "as used": some of
our steps (resizing, sampling) are in float32 whatever the weights are; the other columns do them in float64 too.
"(N of M)": so many weights have a gradient in both networks; the others are frozen, or the logits don't need them.
In trials the files of EmoNeXt, DDAMFN and EAC were typed off their repositories; whole checkouts have not been run. The
rows of poster and poster-pp have been run on stand-ins with the authors' names alone (tests/models/authors).
Exits with 1 if a difference is above 1e-5, with 4 if the checkout or its names are not as expected.
"""

import argparse
import math
import os
import pickle
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from fercli.core.errors import FerError, InputError
from fercli.models.build import build_model
from fercli.models.pretrained.layouts import LAYOUTS
from fercli.models.table.specs import MODELS

LIMIT = 1e-5
NUM_CLASSES = 7
# Their norms take their statistics from so many images; the comparison is on others.
SETTLING_IMAGES = 8
Rules = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Authors:
    """How a network of ours is built from its authors' checkout, and how they name its layers.

    Attributes:
        network: our name.
        source: where the checkout comes from.
        factory: "module:callable" in the checkout.
        arguments: of the factory.
        options: of our network, where our default differs from their code.
        folders: where in the checkout the module may lie.
        layouts: (title of a layout of `LAYOUTS`, their prefix) for the backbones.
        rules: (regular expression, replacement), applied in order to our names outside the backbones.
        unused: their names, as regular expressions, that their forward pass never reads and ours leaves out.
        gentle: their names to whose start only a little is added.
        logits: where in the tuple that their forward pass returns; None if it returns the logits themselves.
        size: of the images; 0 is what our network is fed as a rule.
    """

    network: str
    source: str
    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)  # Any: whatever their constructor takes
    options: Mapping[str, Any] = field(default_factory=dict)  # Any: each network has its own options
    folders: tuple[str, ...] = ("",)
    layouts: tuple[tuple[str, str], ...] = ()
    rules: Rules = ()
    unused: tuple[str, ...] = ()
    gentle: tuple[str, ...] = ()
    logits: int | None = None
    size: int = 0


@dataclass(frozen=True)
class Parity:
    """What the comparison found; differences in parts of the largest value of theirs."""

    network: str
    parameters: tuple[int, int]
    num_mapped: int
    left_over: tuple[str, ...]
    logits: float
    as_used: float
    input_gradient: float
    weight_gradients: float
    num_gradients: tuple[int, int]

    @property
    def is_close(self) -> bool:
        """False also where a difference is no number."""
        return all(x <= LIMIT for x in (self.logits, self.as_used, self.input_gradient, self.weight_gradients))


_STREAM: Rules = (
    (r"\.image_norm\.", ".norm1."),
    (r"\.landmark_norm\.", ".norm3."),
    (r"\.image_mlp\.0\.", ".norm2."),
    (r"\.landmark_mlp\.0\.", ".norm4."),
    (r"\.image_mlp\.1\.", ".mlp1."),
    (r"\.landmark_mlp\.1\.", ".mlp2."),
    (r"\.image_attention\.", ".attn_img."),
    (r"\.landmark_attention\.", ".attn_lm."),
    (r"\.mix\.", ".conv."),
)
_PERCEPTRON: Rules = ((r"\.widen\.", ".fc1."), (r"\.narrow\.", ".fc2."), (r"\.project\.", ".proj."))
_LANDMARKS = ("MobileFaceNet landmarks", "face_landback.")
# Frozen, our landmark network passes no gradient to the image; theirs does, though its weights don't learn.
_POSTERS = {"freeze_landmarks": False, "resize": "nearest"}

TABLE = (
    *(
        Authors(
            name,
            source="https://github.com/yelboudouri/EmoNeXt",
            factory="models:EmoNeXt",
            arguments={
                "num_classes": NUM_CLASSES,
                "depths": list(MODELS[name].options["depths"]),
                "dims": list(MODELS[name].options["widths"]),
            },
            layouts=(("ConvNeXt of its authors", ""),),
            rules=(
                (r"^transformer\.locate\.", "localization."),
                (r"^transformer\.regress\.", "fc_loc."),
                (r"^downsample\.(\d)\.2\.gate\.", r"downsample_layers.\1.2.fc."),
            ),
            # An affine map drawn at random would look past the image.
            gentle=(r"^fc_loc\.2\.",),
            logits=1,
        )
        for name in MODELS
        if name.startswith("emonext-")
    ),
    Authors(
        "ddamfn",
        source="https://github.com/SainingZhang/DDAMFN",
        factory="networks.DDAM:DDAMNet",
        arguments={"num_class": NUM_CLASSES, "num_head": 2, "pretrained": False},
        folders=("", "DDAMFN++"),
        layouts=(("DDAMFN checkpoint", ""),),
        rules=(
            (r"^heads\.(\d+)\.", r"cat_head\1.CoordAtt."),
            (r"\.(rows|columns)\.0\.", r".\1.conv."),
            (r"\.(rows|columns)\.1\.", r".\1.bn."),
            (r"\.gate\.squeeze\.", ".conv1."),
            (r"\.gate\.norm\.", ".bn1."),
            (r"\.gate\.rows\.", ".conv2."),
            (r"\.gate\.columns\.", ".conv3."),
            (r"\.rows\.", ".Linear_h."),
            (r"\.columns\.", ".Linear_w."),
            (r"^collect\.0\.", "Linear.conv."),
            (r"^collect\.1\.", "Linear.bn."),
        ),
        unused=(r"^cat_head\d+\.CoordAtt\.Linear\.", r"^bn\.", r"\.conv_dw\.(bn|prelu)\."),
        logits=0,
    ),
    Authors(
        "eac",
        source="https://github.com/zyh-uaiaaaa/Erasing-Attention-Consistency",
        factory="model:Model",
        # An empty file where its constructor wants the weights.
        arguments={"args": SimpleNamespace(resnet50_path=os.devnull)},
        folders=("src", ""),
        rules=(
            (r"^backbone\.conv1\.", "features.0."),
            (r"^backbone\.bn1\.", "features.1."),
            *((rf"^backbone\.layer{stage}\.", f"features.{stage + 3}.") for stage in (1, 2, 3, 4)),
        ),
        logits=0,
    ),
    Authors(
        "poster",
        source="https://github.com/zczcwh/POSTER",
        factory="models.emotion_hyp:pyramid_trans_expr",
        arguments={"img_size": 224, "num_classes": NUM_CLASSES, "type": "large"},
        options={**_POSTERS, "tokens": "memory"},
        layouts=(("face.evoLVe IR-50", "ir_back."), _LANDMARKS),
        rules=(
            (r"^embed\.", "ir_layer."),
            (r"^position$", "pyramid_fuse.pos_embed"),
            (r"^narrow_half\.", "pyramid_fuse.downsample_m."),
            (r"^narrow_quarter\.", "pyramid_fuse.downsample_s."),
            (r"^(blocks|norm)\.", r"pyramid_fuse.\1."),
            *((rf"\.fusions\.{index}\.", f".block_{size}.") for index, size in enumerate("lms")),
            (r"\.widen_half\.", ".upsample_m."),
            (r"\.widen_quarter\.", ".upsample_s."),
            *_STREAM,
            (r"\.key_value\.", ".kv."),
            *_PERCEPTRON,
            (r"^excite\.first\.", "se_block.linear1."),
            (r"^excite\.second\.", "se_block.linear2."),
            (r"^head\.", "head.linear."),
        ),
        unused=(r"^ir_back\.output_layer\.", r"^pyramid_fuse\.cls_token$"),
        logits=0,
    ),
    Authors(
        "poster-pp",
        source="https://github.com/Talented-Q/POSTER_V2",
        factory="models.PosterV2_7cls:pyramid_trans_expr2",
        arguments={"img_size": 224, "num_classes": NUM_CLASSES},
        options=_POSTERS,
        layouts=(("POSTER++ IR-50", "ir_back."), _LANDMARKS),
        rules=(
            (r"^last_query\.", "last_face_conv."),
            *(
                (rf"^fusions\.{index}\.{ours}", f"{theirs.format(index + 1)}")
                for index in range(3)
                for ours, theirs in (
                    (r"halve\.", "conv{}."),
                    (r"norm\.", "window{}.norm."),
                    (r"attention\.key_value\.", "attn{}.qkv."),
                    (r"attention\.relative_bias$", "attn{}.relative_position_bias_table"),
                    (r"attention\.", "attn{}."),
                    (r"attention_scale$", "ffn{}.gamma1"),
                    (r"mlp_scale$", "ffn{}.gamma2"),
                    (r"mlp\.0\.", "ffn{}.norm."),
                    (r"mlp\.1\.", "ffn{}.mlp."),
                )
            ),
            (r"^embeds\.0\.", "embed_q."),
            (r"^embeds\.1\.", "embed_k.0."),
            (r"^embeds\.2\.", "embed_v.proj."),
            (r"^class_token$", "VIT.cls_token"),
            (r"^position$", "VIT.pos_embed"),
            (r"^blocks\.(\d+)\.norm\.", r"VIT.blocks.\1.norm1."),
            (r"^blocks\.(\d+)\.mlp\.0\.", r"VIT.blocks.\1.norm2."),
            (r"^blocks\.(\d+)\.mlp\.1\.", r"VIT.blocks.\1.mlp."),
            (r"^blocks\.(\d+)\.(qkv|project)\.", r"VIT.blocks.\1.attn.\2."),
            (r"^norm\.", "VIT.norm."),
            (r"^excite\.first\.", "VIT.se_block.linear1."),
            (r"^excite\.second\.", "VIT.se_block.linear2."),
            (r"^head\.", "VIT.head.linear."),
            *_PERCEPTRON,
        ),
        unused=(
            r"^ir_back\.output_layer\.",
            r"^VIT\.(patch_embed|eca_block|CON1|IRLinear1|IRLinear2)\.",
            r"^VIT\.blocks\.\d+\.conv\.",
        ),
    ),
)
BY_NAME = {authors.network: authors for authors in TABLE}


def main(argv: Sequence[str] | None = None) -> int:
    """Read the command line, compare, print; 0 where every difference is small."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", metavar="NETWORK=CHECKOUT")
    parser.add_argument("--factory", metavar="MODULE:CALLABLE", help="makes their network instead, without arguments")
    parser.add_argument("--batch", type=int, default=2, help="images (default 2)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="list the networks")
    args = parser.parse_args(argv)
    if args.list:
        print("\n".join(f"{authors.network}: {authors.source} ({authors.factory})" for authors in TABLE))
        return 0
    if not args.pairs:
        parser.error("no NETWORK=CHECKOUT given; --list shows the networks")
    if args.factory and len(args.pairs) > 1:
        parser.error("--factory goes with one NETWORK=CHECKOUT")
    try:
        found = [
            compare(authors, checkout, factory=args.factory or "", num_images=args.batch, seed=args.seed)
            for authors, checkout in map(read_pair, args.pairs)
        ]
    except FerError as error:
        print(f"parity: {error.told}", file=sys.stderr)
        return error.exit_code
    print(report(found))
    return 0 if all(parity.is_close for parity in found) else 1


def read_pair(word: str) -> tuple[Authors, Path]:
    """The row of the table and the folder that NETWORK=CHECKOUT names."""
    name, _, folder = word.partition("=")
    if name not in BY_NAME:
        raise InputError(f"'{name}' is not compared with its authors' code", hint=f"Known: {', '.join(BY_NAME)}")
    checkout = Path(folder).expanduser()
    if not folder or not checkout.is_dir():
        raise InputError(
            f"{name}: no folder '{folder}'",
            hint=f"Clone {BY_NAME[name].source} and give {name}=FOLDER.",
        )
    return BY_NAME[name], checkout


def compare(authors: Authors, checkout: Path, *, factory: str = "", num_images: int = 2, seed: int = 0) -> Parity:
    """Build both networks, give them the same weights, and run them on the same images.

    `factory` ("module:callable") takes the place of the table's and is called without arguments. From `seed`
    all is drawn, the weights too.
    """
    spec = MODELS[authors.network]
    side = authors.size or spec.input_size
    generator = torch.Generator().manual_seed(seed)
    shape = (SETTLING_IMAGES + num_images, spec.channels, side, side)
    images = torch.randn(shape, generator=generator, dtype=torch.float64)
    theirs = build_theirs(authors, checkout, factory).double()
    draw_weights(theirs, authors.gentle, images[:SETTLING_IMAGES], seed)
    ours = build_model(authors.network, num_classes=NUM_CLASSES, **authors.options).double().eval()
    names = pair_names(authors, ours, theirs)
    state = theirs.state_dict()
    ours.load_state_dict({key: state[name] for key, name in names.items()}, strict=False)

    image = images[SETTLING_IMAGES:]
    expected, their_input, their_weights = run(theirs, image, authors.logits)
    with mock.patch.object(Tensor, "float", Tensor.double):
        logits, our_input, our_weights = run(ours, image, None)
    with torch.no_grad():
        as_used = ours(image)
    pairs = [(our_weights[key], their_weights[name]) for key, name in names.items() if key in our_weights]
    shared = [(own, other) for own, other in pairs if own is not None and other is not None]
    return Parity(
        authors.network,
        parameters=(count_parameters(theirs), count_parameters(ours)),
        num_mapped=len(names),
        left_over=tuple(key for key in learnt(state) if key not in set(names.values())),
        logits=difference([(logits, expected)]),
        as_used=difference([(as_used, expected)]),
        input_gradient=difference([(our_input, their_input)]),
        weight_gradients=difference(shared),
        num_gradients=(len(shared), len(pairs)),
    )


def build_theirs(authors: Authors, checkout: Path, factory: str = "") -> nn.Module:
    """Import the checkout's module and call its factory; afterwards no module of the checkout stays imported."""
    module_name, _, attribute = (factory or authors.factory).partition(":")
    root = find_root(checkout, module_name, authors)
    before = set(sys.modules)
    sys.path.insert(0, str(root))
    invalidate_caches()
    try:
        with without_files():
            build = getattr(import_module(module_name), attribute, None)
            if not isinstance(build, Callable):  # type: ignore[arg-type]  # collections.abc's works at runtime
                raise InputError(f"{root}: module '{module_name}' has no '{attribute}' to call", hint="See --factory.")
            model = build() if factory else build(**authors.arguments)
    except ImportError as error:
        raise InputError(
            f"{root}: '{module_name}' cannot be imported: {error}", hint="Install what it needs."
        ) from error
    finally:
        sys.path.remove(str(root))
        for name in set(sys.modules) - before:
            if is_below(root, sys.modules[name]):
                del sys.modules[name]
    if not isinstance(model, nn.Module):
        raise InputError(f"{root}: {module_name}:{attribute} gave a {type(model).__name__}, not a torch module")
    return model


def find_root(checkout: Path, module_name: str, authors: Authors) -> Path:
    """The folder of the checkout that the module is imported from."""
    part = Path(*module_name.split("."))
    for folder in authors.folders:
        if (checkout / folder / part.with_suffix(".py")).is_file() or (checkout / folder / part).is_dir():
            return (checkout / folder).resolve()
    raise InputError(
        f"{checkout}: no {part.with_suffix('.py').as_posix()}", hint=f"Expected a checkout of {authors.source}."
    )


def is_below(root: Path, module: object) -> bool:
    """Whether an imported module's file lies in `root`."""
    places = [getattr(module, "__file__", None) or "", *map(str, getattr(module, "__path__", []))]
    return any(place and Path(place).resolve().is_relative_to(root) for place in places)


@contextmanager
def without_files() -> Iterator[None]:
    """Loading of pretrained weights does nothing: constructors that insist on files get along without."""

    class Empty(dict[str, object]):
        def __missing__(self, key: str) -> dict[str, object]:
            return {}

    def give_nothing(*_args: object, **_options: object) -> Empty:
        return Empty()

    with (
        mock.patch.object(torch, "load", give_nothing),
        mock.patch.object(torch.hub, "load_state_dict_from_url", give_nothing),
        mock.patch.object(pickle, "loads", give_nothing),
        mock.patch.object(nn.Module, "load_state_dict", give_nothing),
    ):
        yield


@torch.no_grad()
def draw_weights(model: nn.Module, gentle: Sequence[str], image: Tensor, seed: int) -> None:
    """Draw every weight anew, so that none carries nothing, and take the statistics of `image` for the norms'.

    Drawn statistics would not fit the weights: values would grow from block to block until rounding decides the gates.
    """
    generator = torch.Generator().manual_seed(seed)
    slopes = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.PReLU)}
    for key, tensor in learnt(model.state_dict()).items():
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
        even = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
        if any(re.search(pattern, key) for pattern in gentle):
            tensor.add_(0.01 * noise)
        elif tensor.ndim >= 2:
            # A first axis of 1 is a token or a table of positions. Kernels keep the size of what passes.
            tensor.copy_(0.5 * noise if len(tensor) == 1 else noise * (2 / tensor[0].numel()) ** 0.5)
        elif key.endswith("bias"):
            tensor.copy_(0.3 * noise)
        else:
            tensor.copy_(0.1 + 0.4 * even if key in slopes else 0.5 + even)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.train()(image)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.eval()


def pair_names(authors: Authors, ours: nn.Module, theirs: nn.Module) -> dict[str, str]:
    """Their name for each of ours, one to one and of one shape; what is left over of theirs is known to be unused."""
    state, other = learnt(ours.state_dict()), learnt(theirs.state_dict())
    names = {key: their_name(authors, ours, key) for key in state}
    hint = f"Is this a checkout of {authors.source}?"
    absent = [f"{name} (our {key})" for key, name in names.items() if name not in other]
    if absent:
        raise InputError(f"{authors.network}: {named(absent)} not in the authors' network", hint=hint)
    sizes = [f"{name} {tuple(other[name].shape)}, our {key} {tuple(state[key].shape)}"
             for key, name in names.items() if other[name].shape != state[key].shape]  # fmt: skip
    if sizes:
        raise InputError(f"{authors.network}: other sizes: {named(sizes)}", hint=hint)
    if len(set(names.values())) < len(names):
        raise InputError(f"{authors.network}: two of our names are given one of theirs", hint="A fault of TABLE.")
    used = set(names.values())
    strange = [key for key in other if key not in used and not any(re.search(x, key) for x in authors.unused)]
    if strange:
        raise InputError(f"{authors.network}: we have nothing for {named(strange)}", hint=hint)
    return names


def their_name(authors: Authors, ours: nn.Module, key: str) -> str:
    """Their name of our `key`: by the layout of the backbone it lies in, else by the rules."""
    for title, prefix in authors.layouts:
        layout = next(layout for layout in LAYOUTS if layout.title == title)
        for place, module in ours.named_modules():
            start = f"{place}." if place else ""
            if isinstance(module, layout.kind) and key.startswith(start):
                name = layout.rename(module, key.removeprefix(start))
                if name is not None:
                    return prefix + name
    for pattern, replacement in authors.rules:
        key = re.sub(pattern, replacement, key)
    return key


def run(model: nn.Module, image: Tensor, place: int | None) -> tuple[Tensor, Tensor, dict[str, Tensor | None]]:
    """Logits, and the gradients of a fixed sum of them by the image and by each weight."""
    leaf = image.clone().requires_grad_()
    output = model(leaf)
    logits = output if place is None else output[place]
    direction = torch.linspace(-1, 1, logits.numel(), dtype=logits.dtype).reshape(logits.shape)
    model.zero_grad()
    (logits * direction).sum().backward()
    assert leaf.grad is not None
    return logits.detach(), leaf.grad, {key: weight.grad for key, weight in model.named_parameters()}


def difference(pairs: Sequence[tuple[Tensor, Tensor]]) -> float:
    """The largest difference in parts of the largest value of theirs, over all pairs of ours and theirs.

    No number if theirs are all zero, for then nothing was compared, or if one of them is none.
    """
    largest = torch.stack([other.abs().max() for _, other in pairs]).max()
    differs = torch.stack([(own - other).abs().max() for own, other in pairs]).max()
    return float(differs / largest) if largest else math.nan


def learnt(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Numbers that are weights or statistics; whole numbers are counters and indices."""
    return {key: value for key, value in state.items() if value.is_floating_point()}


def count_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def named(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def report(found: Sequence[Parity]) -> str:
    """The table, and below it what of theirs is unused."""
    lines = [
        "| network | parameters theirs / ours | names mapped / left over | logits | logits as used "
        "| gradient of the image | gradients of weights |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for parity in found:
        theirs, own = parity.parameters
        figures = (parity.logits, parity.as_used, parity.input_gradient, parity.weight_gradients)
        lines.append(
            f"| {parity.network} | {theirs:,} / {own:,} | {parity.num_mapped} / {len(parity.left_over)} | "
            + " | ".join(f"{figure:.1e}" for figure in figures) + " |"
        )  # fmt: skip
    lines += [
        f"{parity.network}: left over, never read by their forward pass: {named(parity.left_over)}"
        for parity in found
        if parity.left_over
    ]
    lines += [f"{parity.network}: DIFFERS by more than {LIMIT:g}" for parity in found if not parity.is_close]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
