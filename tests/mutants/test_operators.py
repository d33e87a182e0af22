import ast
import tomllib
from pathlib import Path

import pytest

from tests.mutants.draw import files_for, part_of
from tests.mutants.operators import mutants

ROOT = Path(__file__).parents[2]


def faults(body: str) -> list[str]:
    """The bodies that become of one function's, each on one line."""
    tree = ast.parse(f"def f(a, b):\n    {body}\n")
    return ["; ".join(line.strip() for line in one.source().splitlines()[1:]) for one in mutants("x.py", tree)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a < b", ["return", "return a <= b"]),
        ("return a + b", ["return", "return a - b"]),
        ("return not a or b", ["return", "return not a and b", "return a or b"]),
        ("return a[1]", ["return", "return a[2]"]),
        ("return True", ["return", "return False"]),
        ("return any(a)", ["return", "return all(a)"]),
        ("a.clear()", ["pass"]),
        ("raise a", ["pass"]),
        ("return [x for x in a if x]", ["return", "return [x for x in a]"]),
        ("return (a, b, a)", ["return", "return (b, a)", "return (a, a)", "return (a, b)"]),
        ("return b if a else None", ["return", "return b if not a else None"]),
        ("assert a < 1", []),
    ],
)
def test_each_fault_is_put_in_alone(body: str, expected: list[str]) -> None:
    assert faults(body) == expected


def test_defaults_change_and_annotations_do_not() -> None:
    tree = ast.parse("def f(a: 'x' = 'y', *, b: int = 3) -> 'z':\n    pass\n")
    lines = {one.source().splitlines()[0] for one in mutants("x.py", tree)}
    assert lines == {"def f(a: 'x'='yx', *, b: int=3) -> 'z':", "def f(a: 'x'='y', *, b: int=4) -> 'z':"}


def test_name_of_a_fault_does_not_tell_its_line() -> None:
    source = "def f(a):\n    return a > 1\n"
    first, moved = (mutants("x.py", ast.parse(text)) for text in (source, "\n\n" + source))
    assert [one.name for one in first] == [one.name for one in moved]
    assert [one.line + 2 for one in first] == [one.line for one in moved]


def test_tests_of_a_modules_own_name_come_first_and_the_package_follows() -> None:
    files = files_for(ROOT, "fercli/labels/leaks.py")
    assert files[0] == "tests/labels/test_leaks.py"
    assert "tests/labels/test_splits.py" in files
    assert all(file.startswith("tests/labels/") for file in files)


def test_the_command_line_is_left_out() -> None:
    found = [part_of(f"fercli/{path}") for path in ("cli/app.py", "stages/doctor.py", "core/rows.py", "__init__.py")]
    assert found == [None, "stages", "below", "below"]


def test_every_mutant_that_is_called_equivalent_exists() -> None:
    listed = tomllib.loads((Path(__file__).parent / "equivalent.toml").read_text(encoding="utf-8"))
    for path, reasons in listed.items():
        names = {one.name for one in mutants(path, ast.parse((ROOT / path).read_text(encoding="utf-8")))}
        assert reasons.keys() <= names
