"""`fer config show`."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import typer

from fercli.cli.options import Call, command_of
from fercli.core.results import StageResult
from fercli.core.settings import Resolved, option_name, plain_settings
from fercli.stages.table import TABLE


@dataclass(frozen=True)
class ShownSetting:
    """One setting in force: its section of fer.toml, its name there, its value and where that came from."""

    section: str
    name: str
    value: object
    origin: str


@dataclass(frozen=True, kw_only=True)
class ConfigResult(StageResult):
    """Every setting in force."""

    settings: tuple[ShownSetting, ...]


def config_show(
    call: Call, origin: Annotated[bool, typer.Option("--origin", help="Show where each value was set.")] = False
) -> ConfigResult:
    """The settings of all commands -> show."""
    shown: list[ShownSetting] = []
    for row in TABLE:
        _, settings_class = (None, None) if row.alias_of else command_of(row)
        if settings_class:
            resolved = Call(row.section, call.progress, project_dir=call.project.root).resolved(settings_class)
            shown += _shown(row.section, resolved)
    result = ConfigResult(settings=tuple(shown))
    if not call.json:
        _show(result, has_origin=origin)
        call.has_shown = True
    return result


def _shown(section: str, resolved: Resolved[object]) -> list[ShownSetting]:
    plain = plain_settings(resolved.settings)
    fields = dataclasses.fields(resolved.settings)  # type: ignore[arg-type]  # every settings class is a dataclass
    return [
        ShownSetting(section, option_name(field), plain[field.name], resolved.origins[field.name]) for field in fields
    ]


def _show(result: ConfigResult, *, has_origin: bool) -> None:
    # Rich is loaded only to show.
    from rich.console import Console

    console, section = Console(highlight=False, soft_wrap=True), ""
    for one in result.settings:
        if one.section != section:
            section = one.section
            console.print(f"[{section}]", markup=False, style="bold")
        text = f"  {one.name} = {one.value}" + (f"    # {one.origin}" if has_origin else "")
        console.print(text, markup=False, style="default" if one.origin == "built-in" else "green")
