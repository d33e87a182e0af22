import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from fercli.core.errors import InputError
from fercli.models.build import build_model
from fercli.models.networks.backbones import Ir50, MobileFaceNet
from fercli.models.networks.ddamfn import Ddamfn
from fercli.models.networks.emonext import EmoNext
from fercli.models.networks.poster import Poster
from fercli.models.networks.sfer_mdfae import SferMdfae
from fercli.models.pretrained.weights import load_backbone_weights, read_tensors
from tests.models.reference import EvolveIr50, PosterIr50, shake
from tests.models.small import SMALL, small_model

BLOCKS, WIDTHS = (1, 2, 1, 1), (8, 12, 16, 20)


def sfer() -> SferMdfae:
    return SferMdfae(7, blocks=BLOCKS, widths=WIDTHS, heads=4).eval()


def test_face_evolve_weights_give_the_reference_maps(tmp_path: Path) -> None:
    reference = shake(EvolveIr50(BLOCKS, WIDTHS))
    torch.save(reference.state_dict(), tmp_path / "ir50.pth")
    model = sfer()
    report = load_backbone_weights(model, tmp_path / "ir50.pth")
    image = torch.randn(1, 3, 112, 112)
    torch.testing.assert_close(model.backbone(image)[-1], reference(image))
    assert report.layout == "face.evoLVe IR-50"
    assert report.missing == report.unexpected == ()
    assert len(report.loaded) == sum(not key.endswith("num_batches_tracked") for key in model.backbone.state_dict())
    assert "6 entries of a head" in report.notes[0]
    assert "MS-Celeb-1M" in report.notes[1]


def test_poster_pp_weights_leave_stage_four_fresh_and_say_so(tmp_path: Path) -> None:
    reference = shake(PosterIr50(BLOCKS[:3], WIDTHS[:3]))
    torch.save(reference.state_dict(), tmp_path / "ir50.pth")
    model = sfer()
    fresh = model.backbone.stages[3].state_dict()
    fresh = {key: value.clone() for key, value in fresh.items()}
    report = load_backbone_weights(model, tmp_path / "ir50.pth")
    image = torch.randn(1, 3, 112, 112)
    torch.testing.assert_close(model.backbone(image)[2], reference(image))
    assert all(torch.equal(value, fresh[key]) for key, value in model.backbone.stages[3].state_dict().items())
    assert "Stage 4 is not in the file and is initialised at random." in report.notes
    assert {key.split(".")[2] for key in report.missing} == {"3"}


def test_poster_takes_the_first_three_stages_of_face_evolve(tmp_path: Path) -> None:
    reference = shake(EvolveIr50(BLOCKS, WIDTHS))
    torch.save(reference.state_dict(), tmp_path / "ir50.pth")
    model = Poster(7, ir_blocks=BLOCKS[:3], ir_widths=WIDTHS[:3], landmark_width=0.125, depth=1)
    report = load_backbone_weights(model, tmp_path / "ir50.pth")
    assert report.missing == ()
    assert {key.split(".")[1] for key in report.unexpected} == {"4"}


def poster_landmarks(seed: int) -> dict[str, Tensor]:
    """The state of a narrow landmark network by the names of the published file."""
    from fercli.models.pretrained.layouts import LAYOUTS

    layout = next(layout for layout in LAYOUTS if layout.kind is MobileFaceNet)
    source = shake(MobileFaceNet(0.125), seed)
    state = {key: value for key, value in source.state_dict().items() if not key.endswith("num_batches_tracked")}
    return {str(layout.rename(source, key)): value for key, value in state.items()}


def small_poster() -> Poster:
    return Poster(7, ir_blocks=BLOCKS[:3], ir_widths=WIDTHS[:3], landmark_width=0.125, depth=1).eval()


@pytest.mark.parametrize("name", ["poster", "poster-pp"])
def test_poster_pp_weights_fill_all_stages_of_the_poster_family(tmp_path: Path, name: str) -> None:
    widths = (8, 16, 32)
    reference = shake(PosterIr50(BLOCKS[:3], widths))
    torch.save(reference.state_dict(), tmp_path / "ir50.pth")
    options = {"ir_widths": widths} if name == "poster" else {}
    model = build_model(name, num_classes=7, ir_blocks=BLOCKS[:3], landmark_width=0.125, depth=1, **options).eval()
    report = load_backbone_weights(model, tmp_path / "ir50.pth")
    image = torch.randn(1, 3, 112, 112)
    torch.testing.assert_close(model.get_submodule("backbone")(image)[2], reference(image))
    assert (report.layout, report.missing, report.unexpected) == ("POSTER++ IR-50", (), ())
    assert any("model.freeze_landmarks=false" in note for note in report.notes)


