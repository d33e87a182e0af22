"""Every network learns 256 real faces by heart; a network that cannot has a gradient that leads nowhere."""

from pathlib import Path

import pytest

from fercli.learn.trainer import Faces
from fercli.models.table.specs import MODELS
from tests.learn.overfit import WHOLE, overfit, real_faces
from tests.models.small import ARCHITECTURES

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def faces() -> Faces:
    return real_faces()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_256_faces_are_learnt_by_heart(name: str, faces: Faces, tmp_path: Path) -> None:
    result = overfit(name, faces, tmp_path, is_whole=name in WHOLE)
    assert result.history[-1].train_accuracy > 0.95


@pytest.mark.slow  # minutes to hours each: the whole networks at their own size
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", [name for name in MODELS if name not in WHOLE])
def test_the_whole_network_learns_256_faces_by_heart(name: str, faces: Faces, tmp_path: Path) -> None:
    result = overfit(name, faces, tmp_path, is_whole=True)
    assert result.history[-1].train_accuracy > 0.95
