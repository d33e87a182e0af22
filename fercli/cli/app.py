"""The binary `fer`: which commands exist, and the only place where an error becomes a line and an exit code."""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fercli import __version__
from fercli.cli.show import result as render
from fercli.core.errors import INTERRUPTED_EXIT_CODE, FerError, UsageError
from fercli.core.files import storage_error
from fercli.stages.table import GROUPS, TABLE, Row

_HELP = "Facial-expression recognition from classroom video to published results, in one project folder."
_EPILOG = "Start with `fer demo` (synthetic classroom, works offline) or `fer init my-class --preset scfed`."

# How long a thread of torch waits awake for the others before it sleeps. OpenMP's own 300,000 turns cost nothing on a
# quiet machine, but beside another program each step then waits for whole time slices (docs/training.md).
_TURNS_AWAKE = "10000"

# What users of MMPretrain and ultralytics type; our own names stand in the help.
_HABITS = {"--cfg-options": "--set", "--imgsz": "--size"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if "OMP_WAIT_POLICY" not in os.environ:
        # Read when torch is loaded, here and in the processes started from here.
        os.environ.setdefault("GOMP_SPINCOUNT", _TURNS_AWAKE)
    # A console or log of an older encoding lacks signs such as the tick; a question mark there ends nothing.
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What goes into a file or to a program is read as UTF-8, which is not every system's own.
        is_told = sys.stdout.isatty() or "PYTHONIOENCODING" in os.environ
        sys.stdout.reconfigure(encoding=None if is_told else "utf-8", errors="replace")
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """Run one command line; its exit code comes back. Nothing else in the project turns errors into codes."""
    is_json = "--json" in words
    words = _with_default(_with_project_last([_without_habit(word) for word in words]))
    try:
        code = build_app(words)(args=words, prog_name="fer", standalone_mode=False)
        # typer turns Ctrl-C into this code by itself.
        return _interrupted() if code == INTERRUPTED_EXIT_CODE else code if isinstance(code, int) else 0
    except FerError as error:
        return _fail(error, words, is_json=is_json)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except (BrokenPipeError, SystemExit):
        # The reader of our output has left (`fer status | head`), which typer and rich turn into an exit; Python would
        # complain again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        # The parser's own errors: their class stands in a private place, which has moved before.
        if hasattr(error, "format_message"):
            return _fail_in_usage(error, words, is_json=is_json)
        if "--debug" in words:
            raise
        return _fail(_own_bug(error), words, is_json=is_json)


def build_app(words: Sequence[str] | None = None) -> typer.Typer:
    """The typer application; only the command that `words` name is imported, the others are names with a help line.

    Args:
        words: the command line; None imports every command, for shell completion and tests.
    """
    is_completing = words is None or any(name.endswith("_COMPLETE") and "FER" in name for name in os.environ)
    asked = next((word for word in words or () if not word.startswith("-")), None)
    app = typer.Typer(help=_HELP, epilog=_EPILOG, no_args_is_help=True, rich_markup_mode="rich")
    app.callback()(_top_options)
    groups: dict[str, typer.Typer] = {}
    for row in TABLE:
        first = row.words.split()[0]
        parent = app
        if first in GROUPS:
            if first not in groups:
                group = GROUPS[first]
                groups[first] = typer.Typer(help=group.help, no_args_is_help=True)
                app.add_typer(groups[first], name=first, rich_help_panel=group.panel)
            parent = groups[first]
        if is_completing or asked == first:
            _add_real(parent, row)
        else:
            _add_name(parent, row)
    return app


def _without_habit(word: str) -> str:
    """Our name of an option that users of other tools type by habit."""
    name, equals, value = word.partition("=")
    return _HABITS.get(name, name) + equals + value


def _with_project_last(words: list[str]) -> list[str]:
    """`fer -p DIR status` is `fer status -p DIR`, for those who know `git -C DIR status`."""
    num = 2 if words[:1] in (["-p"], ["--project"]) else int(words[:1] != [] and words[0].startswith("--project="))
    if not 0 < num < len(words):
        return words
    # What follows a bare `--` is no option.
    end = words.index("--") if "--" in words else len(words)
    return [*words[num:end], *words[:num], *words[end:]]


def _with_default(words: list[str]) -> list[str]:
    """`fer labels` is `fer labels show`, options included; `fer labels --help` stays the help of the group."""
    place = next((place for place, word in enumerate(words) if not word.startswith("-")), None)
    if place is None or words[place] not in GROUPS:
        return words
    rest = words[place + 1 :]
    if "--help" in rest or (rest and not rest[0].startswith("-")):
        return words
    return [*words[: place + 1], GROUPS[words[place]].default, *rest]


def _add_real(app: typer.Typer, row: Row) -> None:
    # Settings and stages are loaded for the command that is asked for: `fer --help` needs none.
    from fercli.cli.options import add_command

    add_command(app, row)


def _add_name(app: typer.Typer, row: Row) -> None:
    app.command(row.words.split()[-1], help=row.help, rich_help_panel=row.panel, hidden=bool(row.alias_of))(
        lambda: None
    )


def _show_version(is_asked: bool | None) -> bool:
    if is_asked:
        typer.echo(f"fer {__version__}")
        raise typer.Exit
    return False


def _top_options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """What stands before the command."""


def _fail(error: FerError, words: list[str], *, is_json: bool) -> int:
    if "--debug" in words:
        traceback.print_exception(error)
    if is_json:
        command = " ".join(word for word in words[:2] if any(word in row.words.split() for row in TABLE))
        print(render.json_object(command or "fer", None, None, error))
    render.show_error(error)
    return error.exit_code


def _fail_in_usage(error: Any, words: list[str], *, is_json: bool) -> int:  # an exception of typer's parser
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return int(error.exit_code)
    return _fail(_usage_error(error), words, is_json=is_json)


def _interrupted() -> int:
    # What interrupts may have been the closing of the terminal, which takes no words then.
    with contextlib.suppress(OSError):
        print("fer: interrupted; finished work is kept. Run the same command to resume.", file=sys.stderr)
    return INTERRUPTED_EXIT_CODE


def _usage_error(error: Exception) -> FerError:
    message = getattr(error, "format_message", lambda: str(error))()
    asked = getattr(getattr(error, "ctx", None), "command_path", "fer")
    return UsageError(message[:1].lower() + message[1:].rstrip("."), hint=f"See: {asked} --help")


def _own_bug(error: Exception) -> FerError:
    if isinstance(error, OSError) and error.filename:
        return storage_error(error, Path(os.fsdecode(error.filename)))
    # Torch has errors of its own: a class on a GPU, words alone on the processor.
    name, text = type(error).__name__, str(error)
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "can't allocate memory" in text:
        return FerError("out of memory", hint="Close other programs, or lower --batch-size or --workers.")
    return FerError(
        f"this is a mistake in fercli, not yours: {name}: {text}",
        hint="Please report it with what --debug shows; nothing was lost.",
    )
