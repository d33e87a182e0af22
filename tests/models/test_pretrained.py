import subprocess
import sys

from fercli.models.pretrained.sources import WEIGHTS
from fercli.models.table.specs import MODELS


def test_every_model_with_a_backbone_has_weights_listed() -> None:
    listed = {name for weights in WEIGHTS for name in weights.models}
    assert listed == {name for name, spec in MODELS.items() if spec.backbone}


def test_every_entry_tells_source_licence_and_origin() -> None:
    assert all(weights.source.startswith("https://") and weights.licence and weights.origin for weights in WEIGHTS)


def test_weights_of_ms_celeb_say_so() -> None:
    face = [weights for weights in WEIGHTS if "IR-50" in weights.name or "VGGFace2" in weights.name]
    assert len(face) == 3
    assert all("withdrew" in weights.origin for weights in face)


def test_the_catalogue_needs_no_torch() -> None:
    code = "import sys, fercli.models.pretrained.sources; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
