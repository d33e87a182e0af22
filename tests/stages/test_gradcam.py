import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError, MissingStageError, ProjectError, UsageError
from fercli.core.files import sha256_of
from fercli.core.memory import remember
from fercli.core.project import Project, create_project
from fercli.core.results import StageResult
from fercli.core.rows import Face
from fercli.core.runs import read_run, write_record
from fercli.learn.checkpoints import load_checkpoint, save_checkpoint
from fercli.stages.align import AlignSettings
from fercli.stages.gradcam import GradcamSettings, gradcam
from fercli.vision.cutting import CuttingRules
from fercli.vision.images import read_image, write_png
from fercli.vision.mtcnn.detector import FaceDetector, make_detector
from tests.stages.trained import CLASSES, RUN_ID, drawn_face, trained_project, write_crops
from tests.vision.drawn import draw_face, draw_room

GRID, CASES = f"runs/{RUN_ID}/gradcam/grid.png", f"runs/{RUN_ID}/gradcam/cases.csv"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return trained_project(tmp_path / "mine")


def case_rows(project: Project) -> list[dict[str, str]]:
    with (project.root / CASES).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_grid_and_cases_are_written_and_every_place_is_accounted_for(project: Project) -> None:
    result = gradcam(project, GradcamSettings())
    assert result.outputs == (GRID, CASES)
    assert result.run == RUN_ID
    assert result.layer == "attention2"
    # Two test subjects with a face of each class: all six are shown, and six of the twelve places are blank.
    assert result.num_faces == result.num_right + result.num_wrong == 6
    assert result.num_blank == 6
    assert read_image(project.root / GRID).std() > 10
    rows = case_rows(project)
    assert {row["true"] for row in rows} == set(CLASSES)
    assert {row["split"] for row in rows} == {"test"}
    assert all((row["case"] == "right") == (row["true"] == row["predicted"]) for row in rows)
    assert all(row["map_of"] == row["predicted"] for row in rows)


def test_second_call_does_nothing_and_force_draws_the_same_bytes(project: Project) -> None:
    gradcam(project, GradcamSettings())
    before = sha256_of(project.root / GRID)
    assert gradcam(project, GradcamSettings()).is_unchanged
    assert not gradcam(project, GradcamSettings(), force=True).is_unchanged
    assert sha256_of(project.root / GRID) == before


def test_second_call_imports_no_torch(project: Project) -> None:
    gradcam(project, GradcamSettings())
    code = (
        "import sys; from pathlib import Path; from fercli.core.project import open_project;"
        "from fercli.stages.gradcam import GradcamSettings, gradcam;"
        f"assert gradcam(open_project(Path({str(project.root)!r})), GradcamSettings()).is_unchanged;"
        "assert not {'torch', 'numpy', 'matplotlib', 'cv2'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_target_class_is_mapped_for_every_case(project: Project) -> None:
    gradcam(project, GradcamSettings(target="bored"))
    assert {row["map_of"] for row in case_rows(project)} == {"bored"}


def test_another_layer_gives_another_grid(project: Project) -> None:
    gradcam(project, GradcamSettings())
    own = sha256_of(project.root / GRID)
    layers = gradcam(project, GradcamSettings(list_layers=True)).layers
    other = next(line.split()[0] for line in layers if "own" not in line)
    assert gradcam(project, GradcamSettings(layer=other)).layer == other
    assert sha256_of(project.root / GRID) != own


def test_listing_layers_marks_the_models_own_and_writes_nothing(project: Project) -> None:
    result = gradcam(project, GradcamSettings(list_layers=True))
    assert [line.split()[0] for line in result.layers if line.endswith("(the model's own)")] == ["attention2"]
    assert not (project.root / GRID).exists()


def test_dry_run_says_what_would_be_drawn(project: Project) -> None:
    result = gradcam(project, GradcamSettings(), dry_run=True)
    assert result.is_dry_run
    assert RUN_ID in result.plan[0]
    assert not (project.root / GRID).exists()


def test_unknown_layer_is_refused_with_the_right_one(project: Project) -> None:
    with pytest.raises(UsageError, match="layer 'atention2'") as caught:
        gradcam(project, GradcamSettings(layer="atention2"))
    assert "attention2" in caught.value.hint


def test_unknown_target_is_refused_with_a_suggestion(project: Project) -> None:
    with pytest.raises(UsageError, match="'happpy' is not a class of this run") as caught:
        gradcam(project, GradcamSettings(target="happpy"))
    assert "happy" in caught.value.hint


def test_project_without_a_run_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError, match="no finished run"):
        gradcam(create_project(tmp_path, name="new", classes=CLASSES), GradcamSettings())


def test_part_without_faces_is_named(project: Project) -> None:
    faces = [face for face in project.rows(Face) if face.subject_id not in ("s004", "s005")]
    project.write_rows(faces, Face)
    with pytest.raises(MissingStageError, match="no labelled face in its test set"):
        gradcam(project, GradcamSettings())


