from pathlib import Path
from typing import Any

import pytest
import torch

from fercli.core.errors import InputError, UsageError
from fercli.core.project import Project
from fercli.core.runs import list_runs
from fercli.learn.checkpoints import load_checkpoint
from fercli.models.pretrained.tfjs import read_tfjs
from fercli.stages.train import TrainSettings, train
from fercli.stages.train.settings import read_settings
from tests.models.tfjs_model import WIDTHS, face_arrays, write_tfjs
from tests.stages.train_project import Signaller, drawn_project, quick


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return drawn_project(tmp_path / "mine")


def weights(project: Project, run: str) -> dict[str, torch.Tensor]:
    return load_checkpoint(project.root / "runs" / run / "checkpoints" / "last.safetensors").tensors


def test_weights_of_another_run_can_be_the_start(project: Project) -> None:
    first = train(project, quick())
    path = project.root / "runs" / first.run / "checkpoints" / "last.safetensors"
    result = train(project, quick(backbone_weights=path, lr=0.0, weight_decay=0.0, ema_decay=0.0, adds_norms=False))
    one, other = weights(project, first.run), weights(project, result.run)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert any("entries loaded, 0 missing" in warning for warning in result.warnings)


@pytest.fixture
def face_weights(tmp_path: Path) -> Path:
    write_tfjs(face_arrays(), tmp_path / "faceres.json")
    return tmp_path / "faceres.json"


def from_faces(path: Path, **changes: Any) -> TrainSettings:
    still = {"lr": 0.0, "weight_decay": 0.0, "ema_decay": 0.0, "image_size": 32}
    options = {"widths": list(WIDTHS)}
    return quick(model_name="fercli-mobilenet", model=options, backbone_weights=path, **{**still, **changes})


def test_folded_norms_get_statistics_before_the_first_step(project: Project, face_weights: Path) -> None:
    trained = weights(project, train(project, from_faces(face_weights)).run)
    loaded = read_tfjs(face_weights)
    assert torch.equal(trained["backbone.stem.conv.weight"], loaded["conv1/convolution/merged_input"])
    factor = loaded["conv_dw_1_bn/batchnorm_1/mul"]
    spread = (trained["backbone.blocks.0.norm1.weight"] / factor).square()
    # The factor grew by the spread of what is normalised, which later batches then moved a little.
    assert not torch.allclose(spread, torch.ones_like(spread), atol=0.1)
    torch.testing.assert_close(trained["backbone.blocks.0.norm1.running_var"], spread, rtol=0.5, atol=0.05)


def test_head_alone_leaves_folded_norms_at_rest(project: Project, face_weights: Path) -> None:
    still = weights(project, train(project, from_faces(face_weights, freeze_epochs=9)).run)
    moved = weights(project, train(project, from_faces(face_weights, freeze_epochs=9, lr=0.1)).run)
    differing = {name for name, value in still.items() if not torch.equal(value, moved[name])}
    assert differing == {"classify.weight", "classify.bias"}


def test_other_numbers_beside_the_same_model_json_are_another_training(project: Project, face_weights: Path) -> None:
    train(project, from_faces(face_weights))
    assert train(project, from_faces(face_weights)).is_unchanged
    write_tfjs(face_arrays(seed=1), face_weights)
    assert not train(project, from_faces(face_weights)).is_unchanged


def test_model_json_without_its_numbers_is_refused_by_name(project: Project, face_weights: Path) -> None:
    face_weights.with_name("group1-shard1of1.bin").unlink()
    with pytest.raises(InputError, match=r"shard1of1\.bin: no such file; faceres\.json needs it"):
        train(project, from_faces(face_weights))


def test_weights_of_another_run_still_do_what_they_did_when_norms_are_added(project: Project) -> None:
    first = train(project, quick(epochs=6, lr=0.01))
    path = project.root / "runs" / first.run / "checkpoints" / "last.safetensors"
    small_steps = {"lr": 1e-6, "ema_decay": 0.0, "weight_decay": 0.0, "augment": {}}
    second = train(project, quick(backbone_weights=path, epochs=1, **small_steps))
    before, after = weights(project, first.run), weights(project, second.run)
    scale = {name: tensor.abs().max() for name, tensor in before.items()}
    # What is left is what one epoch of other batches moved the statistics by.
    assert all((after[name] - before[name]).abs().max() < 0.5 * scale[name] + 0.05 for name in before)


def test_everything_at_rest_is_refused_before_a_run_is_made(project: Project) -> None:
    first = train(project, quick())
    path = project.root / "runs" / first.run / "checkpoints" / "last.safetensors"
    with pytest.raises(UsageError, match="would freeze the whole model"):
        train(project, quick(backbone_weights=path, freeze_epochs=1))
    assert [run.run_id for run in list_runs(project.root)] == [first.run]


@pytest.mark.parametrize("is_folded", [True, False], ids=["folded", "added"])
def test_run_goes_on_without_the_file_that_it_began_with(project: Project, face_weights: Path, is_folded: bool) -> None:
    if is_folded:
        settings = from_faces(face_weights, lr=0.01, freeze_epochs=2, epochs=3, optimizer="adamw")
    else:
        face_weights = project.root / "runs" / train(project, quick()).run / "checkpoints" / "last.safetensors"
        settings = quick(backbone_weights=face_weights, epochs=3, lr=0.01)
    whole = weights(project, train(project, settings).run)
    with pytest.raises(KeyboardInterrupt):
        train(project, settings, progress=Signaller(4), force=True)
    (stopped,) = [run.run_id for run in list_runs(project.root) if run.status == "interrupted"]
    face_weights.unlink()
    result = train(project, TrainSettings(), resume=stopped)
    assert (result.run, result.status, result.was_resumed) == (stopped, "finished", True)
    assert all(torch.equal(whole[name], tensor) for name, tensor in weights(project, stopped).items())
    assert train(project, TrainSettings(), resume=stopped).is_unchanged


def test_run_without_a_state_needs_the_file_that_it_began_with(project: Project, face_weights: Path) -> None:
    run = train(project, from_faces(face_weights, time_limit_s=0.001)).run
    for path in (project.root / "runs" / run / "checkpoints").glob("state-*"):
        path.unlink()
    with pytest.raises(UsageError, match="it is not opened"):
        train(project, TrainSettings(), resume=run)
    face_weights.unlink()
    with pytest.raises(InputError, match="no such weights file"):
        train(project, TrainSettings(backbone_weights=face_weights), resume=run)


def test_written_config_finds_the_weights_from_another_folder(
    project: Project, face_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(face_weights.parent)
    run = train(project, from_faces(Path(face_weights.name))).run
    monkeypatch.chdir(project.root)
    settings = read_settings((project.root / "runs" / run / "config.toml").read_text(encoding="utf-8"))
    assert settings.backbone_weights == face_weights
    assert train(project, settings).is_unchanged


def test_missing_weights_file_says_so(project: Project) -> None:
    with pytest.raises(InputError, match="no such weights file"):
        train(project, quick(backbone_weights=Path("gone.pth")))