def test_one_file_with_both_backbones_fills_both(tmp_path: Path) -> None:
    reference = shake(PosterIr50(BLOCKS[:3], WIDTHS[:3]))
    landmarks = poster_landmarks(5)
    both = {f"ir_back.{key}": value for key, value in reference.state_dict().items()}
    both |= {f"face_landback.{key}": value for key, value in landmarks.items()}
    torch.save({"state_dict": {f"module.{key}": value for key, value in both.items()}}, tmp_path / "both.pth")
    model = small_poster()
    report = load_backbone_weights(model, tmp_path / "both.pth")
    assert report.layout == "POSTER++ IR-50 and MobileFaceNet landmarks"
    assert report.missing == report.unexpected == ()
    assert not any("freeze_landmarks" in note for note in report.notes)
    image = torch.randn(1, 3, 112, 112)
    torch.testing.assert_close(model.backbone(image)[2], reference(image))
    conv = landmarks["conv_6_sep.conv.weight"]
    torch.testing.assert_close(model.state_dict()["landmarks.network.conv6.0.weight"], conv)


def test_a_refused_file_leaves_the_network_as_it_was(tmp_path: Path) -> None:
    good = {f"ir_back.{key}": value for key, value in PosterIr50(BLOCKS[:3], WIDTHS[:3]).state_dict().items()}
    wide = {f"face_landback.{key}": value.repeat_interleave(2, 0) for key, value in poster_landmarks(5).items()}
    torch.save(good | wide, tmp_path / "half.pth")
    model = small_poster()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(InputError, match="in the file"):
        load_backbone_weights(model, tmp_path / "half.pth")
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("form", ["state_dict", "module", "safetensors", "half"])
def test_wrapped_prefixed_and_safe_files_load_alike(tmp_path: Path, form: str) -> None:
    state = shake(EvolveIr50(BLOCKS, WIDTHS)).state_dict()
    path = tmp_path / "weights.pth"
    if form == "state_dict":
        torch.save({"epoch": 3, "state_dict": state, "best": 0.5}, path)
    elif form == "module":
        torch.save(OrderedDict((f"module.{key}", value) for key, value in state.items()), path)
    elif form == "half":
        torch.save({key: value.half() for key, value in state.items()}, path)
    else:
        path = path.with_suffix(".safetensors")
        save_file(state, path)
    model = sfer()
    report = load_backbone_weights(model, path)
    assert report.missing == ()
    expected = state["body.0.res_layer.1.weight"]
    torch.testing.assert_close(
        model.backbone.stages[0][0].residual[1].weight,  # type: ignore[index,union-attr]  # nested Sequentials
        expected.half().float() if form == "half" else expected,
    )


def mobile_names(key: str) -> str:
    """By hand, from the names of the published landmark weights."""
    table = {
        "conv1.0.weight": "conv1.conv.weight",
        "conv2.2.weight": "conv2_dw.prelu.weight",
        "conv3.0.expand.0.weight": "conv_23.conv.conv.weight",
        "conv3.1.depthwise.1.weight": "conv_3.model.0.conv_dw.bn.weight",
        "conv4.0.project.0.weight": "conv_34.project.conv.weight",
        "conv5.2.project.1.running_mean": "conv_5.model.1.project.bn.running_mean",
        "conv6.0.weight": "conv_6_sep.conv.weight",
        "points.3.weight": "output_layer.linear.weight",
        "points.0.weight": "output_layer.conv_6_dw.conv.weight",
    }
    return table[key]


def test_landmark_weights_find_their_place_in_poster(tmp_path: Path) -> None:
    from fercli.models.pretrained.layouts import LAYOUTS

    layout = next(layout for layout in LAYOUTS if layout.kind is MobileFaceNet)
    source = shake(MobileFaceNet(0.125))
    keys = [key for key in source.state_dict() if not key.endswith("num_batches_tracked")]
    names = {key: layout.rename(source, key) for key in keys}
    for key in ("conv1.0.weight", "conv2.2.weight", "conv3.0.expand.0.weight", "conv3.1.depthwise.1.weight",
                "conv4.0.project.0.weight", "conv5.2.project.1.running_mean", "conv6.0.weight", "points.3.weight",
                "points.0.weight"):  # fmt: skip
        assert names[key] == mobile_names(key)
    assert len(set(names.values())) == len(keys)
    torch.save({"state_dict": {names[key]: source.state_dict()[key] for key in keys}}, tmp_path / "m.pth.tar")
    model = Poster(7, ir_blocks=(1, 1, 1), ir_widths=(8, 8, 16), landmark_width=0.125, depth=1).eval()
    report = load_backbone_weights(model, tmp_path / "m.pth.tar")
    assert report.layout == "MobileFaceNet landmarks"
    assert report.missing == report.unexpected == ()
    image = torch.randn(1, 3, 112, 112)
    torch.testing.assert_close(model.landmarks(image).points, source(image).points)


