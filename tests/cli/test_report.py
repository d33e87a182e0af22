import html
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np

from fercli.vision.images import write_png
from tests.cli.run import run_fer
from tests.stages.trained import RUN_ID, trained_project


def test_command_tells_where_the_page_is_and_what_it_misses(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    code, out, err = run_fer("report", "-p", project.root)
    assert code == 0, err
    assert f"runs/{RUN_ID}/report.html" in out.replace("\\", "/")
    assert "Results" in out
    assert "nothing to do" in run_fer("report", "-p", project.root)[1]


def test_json_names_the_page(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    code, out, _ = run_fer("report", RUN_ID, "--json", "-p", project.root)
    answer = json.loads(out)
    assert code == 0
    assert answer["schema"] == "fer.report/1"
    assert answer["outputs"] == [f"runs/{RUN_ID}/report.html"]


def test_unknown_run_is_an_input_error(tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    code, _, err = run_fer("report", "nowhere", "-p", project.root)
    assert code == 4
    assert "run 'nowhere' not found" in err


def draw_people(folder: Path) -> Path:
    """Class folders of eight people, whose names stand in the names of the files."""
    noise = np.random.default_rng(0)
    for level, emotion in enumerate(("happy", "neutral", "bored")):
        (folder / emotion).mkdir(parents=True)
        for person in range(8):
            crop = 60 + 40 * level + noise.integers(0, 30, (48, 48, 3))
            write_png(folder / emotion / f"s{person}_0.png", crop.astype(np.uint8))
    return folder


def scores_of(project: Path) -> dict[str, object]:
    (path,) = project.glob("runs/*/eval/test/metrics.json")
    scores: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return {name: value for name, value in scores.items() if name != "run"}  # its name is made from the clock


def test_commands_of_the_page_make_the_same_scores_in_an_empty_folder(tmp_path: Path) -> None:
    crops = draw_people(tmp_path / "crops")
    first, second = tmp_path / "a" / "mine", tmp_path / "b" / "mine"
    for folder in (first, second):
        shutil.copytree(crops, folder / "crops")
    pattern = r"(?P<subject>s\d)_"
    for words in (
        ["init", ".", "--classes", "happy,neutral,bored", "--name", "mine"],
        ["add", "crops", "--source", "folder", "--subject-from", "name", pattern],
        ["split", "--ratios", "0.5,0.25,0.25", "--seed", "3"],
        ["train", "--model", "drf-msam", "--epochs", "1", "--batch-size", "8", "--lr", "0.002"],
        ["eval"],
        ["report"],
    ):
        code, _, err = run_fer(*words, cwd=first)
        assert code == 0, err
    (page,) = first.glob("runs/*/report.html")
    commands = re.findall("<pre><code>(.*?)</code>", page.read_text(encoding="utf-8"), re.DOTALL)[-1]
    for command in html.unescape(commands).splitlines():
        code, _, err = run_fer(*shlex.split(command)[1:], cwd=second)
        assert code == 0, err
    assert scores_of(second) == scores_of(first)
