"""Turn a settings class into the options of a command, and define the options that all commands share."""

import dataclasses
import functools
import importlib
import inspect
import os
import tomllib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from fercli.cli import show
from fercli.cli.progress import ProgressStyle, make_progress
from fercli.cli.show import result as render
from fercli.core.annotations import bare_type
from fercli.core.errors import PARTIAL_EXIT_CODE, CheckError, InputError
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project, find_project
from fercli.core.results import StageResult
from fercli.core.settings import (
    OPTION,
    Layer,
    Resolved,
    assignment_layers,
    check_effect,
    environment_values,
    option_name,
    resolve_settings,
)
from fercli.core.stage import REQUIRED, Argument, Stage
from fercli.stages.table import Row, check_sections, open_project

S = TypeVar("S")
Command = Callable[..., StageResult]
_SHARED_PANEL = "Shared options"
_HERE = "default: search upwards from here"


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
        project = open_project(self.folder)
        self.root = project.root
        return project

    @property
    def folder(self) -> Path:
        """Where that project lies, whether it can be opened or not."""
        named = self.project_dir or (Path(os.environ["FER_PROJECT"]) if os.environ.get("FER_PROJECT") else None)
        return named if named else find_project(Path.cwd())

    def settings(self, settings_class: type[S], *, needs_project: bool = True) -> S:
        """The settings of this command, from every origin in its order of precedence."""
        return self.resolved(settings_class, needs_project=needs_project).settings

    def resolved(
        self, settings_class: type[S], *, needs_project: bool = True, is_given_now: bool = False
    ) -> Resolved[S]:
        """The same with the origin of each value; `is_given_now` passes over fer.toml."""
        section = self.command.replace(" ", "-")
        sections = self.project.config if needs_project and not is_given_now else {}
        # What trains variants takes the settings of a training, too: those of its own section stand above them.
        names = [name for name in (getattr(settings_class, "beneath", ""), section) if name]
        config = _read_config(self.config)
        layers = [
            Layer("the last run", self.last, is_file=True),
            *(layer for name in names for layer in table_layers(sections, name, settings_class, "fer.toml")),
            Layer("environment", environment_values(os.environ, section, settings_class)),
            *(layer for name in names for layer in table_layers(config, name, settings_class, str(self.config))),
            *assignment_layers(self.assignments, section),
            Layer(OPTION, self.options),
        ]
        return resolve_settings(settings_class, layers)


def table_layers(config: Mapping[str, Any], section: str, settings_class: type[Any], origin: str) -> list[Layer]:
    """What a TOML file holds for one command: its own section, and the table `[model]` of a mapping field `model`."""
    mappings = [column.name for column in dataclasses.fields(settings_class) if typing.get_origin(column.type) is dict]
    tables = {name: config[name] for name in mappings if isinstance(config.get(name), Mapping)}
    return [Layer(origin, tables, is_file=True), Layer(origin, config.get(section, {}), is_file=True)]


def prepares(before: Callable[[Call], None]) -> Callable[[Command], Command]:
    """Let a command change its call, such as what stands in --set, before its settings are read."""

    def mark(function: Command) -> Command:
        function.before_settings = before  # type: ignore[attr-defined]  # read by `_settings_of`
        return function

    return mark


def makes_project(function: Command) -> Command:
    """Mark a command that works where no project is yet, so that none is looked for to read settings from."""
    function.makes_project = True  # type: ignore[attr-defined]  # read by `_settings_of`
    return function


def add_command(app: typer.Typer, row: Row) -> None:
    """Hang the command of a row into `app`, with its options, under the last of its words."""
    function, settings_class = command_of(row)
    own = list(inspect.signature(function).parameters.values())[1:]
    own = [parameter for parameter in own if parameter.name != "settings"]
    fields = [column for column in dataclasses.fields(settings_class) if _has_option(column)] if settings_class else []
    mirrored = [_option_of(column) for column in fields]
    hidden = {_hidden(alias): (alias, column) for column in fields for alias in column.metadata["aliases"]}
    mirrored += [_option_of(column, name=name, alias=alias) for name, (alias, column) in hidden.items()]
    parameters = [*own, *mirrored, *_shared_options(has_settings=settings_class is not None, only_reads=row.only_reads)]

    def run(**given: Any) -> None:  # the values of typer
        call = _make_call(row.alias_of or row.words, given)
        call.options = {column.name: _joined(given.pop(column.name)) for column in fields}
        for name, (_, column) in hidden.items():
            value = _joined(given.pop(name))
            call.options[column.name] = value if call.options[column.name] is None else call.options[column.name]
        with make_progress(given.pop("progress")) as call.progress:
            extra = {"settings": _settings_of(call, function, settings_class)} if settings_class else {}
            result = function(call, **given, **extra)
        _end(call, result)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    help_ = f"{row.help}\n\nExample: [bold]{row.example}[/bold]" if row.example else row.help
    app.command(row.words.split()[-1], help=help_, rich_help_panel=row.panel, hidden=bool(row.alias_of))(run)


