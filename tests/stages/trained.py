"""A small project with a finished run whose network is real and whose weights were never trained."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from fercli.core.files import replace_text
from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Label, Prediction, SplitRow, Subject, Vote
from fercli.core.runs import RunRecord, write_record
from fercli.core.tables import read_table, write_table
from fercli.data.run_crops import CropRow, crop_rows
from fercli.data.samples import load_samples
from fercli.data.transforms import InputFormat
from fercli.learn.checkpoints import save_checkpoint
from fercli.models.build import build_model, find_spec
from fercli.stages.align.rules import recorded_rules
from fercli.vision.images import write_png

CLASSES = ("happy", "neutral", "bored")
RUN_ID = "20260101-000000-drf-msam"


def trained_project(root: Path, *, num_subjects: int = 6) -> Project:
    """Three faces for each subject, one of each class; the last two subjects are the test part."""
    project = create_project(root, name="mine", classes=CLASSES)
    faces, labels, rows, votes = [], [], [], []
    for number in range(num_subjects):
        for place, emotion in enumerate(CLASSES):
            face_id = f"lesson/f{number:06d}-{place}"
            path = f"faces/{face_id}.png"
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            write_png(root / path, drawn_face(number, place))
            faces.append(
                Face(face_id, f"lesson/f{number:06d}", "lesson", float(number), path=path, subject_id=f"s{number:03d}")
            )
            labels.append(Label(face_id, emotion, "ok", "majority", 2, 1.0, 0.0, {emotion: 1.0}))
            part = "test" if number >= num_subjects - 2 else "val" if number == num_subjects - 3 else "train"
            rows.append(SplitRow(face_id, part))
            votes += [Vote(face_id, annotator, emotion, emotion) for annotator in ("a1", "a2", "a3")]
    project.write_rows(faces, Face)
    project.write_rows(labels, Label)
    project.write_rows(votes, Vote)
    subjects = [Subject(f"s{n:03d}", "tracks", 3, 1, "lesson", f"lesson/f{n:06d}-0") for n in range(num_subjects)]
    project.write_rows(subjects, Subject)
    write_table(project.split_path("default"), rows, SplitRow)
    write_run(project)
    return project


def write_run(project: Project, run_id: str = RUN_ID) -> Path:
    folder = project.root / "runs" / run_id
    times = {"created_at": "2026-01-01T00:00:00", "ended_at": "2026-01-01T00:01:00"}
    rules = recorded_rules(project)
    record = RunRecord(run_id, "drf-msam", "finished", fingerprint="f", classes=CLASSES, cutting=rules, **times)
    write_record(folder, record)
    write_crops(project, folder)
    torch.manual_seed(3)
    model = build_model("drf-msam", num_classes=len(CLASSES))
    form = InputFormat.of_spec(find_spec("drf-msam"))
    meta = {"model": "drf-msam", "classes": list(CLASSES), "model_options": {}, "form": form.to_json(), "epoch": 1}
    save_checkpoint(folder / "checkpoints" / "best.safetensors", model.state_dict(), meta)
    return folder


def write_crops(project: Project, folder: Path) -> None:
    """Let a run record the crops that the project has now."""
    samples = load_samples(
        project.root,
        CLASSES,
        faces=project.rows(Face),
        labels=project.rows(Label),
        split_rows=read_table(own, SplitRow)
        if (own := folder / "split.csv").exists()
        else project.split_rows("default"),
    )
    write_table(folder / "crops.csv", crop_rows(project, samples), CropRow)


def evaluated(project: Project, *, num_wrong: int = 1) -> list[Prediction]:
    """Predictions as `fer eval` leaves them, the first `num_wrong` of them mistaken."""
    folder = project.root / "runs" / RUN_ID / "eval" / "test"
    part = {row.face_id for row in project.split_rows("default") if row.split == "test"}
    label_of = {label.face_id: label.label for label in project.rows(Label)}
    rows = []
    for number, face in enumerate(face for face in project.rows(Face) if face.face_id in part):
        label = label_of[face.face_id]
        predicted = CLASSES[(CLASSES.index(label) + 1) % 3] if number < num_wrong else label
        shares = {emotion: 0.8 if emotion == predicted else 0.1 for emotion in CLASSES}
        rows.append(Prediction(face.face_id, face.subject_id, face.video_id, "test", label, predicted, shares))
    write_table(folder / "predictions.csv", rows, Prediction, CLASSES)
    interval = {"low": 0.6, "high": 0.95, "unit": "subject"}
    metrics = {name: {"value": 0.8, **interval} for name in ("accuracy", "balanced_accuracy", "macro_f1")}
    replace_text(folder / "metrics.json", json.dumps(metrics))
    return rows


def drawn_face(number: int, place: int) -> np.ndarray:
    """A disc with eyes and a mouth that bends with the class, lighter for each subject."""
    face = np.full((64, 64, 3), (90, 100, 110), np.uint8)
    cv2.ellipse(face, (32, 32), (22, 28), 0, 0, 360, (150 + 12 * number, 150, 130), -1)
    for x in (24, 40):
        cv2.circle(face, (x, 26), 3, (30, 30, 30), -1)
    ends = {0: (20, 160), 1: (85, 95), 2: (200, 340)}[place]
    cv2.ellipse(face, (32, 44 if place < 2 else 52), (11, 7), 0, *ends, (120, 30, 30), 2)
    return face
