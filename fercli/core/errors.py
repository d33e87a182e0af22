"""Errors that a user can fix: what is wrong, where, what to do."""


class FerError(Exception):
    """Something a user can mend; `cli/app.py` is the only place that turns it into an exit code.

    Args:
        message: what is wrong and where, lower case, no full stop needed.
        hint: what to do next; empty when the message says it.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def told(self) -> str:
        """What is wrong and what to do, in one line, for a list of failures."""
        return f"{self.message}. {self.hint}" if self.hint else self.message


class UsageError(FerError):
    """The command line asks for something that does not exist or does not go together."""

    exit_code = 2


class ProjectError(FerError):
    """No project folder is here, or it is damaged or locked."""

    exit_code = 3


class SettingsError(FerError):
    """A key or value in fer.toml, a config file, the environment or `--set` is not valid."""

    exit_code = 3


class TableError(FerError):
    """A table of the project has wrong columns or an unreadable cell."""

    exit_code = 3


class InputError(FerError):
    """A file that the user named is missing, unreadable or not of the expected form."""

    exit_code = 4


class MediaError(InputError):
    """A picture or video cannot be read, or is too large to read safely."""


class CheckError(FerError):
    """A check failed: a split leaks, or agreement lies below a bound."""

    exit_code = 5


class MissingStageError(FerError):
    """An earlier stage has not been run, so there is nothing to work on."""

    exit_code = 7


PARTIAL_EXIT_CODE = 6
INTERRUPTED_EXIT_CODE = 130
