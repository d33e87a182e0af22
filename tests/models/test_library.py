"""Networks of torchvision and timm, taken as they are with another head."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision import models

from fercli.cam.gradcam import compute_cams
from fercli.core.errors import SettingsError, UsageError
from fercli.models.build import build_model, check_options, model_options
from fercli.models.library import show_map
from fercli.models.pretrained.weights import load_backbone_weights
from fercli.models.profile import profile_model
from fercli.models.table.specs import find_spec

NAMED = ("resnet18", "efficientnet_b0", "convnext_tiny", "mobilenet_v3_large", "swin_t")
EVERY_NAMED = pytest.mark.parametrize("network", NAMED)
# One of each way to be built; the others take a second each on the meta device, over a minute together.
FAMILIES = (
    "alexnet",
    "googlenet",
    "inception_v3",
    "mnasnet0_5",
    "regnet_x_400mf",
    "squeezenet1_0",
    "vgg11",
)
EVERY_LISTED = [
    pytest.param(network, marks=() if network in NAMED + FAMILIES else pytest.mark.slow)
    for network in models.list_models(module=models)
]


def images(num: int = 2, size: int = 64) -> Tensor:
    return torch.rand(num, 3, size, size, generator=torch.Generator().manual_seed(1))


def torchvision_model(network: str, num_classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    return build_model(f"torchvision:{network}", num_classes=num_classes)


@EVERY_NAMED
def test_forward_and_backward_reach_every_parameter(network: str) -> None:
    model = torchvision_model(network).train()
    logits = model(images(4))
    assert logits.shape == (4, 5)
    logits.square().sum().backward()
    starved = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert starved == []
    assert all(p.grad is not None and p.grad.any() for p in list(model.parameters())[:1])


@EVERY_NAMED
def test_cam_layer_gives_a_map_for_each_image(network: str) -> None:
    model = torchvision_model(network).eval()
    spec = find_spec(f"torchvision:{network}")
    maps = compute_cams(model, spec.cam_layer, images(size=96), torch.tensor([0, 1]), token_grid=spec.cam_grid)
    assert maps.shape == (2, 96, 96)
    assert maps.std() > 0


def test_a_class_token_is_no_place_of_the_map() -> None:
    spec = find_spec("torchvision:vit_b_32")
    assert spec.cam_grid == (7, 7)
    torch.manual_seed(0)
    model = models.VisionTransformer(224, 32, 3, 2, 24, 48, num_classes=4)
    # torchvision starts the head at zero, which speaks for no place.
    nn.init.normal_(model.heads.head.weight)
    layer = spec.cam_layer.replace("encoder_layer_11", "encoder_layer_2")
    maps = compute_cams(model, layer, images(1, 224), torch.tensor([2]), token_grid=spec.cam_grid)
    assert maps.std() > 0


@pytest.mark.parametrize("network", EVERY_LISTED)
def test_every_classification_network_is_built_with_another_head(network: str) -> None:
    spec = find_spec(f"torchvision:{network}")
    with torch.device("meta"):
        model = build_model(spec.name, num_classes=9).eval()
        logits = model(torch.zeros(1, 3, spec.input_size, spec.input_size))
        if spec.fast_size:
            assert model(torch.zeros(1, 3, spec.fast_size, spec.fast_size)).shape == (1, 9)
    assert logits.shape == (1, 9)
    assert sum(p.numel() for p in model.parameters()) == spec.parameters_at(9)
    assert isinstance(model.get_submodule(spec.cam_layer), nn.Module)
    assert len(spec.mean) == len(spec.std) == 3


@EVERY_NAMED
def test_parameters_are_those_torchvision_publishes(network: str) -> None:
    published = models.get_model_weights(network).DEFAULT.meta["num_params"]
    assert find_spec(f"torchvision:{network}").parameters_at(1000) == published


def test_multiply_adds_are_those_torchvision_publishes() -> None:
    weights = models.get_model_weights("mobilenet_v2").DEFAULT
    found = profile_model("torchvision:mobilenet_v2", num_classes=1000).macs
    # Theirs, in units of 10^9, count neither norms nor pools: a few per cent of the whole.
    assert weights.meta["_ops"] * 1e9 <= found <= 1.1 * weights.meta["_ops"] * 1e9


def test_a_file_of_torchvision_fills_all_but_the_head(tmp_path: Path) -> None:
    torch.manual_seed(1)
    given = models.resnet18(weights=None).state_dict()
    torch.save(given, tmp_path / "resnet18.pth")
    model = torchvision_model("resnet18")
    report = load_backbone_weights(model, tmp_path / "resnet18.pth")
    assert report.missing == ("fc.weight", "fc.bias")
    assert report.unexpected == ()
    assert "fc.weight, fc.bias" in report.notes[-1]
    assert {*report.loaded} == {name for name in given if not name.startswith("fc") and "num_batches" not in name}
    torch.testing.assert_close(model.state_dict()["layer4.1.conv2.weight"], given["layer4.1.conv2.weight"])


def test_what_a_file_lacks_and_what_it_has_beside_is_told(tmp_path: Path) -> None:
    given = torchvision_model("resnet18", 5).state_dict()
    given["extra.weight"] = given.pop("layer1.0.conv1.weight")
    torch.save(given, tmp_path / "mixed.pth")
    report = load_backbone_weights(torchvision_model("resnet18"), tmp_path / "mixed.pth")
    assert (report.missing, report.unexpected) == (("layer1.0.conv1.weight",), ("extra.weight",))


def test_old_names_of_densenet_are_understood(tmp_path: Path) -> None:
    torch.manual_seed(1)
    given = models.densenet121(weights=None).state_dict()
    pairs = (("norm1", "norm.1"), ("conv1", "conv.1"), ("norm2", "norm.2"), ("conv2", "conv.2"))
    old = {}
    for name, value in given.items():
        for new, published in pairs:
            name = name.replace(f".{new}.", f".{published}.") if "denselayer" in name else name
        old[name] = value
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "densenet121.pth")
    report = load_backbone_weights(torchvision_model("densenet121"), tmp_path / "densenet121.pth")
    assert (report.missing, report.unexpected) == (("classifier.weight", "classifier.bias"), ())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(models.mobilenet_v2(weights=None).state_dict(), tmp_path / "mobilenet.pth")
    with pytest.raises(Exception, match="weights do not match the backbone of ResNet"):
        load_backbone_weights(torchvision_model("resnet18"), tmp_path / "mobilenet.pth")


def test_which_network_it_is_cannot_be_set() -> None:
    assert model_options("torchvision:resnet18") == {}
    with pytest.raises(SettingsError, match="'torchvision:resnet18' has no option 'network'"):
        check_options("torchvision:resnet18", {"network": "resnet50"})


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("torchvision:resnet81", "torchvision has no model 'resnet81'", "torchvision:resnet18"),
        ("torchvision:fcn_resnet50", "'fcn_resnet50' of torchvision is not a classification model", "resnet50"),
        ("torchvision:", "torchvision has no model ''", "alexnet"),
        ("keras:resnet18", "unknown model 'keras:resnet18'", "torchvision:NAME"),
    ],
    ids=str,
)
def test_an_unknown_network_is_refused_with_what_is_there(name: str, words: str, hint: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        find_spec(name)
    assert hint in caught.value.hint


def test_without_timm_its_networks_name_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UsageError, match="timm is not installed") as caught:
        find_spec("timm:a-network-nobody-asked-for")
    assert "pip install 'fercli[timm]'" in caught.value.hint


def test_the_table_alone_loads_no_library() -> None:
    code = (
        "import sys; from fercli.models.table.specs import find_spec; find_spec('drf-msam'); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'torchvision', 'timm')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class ChannelsLast(nn.Module):
    """As timm's Swin: maps with their channels last, which its head averages."""

    output_fmt = "NHWC"

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 8, 8)
        self.head = nn.Linear(6, 4)

    def forward_head(self, x_BHWC: Tensor, *, scale: float = 1.0) -> Tensor:
        return self.head(x_BHWC.mean((1, 2)) * scale)  # type: ignore[no-any-return]  # a module's call

    def forward(self, image_BCHW: Tensor) -> Tensor:
        return self.forward_head(self.patches(image_BCHW).permute(0, 2, 3, 1))


