"""The words that users type into scripts: a change of them is a change for users, and is made on purpose."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from fercli.cli.app import build_app
from fercli.core.project import open_project
from fercli.stages.table import TABLE
from tests.cli.run import run_fer

README = Path(__file__).parents[2] / "README.md"
FROZEN = Path(__file__).with_name("options.txt")


def option_lines(command: Any, words: str = "fer") -> list[str]:  # typer's own command and group classes
    """One line a command: its words, its arguments and options without those that all commands share."""
    if hasattr(command, "commands"):
        return [
            line
            for name in sorted(command.commands)
            for line in option_lines(command.commands[name], f"{words} {name}")
        ]
    names = [name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)]
    shared = {
        "--project",
        "-p",
        "--json",
        "--progress",
        "--debug",
        "--force",
        "--dry-run",
        "--set",
        "--config",
        "--help",
    }
    return [" ".join([words, *sorted(set(names) - shared)])]


def test_options_are_the_frozen_ones() -> None:
    lines = option_lines(typer.main.get_command(build_app()))
    assert lines == FROZEN.read_text(encoding="utf-8").splitlines()


ROWS = {row.words: row for row in TABLE}


@pytest.fixture(scope="module")
def dry_runs() -> dict[str, bool]:
    """Each command's words, and whether it has --dry-run."""
    found: dict[str, bool] = {}

    def look(command: Any, words: str) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            look(inner, f"{words} {name}".strip())
        if not hasattr(command, "commands"):
            found[words] = any("--dry-run" in parameter.opts for parameter in command.params)

    look(typer.main.get_command(build_app()), "")
    return found


@pytest.mark.parametrize("words", ROWS)
def test_command_has_a_dry_run_unless_it_only_reads(dry_runs: dict[str, bool], words: str) -> None:
    assert dry_runs[words] is not ROWS[words].only_reads


@pytest.mark.parametrize("words", [row.words for row in TABLE if row.home and row.only_reads])
def test_stage_of_a_command_that_only_reads_never_writes(words: str) -> None:
    stage = ROWS[words].stage()
    assert stage.settings is None
    assert not stage.writes(None)


def test_readme_names_the_commands_that_only_read() -> None:
    text = " ".join(README.read_text(encoding="utf-8").split())
    listed = text.partition("every command that writes has `--dry-run`; ")[2].partition(" only read.")[0]
    assert set(re.findall(r"`fer ([a-z ]+)`", listed)) == {row.words for row in TABLE if row.only_reads}


def test_help_says_a_default_once_and_durations_with_their_unit() -> None:
    _, out, _ = run_fer("extract-frames", "--help")
    words = " ".join(out.replace("│", " ").split())
    assert "Default: 2s." in words
    assert "(2.0)" not in words


def test_a_list_given_in_parts_counts_as_a_whole(tmp_path: Path) -> None:
    code, out, _ = run_fer("init", tmp_path / "p", "--classes", "a,b", "--classes", "c", "--order", "a", "--order", "c")
    assert code == 0
    assert open_project(tmp_path / "p").classes == ("a", "b", "c")
    assert open_project(tmp_path / "p").order == ("a", "c")
    assert "a, b, c" in out
