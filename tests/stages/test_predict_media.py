from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fercli.learn.device import torch_threads
from fercli.stages.predict import PredictSettings, predict
from fercli.stages.predict.predictor import shared_device
from tests.stages.filmed import film
from tests.stages.trained import RUN_ID, trained_project


def test_no_digit_of_a_table_tells_how_many_threads_computed_it(tmp_path: Path) -> None:
    video = film(tmp_path / "a.mp4", 60)
    tables = []
    for num_threads in (1, 2, 3):
        project = trained_project(tmp_path / str(num_threads))
        with torch_threads(num_threads):
            result = predict(project, PredictSettings(out=("csv",), every_s=0.3, device="cpu"), [str(video)])
        assert result.num_faces == 40
        tables.append((project.root / "exports/predict" / RUN_ID / "a.csv").read_bytes())
    assert tables[0] == tables[1] == tables[2]


class Counting:
    def __init__(self) -> None:
        self.tasks: list[tuple[str, int | None]] = []
        self.num_done = 0

    def start(self, task: str, total: int | None = None) -> None:
        self.tasks.append((task, total))

    def advance(self, num_items: int = 1, **fields: str) -> None:
        self.num_done += num_items

    def note(self, text: str) -> None: ...

    def add_row(self, cells: Mapping[str, str]) -> None: ...


@pytest.mark.parametrize(
    ("settings", "num_looks"),
    [
        (PredictSettings(every_s=0.2), 6),
        (PredictSettings(every_s=0.0), 12),
        (PredictSettings(every_s=0.5, start_s=0.4), 2),
        (PredictSettings(every_s=0.3, end_s=0.7), 3),
        (PredictSettings(every_s=0.01, limit=4), 4),
    ],
    ids=["every", "each frame", "start", "end", "limit"],
)
def test_progress_knows_how_many_frames_of_a_video_come(
    tmp_path: Path, settings: PredictSettings, num_looks: int
) -> None:
    progress = Counting()
    video = film(tmp_path / "a.mp4", 12)
    predict(trained_project(tmp_path / "mine"), replace(settings, out=("csv",)), [str(video)], progress=progress)
    assert progress.tasks == [("find faces in a.mp4", num_looks)]
    assert progress.num_done == num_looks


def test_result_says_where_it_computed(tmp_path: Path) -> None:
    video = film(tmp_path / "a.mp4", 2)
    settings = PredictSettings(out=("csv",), device="cpu")
    result = predict(trained_project(tmp_path / "mine"), settings, [str(video)])
    assert (result.device, result.network_device) == ("cpu", "cpu")


@pytest.mark.parametrize(
    ("asked", "network", "detector", "shared"),
    [
        ("auto", "cpu", "openvino:bf16", "openvino:bf16"),
        ("auto", "cpu", "cpu", "cpu"),
        ("auto", "cuda", "cuda", "cuda"),
        ("openvino", "cpu", "openvino:f32", "openvino:f32"),
        ("auto", "mps", "openvino:f32", "auto"),  # no one name says both
    ],
)
def test_a_cluster_computes_on_what_this_machine_chose(asked: str, network: str, detector: str, shared: str) -> None:
    assert shared_device(asked, network=network, detector=detector) == shared
