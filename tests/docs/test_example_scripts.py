"""The scripts of examples/ run as a user would run them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_example(name: str, *words: object) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.docs
@pytest.mark.timeout(1200)
def test_quickstart_ends_at_a_report_and_its_project_feeds_a_model_of_ones_own(tmp_path: Path) -> None:
    lines = run_example("quickstart.py", tmp_path).splitlines()
    assert Path(lines[-1]).name == "report.html"
    assert Path(lines[-1]).is_file()
    assert "test faces, best epoch" in run_example("own_model.py", tmp_path / "project", 2)


@pytest.mark.docs
@pytest.mark.timeout(1200)
def test_notebook_reads_the_project_that_fer_demo_makes(tmp_path: Path) -> None:
    words = ("--subjects", "12", "--seconds", "3s", "--keep-going", "--progress", "none")
    command = [sys.executable, "-m", "fercli", "demo", *words]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode in (0, 5), made.stderr
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Not all of the 12: a pupil whom MTCNN is never sure of in three frames has no face in the table.
    table = (tmp_path / "fer-demo" / "manifests" / "subjects.csv").read_text(encoding="utf-8").splitlines()
    assert len(table) - 1 >= 10
    assert f"faces of {len(table) - 1} people" in done.stdout
