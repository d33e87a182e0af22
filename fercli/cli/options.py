"""A settings class to the options of a command, and the options that all commands share."""

import dataclasses
import functools
import inspect
import os
import tomllib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from fercli.cli.progress import ProgressStyle, make_progress
from fercli.cli.show import result as render
from fercli.core.annotations import bare_type
from fercli.core.errors import PARTIAL_EXIT_CODE, CheckError, InputError, SettingsError
from fercli.core.progress import SILENT, Progress
from fercli.core.project import SECTIONS, Project, find_project, open_project
from fercli.core.results import StageResult
from fercli.core.settings import (
    OPTION,
    Layer,
    Resolved,
    assignment_layers,
    environment_values,
    option_name,
    resolve_settings,
    suggestion,
)

S = TypeVar("S")
Command = Callable[..., StageResult]
_SHARED_PANEL = "Shared options"


@dataclass
class Call:
    """What a command gets besides its own arguments: the project, where progress goes, how to run.

    Attributes:
        options: the settings that were given as options, None where they were not.
        title: the first line of what is shown, when the command has something better than its name.
        has_shown: the command has shown its counts itself; only warnings, paths and the next command are left to say.
        last: settings of the stage's last run, which count below all others.
    """

    command: str
    progress: Progress
    force: bool = False
    dry_run: bool = False
    json: bool = False
    debug: bool = False
    project_dir: Path | None = None
    assignments: tuple[str, ...] = ()
    config: Path | None = None
    options: dict[str, object] = field(default_factory=dict)
    title: str = ""
    has_shown: bool = False
    root: Path | None = None
    last: Mapping[str, object] = field(default_factory=dict)

    @functools.cached_property
    def project(self) -> Project:
        """The project that `-p`, FER_PROJECT or the current folder names."""
        named = self.project_dir or (Path(os.environ["FER_PROJECT"]) if os.environ.get("FER_PROJECT") else None)
        project = open_project(named if named else find_project(Path.cwd()))
        self.root = project.root
        return project

    def settings(self, settings_class: type[S], *, needs_project: bool = True) -> S:
        """The settings of this command, from every origin in its order of precedence."""
        return self.resolved(settings_class, needs_project=needs_project).settings

    def resolved(self, settings_class: type[S], *, needs_project: bool = True) -> Resolved[S]:
        """The same with the origin of each value."""
        section = self.command.replace(" ", "-")
        sections = self.project.config if needs_project else {}
        layers = [
            Layer("the last run", self.last),
            *table_layers(sections, section, settings_class, "fer.toml"),
            Layer("environment", environment_values(os.environ, section, settings_class)),
            *table_layers(_read_config(self.config, section), section, settings_class, str(self.config)),
            *assignment_layers(self.assignments, section),
            Layer(OPTION, self.options),
        ]
        return resolve_settings(settings_class, layers)


def table_layers(config: Mapping[str, Any], section: str, settings_class: type[Any], origin: str) -> list[Layer]:
    """What a TOML file holds for one command: its own section, and the table `[model]` of a mapping field `model`."""
    mappings = [column.name for column in dataclasses.fields(settings_class) if typing.get_origin(column.type) is dict]
    tables = {name: config[name] for name in mappings if isinstance(config.get(name), Mapping)}
    return [Layer(origin, tables), Layer(origin, config.get(section, {}))]


def makes_project(function: Command) -> Command:
    """Mark a command that works where no project is yet, so that none is looked for to read settings from."""
    function.makes_project = True  # type: ignore[attr-defined]  # read by `_settings_of`
    return function


def add_command(
    app: typer.Typer,
    function: Command,
    settings_class: type[Any] | None,
    *,
    name: str,
    section: str,
    help_: str,
    panel: str,
    is_hidden: bool = False,
) -> None:
    """Give `function` its options and hang it into `app` under the last word of `name`.

    `function(call, ..., settings)` may have arguments of its own between `call` and `settings`; they stay as they are.
    """
    own = list(inspect.signature(function).parameters.values())[1:]
    own = [parameter for parameter in own if parameter.name != "settings"]
    fields = [column for column in dataclasses.fields(settings_class) if _has_option(column)] if settings_class else []
    mirrored = [_option_of(column) for column in fields]
    parameters = [*own, *mirrored, *_shared_options(has_settings=settings_class is not None)]

    @functools.wraps(function)
    def run(**given: Any) -> None:  # the values of typer
        call = _make_call(section, given)
        call.options = {column.name: given.pop(column.name) for column in fields}
        with make_progress(given.pop("progress")) as call.progress:
            extra = {"settings": _settings_of(call, function, settings_class)} if settings_class else {}
            result = function(call, **given, **extra)
        _end(call, result)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(name.split()[-1], help=help_, rich_help_panel=panel, hidden=is_hidden)(run)


