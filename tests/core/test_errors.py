import ast
from pathlib import Path

import fercli
from fercli.core import errors

FAMILY = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.FerError)}


def test_every_error_that_the_code_raises_says_what_to_do() -> None:
    silent = []
    for path in sorted(Path(fercli.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_error = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAMILY
            if is_error and not any(word.arg == "hint" for word in node.keywords):
                silent.append(f"{path.name}:{node.lineno}")
    assert silent == []