def test_ddamfn_names_are_those_of_its_code() -> None:
    from fercli.models.pretrained.layouts import LAYOUTS

    model = Ddamfn(7, width=0.125, repeats=(1, 1, 1))
    plain, numbered = (layout for layout in LAYOUTS if layout.title.startswith("DDAMFN"))
    expected = {
        "conv3.0.depthwise.convs.2.weight": "conv_23.conv_dw.mixed_depthwise_conv.2.weight",
        "conv4.1.attention.gate.columns.bias": "conv_4.model.0.CA.conv3.bias",
        "conv5.0.attention.gate.norm.running_var": "conv_45.CA.bn1.running_var",
        "conv3.0.expand.2.weight": "conv_23.conv.prelu.weight",
    }
    for key, name in expected.items():
        assert plain.rename(model.backbone, key) == name
    assert numbered.rename(model.backbone, "conv4.1.project.0.weight") == "features.5.model.0.project.conv.weight"


def test_torchvision_resnet50_fills_eac(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = shake(torchvision.models.resnet50())
    torch.save(reference.state_dict(), tmp_path / "resnet50.pth")
    model = build_model("eac", num_classes=7).eval()
    report = load_backbone_weights(model, tmp_path / "resnet50.pth")
    assert report.missing == report.unexpected == ()
    assert any("stride" in note for note in report.notes)
    image = torch.randn(1, 3, 64, 64)
    backbone = model.get_submodule("backbone")
    with torch.inference_mode():
        stem = torch.randn(1, 64, 16, 16)
        torch.testing.assert_close(backbone.get_submodule("layer1")(stem), reference.layer1(stem))
        torch.testing.assert_close(backbone.get_submodule("conv1")(image), reference.conv1(image))


@pytest.mark.parametrize(("num_classes", "is_vggface2"), [(8631, True), (1000, False)])
def test_the_head_of_a_resnet50_tells_what_it_was_trained_on(
    num_classes: int, is_vggface2: bool, tmp_path: Path
) -> None:
    torch.save(torchvision.models.resnet50(num_classes=num_classes).state_dict(), tmp_path / "weights.pth")
    notes = load_backbone_weights(build_model("eac", num_classes=7), tmp_path / "weights.pth").notes
    assert any("VGGFace2, which is no longer available" in note for note in notes) == is_vggface2
    # Theirs has its stride where EAC has it.
    assert any("stride" in note for note in notes) != is_vggface2


def test_torchvision_convnext_fills_emonext(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = shake(torchvision.models.convnext_tiny())
    torch.save(reference.state_dict(), tmp_path / "convnext.pth")
    model = build_model("emonext-tiny", num_classes=7).eval()
    assert isinstance(model, EmoNext)
    report = load_backbone_weights(model, tmp_path / "convnext.pth")
    assert report.layout == "ConvNeXt of torchvision"
    assert report.missing == report.unexpected == ()
    with torch.inference_mode():
        image, small = torch.randn(1, 3, 32, 32), torch.randn(1, 96, 8, 8)
        torch.testing.assert_close(model.stages[0](model.downsample[0](image)), reference.features[:2](image))
        halved = model.downsample[1][1](model.downsample[1][0](small))  # type: ignore[index]  # a Sequential
        torch.testing.assert_close(halved, reference.features[2](small))
        torch.testing.assert_close(
            model.stages[3](torch.ones(1, 768, 2, 2)), reference.features[7](torch.ones(1, 768, 2, 2))
        )


@pytest.mark.parametrize(
    ("title", "pairs"),
    [
        (
            "ConvNeXt of its authors",
            {
                "downsample.0.0.weight": "downsample_layers.0.0.weight",
                "downsample.2.1.bias": "downsample_layers.2.1.bias",
                "stages.2.1.depthwise.weight": "stages.2.1.dwconv.weight",
                "stages.0.0.mlp.narrow.bias": "stages.0.0.pwconv2.bias",
                "stages.0.0.scale": "stages.0.0.gamma",
                "norm.weight": "norm.weight",
            },
        ),
        (
            "ConvNeXt of timm",
            {
                "downsample.0.1.weight": "stem.1.weight",
                "downsample.2.1.bias": "stages.2.downsample.1.bias",
                "stages.2.1.depthwise.weight": "stages.2.blocks.1.conv_dw.weight",
                "stages.0.0.mlp.widen.bias": "stages.0.blocks.0.mlp.fc1.bias",
                "stages.0.0.scale": "stages.0.blocks.0.gamma",
                "norm.weight": "head.norm.weight",
            },
        ),
    ],
    ids=["authors", "timm"],
)
def test_convnext_names_are_those_of(title: str, pairs: dict[str, str]) -> None:
    from fercli.models.pretrained.layouts import LAYOUTS

    layout = next(layout for layout in LAYOUTS if layout.title == title)
    model = small_model("emonext-base")
    assert {key: layout.rename(model, key) for key in pairs} == pairs
    new_parts = ["downsample.1.2.gate.0.weight", "attention.query.weight", "head.weight", "transformer.locate.0.weight"]
    assert [layout.rename(model, key) for key in new_parts] == [None] * 4


@pytest.mark.parametrize("title", ["ConvNeXt of its authors", "ConvNeXt of timm"])
def test_convnext_files_round_trip(tmp_path: Path, title: str) -> None:
    from fercli.models.pretrained.layouts import LAYOUTS

    layout = next(layout for layout in LAYOUTS if layout.title == title)
    source, model = (
        small_model("emonext-base"),
        build_model("emonext-base", num_classes=3, **SMALL["emonext-base"].options),
    )
    renamed = {layout.rename(source, key): value for key, value in source.state_dict().items()}
    torch.save({"model": {key: value for key, value in renamed.items() if key}}, tmp_path / "c.pth")
    report = load_backbone_weights(model, tmp_path / "c.pth")
    assert (report.layout, report.missing, report.unexpected) == (title, (), ())
    torch.testing.assert_close(
        model.state_dict()["stages.2.1.mlp.widen.weight"], source.state_dict()["stages.2.1.mlp.widen.weight"]
    )


@pytest.mark.parametrize("name", ["drf-msam", "sfernet", "poster-pp"])
def test_a_checkpoint_of_our_own_fills_all_but_a_head_of_other_classes(tmp_path: Path, name: str) -> None:
    source = small_model(name, 7)
    save_file({key: value.contiguous() for key, value in source.state_dict().items()}, tmp_path / "best.safetensors")
    torch.manual_seed(9)
    model = build_model(name, num_classes=5, **SMALL[name].options)
    report = load_backbone_weights(model, tmp_path / "best.safetensors")
    assert report.layout == "the network's own names"
    assert len(report.missing) == 2
    assert all(key.startswith(("classify", "head")) for key in report.missing)
    state = source.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items() if key in report.loaded)


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    torch.save(small_model("drf-msam").state_dict(), tmp_path / "other.pth")
    with pytest.raises(InputError, match="do not match the backbone of SferMdfae") as caught:
        load_backbone_weights(sfer(), tmp_path / "other.pth")
    assert "face.evoLVe IR-50, POSTER\\+\\+ IR-50".replace("\\", "") in caught.value.hint


def test_a_wider_network_is_refused_with_both_shapes(tmp_path: Path) -> None:
    torch.save(EvolveIr50(BLOCKS, (16, 24, 32, 40)).state_dict(), tmp_path / "wide.pth")
    with pytest.raises(InputError, match=r"\(16, 3, 3, 3\) in the file, \(8, 3, 3, 3\) in the model"):
        load_backbone_weights(sfer(), tmp_path / "wide.pth")


def test_a_checkpoint_of_a_wider_network_is_refused_with_both_shapes(tmp_path: Path) -> None:
    torch.save(build_model("drf-msam", num_classes=7, width=16, hidden=32).state_dict(), tmp_path / "wide.pth")
    model = build_model("drf-msam", num_classes=7, width=8, hidden=16)
    with pytest.raises(InputError, match=r"\(16, 1, 3, 3\) in the file, \(8, 1, 3, 3\) in the model"):
        load_backbone_weights(model, tmp_path / "wide.pth")


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e300], ids=str)
def test_numbers_that_are_none_are_refused_by_the_name_of_their_entry(tmp_path: Path, number: float) -> None:
    state = {key: value.double() for key, value in small_model("drf-msam").state_dict().items()}
    name = list(state)[4]
    state[name].flatten()[0] = number
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(InputError, match=f"entry '{name}' holds numbers that are not finite"):
        load_backbone_weights(small_model("drf-msam"), tmp_path / "broken.pth")


