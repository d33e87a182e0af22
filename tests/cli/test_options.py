"""The words that users type into scripts: a change of them is a change for users, and is made on purpose."""

from pathlib import Path
from typing import Any

import typer

from fercli.cli.app import build_app
from tests.cli.run import run_fer

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


def test_help_says_a_default_once_and_durations_with_their_unit() -> None:
    _, out, _ = run_fer("extract-frames", "--help")
    words = " ".join(out.replace("│", " ").split())
    assert "Default: 2s." in words
    assert "(2.0)" not in words
