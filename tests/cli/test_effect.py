"""An option that has no effect beside the others is refused, not passed over."""

import dataclasses
import typing
from pathlib import Path
from typing import Any

import pytest

from fercli.core.annotations import bare_type
from fercli.core.errors import UsageError
from fercli.core.settings import ANY, OPTION, Resolved, check_effect, option_name
from fercli.stages.table import TABLE
from tests.cli.run import run_fer

CLASSES = {settings for row in TABLE if row.home and (settings := row.stage().settings)}
BOUND = [
    (settings, column.name, other)
    for settings in sorted(CLASSES, key=lambda one: one.__name__)
    for column in dataclasses.fields(settings)
    for other in column.metadata.get("only_with", {})
]


@pytest.mark.parametrize(("settings", "name", "other"), BOUND, ids=lambda one: getattr(one, "__name__", one))
def test_option_is_refused_where_another_leaves_it_without_effect(settings: type[Any], name: str, other: str) -> None:
    fields = {column.name: column for column in dataclasses.fields(settings)}
    allowed = fields[name].metadata["only_with"][other]
    without = settings(**{other: without_effect(fields[other], allowed)})
    given = dict.fromkeys(fields, "built-in") | {name: OPTION}
    with pytest.raises(UsageError, match=f"^--{option_name(fields[name])} has no effect with(out)? ") as caught:
        check_effect(Resolved(without, given))
    assert f"--{option_name(fields[other])}" in caught.value.hint
    check_effect(Resolved(without, given | {name: "fer.toml"}))


def without_effect(column: "dataclasses.Field[Any]", allowed: tuple[object, ...]) -> Any:  # of that field
    """A value of the other setting beside which the option has no effect."""
    choices = typing.get_args(bare_type(column.type)[0])
    if allowed == ANY:
        return column.default
    if all(isinstance(one, str) for one in allowed):
        assert set(allowed) < set(choices)
        return next(choice for choice in (column.default, *choices) if choice not in allowed)
    kind = bare_type(column.type)[0]
    return Path("given") if kind is Path else (1,) if kind == tuple[int, ...] else choices[0]


def test_option_in_vain_ends_with_what_it_goes_with(tmp_path: Path) -> None:
    run_fer("init", tmp_path, "--classes", "a,b")
    code, _, err = run_fer("extract-frames", "--num-frames", "5", "-p", tmp_path)
    assert code == 2
    assert "--num-frames has no effect with --method every" in err
    assert "It goes with --method uniform or kmeans." in err
    assert run_fer("extract-frames", "--set", "num=5", "-p", tmp_path)[0] == 2


def test_settings_of_a_file_wait_for_the_method_that_uses_them(tmp_path: Path) -> None:
    run_fer("init", tmp_path, "--classes", "a,b")
    toml = tmp_path / "fer.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + "[extract-frames]\nnum-frames = 5\n", encoding="utf-8")
    _, _, err = run_fer("extract-frames", "-p", tmp_path)
    assert "fer add VIDEO" in err
