"""Nothing leaves the machine: what `tests/conftest.py` watches over in every test."""

import socket

import pytest


def test_every_test_fails_that_speaks_to_another_machine() -> None:
    with socket.socket() as speaker, pytest.raises(AssertionError, match=r"wants to speak to 192\.0\.2\.1"):
        speaker.connect(("192.0.2.1", 80))


def test_every_test_fails_that_asks_where_another_machine_is() -> None:
    with pytest.raises(AssertionError, match=r"wants to speak to example\.org"):
        socket.getaddrinfo("example.org", 80)


def test_loopback_is_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname(), timeout=1):
            pass