def _settings_of(call: Call, function: Command, settings_class: type[Any]) -> Any:  # an instance of that class
    needs_project = not getattr(function, "makes_project", False)
    return call.settings(settings_class, needs_project=needs_project)


def _end(call: Call, result: StageResult) -> None:
    if call.json:
        print(render.json_object(call.command, result, call.root))
    else:
        render.show_result(call.command, result, call.root, title=call.title, has_shown=call.has_shown)
    if result.failed_checks:
        raise typer.Exit(CheckError.exit_code)
    if result.failures:
        raise typer.Exit(PARTIAL_EXIT_CODE)


def _make_call(command: str, given: dict[str, Any]) -> Call:  # the values of typer
    return Call(
        command,
        progress=SILENT,
        project_dir=given.pop("project_dir"),
        json=given.pop("json_"),
        force=given.pop("force", False),
        dry_run=given.pop("dry_run", False),
        assignments=tuple(given.pop("set_", None) or ()),
        config=given.pop("config", None),
        debug=given.pop("debug"),
    )


def _has_option(column: "dataclasses.Field[Any]") -> bool:
    return "help" in column.metadata and not column.metadata["is_hidden"]


def _option_of(column: "dataclasses.Field[Any]") -> inspect.Parameter:
    inner, _ = bare_type(column.type)
    name = option_name(column)
    declaration = f"--{name}/--no-{name}" if inner is bool else f"--{name}"
    option = typer.Option(
        declaration,
        help=_help_line(column),
        show_default=False,
        metavar=_metavar(inner, column.metadata["unit"]),
    )
    kind: Any = inner if inner in (int, float, bool, str, Path) and not column.metadata["unit"] else str
    return inspect.Parameter(
        column.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _metavar(kind: Any, unit: str) -> str | None:  # a type of a settings field
    if typing.get_origin(kind) is typing.Literal:
        return "|".join(str(choice) for choice in typing.get_args(kind))
    if typing.get_origin(kind) is tuple:
        return "A,B,..."
    return "DURATION" if unit == "s" else None


def _help_line(column: "dataclasses.Field[Any]") -> str:
    # Typer puts a default that it is told in brackets within brackets.
    default = _shown_default(column.default, column.metadata["unit"])
    return f"{column.metadata['help']} Default: {default}." if default else str(column.metadata["help"])


def _shown_default(default: object, unit: str) -> str:
    if default is None or default == "" or default == () or default is dataclasses.MISSING:
        return ""
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return ",".join(str(part) for part in default)
    return f"{default:g}{unit}" if isinstance(default, float) else str(default)


def _shared_options(*, has_settings: bool) -> list[inspect.Parameter]:
    shared: list[tuple[str, Any, Any, Any]] = [
        ("project_dir", Path | None, None, ("-p", "--project", "Use this project; else the one around here.")),
        ("json_", bool, False, ("--json", "Print one JSON object; words for people go to stderr.")),
        ("progress", ProgressStyle, "auto", ("--progress", "Show progress so.")),
        ("debug", bool, False, ("--debug", "Show where in the code an error arose.")),
    ]
    if has_settings:
        shared[2:2] = [
            ("force", bool, False, ("--force", "Do it again, or in spite of what would be lost.")),
            ("dry_run", bool, False, ("--dry-run", "Say what would be done, and do nothing.")),
            ("set_", list[str] | None, None, ("--set", "Set any setting: key=value.")),
            ("config", Path | None, None, ("--config", "Read settings from this TOML file.")),
        ]
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, typer.Option(*words[:-1], help=words[-1], rich_help_panel=_SHARED_PANEL)],
        )
        for name, kind, default, words in shared
    ]


def _read_config(path: Path | None, section: str) -> Mapping[str, Any]:
    """The sections of a --config file, none of which is a slip of the pen."""
    if path is None:
        return {}
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror}", hint="Check the path of --config.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' is not valid TOML: {error}", hint="Mend that line.") from error
    # A run's config.toml has two that only inform.
    known = (*SECTIONS, section, "plan", "input")
    for name, value in config.items():
        if not isinstance(value, Mapping):
            raise SettingsError(
                f"{path}: '{name}' stands in no section", hint=f"Write one above it, such as [{section}]."
            )
        if name not in known:
            raise SettingsError(f"{path}: no section [{name}]", hint=suggestion(name, known))
    return config
