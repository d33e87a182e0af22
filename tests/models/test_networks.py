"""What every network of the table promises, asked of its narrow instance."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import onnxruntime
import pytest
import torch
from jaxtyping import config as jaxtyping_config
from torch import Tensor, nn

from fercli.learn.objectives import OBJECTIVES, LossOptions
from fercli.models.table.specs import MODELS
from tests.models.small import ARCHITECTURES, pictures, small_model

# Drop path and dropout draw per batch, which has no counterpart in a single picture.
EVERY = pytest.mark.parametrize("name", ARCHITECTURES)
# Those that are exported in seconds; the others take up to a minute each.
SOON_EXPORTED = ("aer-cnn", "drf-msam", "msff-cnn")


@contextmanager
def unchecked() -> Iterator[None]:
    """Without the shape checks of the test run, which no tracer can follow and no user's run has."""
    jaxtyping_config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping_config.update("jaxtyping_disable", False)


@EVERY
def test_the_narrow_instance_is_narrow(name: str) -> None:
    assert sum(p.numel() for p in small_model(name).parameters()) < 500_000


@EVERY
@pytest.mark.parametrize("num_classes", [2, 9])
def test_logits_have_one_column_per_class(name: str, num_classes: int) -> None:
    with torch.inference_mode():
        assert small_model(name, num_classes)(pictures(name, 3)).shape == (3, num_classes)


@EVERY
def test_logits_differ_between_pictures(name: str) -> None:
    with torch.inference_mode():
        first, second = small_model(name)(pictures(name))
    assert not torch.allclose(first, second, atol=1e-6)


@EVERY
def test_a_picture_in_a_batch_gets_the_logits_it_gets_alone(name: str) -> None:
    model, images = small_model(name), pictures(name, 3)
    with torch.inference_mode():
        together = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    torch.testing.assert_close(together, alone, atol=2e-5, rtol=1e-4)


@EVERY
def test_gradient_reaches_every_trainable_parameter(name: str) -> None:
    model = small_model(name).train()
    outputs = model(pictures(name, 4)).square().sum()
    if MODELS[name].objective != "cross-entropy":
        # What only the loss of the paper reads, such as the attention among a batch, has no gradient from the logits.
        learnt = OBJECTIVES[MODELS[name].objective]
        targets = torch.tensor([0, 1, 2, 3])
        outputs = outputs + 1e4 * learnt(model, pictures(name, 4), targets, LossOptions())[0]
    outputs.backward()
    starved = [key for key, p in model.named_parameters() if p.requires_grad and (p.grad is None or not p.grad.any())]
    # A bias before a softmax or a batch norm shifts nothing.
    assert [key for key in starved if not key.endswith(("context.bias", "key.bias"))] == []


@EVERY
def test_frozen_parameters_get_no_gradient(name: str) -> None:
    model = small_model(name).train()
    model(pictures(name, 4)).sum().backward()
    assert all(p.grad is None for p in model.parameters() if not p.requires_grad)


@EVERY
def test_training_changes_no_frozen_statistics(name: str) -> None:
    model = small_model(name).train()
    kept = {key: value.clone() for key, value in model.state_dict().items() if key.startswith("landmarks.")}
    model(pictures(name, 4))
    assert all(torch.equal(model.state_dict()[key], value) for key, value in kept.items())


@EVERY
def test_weights_are_drawn_from_the_seed(name: str) -> None:
    first, second = small_model(name), small_model(name)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@EVERY
def test_cam_layer_gives_a_map_that_varies_and_gets_a_gradient(name: str) -> None:
    spec, model = MODELS[name], small_model(name)
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        kept.append(output)

    model.get_submodule(spec.cam_layer).register_forward_hook(keep)
    logits = model(pictures(name, 2).requires_grad_())
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), kept[0])
    assert kept[0].ndim == (3 if spec.cam_grid else 4)
    places = (1,) if spec.cam_grid else (2, 3)
    assert gradient.abs().sum() > 0
    assert kept[0].std(places).max() > 0


@EVERY
def test_channels_last_gives_the_same_logits(name: str) -> None:
    model, images = small_model(name), pictures(name)
    with torch.inference_mode():
        expected = model(images)
        found = model.to(memory_format=torch.channels_last)(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


@EVERY
def test_bfloat16_autocast_stays_close(name: str) -> None:
    model, images = small_model(name), pictures(name)
    with torch.inference_mode():
        expected = model(images)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = model(images)
    # bfloat16 has 8 bits of mantissa; errors of a dozen layers stay within a few hundredths of the largest logit.
    assert (found.float() - expected).abs().max() <= 0.06 * expected.abs().max() + 0.01


@EVERY
def test_bfloat16_training_step_has_finite_gradients(name: str) -> None:
    model = small_model(name).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(pictures(name, 4)).float().square().mean()
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


# Of the others, sfernet mixes scores across heads before the softmax, which no fused kernel does.
@pytest.mark.parametrize(("name", "num_calls"), [("sfer-mdfae", 1), ("poster", 6), ("poster-pp", 4)])
def test_attention_is_fused(name: str, num_calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    fused = torch.nn.functional.scaled_dot_product_attention

    def counted(*args: Tensor, **options: object) -> Tensor:
        calls.append(args)
        return fused(*args, **options)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    with torch.inference_mode():
        small_model(name)(pictures(name))
    assert len(calls) == num_calls


@EVERY
def test_channels_last_reaches_the_last_map(name: str) -> None:
    spec = MODELS[name]
    model = small_model(name).to(memory_format=torch.channels_last)
    kept: list[Tensor] = []
    model.get_submodule(spec.cam_layer).register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    with torch.inference_mode():
        model(pictures(name).contiguous(memory_format=torch.channels_last))
    is_map = kept[0].ndim == 4
    assert kept[0].is_contiguous(memory_format=torch.channels_last if is_map else torch.contiguous_format)


@EVERY
def test_weights_round_trip_through_state_dict(name: str) -> None:
    model, other = small_model(name), small_model(name)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(0.1)
    other.load_state_dict(model.state_dict())
    with torch.inference_mode():
        torch.testing.assert_close(other(pictures(name)), model(pictures(name)))


@pytest.mark.parametrize(
    "name", [name if name in SOON_EXPORTED else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]
)
def test_one_graph_without_breaks_runs_in_onnxruntime(name: str) -> None:
    model, images = small_model(name), pictures(name)
    with torch.inference_mode():
        expected = model(images)
    buffer = io.BytesIO()
    with warnings.catch_warnings(), unchecked():
        # The exporter itself uses what torch and onnxscript are about to drop.
        warnings.simplefilter("ignore")
        # Strict: traced by the compiler's front end, which refuses what it would have to break the graph for.
        graph = torch.export.export(model, (images,), strict=True)
        program = torch.onnx.export(graph, dynamo=True, verbose=False, optimize=False)
    with torch.inference_mode():
        torch.testing.assert_close(graph.module()(images), expected, atol=1e-5, rtol=1e-4)
    assert program is not None
    program.save(buffer)
    onnxruntime.set_default_logger_severity(3)
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4, rtol=1e-3)
