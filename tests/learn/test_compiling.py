import shutil
import sysconfig
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fercli.core.errors import UsageError
from fercli.learn import compiling
from fercli.learn.compiling import Work, allow_forms, check_still_compiles, decide_compilation, find_failure
from fercli.learn.device import Machine
from tests.learn.drawn import MACHINE

HAS_COMPILER = shutil.which("g++") and (Path(sysconfig.get_paths()["include"]) / "Python.h").exists()
LONG = Work(macs=6_300_000_000, num_images=1_000_000)


def test_no_is_obeyed_without_trying(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "find_failure", lambda _: pytest.fail("tried"))
    machine, warning = decide_compilation(MACHINE, "no", LONG)
    assert (machine.is_compiled, machine.compile_reason, warning) == (False, "as asked", "")


@pytest.mark.parametrize(
    ("work", "is_compiled"),
    [
        (LONG, True),
        (Work(macs=6_300_000_000, num_images=1_000), False),
        (Work(macs=30_000_000, num_images=10**9), False),
    ],
    ids=["long", "short", "small-network"],
)
def test_auto_compiles_large_networks_in_long_trainings(
    monkeypatch: pytest.MonkeyPatch, work: Work, is_compiled: bool
) -> None:
    monkeypatch.setattr(compiling, "find_failure", lambda _: "")
    machine, warning = decide_compilation(MACHINE, "auto", work)
    assert (machine.is_compiled, warning) == (is_compiled, "")
    assert "too short or the model too small" in machine.compile_reason or is_compiled


def test_without_a_compiler_yes_goes_on_eagerly_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    machine, warning = decide_compilation(MACHINE, "yes", LONG)
    assert not machine.is_compiled
    assert warning == f"Model not compiled: {machine.compile_reason}. Training continues uncompiled (slower)."
    assert "no C++ compiler was found (g++, clang++, c++, cl)" in warning


def test_without_a_compiler_auto_only_notes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    machine, warning = decide_compilation(MACHINE, "auto", LONG)
    assert (machine.is_compiled, warning) == (False, "")
    assert "no C++ compiler" in machine.compile_reason


def test_a_compiler_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_options: object) -> object:
        raise RuntimeError("omp.h: no such file\nlong listing")

    monkeypatch.setattr(torch, "compile", broken)
    assert find_failure("cpu") == "torch.compile fails here (RuntimeError: omp.h: no such file)"


def test_compiled_run_is_not_continued_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    check_still_compiles(MACHINE)
    with pytest.raises(UsageError, match=r"was started with a compiled model, but no C\+\+ compiler"):
        check_still_compiles(replace(MACHINE, is_compiled=True))


def test_auto_leaves_other_devices_alone() -> None:
    machine, _ = decide_compilation(Machine("cuda", "bf16", "", 1), "auto", LONG)
    assert (machine.is_compiled, "not tested" in machine.compile_reason) == (False, True)


@pytest.mark.slow  # a real compiler
@pytest.mark.skipif(not HAS_COMPILER, reason="no g++, or no headers of Python")
def test_machine_with_a_compiler_compiles() -> None:
    assert find_failure("cpu") == ""


@pytest.mark.parametrize("name", ["recompile_limit", "cache_size_limit"])
def test_forms_are_allowed_under_both_names_of_torch(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    config = SimpleNamespace(**{name: 8})
    monkeypatch.setattr(torch, "_dynamo", SimpleNamespace(config=config))
    allow_forms(128)
    assert vars(config) == {name: 128}
