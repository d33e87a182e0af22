import json
from pathlib import Path

from tests.cli.run import run_fer
from tests.stages.trained import RUN_ID, trained_project
from tests.vision.drawn import draw_face, draw_room
from tests.vision.videos import write_video


def lesson(folder: Path) -> Path:
    frame = draw_room(200, 240)
    draw_face(frame, (120.0, 100.0), 80.0)
    return write_video(folder / "lesson.mp4", [frame] * 4, fps=10)


def test_predict_says_what_it_saw_and_where_it_lies(tmp_path: Path) -> None:
    root = trained_project(tmp_path / "mine").root
    code, out, _ = run_fer("predict", lesson(tmp_path), "--run", RUN_ID, "--out", "csv,json", "-p", root)
    assert code == 0
    assert f"exports/predict/{RUN_ID}/lesson.json" in out
    code, out, _ = run_fer("predict", lesson(tmp_path), "--every", "0", "-p", root, "--json")
    assert code == 0
    assert json.loads(out)["result"]["num_faces"] == 4


def test_predict_of_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    root = trained_project(tmp_path / "mine").root
    code, _, err = run_fer("predict", "gone.mp4", "-p", root)
    assert code == 4
    assert "no file, folder or video 'gone.mp4'" in err
