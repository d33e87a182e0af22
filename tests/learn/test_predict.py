from pathlib import Path

import numpy as np
import pytest
import torch

from fercli.core.errors import InputError
from fercli.data.batches import RamCrops
from fercli.data.samples import Samples
from fercli.learn.checkpoints import load_checkpoint, save_checkpoint
from fercli.learn.predict import LoadedModel, load_run_model, predict_probabilities
from fercli.learn.trainer import Faces, Training, fit
from fercli.models.build import build_model
from fercli.vision.images import write_png
from tests.learn.drawn import CLASSES, FORM, MACHINE, draw, faces, plan, write_pack

OPTIONS = {"width": 16, "hidden": 32}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    model = build_model("drf-msam", num_classes=2, **OPTIONS)
    meta = {"model": "drf-msam", "model_options": OPTIONS, "classes": list(CLASSES), "form": FORM.to_json()}
    how = plan(epochs=20, lr=1e-2, schedule="one-cycle", optimizer="adamw")
    training = Training(faces(64), faces(32, 1), how, form=FORM, machine=MACHINE, seed=0, folder=folder, meta=meta)
    fit(model, training)
    return folder


@pytest.fixture(scope="module")
def loaded(run: Path) -> LoadedModel:
    return load_run_model(run, device="cpu", precision="fp32")


def samples(root: Path, num: int = 20) -> Samples:
    paths, targets = write_pack(root, num, seed=1)
    names = tuple(f"f{row}" for row in range(num))
    return Samples(root, CLASSES, names, tuple(paths), targets, None, names, names, ("test",) * num)


def test_loaded_model_knows_its_classes_and_epoch(run: Path, loaded: LoadedModel) -> None:
    assert (loaded.classes, loaded.form, loaded.run_id) == (CLASSES, FORM, run.name)
    assert loaded.epoch == load_checkpoint(run / "checkpoints" / "best.safetensors").meta["epoch"]


def test_samples_and_the_same_pictures_get_the_same_probabilities(tmp_path: Path, loaded: LoadedModel) -> None:
    chosen = samples(tmp_path)
    images, targets = draw(20, seed=1)
    from_samples = predict_probabilities(loaded, chosen)
    from_images = predict_probabilities(loaded, [np.repeat(image[:, :, None], 3, axis=2) for image in images])
    np.testing.assert_allclose(from_samples, from_images, atol=1e-6)
    np.testing.assert_allclose(from_samples.sum(1), 1, atol=1e-5)
    assert (from_samples.argmax(1) == targets).mean() > 0.7


def test_probabilities_do_not_depend_on_the_batch(tmp_path: Path, loaded: LoadedModel) -> None:
    chosen = samples(tmp_path)
    alone = predict_probabilities(loaded, chosen, batch_size=1)
    np.testing.assert_allclose(alone, predict_probabilities(loaded, chosen, batch_size=7), atol=1e-5)


def test_flip_averages_with_the_mirror_image(loaded: LoadedModel) -> None:
    image = np.repeat(draw(1, seed=3)[0][0][:, :, None], 3, axis=2)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    both = predict_probabilities(loaded, [image, mirrored])
    np.testing.assert_allclose(predict_probabilities(loaded, [image], test_time="flip")[0], both.mean(0), atol=1e-6)


def test_no_pictures_give_no_rows(loaded: LoadedModel) -> None:
    assert predict_probabilities(loaded, []).shape == (0, 2)


def test_crops_of_any_size_are_taken(loaded: LoadedModel) -> None:
    sizes = [np.zeros((side, side + 3, 3), np.uint8) for side in (5, 24, 300)]
    assert predict_probabilities(loaded, sizes).shape == (3, 2)


def test_missing_crop_names_the_face(tmp_path: Path, loaded: LoadedModel) -> None:
    broken = Samples(tmp_path, CLASSES, ("f1",), ("gone.png",), np.zeros(1, np.int64), None, ("s",), ("v",), ("test",))
    with pytest.raises(InputError, match="face 'f1' cannot be read"):
        predict_probabilities(loaded, broken)


def test_last_and_a_path_are_checkpoints_too(run: Path) -> None:
    last = load_run_model(run, "last", "cpu", precision="fp32")
    by_path = load_run_model(run, str(run / "checkpoints" / "last.safetensors"), "cpu", precision="fp32")
    assert last.epoch == by_path.epoch == 20


def test_weights_that_do_not_fit_are_refused(run: Path, tmp_path: Path) -> None:
    saved = load_checkpoint(run / "checkpoints" / "best.safetensors")
    save_checkpoint(tmp_path / "x.safetensors", saved.tensors, {**saved.meta, "model_options": {"width": 16}})
    with pytest.raises(InputError, match="does not match the model"):
        load_run_model(run, str(tmp_path / "x.safetensors"), "cpu")


def test_faces_hold_what_fit_learns_from() -> None:
    assert isinstance(faces(2), Faces)
    assert isinstance(faces(2).crops, RamCrops)


def test_probabilities_of_a_small_crop_do_not_depend_on_the_size_of_its_neighbours(
    tmp_path: Path, loaded: LoadedModel
) -> None:
    images, targets = draw(2, seed=4)
    colour = [np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image for image in images]
    small, large = np.ascontiguousarray(colour[0][::3, ::3]), np.kron(colour[1], np.ones((3, 3, 1), np.uint8))
    alone = predict_probabilities(loaded, [small])
    beside = predict_probabilities(loaded, [large, small])[1:]
    np.testing.assert_allclose(beside, alone, atol=1e-6)
    for name, image in (("small", small), ("large", large)):
        write_png(tmp_path / f"{name}.png", image)
    ids, paths = ("f0", "f1"), ("large.png", "small.png")
    both = Samples(tmp_path, CLASSES, ids, paths, targets, None, ids, ids, ("test",) * 2)
    np.testing.assert_allclose(predict_probabilities(loaded, both)[1:], alone, atol=1e-6)
