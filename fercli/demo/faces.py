"""Draw a face: identity and expression become an image of a head, its box and its five landmarks."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from fercli.demo.canvas import paste
from fercli.demo.expressions import Expression
from fercli.demo.eyes import draw_brow, draw_eye, place_brow, place_eye
from fercli.demo.folds import shade_folds
from fercli.demo.head import HeadSprite
from fercli.demo.identity import Identity
from fercli.demo.mouth import draw_mouth, place_mouth
from fercli.demo.strokes import Pen, tone

# Heads are painted larger than they are shown, so that edges come out soft.
SUPERSAMPLING = 1.7
_JAW_DROP = 0.28


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and how large a head appears: `center` is the point between the eyes, `unit_px` half a face's width."""

    center: tuple[float, float]
    unit_px: float


@dataclass(frozen=True, slots=True)
class FaceTruth:
    """What a detector should find: box (left, top, width, height) and landmarks in pixels of the frame."""

    box: tuple[float, float, float, float]
    landmarks: Float64[np.ndarray, "5 2"]


def draw_face(
    frame: UInt8[np.ndarray, "height width 3"],
    identity: Identity,
    head: HeadSprite,
    face: Expression,
    *,
    place: Placement,
) -> FaceTruth:
    """Draw a head into `frame` (RGB, in place) and tell where its face is."""
    rgb = head.rgb.copy()
    _draw_features(rgb, identity, head, face)
    turned = _turn(rgb, head, face)
    matrix = _placing_matrix(head, face, place)
    paste(frame, turned, matrix)
    return _truth(identity, head, face, matrix)


def locate_face(identity: Identity, head: HeadSprite, face: Expression, place: Placement) -> FaceTruth:
    """Tell where `draw_face` puts a face, without drawing it."""
    return _truth(identity, head, face, _placing_matrix(head, face, place))


def _draw_features(rgb: np.ndarray, identity: Identity, head: HeadSprite, face: Expression) -> None:
    pen = Pen(rgb, head.scale, head.origin)
    shape = head.shape
    eyes = (place_eye(identity, shape, face, -1), place_eye(identity, shape, face, 1))
    brows = (place_brow(identity, shape, face, -1), place_brow(identity, shape, face, 1))
    mouth = place_mouth(identity, shape, face)
    shade_folds(pen, shape, face, eyes, brows=brows, mouth=mouth)
    draw_mouth(pen, identity, shape, face, mouth=mouth)
    for eye, brow, skin in zip(eyes, brows, head.lid_colors, strict=True):
        draw_eye(pen, identity, eye, skin)
        draw_brow(pen, identity, brow, skin)
    if identity.glasses != "none":
        _draw_glasses(pen, identity, head)


def _draw_glasses(pen: Pen, identity: Identity, head: HeadSprite) -> None:
    angle = np.linspace(0, 2 * np.pi, 25)
    power = 1.0 if identity.glasses == "round" else 0.55
    ring_x, ring_y = (np.sign(v) * np.abs(v) ** power for v in (np.cos(angle), np.sin(angle)))
    color = tone(identity.accent, 0.3)
    for side in (-1, 1):
        center = side * (head.shape.eye_x + 0.01)
        pen.line(np.stack([center + 0.32 * ring_x, 0.03 + 0.25 * ring_y], 1), color, 0.035)
        pen.line(np.array([(side * (head.shape.eye_x + 0.33), -0.04), (side * 0.98, -0.08)]), color, 0.035)
    bridge = head.shape.eye_x - 0.31
    pen.line(np.array([(-bridge, 0.0), (0.0, -0.035), (bridge, 0.0)]), color, 0.035)


def _turn(rgb: np.ndarray, head: HeadSprite, face: Expression) -> np.ndarray:
    """Shift each point by its depth (a small rotation) and drop the jaw; alpha becomes the fourth channel."""
    map_x = head.columns - np.float32(face.yaw * head.scale) * head.depth
    map_y = head.rows - np.float32(face.pitch * head.scale) * head.depth
    if face.mouth_open > 0.02:
        map_y -= np.float32(_JAW_DROP * face.mouth_open * head.scale) * head.jaw
    rgba = cv2.insertChannel(head.alpha, cv2.cvtColor(rgb, cv2.COLOR_RGB2RGBA), 3)
    return np.asarray(cv2.remap(rgba, map_x, map_y, cv2.INTER_LINEAR))


def _placing_matrix(head: HeadSprite, face: Expression, place: Placement) -> np.ndarray:
    """2x3 matrix from pixels of the head's picture to pixels of the frame; the head rolls about its neck."""
    zoom = place.unit_px / head.scale
    angle = np.deg2rad(face.roll)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    neck = np.array((head.origin[0], head.origin[1] + 1.5 * head.scale))
    target = np.array((place.center[0], place.center[1] + (1.5 + face.drop) * place.unit_px))
    return np.concatenate([turn, (target - turn @ neck)[:, None]], axis=1)


def _truth(identity: Identity, head: HeadSprite, face: Expression, matrix: np.ndarray) -> FaceTruth:
    shape = head.shape
    eye_y = 0.0
    points = np.array([(-shape.eye_x, eye_y), (shape.eye_x, eye_y), (0.0, shape.nose_y)])
    points = np.concatenate([points, place_mouth(identity, shape, face).corners])
    edges = np.array([(-0.96, -1.0), (0.96, -1.0), (-0.8, shape.chin_y), (0.8, shape.chin_y)])
    edges[:, 0] *= identity.face_width
    placed = _move(head, face, np.concatenate([points, edges])) @ matrix[:, :2].T + matrix[:, 2]
    low, high = placed[5:].min(axis=0), placed[5:].max(axis=0)
    box = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
    return FaceTruth(box, placed[:5].astype(np.float64))


def _move(head: HeadSprite, face: Expression, points: np.ndarray) -> np.ndarray:
    """Where `_turn` takes points (face units -> pixels of the head's picture), by fixed-point iteration."""
    start = points * head.scale + head.origin
    moved = start.copy()
    limit = np.array(head.alpha.shape[::-1]) - 1
    for _ in range(4):
        column, row = np.clip(np.round(moved), 0, limit).astype(int).T
        depth, jaw = head.depth[row, column], head.jaw[row, column]
        moved[:, 0] = start[:, 0] + face.yaw * head.scale * depth
        moved[:, 1] = start[:, 1] + head.scale * (face.pitch * depth + _JAW_DROP * face.mouth_open * jaw)
    return moved
