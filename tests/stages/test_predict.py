import csv
import importlib.util
import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fercli.core.errors import InputError, MediaError, MissingStageError, UsageError
from fercli.core.memory import remember
from fercli.core.project import Project, create_project
from fercli.core.results import StageResult
from fercli.core.runs import read_run, write_record
from fercli.learn.checkpoints import load_checkpoint, save_checkpoint
from fercli.stages.add import AddSettings, add
from fercli.stages.align import AlignSettings
from fercli.stages.predict import FacePrediction, PredictSettings, predict
from fercli.stages.predict.files import faces_at
from fercli.stages.predict.predictor import Prediction, Predictor
from fercli.vision.images import read_image, write_png
from fercli.vision.media import MediaItem
from fercli.vision.video.reader import VideoReader
from tests.stages.trained import CLASSES, RUN_ID, drawn_face, trained_project, write_run
from tests.vision.drawn import draw_face, draw_room
from tests.vision.videos import write_video

WITH_OPENVINO = pytest.mark.skipif(not importlib.util.find_spec("openvino"), reason="openvino is not installed")
FOLDER = f"exports/predict/{RUN_ID}"
NUM_FRAMES = 12


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two faces at ten frames a second; the right one moves by four pixels a frame."""
    frames = []
    for number in range(NUM_FRAMES):
        frame = draw_room(200, 360)
        draw_face(frame, (90.0, 100.0), 70.0)
        draw_face(frame, (230.0 + 4 * number, 100.0), 84.0)
        frames.append(frame)
    return write_video(tmp_path_factory.mktemp("video") / "Two Pupils.mp4", frames, fps=10)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return trained_project(tmp_path / "mine")


def rows(project: Project, name: str) -> list[dict[str, str]]:
    with (project.root / FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rows_at(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_video_gives_a_table_and_a_video_with_all_its_frames(project: Project, video: Path) -> None:
    result = predict(project, PredictSettings(out=("csv", "json", "video")), [str(video)])
    assert result.outputs == tuple(f"{FOLDER}/two-pupils.{suffix}" for suffix in ("csv", "json", "mp4"))
    assert (result.run, result.num_looked_at, result.num_without_faces, result.num_faces) == (RUN_ID, 6, 0, 12)
    assert sum(result.predicted.values()) == 12
    given = [frame.time_s for frame in VideoReader(video)]
    drawn = [frame.time_s for frame in VideoReader(project.root / FOLDER / "two-pupils.mp4")]
    assert len(drawn) == NUM_FRAMES == result.num_written_frames
    assert drawn == pytest.approx(given, abs=1e-3)


def test_table_holds_box_time_and_probabilities_of_each_face(project: Project, video: Path) -> None:
    predict(project, PredictSettings(out=("csv",)), [str(video)])
    table = rows(project, "two-pupils.csv")
    assert [row["face_id"] for row in table[:3]] == [f"two-pupils/f{n}" for n in ("000000-0", "000000-1", "000002-0")]
    assert sorted({int(row["frame"]) for row in table}) == [0, 2, 4, 6, 8, 10]
    for row in table:
        assert float(row["time_s"]) == pytest.approx(int(row["frame"]) / 10)
        shares = {name: float(row[f"p_{name}"]) for name in CLASSES}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-4)
        assert row["predicted"] == max(shares, key=shares.__getitem__)
        centre = float(row["left"]) + float(row["width"]) / 2
        assert min(abs(centre - 90), abs(centre - 230 - 4 * int(row["frame"]))) < 15


def test_each_pupil_is_one_track(project: Project, video: Path) -> None:
    predict(project, PredictSettings(out=("csv",)), [str(video)])
    sides = {(row["track"], float(row["left"]) < 150) for row in rows(project, "two-pupils.csv")}
    assert len(sides) == 2
    assert len({track for track, _ in sides}) == 2


def test_drawn_video_differs_from_its_input_at_the_faces(project: Project, video: Path) -> None:
    predict(project, PredictSettings(out=("video",)), [str(video)])
    drawn = list(VideoReader(project.root / FOLDER / "two-pupils.mp4"))
    for given, shown in zip(VideoReader(video), drawn, strict=True):
        change = np.abs(given.rgb().astype(int) - shown.rgb()).max(axis=2)
        assert (change > 80).sum() > 400
        assert (change[180:] > 80).sum() == 0


def test_json_holds_the_same_faces(project: Project, video: Path) -> None:
    predict(project, PredictSettings(out=("csv", "json")), [str(video)])
    values = json.loads((project.root / FOLDER / "two-pupils.json").read_text(encoding="utf-8"))
    assert (values["schema"], values["run"], values["classes"]) == ("fer.predictions/1", RUN_ID, list(CLASSES))
    table = rows(project, "two-pupils.csv")
    assert [face["face_id"] for face in values["faces"]] == [row["face_id"] for row in table]
    assert set(values["faces"][0]["probabilities"]) == set(CLASSES)


def test_every_zero_looks_at_each_frame(project: Project, video: Path) -> None:
    result = predict(project, PredictSettings(out=("csv",), every_s=0.0, limit=5), [str(video)])
    assert (result.num_looked_at, result.num_faces) == (5, 10)


def test_limit_ends_the_drawn_video_too(project: Project, video: Path) -> None:
    result = predict(project, PredictSettings(out=("video",), limit=2), [str(video)])
    assert result.num_written_frames == 3


def test_second_call_does_nothing_and_force_gives_the_same_bytes(project: Project, video: Path) -> None:
    settings = PredictSettings(out=("csv", "video"))
    first = predict(project, settings, [str(video)])
    before = {path: (project.root / path).read_bytes() for path in first.outputs}
    assert predict(project, settings, [str(video)]).is_unchanged
    assert not predict(project, settings, [str(video)], force=True).is_unchanged
    assert {path: (project.root / path).read_bytes() for path in first.outputs} == before


def test_other_rules_of_align_are_other_work_for_a_run_that_recorded_none(project: Project, video: Path) -> None:
    folder = project.root / "runs" / RUN_ID
    write_record(folder, replace(read_run(folder).record, cutting=None))
    settings = PredictSettings(out=("csv",), limit=1)
    assert predict(project, settings, [str(video)]).num_faces == 2
    with project.commit() as commit:
        remember(commit, "align", "mark", AlignSettings(min_face=150), result=StageResult())
    assert predict(project, settings, [str(video)]).num_faces == 0


def test_another_medium_leaves_the_first_one_known(project: Project, video: Path, tmp_path: Path) -> None:
    settings = PredictSettings(out=("csv",))
    other = write_video(tmp_path / "empty.mp4", [draw_room(64, 64)] * 3, fps=10)
    predict(project, settings, [str(video)])
    predict(project, settings, [str(other)])
    assert predict(project, settings, [str(video)]).is_unchanged


@pytest.mark.parametrize("is_old", [False, True], ids=["noted", "of an older version"])
def test_medium_of_the_same_name_takes_another_and_each_keeps_its_own(
    project: Project, video: Path, tmp_path: Path, *, is_old: bool
) -> None:
    settings = PredictSettings(out=("csv",))
    namesake = write_video(tmp_path / video.name, [draw_room(64, 64)] * 3, fps=10)
    predict(project, settings, [str(video)])
    before = (project.root / FOLDER / "two-pupils.csv").read_bytes()
    if is_old:
        (project.root / FOLDER / "sources.json").unlink()
    for _ in range(2):
        assert predict(project, settings, [str(namesake)], force=True).outputs == (f"{FOLDER}/two-pupils-2.csv",)
    assert (project.root / FOLDER / "two-pupils.csv").read_bytes() == before
    assert predict(project, settings, [str(video)]).is_unchanged
    # Where an older version's table came from is not known under other words: it is left as it is.
    name = "two-pupils-3" if is_old else "two-pupils"
    both = predict(project, settings, [str(namesake), str(video)])
    assert both.outputs == (f"{FOLDER}/two-pupils-2.csv", f"{FOLDER}/{name}.csv")
    assert (project.root / FOLDER / "two-pupils.csv").read_bytes() == before


def test_faces_are_cut_by_the_rules_of_the_run(project: Project, video: Path) -> None:
    rules = {"size": 112, "margin": 0.0, "template": "arcface", "min_confidence": 0.9, "min_face_px": 20}
    folder = project.root / "runs" / RUN_ID
    write_record(folder, replace(read_run(folder).record, cutting=rules))
    settings = PredictSettings(out=("csv",), limit=1)
    assert predict(project, settings, [str(video)]).warnings == ()
    before = (project.root / FOLDER / "two-pupils.csv").read_bytes()
    with project.commit() as commit:
        remember(commit, "align", "mark", AlignSettings(min_face=150, margin=0.6), result=StageResult())
    result = predict(project, settings, [str(video)], force=True)
    assert (project.root / FOLDER / "two-pupils.csv").read_bytes() == before
    (warning,) = result.warnings
    assert "(margin 0, min_face_px 20), not as the project's are now (margin 0.6, min_face_px 150)" in warning


def test_an_ensemble_averages_the_probabilities_of_its_runs(project: Project, video: Path) -> None:
    other = "20260102-000000-drf-msam"
    folder = write_run(project, other)
    best = folder / "checkpoints" / "best.safetensors"
    saved = load_checkpoint(best)
    save_checkpoint(best, {name: value * 1.5 for name, value in saved.tensors.items()}, saved.meta)
    settings = PredictSettings(out=("csv",), limit=1)
    tables = [predict(project, settings, [str(video)], run) for run in (RUN_ID, other)]
    both = predict(project, replace(settings, ensemble=(other,)), [str(video)], RUN_ID)
    assert both.outputs != tables[0].outputs
    one, two, mean = (rows_at(project.root / table.outputs[0]) for table in (*tables, both))
    assert one[0]["p_happy"] != two[0]["p_happy"]
    for first, second, third in zip(one, two, mean, strict=True):
        for name in CLASSES:
            expected = (float(first[f"p_{name}"]) + float(second[f"p_{name}"])) / 2
            assert float(third[f"p_{name}"]) == pytest.approx(expected, abs=2e-6)


def test_an_ensemble_of_runs_whose_faces_were_cut_otherwise_is_refused(project: Project, video: Path) -> None:
    folder = write_run(project, "20260102-000000-drf-msam")
    record = read_run(folder).record
    write_record(folder, replace(record, cutting={**(record.cutting or {}), "margin": 0.6}))
    settings = PredictSettings(out=("csv",), ensemble=(folder.name,))
    with pytest.raises(UsageError, match="were cut by different rules"):
        predict(project, settings, [str(video)], RUN_ID)


def test_weights_other_than_the_best_have_a_folder_of_their_own(project: Project, video: Path) -> None:
    checkpoints = project.root / "runs" / RUN_ID / "checkpoints"
    for suffix in ("safetensors", "json"):
        shutil.copy(checkpoints / f"best.{suffix}", checkpoints / f"last.{suffix}")
    result = predict(project, PredictSettings(out=("csv",), limit=1, checkpoint="last"), [str(video)])
    assert result.outputs == (f"{FOLDER}-last/two-pupils.csv",)


def test_folder_of_pictures_gives_one_table_and_drawn_pictures(project: Project, video: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Photos"
    folder.mkdir()
    for number, frame in enumerate(list(VideoReader(video))[:2]):
        write_png(folder / f"Photo {number}.png", frame.rgb())
    write_png(folder / "wall.png", draw_room(200, 360))
    (folder / "notes.txt").touch()
    (folder / "cut.png").write_bytes((folder / "wall.png").read_bytes()[:200])
    result = predict(project, PredictSettings(), [str(folder)])
    assert (result.num_looked_at, result.num_without_faces, result.num_faces, result.num_foreign) == (3, 1, 4, 1)
    assert [Path(failure.item).name for failure in result.failures] == ["cut.png"]
    table = rows(project, "photos.csv")
    assert [row["picture"] for row in table] == ["Photo 0.png"] * 2 + ["Photo 1.png"] * 2
    drawn = read_image(project.root / FOLDER / "photos" / "photo-0.jpg")
    assert np.abs(drawn.astype(int) - np.kron(read_image(folder / "Photo 0.png"), np.ones((2, 2, 1)))).max() > 80


def test_cut_out_faces_are_taken_whole_when_asked(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    folder.mkdir()
    for place in range(3):
        write_png(folder / f"{place}.png", drawn_face(1, place))
    result = predict(project, PredictSettings(cropped=True), [str(folder)])
    assert (result.num_faces, result.num_without_faces) == (3, 0)
    assert [(row["left"], row["width"], row["confidence"]) for row in rows(project, "crops.csv")] == [
        ("0.0", "64.0", "")
    ] * 3


def test_video_without_a_face_says_so(project: Project, tmp_path: Path) -> None:
    path = write_video(tmp_path / "empty-room.mp4", [draw_room(120, 160)] * 3)
    result = predict(project, PredictSettings(), [str(path)])
    assert (result.num_faces, result.num_without_faces, result.num_written_frames) == (0, 1, 3)
    assert any("no face was found" in text for text in result.warnings)


def test_video_of_the_project_is_named_by_its_id(project: Project, video: Path) -> None:
    add(project, AddSettings(), [video])
    assert predict(project, PredictSettings(out=("csv",), limit=1), ["two-pupils"]).num_faces == 2


def test_unknown_medium_gets_a_suggestion(project: Project, video: Path) -> None:
    add(project, AddSettings(), [video])
    with pytest.raises(InputError, match="no file, folder or video 'two-pupil'") as caught:
        predict(project, PredictSettings(), ["two-pupil"])
    assert "two-pupils" in caught.value.hint


def test_unreadable_video_is_an_error_alone_and_a_failure_beside_others(
    project: Project, video: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("no video", encoding="utf-8")
    with pytest.raises(MediaError, match="cannot open video"):
        predict(project, PredictSettings(), [str(tmp_path / "text.mp4")])
    both = [str(tmp_path / "text.mp4"), str(video)]
    result = predict(project, PredictSettings(out=("csv",), limit=1), both)
    assert [failure.item for failure in result.failures] == ["text.mp4"]
    assert result.num_faces == 2


@pytest.mark.parametrize("is_lost", [False, True], ids=["kept", "lost"])
def test_killed_call_goes_on_behind_the_last_finished_video(
    project: Project, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_lost: bool
) -> None:
    second = write_video(tmp_path / "second.mp4", [draw_room(200, 360)] * 12, fps=10)
    both = [str(video), str(second)]
    looked: list[str] = []
    look_at = Predictor.look_at

    def look(self: Predictor, item: MediaItem, name: str) -> Prediction:
        looked.append(name)
        if looked == ["two-pupils", "second"]:
            raise KeyboardInterrupt
        return look_at(self, item, name)

    monkeypatch.setattr(Predictor, "look_at", look)
    with pytest.raises(KeyboardInterrupt):
        predict(project, PredictSettings(), both)
    if is_lost:
        next((project.root / ".fer" / "running").rglob("two-pupils.csv")).unlink()
    result = predict(project, PredictSettings(), both)
    assert looked[2:] == (["two-pupils", "second"] if is_lost else ["second"])
    files = {path: (project.root / path).read_bytes() for path in result.outputs}
    monkeypatch.undo()
    whole = predict(project, PredictSettings(), both, force=True)
    assert (whole.num_media, whole.num_faces, whole.num_written_frames, whole.predicted) == (
        result.num_media, result.num_faces, result.num_written_frames, result.predicted,
    )  # fmt: skip
    assert whole.outputs == result.outputs
    assert {path: (project.root / path).read_bytes() for path in whole.outputs} == files
    assert predict(project, PredictSettings(), both).is_unchanged


@pytest.mark.parametrize("start_s", [0.0, 2.0])
def test_video_that_ends_before_the_start_fails_alone_and_keeps_its_old_table(
    project: Project, video: Path, tmp_path: Path, start_s: float
) -> None:
    longer = write_video(tmp_path / "longer.mp4", [draw_room(200, 360)] * 40, fps=10)
    both = [str(video), str(longer)]
    predict(project, PredictSettings(out=("csv",)), both)
    before = (project.root / FOLDER / "two-pupils.csv").read_bytes()
    result = predict(project, PredictSettings(out=("csv", "video"), start_s=start_s), both)
    assert [failure.item for failure in result.failures] == (["Two Pupils.mp4"] if start_s else [])
    assert all("has no frame between --start and --end" in failure.reason for failure in result.failures)
    assert (project.root / FOLDER / "two-pupils.csv").read_bytes() == before


def test_end_before_the_start_is_refused(project: Project, video: Path) -> None:
    with pytest.raises(UsageError, match="'--end 5s' is not after '--start 10s'"):
        predict(project, PredictSettings(start_s=10.0, end_s=5.0), [str(video)])


def test_video_that_changes_its_size_is_drawn_in_that_of_its_first_frame(project: Project, tmp_path: Path) -> None:
    small, large = draw_room(200, 360), draw_room(300, 540)
    draw_face(small, (90.0, 100.0), 70.0)
    draw_face(large, (200.0, 150.0), 90.0)
    parts = [
        write_video(tmp_path / f"{number}.ts", [picture] * 10, times=[Fraction(10 * number + n, 10) for n in range(10)])
        for number, picture in enumerate((small, large))
    ]
    call = tmp_path / "call.ts"
    call.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert len({frame.rgb().shape for frame in VideoReader(call)}) == 2
    result = predict(project, PredictSettings(out=("csv", "video"), every_s=0.5), [str(call)])
    assert result.num_faces == result.num_looked_at == 4
    drawn = [frame.rgb() for frame in VideoReader(project.root / FOLDER / "call.mp4")]
    assert {picture.shape for picture in drawn} == {small.shape}
    assert len(drawn) == 20


@WITH_OPENVINO
def test_openvino_finds_the_faces_and_torch_judges_them(project: Project, video: Path) -> None:
    tables = []
    for device in ("cpu", "openvino:f32"):
        predict(project, PredictSettings(out=("csv",), device=device), [str(video)])
        tables.append(rows(project, "two-pupils.csv"))
    assert len(tables[0]) == 12
    for here, there in zip(*tables, strict=True):
        assert (there["face_id"], there["track"]) == (here["face_id"], here["track"])
        for column in ("left", "top", "width", "height"):
            assert float(there[column]) == pytest.approx(float(here[column]), abs=0.5)
        for emotion in CLASSES:
            assert float(there[f"p_{emotion}"]) == pytest.approx(float(here[f"p_{emotion}"]), abs=0.05)


def test_limit_does_not_bring_the_work_of_a_cluster_here(project: Project, video: Path) -> None:
    with pytest.raises(UsageError, match="--engine ray needs --address HOST:PORT"):
        predict(project, PredictSettings(out=("csv",), limit=1, engine="ray"), [str(video)])


def test_project_without_a_run_names_the_command(tmp_path: Path, video: Path) -> None:
    empty = create_project(tmp_path / "empty", name="p", classes=("happy", "sad"))
    with pytest.raises(MissingStageError, match="no finished run"):
        predict(empty, PredictSettings(), [str(video)])


def test_dry_run_writes_nothing(project: Project, video: Path) -> None:
    result = predict(project, PredictSettings(), [str(video)], dry_run=True)
    assert result.plan == (f"predict the faces of 'Two Pupils.mp4' with run {RUN_ID}",)
    assert not (project.root / "exports").exists()


def face(frame: int, left: float, track: str) -> FacePrediction:
    return FacePrediction(
        f"v/f{frame}-0", frame, frame / 10, "", track, left, 0, 10, 10, 1.0, "a", "a", 1.0, {"a": 1.0}
    )


def test_boxes_move_from_look_to_look_along_their_track() -> None:
    item = MediaItem("v", (Path("v.mp4"),), is_pictures=False, key="")
    looks = ((face(0, 0.0, "t000"),), (face(2, 20.0, "t000"), face(2, 90.0, "t001")), ())
    prediction = Prediction("v", item, (0.0, 0.2, 0.4), looks)
    lefts = {time_s: [found.left for found in faces_at(prediction, time_s)] for time_s in (0.0, 0.05, 0.1, 0.2, 0.3)}
    assert lefts[0.0] == [0.0]
    assert lefts[0.05] == [pytest.approx(5.0)]
    assert lefts[0.1] == [pytest.approx(10.0)]
    assert lefts[0.2] == lefts[0.3] == [20.0, 90.0]
    assert list(faces_at(prediction, 0.4)) == []
    assert list(faces_at(prediction, -0.1)) == []


@pytest.mark.real_data
def test_three_people_are_seen_in_each_frame(real_data: Path, tmp_path: Path) -> None:
    project = trained_project(tmp_path / "mine")
    result = predict(project, PredictSettings(every_s=0.5), [str(real_data / "videos" / "three-people.gif")])
    assert result.num_looked_at == 7
    assert 20 <= result.num_faces <= 21
    assert result.num_written_frames == 41
    given = [frame.time_s for frame in VideoReader(real_data / "videos" / "three-people.gif")]
    drawn = [frame.time_s for frame in VideoReader(project.root / FOLDER / "three-people.mp4")]
    assert drawn == pytest.approx(given, abs=1e-4)