def test_numbers_that_are_none_pass_where_nothing_uses_them(tmp_path: Path) -> None:
    state = {**small_model("drf-msam").state_dict(), "mask": torch.tensor([0.0, -torch.inf])}
    torch.save(state, tmp_path / "masked.pth")
    assert load_backbone_weights(small_model("drf-msam"), tmp_path / "masked.pth").unexpected == ("mask",)


@pytest.mark.filterwarnings("ignore:.*(quantiz|Sparse|sparse|TypedStorage)")
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: torch.eye(3).to_sparse(), "sparse"),
        (lambda: torch.empty(3, 3, device="meta"), "without its numbers"),
        (lambda: torch.quantize_per_tensor(torch.eye(3), 0.1, 0, torch.qint8), "quantised"),
        (lambda: torch.eye(3, dtype=torch.complex64), "complex"),
    ],
    ids=["sparse", "meta", "quantised", "complex"],
)
def test_an_entry_that_is_no_plain_tensor_is_refused_by_its_name(
    tmp_path: Path, make: Callable[[], Tensor], kind: str
) -> None:
    torch.save({"first": torch.ones(2), "odd.weight": make()}, tmp_path / "odd.pth")
    with pytest.raises(InputError, match=f"entry 'odd.weight' is {kind}"):
        read_tensors(tmp_path / "odd.pth")


