"""extract-frames and align on a Ray cluster, part of which dies: the files of a run on one machine."""

import dataclasses
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fercli.core.project import Project
from fercli.stages.align import AlignSettings, align
from fercli.stages.extract_frames import ExtractFramesSettings, extract_frames
from fercli.stages.extract_frames import work as extraction
from fercli.stages.predict import PredictSettings, predict
from fercli.stages.predict import parts as predict_parts
from fercli.stages.predict import predictor as predict_media
from tests.engine.clusters import started_cluster
from tests.stages.filmed import film, filmed_project
from tests.stages.trained import RUN_ID, trained_project

pytestmark = pytest.mark.cluster
EVERY = ExtractFramesSettings(every_s=0.2)
QUICK = AlignSettings(min_face=40, min_confidence=0.8, device="cpu")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with started_cluster() as started:
        yield started


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("films")
    return [film(folder / f"{name}.mp4", 60, seed) for seed, name in enumerate("abc")]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, videos: list[Path]) -> Project:
    """What one process of this machine makes."""
    project = filmed_project(tmp_path_factory.mktemp("here") / "project", videos)
    extract_frames(project, EVERY)
    align(project, QUICK)
    return project


def files(project: Project) -> dict[str, bytes]:
    folders = ("manifests", "frames", "faces")
    paths = (path for folder in folders for path in (project.root / folder).rglob("*") if path.is_file())
    return {path.relative_to(project.root).as_posix(): path.read_bytes() for path in sorted(paths)}


class Disaster:
    """Does harm when so much is done."""

    def __init__(self, at: int, harm: Callable[[], None]) -> None:
        self.at, self.harm, self.done = at, harm, 0

    def start(self, task: str, total: int | None = None) -> None: ...

    def advance(self, num_items: int = 1, **fields: str) -> None:
        self.done += 1
        if self.done == self.at:
            self.harm()

    def note(self, text: str) -> None: ...

    def add_row(self, cells: Mapping[str, str]) -> None: ...


@contextmanager
def killing_a_worker() -> Iterator[None]:
    """Kill the first process of the cluster that is seen at work within; fails when none was."""
    is_over, killed = threading.Event(), threading.Event()

    def watch() -> None:
        while not (is_over.is_set() or killed.is_set()):
            if (pid := worker_at_work()) is not None:
                os.kill(pid, signal.SIGKILL)
                killed.set()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
    assert killed.is_set(), "no process of the cluster was at work"


def worker_at_work() -> int | None:
    """A process of the cluster that does a task; these are below this process."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(path.parent.name)
        try:
            if path.read_bytes().startswith(b"ray::_run") and os.getpid() in ancestors(pid):
                return pid
        except OSError:  # it has ended meanwhile
            continue
    return None


def ancestors(pid: int) -> list[int]:
    found = []
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        found.append(pid)
    return found


def test_cluster_makes_the_files_of_one_machine_though_a_worker_and_a_machine_die(
    here: Project, cluster: Any, videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "_PART_S", 1.0)
    project = filmed_project(tmp_path / "project", videos)
    there = {"engine": "ray", "address": cluster.address}
    with killing_a_worker():
        extract_frames(project, dataclasses.replace(EVERY, **there))  # type: ignore[arg-type]
    result = align(
        project,
        dataclasses.replace(QUICK, **there),  # type: ignore[arg-type]
        progress=Disaster(4, lambda: cluster.remove_node(cluster.second, allow_graceful=False)),
    )
    assert (result.num_faces, result.failures) == (180, ())
    assert files(project) == files(here)
    # Where the work was done is no reason to do it again.
    assert align(project, QUICK).is_unchanged
    assert extract_frames(project, EVERY).is_unchanged


def test_frames_that_were_not_kept_are_decoded_on_the_cluster(
    here: Project, cluster: Any, videos: list[Path], tmp_path: Path
) -> None:
    projects = [filmed_project(tmp_path / name, videos[:1]) for name in ("one", "other")]
    for project in projects:
        extract_frames(project, dataclasses.replace(EVERY, keep=False))
    align(projects[0], QUICK)
    align(projects[1], dataclasses.replace(QUICK, engine="ray", address=cluster.address))
    assert files(projects[0]) == files(projects[1])


@pytest.mark.parametrize(("limit", "num_faces"), [(None, 40), (3, 6)], ids=["all", "limit"])
def test_predictions_of_the_cluster_are_those_of_one_machine(
    cluster: Any,
    videos: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: int | None,
    num_faces: int,
) -> None:
    monkeypatch.setattr(predict_parts, "PART_S", 1.5)
    monkeypatch.setattr(predict_media, "PART_S", 1.5)
    projects = [trained_project(tmp_path / name) for name in ("one", "other")]
    settings = PredictSettings(out=("csv", "json"), every_s=0.3, limit=limit, device="cpu")
    for project, chosen in zip(
        projects, (settings, dataclasses.replace(settings, engine="ray", address=cluster.address)), strict=True
    ):
        assert predict(project, chosen, [str(videos[0])]).num_faces == num_faces
    folders = [project.root / "exports/predict" / RUN_ID for project in projects]
    for name in ("a.csv", "a.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()
