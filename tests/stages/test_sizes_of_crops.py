"""Crops of several sizes: what a network says of one does not depend on the others, wherever it is asked."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from fercli.core.progress import SILENT
from fercli.core.project import Project
from fercli.core.rows import Face, Prediction
from fercli.core.runs import list_runs
from fercli.core.tables import read_table
from fercli.data.crops import open_crop
from fercli.data.dataset import load_sized_crops
from fercli.learn.evaluate import predict_logits
from fercli.learn.history import EpochRow
from fercli.learn.predict import load_run_model
from fercli.stages.evaluate import EvalSettings, evaluate
from fercli.stages.predictions import predict_faces
from fercli.stages.train import train
from fercli.vision.images import write_png
from tests.stages.train_project import drawn_project, quick

SIDES = (10, 32, 21)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Faces in three sizes, on which a small network has been trained for an epoch."""
    project = drawn_project(tmp_path_factory.mktemp("sizes") / "mine")
    faces = []
    for place, face in enumerate(project.rows(Face)):
        crop = np.asarray(open_crop(project, face))
        side = SIDES[place % len(SIDES)]
        path = f"faces/own/{place}.png"
        (project.root / path).parent.mkdir(parents=True, exist_ok=True)
        crop = cv2.cvtColor(cv2.resize(crop, (side, side)), cv2.COLOR_GRAY2RGB)
        write_png(project.root / path, np.asarray(crop, np.uint8))
        faces.append(replace(face, path=path))
    project.write_rows(faces, Face)
    train(project, quick(epochs=1, image_size=64))
    return project


def test_validation_in_training_is_what_eval_says_of_these_faces(trained: Project) -> None:
    (run,) = list_runs(trained.root)
    (epoch,) = read_table(run.folder / "metrics.csv", EpochRow)
    evaluate(trained, EvalSettings(split="val"))
    rows = read_table(run.folder / "eval/val/predictions.csv", Prediction)
    loss = -sum(math.log(row.probabilities[row.label]) for row in rows) / len(rows)
    assert epoch.val_loss == pytest.approx(loss, abs=1e-5)  # probabilities have six digits


def test_a_small_face_alone_gets_what_it_gets_among_others(trained: Project) -> None:
    (run,) = list_runs(trained.root)
    loaded = load_run_model(run.folder)
    paths = [face.path for face in trained.rows(Face)]
    how = {"form": loaded.form, "machine": loaded.machine, "batch_size": 5}
    together = predict_logits(loaded.model, load_sized_crops(trained.root, paths, loaded.form), **how)
    for place in range(6):
        alone = predict_logits(loaded.model, load_sized_crops(trained.root, [paths[place]], loaded.form), **how)
        np.testing.assert_allclose(together[place].numpy(), alone[0].numpy(), atol=1e-5)


def test_suggestions_are_what_eval_says_of_these_faces(trained: Project) -> None:
    evaluate(trained, EvalSettings())
    (run,) = list_runs(trained.root)
    suggested = predict_faces(trained, "", SILENT)
    for row in read_table(run.folder / "eval/test/predictions.csv", Prediction):
        shares = dict(zip(suggested.classes, suggested.rows[row.face_id], strict=True))
        assert shares == pytest.approx(row.probabilities, abs=1e-5)
