"""The binary `fer`: which commands exist, and the only place where an error becomes a line and an exit code."""

import contextlib
import importlib
import inspect
import io
import os
import sys
import traceback
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from fercli import __version__
from fercli.core.errors import INTERRUPTED_EXIT_CODE, FerError

_HELP = "From classroom video to a published facial-expression model, on one project folder."
_EPILOG = "Begin with `fer demo` (a drawn classroom, offline) or `fer init my-class --preset scfed`."

# How long a thread of torch waits awake for the others before it sleeps. OpenMP's own 300,000 turns cost nothing on a
# quiet machine, but beside another program each step then waits for whole time slices (docs/training.md).
_TURNS_AWAKE = "10000"

# What users of MMPretrain and ultralytics type; our own names stand in the help.
_HABITS = {"--cfg-options": "--set", "--imgsz": "--size"}


@dataclass(frozen=True)
class Entry:
    """One command: the words a user types, the help panel, the module in `cli/` and its help line.

    The module's function is called as the last word; it is imported only when the user asks for this command.
    """

    words: str
    panel: str
    module: str
    help: str
    example: str = ""
    alias_of: str = ""

    @property
    def function(self) -> str:
        """The function's name in the module."""
        return (self.alias_of or self.words).replace(" ", "_").replace("-", "_")


# One row a command. A command is listed here when it works, not before.
ENTRIES: tuple[Entry, ...] = (
    Entry("demo", "Start", "demo", "Draw a class and run every stage on it.", "fer demo my-demo"),
    Entry("init", "Start", "init", "Make a project folder with its classes.", "fer init my-class --preset scfed"),
    Entry("add", "Data", "add", "Add videos, folders of pictures or a public data set.", "fer add lesson-1.mp4"),
    Entry("extract-frames", "Data", "extract_frames", "Keep frames of the videos.", "fer extract-frames --every 2s"),
    Entry("align", "Data", "align", "Find faces in frames and cut them out upright.", "fer align --size 112"),
    Entry("subjects track", "Data", "subjects", "Tell people apart by their seats.", "fer subjects track"),
    Entry("subjects assign", "Data", "subjects", "Name people by a table.", "fer subjects assign pupils.csv"),
    Entry("subjects merge", "Data", "subjects", "Make two subjects one.", "fer subjects merge s001 s007"),
    Entry("subjects rename", "Data", "subjects", "Call a subject otherwise.", "fer subjects rename s001 p-12"),
    Entry("labels show", "Labels", "labels", "Show counts of votes and labels, and agreement.", "fer labels show"),
    Entry("labels export", "Labels", "labels", "Write faces for annotators to judge.", "fer labels export --to csv"),
    Entry("labels import", "Labels", "labels", "Read votes from files and label faces.", "fer labels import votes.csv"),
    Entry("labels vote", "Labels", "labels", "Turn votes into labels by a rule.", "fer labels vote --min-votes 3"),
    Entry("labels agreement", "Labels", "labels", "Measure how well annotators agree.", "fer labels agreement"),
    Entry("split", "Labels", "split", "Share faces out to train, val and test, by subject.", "fer split --seed 1"),
    Entry("check all", "Labels", "check", "Look for trouble in pictures, labels and splits.", "fer check all"),
    Entry("check images", "Labels", "check", "Find missing, broken, blank and repeated crops.", "fer check images"),
    Entry("check labels", "Labels", "check", "Hold labels against votes, faces and classes.", "fer check labels"),
    Entry("check leakage", "Labels", "check", "Find what a split has on two sides.", "fer check leakage"),
    Entry("stats", "Labels", "stats", "Count faces by split, class, subject, video.", "fer stats --by class --plot"),
    Entry("models", "Train", "models", "List the networks: size, paper, recipe, weights.", "fer models sfer-mdfae"),
    Entry("train", "Train", "train", "Teach a network the labels.", "fer train --model drf-msam --epochs 40"),
    Entry("runs", "Train", "runs", "List the training runs.", "fer runs"),
    Entry("eval", "Inspect", "eval", "Score a run on held-out faces, with intervals.", "fer eval --confusion"),
    Entry("val", "Inspect", "eval", "Score a run on held-out faces.", alias_of="eval"),
    Entry("gradcam", "Inspect", "gradcam", "Draw where a model looks, class by class.", "fer gradcam --per-class 3"),
    Entry("cam", "Inspect", "gradcam", "Draw where a model looks.", alias_of="gradcam"),
    Entry("predict", "Inspect", "predict", "Judge the faces of any picture or video.", "fer predict lesson-2.mp4"),
    Entry("report", "Share", "report", "Write one HTML page of everything known.", "fer report"),
    Entry("status", "Project", "pipeline", "Show where every stage stands.", "fer status"),
    Entry("run", "Project", "pipeline", "Run every stage that is not done yet.", "fer run --until eval"),
    Entry("trace", "Project", "trace", "Follow one face back to its video.", "fer trace lesson-1/f000042-0"),
    Entry("doctor", "Project", "doctor", "Look at the machine and the project for trouble.", "fer doctor"),
    Entry("config show", "Project", "config", "Show every setting in force.", "fer config show --origin"),
)


