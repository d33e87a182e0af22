"""Evaluate a model on held-out crops: loss, accuracy, macro-F1 and probabilities.

B pictures, C channels, H W pixels, K classes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn

from fercli.data.batches import CropSource, even_batches
from fercli.data.loaders import plain_batches
from fercli.data.transforms import InputFormat, to_whole_input
from fercli.learn.device import Machine
from fercli.learn.world import ALONE, World
from fercli.metrics.confusion import confusion_matrix
from fercli.metrics.scores import macro_f1

TestTime = Literal["none", "flip", "ten-crop"]
# Crops of 0.875 of the side, as 224 of 256; the classic ten-crop.
_CROP_SHARE = 0.875


@dataclass(frozen=True)
class Validation:
    """How good a model is on held-out faces; `loss` is plain cross-entropy."""

    loss: float
    accuracy: float
    macro_f1: float


def validate(
    model: nn.Module,
    crops: CropSource,
    targets: Int64[np.ndarray, " faces"],
    *,
    form: InputFormat,
    machine: Machine,
    num_classes: int,
    batch_size: int,
    world: World = ALONE,
    watch: Callable[[int], None] | None = None,
) -> Validation:
    """Loss, accuracy and macro-F1 of `model` in evaluation mode; the processes of `world` share the work.

    `watch` is told of every batch, how many faces it had; what it raises ends the validation.
    """
    logits = predict_logits(model, crops, form=form, machine=machine, batch_size=batch_size, world=world, watch=watch)
    loss = F.cross_entropy(logits.double(), torch.from_numpy(targets)).item()
    predicted = logits.argmax(1).numpy()
    matrix = confusion_matrix(targets, predicted, num_classes)
    return Validation(loss, float((predicted == targets).mean()), float(macro_f1(matrix)))


def predict_logits(
    model: nn.Module,
    crops: CropSource,
    *,
    form: InputFormat,
    machine: Machine,
    batch_size: int,
    world: World = ALONE,
    watch: Callable[[int], None] | None = None,
) -> Float[Tensor, "faces classes"]:
    """Logits of all crops in order, float32 on the CPU; `watch` is told of every batch."""
    places = world.share(range(len(crops)))
    if not places:
        # More processes than crops: this one only learns how wide the table is.
        first = next(_logit_batches(model, crops, [[0]], form=form, machine=machine, test_time="none"))
        return world.whole(first[:0], places, len(crops))
    orders, found = even_batches(crops, places, batch_size), []
    for logits in _logit_batches(model, crops, orders, form=form, machine=machine, test_time="none"):
        found.append(logits)
        if watch:
            watch(len(logits))
    visited = torch.tensor([place for order in orders for place in order])
    return world.whole(torch.cat(found)[visited.argsort()], places, len(crops))


def predict_probability_batches(
    model: nn.Module,
    crops: CropSource,
    *,
    form: InputFormat,
    machine: Machine,
    batch_size: int,
    test_time: TestTime = "none",
) -> Iterator[Float32[np.ndarray, "batch classes"]]:
    """Softmax of the logits, a batch at a time, averaged over the views that `test_time` asks for."""
    orders = plain_batches(len(crops), batch_size)
    for found in _logit_batches(model, crops, orders, form=form, machine=machine, test_time=test_time):
        yield found.softmax(1).numpy() if test_time == "none" else found.numpy()


def _logit_batches(
    model: nn.Module,
    crops: CropSource,
    orders: Sequence[Sequence[int]],
    *,
    form: InputFormat,
    machine: Machine,
    test_time: TestTime,
) -> Iterator[Tensor]:
    """Logits, or with several views the mean of their probabilities."""
    model.eval()
    for images in crops.batches(orders):
        # Around the work alone: a context held across a yield would leak into the caller.
        with torch.inference_mode(), machine.autocast():
            views = _views(to_whole_input(images.to(machine.device), form), form, test_time)
            logits = [model(view.contiguous(memory_format=torch.channels_last)).float() for view in views]
            found = logits[0] if test_time == "none" else torch.stack([part.softmax(1) for part in logits]).mean(0)
        yield found.cpu()


def _views(image_BCHW: Tensor, form: InputFormat, test_time: TestTime) -> list[Tensor]:
    """What the network judges of whole inputs: the window in the middle, or those at the corners too."""
    side = form.side
    if test_time == "ten-crop" and side == form.size:
        side = round(form.size * _CROP_SHARE)
    far, middle = form.size - side, (form.size - side) // 2
    places = [(middle, middle)]
    if test_time == "ten-crop":
        places += [(0, 0), (0, far), (far, 0), (far, far)]
    views = [image_BCHW[..., top : top + side, left : left + side] for top, left in places]
    # A network that learnt from whole pictures sees crops as large as they were.
    if side != form.side:
        views = [F.interpolate(view, size=(form.side,) * 2, mode="bilinear", align_corners=False) for view in views]
    return views if test_time == "none" else views + [view.flip(-1) for view in views]
