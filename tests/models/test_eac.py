import torch

from fercli.models.networks.eac import Bottleneck, Eac, ResNet50
from tests.models.shapes import output_shapes
from tests.models.small import pictures, small_model


def test_maps_have_the_sizes_of_resnet50() -> None:
    with torch.device("meta"):
        shapes = output_shapes(Eac(7), torch.zeros(1, 3, 224, 224))
    expected = {
        "backbone.conv1": (1, 64, 112, 112),
        "backbone.maxpool": (1, 64, 56, 56),
        "backbone.layer1": (1, 256, 56, 56),
        "backbone.layer2": (1, 512, 28, 28),
        "backbone.layer3": (1, 1024, 14, 14),
        "backbone.layer4": (1, 2048, 7, 7),
        "fc": (1, 7),
    }
    assert {name: shapes[name] for name in expected} == expected


def test_stages_have_3_4_6_3_blocks() -> None:
    with torch.device("meta"):
        network = ResNet50()
    assert [len(network.get_submodule(f"layer{i}")) for i in range(1, 5)] == [3, 4, 6, 3]  # type: ignore[arg-type]  # Sequentials


def test_the_stride_sits_on_the_first_convolution() -> None:
    shapes = output_shapes(Bottleneck(16, 8, 2), torch.zeros(1, 16, 8, 8))
    assert shapes["conv1"] == (1, 8, 4, 4)
    assert shapes["conv2"] == (1, 8, 4, 4)


def test_the_pool_looks_beyond_the_right_and_lower_edge_only() -> None:
    network = ResNet50(8)
    assert (network.maxpool.padding, network.maxpool.ceil_mode) == (0, True)


def test_the_mean_of_a_class_map_and_the_bias_is_the_logit() -> None:
    model, images = small_model("eac"), pictures("eac")
    assert isinstance(model, Eac)
    found = model.forward_features(images)
    expected = found.class_maps_BKHW.mean((2, 3)) + model.fc.bias
    torch.testing.assert_close(found.logits_BK, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model(images), found.logits_BK)


def test_class_maps_move_the_backbone_but_not_the_last_layer() -> None:
    model = small_model("eac")
    assert isinstance(model, Eac)
    model.forward_features(pictures("eac")).class_maps_BKHW.square().sum().backward()
    assert model.fc.weight.grad is None
    assert model.backbone.conv1.weight.grad is not None


def test_a_block_adds_its_input() -> None:
    torch.manual_seed(0)
    block, x = Bottleneck(32, 8, 1).eval(), torch.rand(1, 32, 4, 4)
    torch.nn.init.zeros_(block.conv3.weight)
    torch.testing.assert_close(block(x), x)
