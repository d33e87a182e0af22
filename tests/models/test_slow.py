"""What takes minutes: generated code of every architecture, and the full networks through torch.compile and ONNX."""

import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import torch.nn.functional as F

from fercli.models.build import build_model
from fercli.models.table.specs import MODELS
from tests.models.small import ARCHITECTURES, SMALL, pictures, small_model
from tests.models.test_networks import unchecked


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_compiled_code_gives_the_same_logits(name: str) -> None:
    model, images = small_model(name), pictures(name)
    torch.compiler.reset()
    with torch.inference_mode(), unchecked():
        expected = model(images)
        found = torch.compile(model, fullgraph=True)(images)
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_eight_pictures_are_learned(name: str) -> None:
    spec, size = MODELS[name], SMALL[name].size or MODELS[name].input_size
    torch.manual_seed(0)
    model = build_model(name, num_classes=4, **SMALL[name].options).train()
    images = F.interpolate(torch.randn(8, spec.channels, 6, 6), size=(size, size), mode="bicubic")
    targets = torch.arange(8) % 4
    # The narrow grey networks and MobileNet have few weights, which must go a longer way.
    rate = 1e-2 if spec.channels == 1 or name == "fercli-mobilenet" else 1e-3
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    for _ in range(80):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), targets)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.3


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", MODELS)
def test_the_full_network_compiles_to_the_same_logits(name: str) -> None:
    spec = MODELS[name]
    torch.manual_seed(0)
    model = build_model(name, num_classes=7).eval()
    images = torch.rand(1, spec.channels, spec.input_size, spec.input_size)
    torch.compiler.reset()
    with torch.inference_mode(), unchecked():
        expected = model(images)
        found = torch.compile(model, fullgraph=True)(images)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", MODELS)
def test_the_full_network_runs_in_onnxruntime(name: str, tmp_path: Path) -> None:
    spec = MODELS[name]
    torch.manual_seed(0)
    model = build_model(name, num_classes=7).eval()
    images = torch.rand(1, spec.channels, spec.input_size, spec.input_size)
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings(), unchecked():
        # The exporter itself uses what torch and onnxscript are about to drop.
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (images,), path, dynamo=True, verbose=False, external_data=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    with torch.inference_mode():
        np.testing.assert_allclose(logits, model(images).numpy(), atol=1e-3, rtol=1e-3)
