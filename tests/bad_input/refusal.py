"""What every refusal looks like: one clear line, the next step below it, the right exit code, no traceback."""

from dataclasses import dataclass
from pathlib import Path

from tests.cli.run import run_fer


@dataclass(frozen=True)
class Refusal:
    """The line after "fer:", and the hint below it."""

    message: str
    hint: str


def refused(code: int, *words: object, cwd: Path | None = None) -> Refusal:
    """Run a command line that must be refused with this exit code."""
    got, out, err = run_fer(*words, cwd=cwd)
    return read_refusal(code, got, out, err)


def read_refusal(code: int, got: int, out: str, err: str) -> Refusal:
    """The refusal in what a command has said."""
    assert got == code, (got, out, err)
    assert "Traceback" not in out + err
    assert "a mistake in fercli" not in err
    lines = err.splitlines()
    places = [place for place, line in enumerate(lines) if line.startswith("fer: ")]
    assert len(places) == 1, err
    # Progress may stand above, nothing below but the hint.
    hint = lines[places[0] + 1 :]
    assert hint, err
    assert all(line.startswith("     ") for line in hint), err
    return Refusal(lines[places[0]].removeprefix("fer: "), " ".join(line.strip() for line in hint))