@dataclass(frozen=True)
class Group:
    """Commands under one word; the word alone runs `default`."""

    panel: str
    help: str
    default: str


GROUPS: dict[str, Group] = {
    "subjects": Group("Data", "Say who is who: by seats, by a table, by hand.", "track"),
    "labels": Group("Labels", "Import votes, turn them into labels, measure agreement.", "show"),
    "check": Group("Labels", "Look for trouble in pictures, labels and splits.", "all"),
    "config": Group("Project", "Show the settings in force.", "show"),
}


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
    for entry in ENTRIES:
        first = entry.words.split()[0]
        parent = app
        if first in GROUPS:
            if first not in groups:
                group = GROUPS[first]
                groups[first] = typer.Typer(help=group.help, no_args_is_help=True)
                app.add_typer(groups[first], name=first, rich_help_panel=group.panel)
            parent = groups[first]
        if is_completing or asked == first:
            _add_real(parent, entry)
        else:
            _add_name(parent, entry)
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


def load_function(entry: Entry) -> Callable[..., typing.Any]:
    """The function of `cli/<module>.py` that a command runs."""
    function = getattr(importlib.import_module(f"fercli.cli.{entry.module}"), entry.function)
    return typing.cast(Callable[..., typing.Any], function)


def _add_real(app: typer.Typer, entry: Entry) -> None:
    from fercli.cli.options import add_command

    function = load_function(entry)
    parameter = inspect.signature(function).parameters.get("settings")
    help_ = f"{entry.help}\n\nExample: [bold]{entry.example}[/bold]" if entry.example else entry.help
    add_command(
        app,
        function,
        parameter.annotation if parameter else None,
        name=entry.words,
        section=entry.alias_of or entry.words,
        help_=help_,
        panel=entry.panel,
        is_hidden=bool(entry.alias_of),
    )


def _add_name(app: typer.Typer, entry: Entry) -> None:
    app.command(entry.words.split()[-1], help=entry.help, rich_help_panel=entry.panel, hidden=bool(entry.alias_of))(
        lambda: None
    )


def _show_version(is_asked: bool | None) -> bool:
    if is_asked:
        typer.echo(f"fer {__version__}")
        raise typer.Exit
    return False


def _top_options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """What stands before the command."""


def _fail(error: FerError, words: list[str], *, is_json: bool) -> int:
    from fercli.cli.show import result as render

    if "--debug" in words:
        traceback.print_exception(error)
    if is_json:
        command = " ".join(word for word in words[:2] if any(word in entry.words.split() for entry in ENTRIES))
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
        print("fer: interrupted; what was finished is kept, the same command goes on from there", file=sys.stderr)
    return INTERRUPTED_EXIT_CODE


def _usage_error(error: Exception) -> FerError:
    from fercli.core.errors import UsageError

    message = getattr(error, "format_message", lambda: str(error))()
    asked = getattr(getattr(error, "ctx", None), "command_path", "fer")
    return UsageError(message[:1].lower() + message[1:].rstrip("."), hint=f"See: {asked} --help")


def _own_bug(error: Exception) -> FerError:
    from fercli.core.files import storage_error

    if isinstance(error, OSError) and error.filename:
        from pathlib import Path

        return storage_error(error, Path(os.fsdecode(error.filename)))
    # Torch has errors of its own: a class on a GPU, words alone on the processor.
    name, text = type(error).__name__, str(error)
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "can't allocate memory" in text:
        return FerError("out of memory", hint="Close other programs, or lower --batch-size or --workers.")
    return FerError(
        f"this is a mistake in fercli, not yours: {name}: {text}",
        hint="Please report it with what --debug shows; nothing was lost.",
    )
