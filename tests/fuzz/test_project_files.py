"""Whatever was done to one file of a project, every command works, or says clearly what it cannot read."""

import json
import random
import shutil
from pathlib import Path

import pytest

from fercli.core.memory import _digest_of
from tests.cli.run import run_fer
from tests.fuzz.mutate import damage
from tests.test_old_project import unpack

SUFFIXES = (".json", ".jsonl", ".toml", ".csv")
LIGHT = (
    ("status",), ("runs",), ("stats",), ("labels", "show"), ("labels", "agreement"), ("labels", "vote"),
    ("check", "labels"), ("check", "leakage"), ("config", "show"), ("trace", "clip/f000000-0"), ("split", "--dry-run"),
    ("extract-frames", "--dry-run"), ("align", "--dry-run"), ("labels", "export", "--dry-run"), ("subjects", "list"),
)  # fmt: skip
HEAVY = (("doctor",), ("report",), ("eval",), ("gradcam", "--dry-run"), ("train", "--dry-run"), ("align",))
# Ok, settings, input, a check, some failures, an earlier stage; never 1, our own mistake.
TOLD = {0, 2, 3, 4, 5, 6, 7}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = unpack("finished", tmp_path_factory.mktemp("sound"))
    # As this version writes them: with a digest.
    for path in (root / ".fer" / "stages").glob("*.json"):
        noted = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(noted | {"digest": _digest_of(noted)}), encoding="utf-8")
    return root


def assert_told(sound: Path, folder: Path, seed: int, commands: tuple[tuple[str, ...], ...]) -> None:
    draw = random.Random(seed)
    files = sorted(path.relative_to(sound) for path in sound.rglob("*") if path.suffix in SUFFIXES)
    root = folder / "damaged"
    shutil.copytree(sound, root)
    file = draw.choice(files)
    said = damage(root / file, seed)
    for words in draw.sample(commands, 4):
        code, out, err = run_fer(*words, "-p", root)
        assert code in TOLD, (file, said, words, err)
        assert "Traceback" not in out + err, (file, said, words)
        assert "\x1b[31m" not in out + err, (file, said, words)


@pytest.mark.parametrize("seed", range(12))
def test_damaged_file_is_no_mistake_of_ours(sound: Path, tmp_path: Path, seed: int) -> None:
    assert_told(sound, tmp_path, seed, LIGHT)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1500))
def test_one_of_five_hundred_damaged_files_is_no_mistake_of_ours(sound: Path, tmp_path: Path, seed: int) -> None:
    assert_told(sound, tmp_path, seed, LIGHT + HEAVY)
