"""How long a table of faces takes to read: as rows by `read_table`, as rows and as columns by `data/frames.py`.

    python benchmarks/tables.py                    # 200,000 faces, three times
    python benchmarks/tables.py --faces 20000

Writes one table with the digits that `fer align` writes into a temporary folder. Prints a Markdown table: the least CPU
seconds of all rounds, in which the three take turns, and how many times as fast as `read_table` that is.
"""

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import processor

from fercli.core.rows import Face
from fercli.core.tables import read_table, write_table
from fercli.data.frames import read_frame, read_rows

READERS: dict[str, Callable[[Path, type[Face]], object]] = {
    "rows, `read_table`": read_table,
    "rows, `read_rows`": read_rows,
    "columns, `read_frame`": read_frame,
}


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "faces.csv"
        write_table(path, some_faces(args.faces), Face)
        rounds = [{reader: measure(read, path) for reader, read in READERS.items()} for _ in range(args.rounds)]
        megabytes = path.stat().st_size / 1e6
    print(f"{args.faces:,} faces, {megabytes:.0f} MB of CSV, {processor()}\n")
    print("| read as | CPU s | times as fast |\n|---|---|---|")
    least = {reader: min(seconds[reader] for seconds in rounds) for reader in READERS}
    for reader, seconds in least.items():
        print(f"| {reader} | {seconds:.2f} | {next(iter(least.values())) / seconds:.1f} |")


def some_faces(number: int) -> list[Face]:
    """Faces in five seats of lessons of 4,000 frames; one in fifty was dropped and has neither landmarks nor crop."""
    rng = random.Random(0)
    return [some_face(place, rng) for place in range(number)]


def some_face(place: int, rng: random.Random) -> Face:
    """One face of `some_faces`."""
    lesson, frame, seat = place // 20_000, place % 20_000 // 5, place % 5
    video_id = f"lesson-{lesson:02d}"
    frame_id = f"{video_id}/f{frame:06d}"
    face_id = f"{frame_id}-{seat}"
    box = [round(rng.uniform(0, 1900), 2) for _ in range(4)]
    found = (face_id, frame_id, video_id, frame * 2.0, *box, round(rng.random(), 5))
    if place % 50 == 49:
        return Face(*found, status="dropped", reason="low confidence")
    landmarks = [round(rng.uniform(0, 1900), 2) for _ in range(10)]
    affine = [round(rng.uniform(-2, 2), 9) for _ in range(6)]
    quality = round(rng.uniform(-30, 30), 2), round(rng.uniform(0, 500), 4)
    return Face(*found, *landmarks, *affine, *quality, f"faces/{face_id}.png", f"t{seat:03d}", f"s{seat:03d}")


def measure(read: Callable[[Path, type[Face]], object], path: Path) -> float:
    """CPU seconds of one reading, the letting go of its result not counted."""
    gc.collect()
    start = time.process_time()
    table = read(path, Face)
    seconds = time.process_time() - start
    del table
    return seconds


if __name__ == "__main__":
    main()
