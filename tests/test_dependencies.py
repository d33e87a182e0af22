"""What the package imports is what pyproject.toml declares."""

import ast
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
    # Ours, and what the stand-ins for authors' checkouts call their own modules.
    own = {"baseline", "benchmarks", "networks", "resnet"}
    assert imported("tests") - own - REQUIRED - EXTRAS - declared(CONFIG["dependency-groups"]["test"]) == set()


def _local_imports() -> list[tuple[str, bool]]:
    """The imports inside functions of stages/ and cli/, and whether a comment above says why."""
    found = []
    for path in sorted(path for room in ("stages", "cli") for path in ((ROOT / "fercli") / room).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                nodes = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
                for node in nodes:
                    above = node.lineno - 2
                    while lines[above].lstrip().startswith(("import ", "from ")) or not lines[above].strip():
                        above -= 1
                    found.append((f"{path.name}:{node.lineno}", lines[above].lstrip().startswith("#")))
    return found


def test_imports_inside_functions_are_few_and_each_says_why() -> None:
    found = _local_imports()
    assert 0 < len(found) <= 30
    assert [place for place, has_reason in found if not has_reason] == []


def test_no_import_is_for_types_alone() -> None:
    hidden = [path for path in (ROOT / "fercli").rglob("*.py") if "TYPE_CHECKING" in path.read_text(encoding="utf-8")]
    assert hidden == []
