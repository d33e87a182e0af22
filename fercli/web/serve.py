"""Serving the labelling page until it is stopped: the port, the links, signals."""

import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from fercli.core.errors import UsageError

# How many ports above the one asked for are tried.
_NUM_PORTS = 20
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104  # only compared with what the user named


def make_token() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(24)


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket on the port, or on the next free one.

    Raises:
        UsageError: the host is not one of this machine, or no port is free.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise UsageError(f"'{host}' is not an address of this machine", hint="For example: --host 0.0.0.0") from error
    family, address = found[0][0], found[0][4][0]
    reason: OSError | None = None
    for place in range(port, min(port + _NUM_PORTS, 65_536)):
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            # On Windows the option would let two servers share a port.
            if hasattr(socket, "SO_REUSEPORT"):
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind((address, place))
            opened.listen(128)
        except OSError as error:
            opened.close()
            reason = error
        else:
            return opened
    raise UsageError(f"cannot serve on '{host}', port {port}: {reason}", hint="Name another --port.") from reason


def own_names(host: str) -> frozenset[str]:
    """The names under which this machine is asked for when it serves on `host`."""
    names = {host.lower(), "localhost", "127.0.0.1", "[::1]"}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return frozenset(names)


def shown_host(host: str) -> str:
    """The host as a link has it: this machine's address in its network where it serves everywhere."""
    if host not in _ANYWHERE:
        return f"[{host}]" if ":" in host else host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent; the address is one for examples
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    return host in ("localhost", "::1") or host.startswith("127.")


def serve(app: ASGIApp, opened: socket.socket) -> None:
    """Serve until Ctrl-C, a termination signal or a closed terminal; what is being answered is finished first."""
    # No access log: nothing about who asked for what is kept.
    config = uvicorn.Config(
        app, access_log=False, log_level="warning", lifespan="off", ws="none", server_header=False,
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    server = _Server(config)
    with _stopping(server):
        server.run([opened])


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `_stopping`: uvicorn would raise them again, and end us before the votes are imported."""
        yield


@contextmanager
def _stopping(server: uvicorn.Server) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), stop) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
