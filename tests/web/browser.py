"""A real browser, and the labelling page of a real server, both of which a test may kill."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
needs_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed: apt-get install chromium"),
]
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


class Server:
    """`fer annotate` in a process of its own."""

    def __init__(self, root: Path, *words: str, port: int = 8790, browser: str = "true") -> None:
        annotate = ["annotate", "-p", str(root), "--port", str(port), *words]
        command = [sys.executable, "-m", "fercli", *(words if words[:1] == ("demo",) else annotate)]
        # What would open a browser; `true` opens none.
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "BROWSER": browser}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes)
        self.lines: list[str] = []
        told: Queue[str] = Queue()
        self._reader = threading.Thread(target=self._read, args=(told,), daemon=True)
        self._reader.start()
        self.links: dict[str, str] = {}
        while True:
            try:
                line = told.get(timeout=90)
            except Empty:
                break
            if match := re.match(r"(.*): (http://\S+)$", line):
                self.links[match[1]] = match[2]
            if "Stop with" in line or not line:
                break
        if not self.links:
            self.close()
            raise AssertionError(f"no page: {self.lines}")

    @property
    def link(self) -> str:
        return next(iter(self.links.values()))

    def stop(self) -> str:
        """End it as Ctrl-C does; what it says on stdout."""
        self.process.send_signal(signal.SIGINT)
        out = self.process.stdout.read() if self.process.stdout else ""
        assert self.process.wait(timeout=60) == 0, (self.lines, out)
        return out

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait(timeout=60)
        self._reader.join(timeout=60)

    def close(self) -> None:
        """Leave nothing of it behind."""
        if self.process.poll() is None:
            self.kill()
        self._reader.join(timeout=60)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()

    def _read(self, told: "Queue[str]") -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            told.put(line.rstrip("\n"))
        told.put("")


@contextmanager
def serving(root: Path, *words: str, port: int = 8790, browser: str = "true") -> Iterator[Server]:
    """A server that is gone afterwards."""
    server = Server(root, *words, port=port, browser=browser)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """Windows that notice every complaint of the console, and every request to elsewhere."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.complaints: list[str] = []
        self.foreign: list[str] = []

    def context(self, **options: Any) -> BrowserContext:
        context = self._browser.new_context(**options)
        context.on("request", self._asked)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        return context

    def open(self, link: str, **options: Any) -> Page:
        page = self.context(**options).new_page()
        page.goto(link)
        return page

    def _asked(self, request: Request) -> None:
        where = urlsplit(request.url)
        if where.scheme not in ("blob", "data", "file") and where.hostname != "127.0.0.1":
            self.foreign.append(request.url)


@pytest.fixture
def watched(chromium: Browser) -> Iterator[Watched]:
    found = Watched(chromium)
    yield found
    for context in chromium.contexts:
        context.close()
    assert found.foreign == []
