"""One pupil for tests of how heads and bodies are painted, changed where a test asks for it."""

from dataclasses import replace
from typing import Any

import numpy as np

from fercli.demo.identity import Identity, draw_identity

# From straight ahead.
FRONT = (0.0, 0.0, 1.0)
SKIN, HAIR, CLOTHES, ACCENT = (200.0, 150.0, 120.0), (40.0, 30.0, 30.0), (20.0, 40.0, 220.0), (20.0, 200.0, 40.0)


def pupil(**changes: Any) -> Identity:  # fields of Identity
    """A pupil of average proportions in a plain blue shirt."""
    plain: dict[str, Any] = {
        "skin": SKIN, "hair": HAIR, "clothes": CLOTHES, "accent": ACCENT, "hair_style": "short", "glasses": "none",
        "garment": "plain", "beard": 0.0, "face_width": 1.0, "jaw": 1.0, "chin": 0.0, "eye_distance": 0.45,
        "eye_size": 1.0, "eye_tilt": 0.0, "brow_height": 0.32, "brow_thickness": 1.0, "brow_arch": 0.0,
        "nose_width": 1.0, "nose_length": 0.0, "mouth_width": 0.35, "mouth_height": 0.0, "lip_fullness": 1.0,
        "rest_curve": 0.0, "rest_brow": 0.0, "rest_lid": 0.0, "texture_seed": 5,
    }  # fmt: skip
    return replace(draw_identity(np.random.default_rng(0)), **(plain | changes))
