"""What is run before a change lands: `nox` runs it all; `nox -s tests -- tests/core` a part of it."""

import os

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False

PYPROJECT = nox.project.load_toml("pyproject.toml")
# A file's tests stay in one process, so that what they share is made once.
PARALLEL = ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile"]
# Each process loads torch, a gigabyte and a half; with several threads each they would wait for one another. And uv
# compiles nothing that it installs: where Python may not keep what it compiled, every process compiles torch again.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}


def group(name: str) -> list[str]:
    """The requirements of a dependency group of pyproject.toml."""
    return nox.project.dependency_groups(PYPROJECT, name)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and layout."""
    session.install(*group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def floors(session: nox.Session) -> None:
    """import-linter: no module imports from a floor above its own."""
    session.install(*group("lint"))
    session.install("--no-deps", "-e", ".")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.install("-e", ".", *group("types"))
    session.run("mypy", "-p", "fercli")


@nox.session
def tests(session: nox.Session) -> None:
    """The suite but for what is slow, on the documents, or on a cluster."""
    session.install("-e", ".", *group("test"))
    arguments = session.posargs or ["-m", "not slow and not docs and not cluster"]
    session.run("python", "-m", "pytest", "-q", "--durations=15", *PARALLEL, *arguments, env=ENVIRONMENT)


@nox.session
def docs(session: nox.Session) -> None:
    """Run every command and every example that README and docs/ show."""
    session.install("-e", ".", *group("test"))
    arguments = ["-m", "docs", "--durations=5", "tests/docs", *session.posargs]
    session.run("python", "-m", "pytest", "-q", *PARALLEL, *arguments, env=ENVIRONMENT)


@nox.session(default=False)
def slow(session: nox.Session) -> None:
    """Run what takes minutes: large networks compiled and exported, long videos."""
    session.install("-e", ".", *group("test"))
    session.run("python", "-m", "pytest", "-q", "-m", "slow", *session.posargs)


@nox.session(default=False)
def cluster(session: nox.Session) -> None:
    """Run stages on a Ray cluster of two machines that it starts on this one's loopback addresses."""
    session.install("-e", ".[ray]", *group("test"))
    session.run("python", "-m", "pytest", "-q", "-m", "cluster", *session.posargs)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Count which of 400 drawn faults the tests notice: at most 90 minutes, and run again to go on."""
    session.install("-e", ".", *group("test"))
    session.run("python", "-m", "tests.mutants", *session.posargs, env=ENVIRONMENT)


@nox.session(default=False)
def faults(session: nox.Session) -> None:
    """Kill, fill, unplug and cross every command at its file operations: at most an hour, and run again to go on."""
    session.install("-e", ".", *group("test"))
    session.run("python", "-m", "tests.faults", *session.posargs, env=ENVIRONMENT)
