import subprocess
import sys

import pytest

import fercli


@pytest.mark.parametrize("name", fercli.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(fercli, name) is not None


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, fercli\nprint([name for name in ('numpy', 'torch', 'cv2', 'pandas') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = fercli.trian
