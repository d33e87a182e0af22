"""A seed into the mutants to try, and a module into the tests that should notice."""

import ast
import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.operators import Mutant, mutants

PARTS = ("stages", "below")
UNTESTED = ("cli", "__main__.py")


def part_of(path: str) -> str | None:
    """`stages`, `below` it, or none of the two."""
    room = Path(path).parts[1]
    return None if room in UNTESTED else "stages" if room == "stages" else "below"


def draw(root: Path, part: str, count: int, seed: int, under: tuple[str, ...] = ("fercli",)) -> list[Mutant]:
    """`count` mutants, function by function.

    Each function gives one before any gives a second: the hundreds of numbers of a drawing weigh no more than one
    decision. A mutant's place in the draw depends on its own text only, so that an edit moves few of the others.
    """
    ranked = []
    for file in sorted((root / "fercli").rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if part_of(path) == part and any(path.startswith(prefix) for prefix in under):
            functions = defaultdict(list)
            for mutant in mutants(path, ast.parse(file.read_text(encoding="utf-8"))):
                functions[mutant.function].append(mutant)
            for function, made in functions.items():
                made.sort(key=lambda mutant: _chance(seed, path, mutant.name))
                ranked += [(turn, _chance(seed, path, function), path, mutant) for turn, mutant in enumerate(made)]
    return [mutant for *_, mutant in sorted(ranked, key=lambda row: row[:3])[:count]]


def _chance(*parts: object) -> str:
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def files_for(root: Path, path: str) -> list[str]:
    """The test files of a module's package, those of its own name and those that name it first.

    A stage's are those of its name and those that import it: `tests/stages` as a whole takes minutes.
    """
    module = Path(path)
    if len(module.parts) == 2:
        return ["tests/test_api.py"]
    room, stem = module.parts[1], module.stem
    owner = module.parts[2].removesuffix(".py") if room == "stages" else None
    name = ".".join(module.with_suffix("").parts).removesuffix(".__init__")
    ranks = {}
    for file in sorted((root / "tests" / room).rglob("test_*.py")):
        found = file.relative_to(root)
        names_it = _imports(file, name)
        if owner and not (names_it or file.name.startswith(f"test_{owner}") or owner in found.parts[2:-1]):
            continue
        ranks[found.as_posix()] = (not file.stem.endswith(stem), not names_it, len(found.parts))
    return sorted(ranks, key=lambda file: (ranks[file], file))


def _imports(test: Path, module: str) -> bool:
    package, _, name = module.rpartition(".")
    for node in ast.walk(ast.parse(test.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (
            node.module == module or (node.module == package and any(alias.name == name for alias in node.names))
        ):
            return True
        if isinstance(node, ast.Import) and any(alias.name == module for alias in node.names):
            return True
    return False


def digest(root: Path, files: Iterable[str]) -> str:
    """Of what the files hold."""
    return _chance(*((root / file).read_text(encoding="utf-8") for file in files))[:16]
