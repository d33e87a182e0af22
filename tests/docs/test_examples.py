"""Every `bash` and `python` block of README and docs/ runs as written, page by page, in one shell from top to bottom.

A page starts in an empty folder. A block of another kind (`text`, `toml`, `console`) is shown, not run. A block that
begins with `# not run: ` says why.
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


def script_of(page: Path, folder: Path) -> str:
    """One shell script of the page; its Python code, which `python -c` runs, lies in `folder`."""
    lines = ["set -euo pipefail"]
    for number, (kind, text) in enumerate(blocks_of(page), start=1):
        lines.append(f"echo '--- block {number} of {page.name}'")
        if kind == "python":
            code = folder / f"block-{number}.py"
            code.write_text(text, encoding="utf-8")
            text = f'python -c "$(cat {code.as_posix()!r})"'
        lines.append(text)
    return "\n".join(lines)


@pytest.mark.docs
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks_of(page)], ids=lambda page: page.name)
def test_the_examples_of_a_page_run_as_written_in_one_shell(page: Path, tmp_path: Path) -> None:
    code, place = tmp_path / "code", tmp_path / "place"
    code.mkdir()
    place.mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-c", script_of(page, code)],
        cwd=place,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
