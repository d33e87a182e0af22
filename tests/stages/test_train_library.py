"""A network of torchvision through the whole of a project: trained from its published weights, scored, looked at."""

from pathlib import Path

import pytest
import torch
from torchvision import models

from fercli.core.project import Project
from fercli.core.runs import read_run
from fercli.stages.evaluate import EvalSettings, evaluate
from fercli.stages.gradcam import GradcamSettings, gradcam
from fercli.stages.report import ReportSettings, report
from fercli.stages.train import train
from tests.stages.train_project import drawn_project, quick


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return drawn_project(tmp_path_factory.mktemp("library") / "mine")


def test_a_torchvision_network_is_trained_scored_and_reported(project: Project, tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(models.resnet18(weights=None).state_dict(), tmp_path / "resnet18.pth")
    settings = quick(
        model_name="torchvision:resnet18", model={}, image_size=64, epochs=1, backbone_weights=tmp_path / "resnet18.pth"
    )
    result = train(project, settings)
    assert result.status == "finished"
    assert any("100 entries loaded, 2 missing, 0 unexpected" in sentence for sentence in result.warnings)
    run = read_run(project.root / "runs" / result.run)
    assert run.record.model == "torchvision:resnet18"
    assert run.run_id.endswith("-torchvision-resnet18")
    assert train(project, settings).is_unchanged
    assert evaluate(project, EvalSettings(split="val")).num_faces == 12
    gradcam(project, GradcamSettings(split="val"))
    assert (run.folder / "gradcam" / "grid.png").is_file()
    report(project, ReportSettings())
    assert "resnet18 of torchvision" in (run.folder / "report.html").read_text(encoding="utf-8")