def test_a_network_of_channels_last_shows_a_map() -> None:
    torch.manual_seed(0)
    model: Any = ChannelsLast()
    with torch.inference_mode():
        expected, names = model(images()), list(model.state_dict())
        show_map(model)
        torch.testing.assert_close(model(images()), expected)
    assert list(model.state_dict()) == names
    kept: list[Tensor] = []
    model.map.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    model(images())
    assert kept[0].shape == (2, 6, 8, 8)
    assert compute_cams(model, "map", images(), torch.tensor([0, 1])).std() > 0


@pytest.mark.parametrize(
    ("network", "layer", "grid"),
    [
        ("resnet18", "layer4", None),
        ("vit_tiny_patch16_224", "blocks.11.norm1", (14, 14)),
        ("swin_tiny_patch4_window7_224", "map", None),
    ],
)
def test_networks_of_timm_have_a_head_and_a_cam_layer(
    network: str, layer: str, grid: tuple[int, int] | None, tmp_path: Path
) -> None:
    timm = pytest.importorskip("timm")
    spec = find_spec(f"timm:{network}")
    assert (spec.cam_layer, spec.cam_grid) == (layer, grid)
    model = build_model(spec.name, num_classes=5).eval()
    assert sum(p.numel() for p in model.parameters()) == spec.parameters_at(5)
    maps = compute_cams(model, layer, images(1, 224), torch.tensor([1]), token_grid=grid)
    assert maps.std() > 0
    torch.save(timm.create_model(network, pretrained=False).state_dict(), tmp_path / "timm.pth")
    report = load_backbone_weights(model, tmp_path / "timm.pth")
    assert len(report.missing) == 2
    assert report.unexpected == ()