def command_of(row: Row) -> tuple[Command, type[Any] | None]:
    """The function that a command runs, and the class of its settings; None where it has none."""
    if not row.command:
        stage = row.stage()
        return _stage_command(stage), stage.settings
    module, _, name = row.command.partition(":")
    function: Command = getattr(importlib.import_module(f"fercli.cli.{module}"), name)
    parameter = inspect.signature(function).parameters.get("settings")
    return function, parameter.annotation if parameter else None


def _stage_command(stage: Stage[Any]) -> Command:
    """Options -> settings -> stage -> show."""

    def run(call: Call, settings: Any = None, **arguments: Any) -> StageResult:  # what the stage's fields hold
        given = (settings,) if stage.settings else ()
        result: StageResult = stage(
            call.project, *given, **arguments, progress=call.progress, force=call.force, dry_run=call.dry_run
        )
        if not call.json:
            call.has_shown = show.show_own(result, settings, call.project)
        return result

    parameters = [inspect.Parameter("call", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    parameters += [_parameter_of(argument) for argument in stage.arguments]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what add_command reads
    return run


def _parameter_of(argument: Argument) -> inspect.Parameter:
    metavar = argument.metavar or None
    if argument.option:
        declared: Any = typer.Option(
            *filter(None, (argument.option, argument.alias)), metavar=metavar, help=argument.help
        )
    else:
        declared = typer.Argument(metavar=metavar, help=argument.help)
    default = inspect.Parameter.empty if argument.default is REQUIRED else argument.default
    kind: Any = argument.kind
    return inspect.Parameter(
        argument.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, declared]
    )


def _settings_of(call: Call, function: Command, settings_class: type[Any]) -> Any:  # an instance of that class
    needs_project = not getattr(function, "makes_project", False)
    if before := getattr(function, "before_settings", None):
        before(call)
    resolved = call.resolved(settings_class, needs_project=needs_project)
    check_effect(resolved)
    return resolved.settings


def _end(call: Call, result: StageResult) -> None:
    if call.json:
        print(render.json_object(call.command, result, call.root))
    else:
        # Rich is loaded only for people: a script waits for nothing that it does not need.
        from fercli.cli.show.lines import show_result

        show_result(call.command, result, call.root, title=call.title, has_shown=call.has_shown)
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


def _option_of(column: "dataclasses.Field[Any]", *, name: str = "", alias: str = "") -> inspect.Parameter:
    """The parameter of a settings field, or of an `alias` of its option, which the help does not show."""
    inner, _ = bare_type(column.type)
    word = alias or option_name(column)
    option = typer.Option(
        f"--{word}/--no-{word}" if inner is bool else f"--{word}",
        help=_help_line(column),
        show_default=False,
        metavar=_metavar(inner, column.metadata["unit"]),
        hidden=bool(alias) or column.metadata["is_old"],
    )
    kind: Any = inner if inner in (int, float, bool, str, Path) and not column.metadata["unit"] else str
    if typing.get_origin(inner) is tuple:
        kind = list[str]  # given twice, both count
    annotation = Annotated[kind | None, option]
    return inspect.Parameter(name or column.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def _joined(value: Any) -> Any:  # a value of typer
    """A list option given several times, as if it had been given once."""
    return (",".join(value) if value else None) if isinstance(value, list) else value


def _hidden(alias: str) -> str:
    return f"alias_{alias.replace('-', '_')}"


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


def _shared_options(*, has_settings: bool, only_reads: bool) -> list[inspect.Parameter]:
    shared: list[tuple[str, Any, Any, Any]] = [
        (
            "project_dir",
            Path | None,
            None,
            ("-p", "--project", "Use this project folder (default: search upwards from here)."),
        ),
        ("json_", bool, False, ("--json", "Print the result as JSON; messages go to stderr.")),
        ("progress", ProgressStyle, "auto", ("--progress", "Set how progress is displayed.")),
        ("debug", bool, False, ("--debug", "Show the traceback when an error occurs.")),
    ]
    if has_settings:
        shared[2:2] = [
            ("force", bool, False, ("--force", "Run again even if up to date, and allow data loss.")),
            ("set_", list[str] | None, None, ("--set", "Override any setting: key=value (repeatable).")),
            ("config", Path | None, None, ("--config", "Load settings from this TOML file.")),
        ]
    if not only_reads:
        place = 3 if has_settings else 2
        shared[place:place] = [("dry_run", bool, False, ("--dry-run", "Show what would be done without doing it."))]
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, typer.Option(*words[:-1], help=words[-1], rich_help_panel=_SHARED_PANEL)],
        )
        for name, kind, default, words in shared
    ]


def _read_config(path: Path | None) -> Mapping[str, Any]:
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
    check_sections(path, config, more=("plan", "input"))
    return config
