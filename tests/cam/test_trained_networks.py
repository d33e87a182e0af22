"""Networks trained on drawn faces look at what moves in them: brows, eyes and mouth."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fercli.cam.gradcam import compute_cams
from fercli.demo.expressions import EMOTIONS, REST, draw_expression
from fercli.demo.faces import SUPERSAMPLING, Placement, draw_face, locate_face
from fercli.demo.head import HeadSprite, paint_head
from fercli.demo.identity import Identity, draw_identity
from fercli.learn.norms import add_norms, plain_state
from fercli.models.build import build_model
from fercli.models.table.specs import MODELS
from fercli.vision.align import TEMPLATE, crop_face

SIDE = 112
PLACE = Placement((100.0, 90.0), 32.0)


@dataclass(frozen=True)
class Course:
    """How a narrow instance is built and trained: enough to recognise strangers, in minutes on one core."""

    size: int
    people: int
    epochs: int
    lr: float
    options: dict[str, Any] = field(default_factory=dict)
    grid: tuple[int, int] | None = None
    layers: tuple[str, ...] = ()
    # Maps that follow nothing lie at 1.
    least: float = 1.5


COURSES = {
    # Its last map is one layer of convolutions, weighed channel by channel: a place sees 7 pixels and no more.
    "drf-msam": Course(48, 200, 12, 4e-3, least=1.25),
    # Figure 8 of its paper shows two maps: of KROA (column IV) and of the last stage before it (column II).
    "sfer-mdfae": Course(
        112,
        150,
        8,
        3e-3,
        {"widths": (16, 24, 32, 64), "blocks": (1, 1, 1, 1)},
        layers=("kroa", "backbone.stages.3"),
    ),
    "sfernet": Course(
        128,
        100,
        10,
        1e-3,
        {"width": 24, "depths": (1, 1, 1, 1), "sizes": (4, 2, 1, 1), "stem": 16, "experts": 2},
        grid=(4, 4),
    ),
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", COURSES)
def test_a_trained_network_looks_at_brows_eyes_and_mouth(name: str) -> None:
    course = COURSES[name]
    model = trained(name, course)
    # People whom training never saw.
    crops, targets = faces(1000, 20)
    images, classes = inputs(name, course, crops), torch.from_numpy(targets)
    assert len(images) >= 50
    with torch.inference_mode():
        accuracy = (model(images).argmax(1) == classes).float().mean().item()
    # One of six by chance; what a network looks at that recognises nothing means nothing.
    assert accuracy > 0.8
    layers = course.layers or (MODELS[name].cam_layer,)
    assert MODELS[name].cam_layer in layers
    for layer in layers:
        cams = compute_cams(model, layer, images, classes, token_grid=course.grid)
        assert inside_to_outside(cams) > course.least, layer


def test_what_moves_are_brows_eyes_and_mouth() -> None:
    inside = moving_parts()
    eyes, mouth = TEMPLATE[:2].round().astype(int), TEMPLATE[3:].round().astype(int)
    assert all(inside[y, x] for x, y in (*eyes, *mouth))
    # The brows, a fifth of the side above the eyes at most; not the nose, the forehead, the cheeks, the corners.
    assert all(inside[y - 14, x] for x, y in eyes)
    nose, forehead, chin = TEMPLATE[2].round().astype(int), (56, 12), (56, 111)
    still = (nose, forehead, chin, (24, 78), (88, 78), (3, 3), (108, 3), (3, 108), (108, 108))
    assert not any(inside[y, x] for x, y in still)
    assert 0.1 < inside.mean() < 0.25


def inside_to_outside(cams: np.ndarray) -> float:
    """Mean of the maps inside the moving parts over their mean outside."""
    inside = moving_parts()
    sized = np.stack([cv2.resize(cam, (SIDE, SIDE)) for cam in cams])
    return float(sized[:, inside].mean() / sized[:, ~inside].mean())


@cache
def moving_parts() -> np.ndarray:
    """Where drawings of one person differ between emotions: measured, not put there by hand.

    The spread of each pixel over expressions of a head that keeps still, in crops aligned by the face at rest, mean
    over people. Above a fifth of its largest value lie brows, lids, irises and mouth, below it cheeks and folds. The
    margin of four pixels is for the test faces, whose heads turn and whose mouths, by which they are aligned, move.
    """
    spread = np.mean([spread_over_expressions(person) for person in range(2000, 2010)], axis=0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    return cv2.dilate((spread > 0.2 * spread.max()).astype(np.uint8), kernel).astype(bool)


def spread_over_expressions(person: int) -> np.ndarray:
    rng, identity, head = somebody(person)
    landmarks = locate_face(identity, head, REST, place=PLACE).landmarks
    crops = []
    for emotion in EMOTIONS * 3:
        shown = replace(draw_expression(emotion, 0.9, rng), yaw=0.0, pitch=0.0, roll=0.0, drop=0.0)
        frame = np.full((200, 200, 3), 128, np.uint8)
        draw_face(frame, identity, head, shown, place=PLACE)
        crops.append(crop_face(frame, landmarks, SIDE)[0])
    return np.stack(crops).astype(np.float32).std(axis=0).mean(axis=-1)


def somebody(person: int) -> tuple[np.random.Generator, Identity, HeadSprite]:
    rng = np.random.default_rng(person)
    identity = draw_identity(rng)
    return rng, identity, paint_head(identity, PLACE.unit_px * SUPERSAMPLING, (-0.5, -0.45, 0.75))


@cache
def faces(first: int, num_people: int) -> tuple[np.ndarray, np.ndarray]:
    """Aligned RGB crops and targets: every person with every emotion, each time before another background."""
    crops, targets = [], []
    for person in range(first, first + num_people):
        rng, identity, head = somebody(person)
        for target, emotion in enumerate(EMOTIONS):
            coarse = rng.integers(30, 226, (6, 6, 3)).astype(np.uint8)
            frame = np.asarray(cv2.resize(coarse, (200, 200), interpolation=cv2.INTER_CUBIC), np.uint8)
            truth = draw_face(frame, identity, head, draw_expression(emotion, 0.9, rng), place=PLACE)
            crops.append(crop_face(frame, truth.landmarks, SIDE)[0])
            targets.append(target)
    return np.stack(crops), np.array(targets)


def inputs(name: str, course: Course, crops: np.ndarray) -> Tensor:
    small = np.stack([cv2.resize(crop, (course.size,) * 2, interpolation=cv2.INTER_AREA) for crop in crops])
    images = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 255
    return images.mean(1, keepdim=True) if MODELS[name].channels == 1 else (images - 0.5) / 0.5


def trained(name: str, course: Course) -> nn.Module:
    """AdamW on one cycle, flips; networks without norms learn with them, as in `fer train --recipe fast`."""
    crops, targets = faces(0, course.people)
    images, classes = inputs(name, course, crops), torch.from_numpy(targets)
    torch.manual_seed(0)
    model = build_model(name, num_classes=len(EMOTIONS), **course.options)
    has_norms = add_norms(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=course.lr, weight_decay=1e-3)
    num_batches = course.epochs * -(-len(images) // 32)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, course.lr, total_steps=num_batches)
    for _ in range(course.epochs):
        for chosen in torch.randperm(len(images)).split(32):
            is_flipped = (torch.rand(len(chosen)) < 0.5)[:, None, None, None]
            batch = torch.where(is_flipped, images[chosen].flip(-1), images[chosen])
            optimizer.zero_grad()
            F.cross_entropy(model.train()(batch), classes[chosen]).backward()
            optimizer.step()
            schedule.step()
    if not has_norms:
        return model.eval()
    plain = build_model(name, num_classes=len(EMOTIONS), **course.options)
    plain.load_state_dict(plain_state(model))
    return plain.eval()
