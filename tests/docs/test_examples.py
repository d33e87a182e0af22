"""Every `bash` and `python` block of README and docs/ runs as written, page by page, in an empty folder of its own.

A block of another kind (`text`, `toml`, `console`) is shown, not run. A block that begins with `# not run: ` says why.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks_of(page: Path) -> list[tuple[str, str]]:
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(kind, text) for kind, text in blocks if not text.startswith("# not run: ")]


@pytest.mark.docs
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=lambda page: page.name)
def test_the_examples_of_a_page_run_as_written(page: Path, tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for number, (kind, text) in enumerate(blocks_of(page), start=1):
        script = ["bash", "-euo", "pipefail", "-c", text] if kind == "bash" else [sys.executable, "-c", text]
        done = subprocess.run(
            script, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"block {number} of {page.name}:\n{text}\n{done.stdout}\n{done.stderr}"
