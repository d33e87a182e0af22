"""How fast the labelling page is: the server's start, 100 faces beside 100,000, memory while labelling, and keystrokes.

    python benchmarks/annotate.py                  # needs playwright and Chromium
    python benchmarks/annotate.py --faces 100000 --keys 500

Makes projects of drawn crops in a temporary folder; all faces share a few files. Prints a Markdown table: seconds from
the command to its link and to the first face on the screen (wall, and CPU), the server's memory at both ends,
and milliseconds from a key to the next face on the screen.
"""

import argparse
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from fercli.core.project import create_project
from fercli.core.rows import Face, Frame
from fercli.vision.images import write_png

NUM_FILES = 50
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--keys", type=int, default=500)
    given = parser.parse_args()
    print("| faces | link, s | CPU s | first face, s | CPU s | MB at first | MB after | keys | median, ms | 95%, ms |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for number in (100, given.faces):
            root = Path(folder) / str(number)
            make_project(root, number)
            print(measure(root, number, min(given.keys, number - 1), browser), flush=True)
        browser.close()


def make_project(root: Path, num_faces: int) -> None:
    """A project of so many faces, ten to a frame."""
    project = create_project(root, name="large", classes=("happy", "neutral", "bored"))
    rng = np.random.default_rng(0)
    for number in range(NUM_FILES):
        write_png(root / f"faces/lesson/{number}.png", rng.integers(0, 256, (112, 112, 3), dtype=np.uint8))
    faces, frames = [], []
    for number in range(num_faces):
        frame, place = divmod(number, 10)
        frame_id = f"lesson/f{frame:06d}"
        if place == 0:
            frames.append(Frame(frame_id, "lesson", frame, float(frame), ""))
        box = 100.0 + place, 50.0, 60.0, 80.0, 0.99
        path = f"faces/lesson/{number % NUM_FILES}.png"
        faces.append(
            Face(f"{frame_id}-{place}", frame_id, "lesson", float(frame), *box, path=path, track_id=f"t{place}")
        )
    project.write_rows(faces, Face)
    project.write_rows(frames, Frame)


def measure(root: Path, num_faces: int, num_keys: int, browser: Browser) -> str:
    """A row of the table."""
    began = time.monotonic()
    command = [sys.executable, "-m", "fercli", "annotate", "-p", str(root), "--annotator", "maria", "--no-browser"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert server.stderr is not None
    while not (link := re.search(r"http://\S+", server.stderr.readline())):
        assert server.poll() is None
    has_link, cpu = time.monotonic() - began, cpu_s(server.pid)
    page = browser.new_page()
    page.goto(link[0])
    page.wait_for_selector("#picture img")
    has_face, cpu_face = time.monotonic() - began, cpu_s(server.pid)
    before = memory_mb(server.pid)
    press(page, num_keys)
    timings = sorted(page.evaluate("fer.timings"))
    after = memory_mb(server.pid)
    page.close()
    server.send_signal(signal.SIGINT)
    server.wait(timeout=120)
    late = timings[int(0.95 * len(timings))]
    cells = [f"{num_faces:,}", f"{has_link:.2f}", f"{cpu:.2f}", f"{has_face:.2f}", f"{cpu_face:.2f}"]
    cells += [f"{before:.0f}", f"{after:.0f}"]
    return f"| {' | '.join(cells)} | {len(timings)} | {statistics.median(timings):.1f} | {late:.1f} |"


def press(page: Page, num_keys: int) -> None:
    """Label faces, each once the one before has its place on the disk or is one of three on their way there."""
    for number in range(num_keys):
        while page.evaluate("fer.state().unsaved") >= 3:
            page.wait_for_timeout(1)
        page.keyboard.press("123"[number % 3])
        page.wait_for_timeout(20)


def cpu_s(pid: int) -> float:
    """Processor time of a process so far: what it would take on an idle machine."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
