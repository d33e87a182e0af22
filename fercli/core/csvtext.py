"""CSV that others wrote: what is wrong with it, said with the file's name."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fercli.core.errors import InputError


@contextmanager
def reading_csv(path: Path) -> Iterator[None]:
    """Within, text that is not CSV raises InputError instead of csv.Error.

    Raises:
        InputError: a cell that never ends, say, because its quotation mark is not closed.
    """
    try:
        yield
    except csv.Error as error:
        hint = "Look for an unclosed quotation mark."
        raise InputError(f"{path}: cannot be parsed as CSV: {error}", hint=hint) from error
