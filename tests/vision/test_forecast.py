"""Which frames `every` will choose, told by their times alone."""

from pathlib import Path

import pytest

from fercli.vision.keyframes.forecast import forecast_every
from fercli.vision.video.reader import VideoReader, scan_video
from tests.vision.videos import pattern, write_video


@pytest.mark.parametrize("fps", [7, 25, 30])
@pytest.mark.parametrize(("step_s", "start_s", "end_s"), [(1.0, 0.0, None), (0.3, 0.5, 2.9), (0.02, 0.0, None)])
def test_forecast_is_what_the_reader_gives(
    tmp_path: Path, fps: int, step_s: float, start_s: float, end_s: float | None
) -> None:
    video = write_video(tmp_path / "v.mp4", [pattern(index) for index in range(4 * fps)], fps=fps)
    reader = VideoReader(video, start_s=start_s, end_s=end_s)
    given = [frame.time_s for frame in reader.every(step_s)]
    forecast = forecast_every(scan_video(video).times_s, step_s, start_s=start_s, end_s=end_s)
    assert forecast.tolist() == pytest.approx(given, abs=1e-9)


def test_nothing_is_chosen_of_nothing(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", [pattern(0)], fps=10)
    assert forecast_every(scan_video(video).times_s, 1.0, start_s=5.0).size == 0