def test_class_without_a_face_is_a_warning_and_a_blank_row(project: Project) -> None:
    project.write_rows([face for face in project.rows(Face) if not face.face_id.endswith("-2")], Face)
    write_crops(project, project.root / "runs" / RUN_ID)
    result = gradcam(project, GradcamSettings())
    assert result.warnings == ("No test face is labelled bored; those rows are blank.",)
    assert result.num_blank == 8


def test_picture_without_a_findable_face_is_taken_as_a_crop(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_png(folder / "flat.png", drawn_face(0, 1))
    (folder / "broken.png").write_bytes(b"no picture")
    result = gradcam(project, GradcamSettings(images=folder))
    assert result.num_faces == 1
    assert result.outputs == (f"runs/{RUN_ID}/gradcam/images.png", f"runs/{RUN_ID}/gradcam/images.csv")
    assert "No face was found in flat.png" in result.warnings[0]
    assert [failure.item for failure in result.failures] == ["broken.png"]
    assert np.ptp(read_image(project.root / result.outputs[0])) > 100


def test_faces_that_were_cut_anew_are_refused_or_accepted(project: Project) -> None:
    write_png(project.root / "faces/lesson/f000004-0.png", drawn_face(0, 1))
    with pytest.raises(ProjectError, match="1 of 6 have another crop"):
        gradcam(project, GradcamSettings())
    result = gradcam(project, GradcamSettings(accept_other_crops=True))
    assert result.outputs[0] == f"runs/{RUN_ID}/gradcam/other-crops/grid.png"
    assert "The crops are not those of the training: 1 of 6 have another crop" in result.warnings[0]


def test_a_run_that_recorded_nothing_is_explained_and_says_so(project: Project, tmp_path: Path) -> None:
    (project.root / "runs" / RUN_ID / "crops.csv").unlink()
    assert "does not record its crops" in gradcam(project, GradcamSettings()).warnings[0]


def test_faces_of_pictures_are_found_by_the_rules_of_the_run(project: Project, tmp_path: Path) -> None:
    room = draw_room()
    draw_face(room, (150.0, 130.0), 80.0)
    write_png(tmp_path / "room.png", room)
    settings = GradcamSettings(images=tmp_path / "room.png")
    assert gradcam(project, settings).warnings == ()
    with project.commit() as commit:
        remember(commit, "align", "mark", AlignSettings(min_face=150), result=StageResult())
    (warning,) = gradcam(project, settings, force=True).warnings
    assert "(min_face_px 20), not as the project's are now (min_face_px 150)" in warning
    folder = project.root / "runs" / RUN_ID
    write_record(folder, replace(read_run(folder).record, cutting=None))
    unknown, faceless = gradcam(project, settings).warnings
    assert "does not record how its faces were cut" in unknown
    assert "No face was found in room.png" in faceless


def test_faces_of_pictures_are_looked_for_on_the_device_that_was_asked_for(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def spy(rules: CuttingRules, device: str) -> FaceDetector:
        asked.append(device)
        return make_detector(rules, device)

    monkeypatch.setattr("fercli.stages.gradcam.images.make_detector", spy)
    write_png(tmp_path / "room.png", draw_room())
    gradcam(project, GradcamSettings(images=tmp_path / "room.png", device="cpu"))
    assert asked == ["cpu"]


def test_true_class_of_foreign_pictures_is_not_known(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the true class of --images is unknown"):
        gradcam(project, GradcamSettings(images=tmp_path, target="true"))


def test_missing_picture_is_named(project: Project, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no picture and no folder"):
        gradcam(project, GradcamSettings(images=tmp_path / "nowhere"))


def test_changed_picture_is_other_work_and_an_unreadable_one_beside_it_stops_nothing(
    project: Project, tmp_path: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    write_png(folder / "flat.png", drawn_face(0, 1))
    (folder / "notes.txt").write_text("no picture", encoding="utf-8")
    settings = GradcamSettings(images=folder)
    gradcam(project, settings)
    assert gradcam(project, settings).is_unchanged
    write_png(folder / "flat.png", drawn_face(1, 2))
    assert not gradcam(project, settings).is_unchanged


def test_other_weights_under_the_same_path_are_other_work(project: Project, tmp_path: Path) -> None:
    best = project.root / "runs" / RUN_ID / "checkpoints" / "best.safetensors"
    loaded = load_checkpoint(best)
    path = tmp_path / "mine.safetensors"
    save_checkpoint(path, loaded.tensors, loaded.meta)
    settings = GradcamSettings(checkpoint=str(path))
    gradcam(project, settings)
    assert gradcam(project, settings).is_unchanged
    save_checkpoint(path, {name: tensor * 2 for name, tensor in loaded.tensors.items()}, loaded.meta)
    assert not gradcam(project, settings).is_unchanged
