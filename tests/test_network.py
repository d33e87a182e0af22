"""Nothing leaves the machine: what `tests/conftest.py` watches over in every test."""

import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "example.org"])
def test_every_test_fails_that_speaks_to_another_machine(host: str) -> None:
    with pytest.raises(AssertionError, match=f"wants to speak to {host}"):
        socket.create_connection((host, 80), timeout=1)


def test_loopback_is_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname(), timeout=1):
            pass
