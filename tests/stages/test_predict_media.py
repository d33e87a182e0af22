import pytest

from fercli.stages.predict_media import shared_device


@pytest.mark.parametrize(
    ("asked", "network", "detector", "shared"),
    [
        ("auto", "cpu", "openvino:bf16", "openvino:bf16"),
        ("auto", "cpu", "cpu", "cpu"),
        ("auto", "cuda", "cuda", "cuda"),
        ("openvino", "cpu", "openvino:f32", "openvino:f32"),
        ("auto", "mps", "openvino:f32", "auto"),  # no one name says both
    ],
)
def test_a_cluster_computes_on_what_this_machine_chose(asked: str, network: str, detector: str, shared: str) -> None:
    assert shared_device(asked, network=network, detector=detector) == shared