def test_a_file_that_holds_itself_ends(tmp_path: Path) -> None:
    content: dict[str, object] = {"weight": torch.ones(2)}
    content["model"] = content
    torch.save(content, tmp_path / "loop.pth")
    assert list(read_tensors(tmp_path / "loop.pth")) == ["weight"]


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such weights file"):
        load_backbone_weights(sfer(), tmp_path / "none.pth")


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


def test_a_pickle_that_would_run_code_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Hostile()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="could run code") as caught:
        read_tensors(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()
    assert "safetensors" in caught.value.hint


def test_a_plain_pickle_is_not_run_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "resnet50_ft_weight.pkl").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(InputError, match="could run code"):
        load_backbone_weights(sfer(), tmp_path / "resnet50_ft_weight.pkl")
    assert not (tmp_path / "ran").exists()


def test_a_pickled_module_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(InputError, match="could run code"):
        read_tensors(tmp_path / "whole.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 cut"], ids=["empty", "text", "cut zip"])
def test_a_damaged_file_is_told(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match="bad"):
        read_tensors(path)


def test_a_file_without_tensors_fits_nothing(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(InputError, match="first keys: none"):
        load_backbone_weights(sfer(), tmp_path / "empty.pth")


def test_loading_moves_no_other_part(tmp_path: Path) -> None:
    torch.save(shake(EvolveIr50(BLOCKS, WIDTHS)).state_dict(), tmp_path / "ir50.pth")
    model = sfer()
    before: dict[str, Tensor] = {key: value.clone() for key, value in model.state_dict().items()}
    load_backbone_weights(model, tmp_path / "ir50.pth")
    others = [key for key in before if not key.startswith("backbone.")]
    assert others
    assert all(torch.equal(before[key], model.state_dict()[key]) for key in others)


def test_ir50_names_go_there_and_back() -> None:
    from fercli.models.pretrained.layouts import LAYOUTS

    layout = next(layout for layout in LAYOUTS if layout.kind is Ir50)
    with torch.device("meta"):
        ours, theirs = Ir50(), EvolveIr50((3, 4, 14, 3), (64, 128, 256, 512))
    names = [layout.rename(ours, key) for key in ours.state_dict()]
    expected = [key for key in theirs.state_dict() if not key.startswith("output_layer")]
    assert sorted(map(str, names)) == sorted(expected)
    shapes = {key: value.shape for key, value in theirs.state_dict().items()}
    assert all(value.shape == shapes[str(layout.rename(ours, key))] for key, value in ours.state_dict().items())
    assert max(int(key.split(".")[1]) for key in expected if key.startswith("body")) == 23


def test_every_layout_is_one_of_a_module_we_have() -> None:
    from fercli.models.pretrained.layouts import LAYOUTS

    assert all(issubclass(layout.kind, nn.Module) for layout in LAYOUTS)
