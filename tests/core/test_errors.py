import ast
from pathlib import Path

import pytest

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


# Scripts of users rely on them.
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.FerError, 1),
        (errors.UsageError, 2),
        (errors.ProjectError, 3),
        (errors.SettingsError, 3),
        (errors.TableError, 3),
        (errors.InputError, 4),
        (errors.MediaError, 4),
        (errors.CheckError, 5),
        (errors.MissingStageError, 7),
    ],
)
def test_each_kind_of_error_has_its_exit_code(kind: type[errors.FerError], code: int) -> None:
    error = kind("what is wrong", hint="What to do.")
    assert (error.exit_code, str(error), error.hint) == (code, "what is wrong", "What to do.")


def test_a_part_that_failed_and_an_interruption_have_codes_of_their_own() -> None:
    assert (errors.PARTIAL_EXIT_CODE, errors.INTERRUPTED_EXIT_CODE) == (6, 130)
