"""Run `fer` in a process of its own that gets a signal in the middle."""

import importlib
import multiprocessing
import os
import signal
import tempfile
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from pathlib import Path
from unittest import mock


def disturb(place: str, number: int, sign: str, *words: object, moment: str = "after") -> tuple[int, str]:
    """Exit code and stderr of a command that gets the signal at the `number`-th call of `place`.

    Args:
        place: a function, as "module:name" or "module:class.name".
        number: of the call, from 1.
        sign: name of the signal; the whole process group gets it.
        words: the command line.
        moment: `before` or `after` that call.
    """
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "stderr"
        arguments = (place, number, moment, sign, [str(word) for word in words], said)
        process = _warm().Process(target=_run, args=arguments)
        process.start()
        process.join(300)
        assert process.exitcode is not None
        return process.exitcode, said.read_text(encoding="utf-8")


@cache
def _warm() -> ForkServerContext:
    """A process that has imported what takes seconds, and from which each command is forked."""
    context = multiprocessing.get_context("forkserver")
    # Nothing of fercli: a module that is loaded already holds functions of others by the names it imported.
    context.set_forkserver_preload(["__main__", "av", "cv2", "pandas", "torch", "typer", "tests.disturbed"])
    with mock.patch.dict(os.environ, {"OMP_NUM_THREADS": "1"}):
        forkserver.ensure_running()
    return context


def _run(place: str, number: int, moment: str, sign: str, words: list[str], said: Path) -> None:
    os.setsid()
    with said.open("w", encoding="utf-8") as file, Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        os.dup2(file.fileno(), 2)
        os.dup2(nowhere.fileno(), 1)
    # A test run in the background of a shell hands down an ignored Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module, _, path = place.partition(":")
    *owners, last = path.split(".")
    owner = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    true_call, num_calls = getattr(owner, last), 0

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal num_calls
        num_calls += 1
        is_time = num_calls == number
        if is_time and moment == "before":
            os.killpg(0, getattr(signal, sign))
        result = true_call(*args, **kwargs)
        if is_time and moment == "after":
            os.killpg(0, getattr(signal, sign))
        return result

    setattr(owner, last, counted)
    if place.startswith("fercli.learn"):
        _save_always()
    from fercli.cli.app import main

    main(words)


def _save_always() -> None:
    """A training as short as a test's saves only at its end."""
    from fercli.learn import trainer

    trainer._SAVE_EVERY_S = trainer._SAVE_SHORT_EPOCHS_EVERY_S = 0.0
