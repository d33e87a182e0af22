from pathlib import Path

import pytest

from fercli.learn.device import torch_threads
from fercli.stages.predict import PredictSettings, predict
from fercli.stages.predict_media import shared_device
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
