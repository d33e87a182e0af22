"""What the package imports is what pyproject.toml declares."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CONFIG: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Distributions that are called otherwise than what is imported.
HOMES = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "pytorch_grad_cam": "grad-cam",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}
OURS = {"fercli", "tests"}
IMPORT = re.compile(r"^ *(?:from (\w+)[\w.]* import |import (\w+))", re.MULTILINE)
# Declared, but imported by others or not at all; pyproject.toml says why.
NOT_IMPORTED = {"lz4", "mtcnn"}


def imported(folder: str) -> set[str]:
    """The distributions that the files of a folder import, by their names on an index."""
    modules = {
        one or other
        for path in (ROOT / folder).rglob("*.py")
        for one, other in IMPORT.findall(path.read_text(encoding="utf-8"))
    }
    return {plain_name(HOMES.get(module, module)) for module in modules - sys.stdlib_module_names - OURS}


def declared(requirements: list[Any]) -> set[str]:
    return {plain_name(re.split(r"[<>=!~;\[ ]", one)[0]) for one in requirements if isinstance(one, str)}


def plain_name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


REQUIRED = declared(CONFIG["project"]["dependencies"])
EXTRAS = declared([one for extra in CONFIG["project"]["optional-dependencies"].values() for one in extra])


def test_package_imports_only_what_it_declares() -> None:
    assert imported("fercli") - REQUIRED - EXTRAS == set()


def test_package_imports_all_that_it_requires() -> None:
    assert REQUIRED - imported("fercli") - NOT_IMPORTED == set()


def test_tests_import_only_what_they_declare() -> None:
    assert imported("tests") - REQUIRED - EXTRAS - declared(CONFIG["dependency-groups"]["test"]) == set()
