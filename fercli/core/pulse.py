"""A sign of life: long work says that it goes on, and how far it is, without knowing who listens."""

from collections.abc import Callable

_listeners: list[Callable[[int | None], None]] = []


def beat(reached: int | None = None) -> None:
    """Say that something was done since the last time, and maybe up to where; cheap enough for each packet."""
    for listener in _listeners:
        listener(reached)


def listen(listener: Callable[[int | None], None]) -> None:
    """Have `listener` called at each beat of this process, from now on."""
    _listeners.append(listener)
