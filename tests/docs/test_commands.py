"""The commands in README, docs/ and examples/ exist, with options that the help shows."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from fercli.cli.app import build_app

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")]
PAGES = sorted(page for page in PAGES if page.name != "CHANGELOG.md")
SHARED = {"--project", "-p", "--json", "--progress", "--debug", "--force", "--dry-run", "--set", "--config", "--help"}


def calls_of(page: Path) -> list[str]:
    """Calls of `fer` in code blocks (up to a comment or a gap of spaces) and between backticks."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [call for block in blocks for call in re.findall(r"(?:^|&& |-m )fer(?:cli)? (.+)", block, re.MULTILINE)]
    return [re.split(r"#|\s{3,}", call)[0] for call in [*lines, *re.findall(r"`fer ([^`]*)`", text)]]


def unknown_words(command: Any, call: str) -> list[str]:  # typer's own command and group classes
    """Commands and options of one call that do not exist, or that the help hides."""
    words = call.split()
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    members = [command, *getattr(command, "commands", {}).values()]
    parameters = [parameter for member in members for parameter in member.params if not parameter.hidden]
    shown = SHARED | {name for parameter in parameters for name in (*parameter.opts, *parameter.secondary_opts)}
    strange = words[:1] if hasattr(command, "commands") and words and words[0].isalpha() and words[0].islower() else []
    return strange + [word for word in words if word.startswith("-") and word.partition("=")[0] not in shown]


@pytest.mark.parametrize("page", [page for page in PAGES if calls_of(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_exist_and_their_options_are_shown(page: Path) -> None:
    command = typer.main.get_command(build_app())
    wrong = {call: strange for call in calls_of(page) if (strange := unknown_words(command, call))}
    assert not wrong


def test_old_and_unknown_words_are_noticed() -> None:
    command = typer.main.get_command(build_app())
    assert unknown_words(command, "labels export --repeat 3") == ["--repeat"]
    assert unknown_words(command, "teach") == ["teach"]
    assert unknown_words(command, "labels judge") == ["judge"]
    assert unknown_words(command, "split --kfold 5 --json") == []
