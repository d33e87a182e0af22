"""A project that this user may only read: everything that shows something works, what writes says why it cannot."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fercli.core.locks import LOCK_NAME
from fercli.core.runs import holding, list_runs
from tests.cli.run import run_fer
from tests.test_old_project import unpack

pytestmark = pytest.mark.skipif(not hasattr(os, "seteuid"), reason="needs users as POSIX has them")
NOBODY = 65534
SHOWING = (
    ("status",), ("runs",), ("doctor",), ("labels", "show"), ("check", "labels"), ("check", "all"), ("stats",),
    ("config", "show"), ("labels", "agreement"), ("check", "leakage"), ("trace", "clip/f000000-0"),
)  # fmt: skip
WRITING = (("split", "--seed", "9"), ("subjects", "rename", "s001", "p-1"), ("align", "--force"), ("report", "--force"))


@pytest.fixture(scope="module", autouse=True)
def loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every command once, by this user: another one may not be allowed to read Python's own modules."""
    root = unpack("finished", tmp_path_factory.mktemp("loaded"))
    for words in (*SHOWING, *WRITING):
        run_fer(*words, "-p", root)


@pytest.fixture(scope="module")
def archive() -> Iterator[Path]:
    """A finished project and a run that was killed; not below pytest's folder, which no other user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        root = unpack("finished", Path(name))
        run = list_runs(root)[0].folder
        killed = shutil.copytree(run, run.with_name(f"{run.name}-killed"))
        text = (killed / "run.json").read_text(encoding="utf-8")
        (killed / "run.json").write_text(text.replace('"finished"', '"running"'), encoding="utf-8")
        (killed / LOCK_NAME).touch()
        for path in (root, *root.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield root
        for path in (root, *root.rglob("*")):
            path.chmod(0o755)


@contextmanager
def as_another_user() -> Iterator[None]:
    """As nobody, where the tests run as root, whom no right stops."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("words", SHOWING, ids=" ".join)
def test_command_that_shows_something_works(archive: Path, words: tuple[str, ...]) -> None:
    with as_another_user():
        code, _, err = run_fer(*words, "-p", archive)
    assert code == 0, err
    assert "Traceback" not in err


@pytest.mark.parametrize("words", WRITING, ids=" ".join)
def test_command_that_writes_says_that_it_cannot(archive: Path, words: tuple[str, ...]) -> None:
    with as_another_user():
        code, _, err = run_fer(*words, "-p", archive)
    assert code == 3
    assert "Permission denied" in err
    assert "could not write" in err


def test_killed_run_of_another_user_reads_as_interrupted_and_a_living_one_as_running(archive: Path) -> None:
    (killed,) = [run for run in list_runs(archive) if run.record.status == "running"]
    with as_another_user():
        assert killed.status == "interrupted"
    (killed.folder / LOCK_NAME).chmod(0o644)
    with holding(killed.folder), as_another_user():
        assert killed.status == "running"
