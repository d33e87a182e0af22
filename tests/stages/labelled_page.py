"""A small project with real crops, and its labelling page without a port."""

from pathlib import Path
from typing import Any

import numpy as np
from starlette.testclient import TestClient

from fercli.core.progress import SILENT
from fercli.core.project import Project
from fercli.core.rows import Face
from fercli.stages.annotate import AnnotateSettings
from fercli.stages.annotate.desk import Desk
from fercli.stages.annotate.seating import fill, read_models
from fercli.vision.images import write_jpeg, write_png
from fercli.web.app import Hosts, Visitor, build_app
from tests.stages.voted import make_faces

HOST = "127.0.0.1:8750"
OWN = {"Origin": f"http://{HOST}"}


def make_project(root: Path, num_subjects: int = 3, num_frames: int = 4) -> Project:
    """`make_faces` with pictures that can be looked at: each crop has a grey of its own."""
    project = make_faces(root, num_subjects, num_frames)
    for number, face in enumerate(project.rows(Face)):
        write_png(root / face.path, np.full((32, 32, 3), 20 + 3 * number % 230, dtype=np.uint8))
        write_jpeg(root / f"frames/{face.frame_id}.jpg", np.full((90, 160, 3), 80, dtype=np.uint8))
    return project


class Page:
    """The page as an annotator's browser sees it."""

    def __init__(self, project: Project, *annotators: str, **settings: Any) -> None:
        self.desk = Desk(project, {name: f"name of {name}" for name in annotators or ("a1",)})
        chosen = AnnotateSettings(**settings)
        fill(self.desk, chosen, read_models(project, chosen, SILENT))
        visitors = {f"token-{name}": Visitor(name) for name in self.desk.names}
        self.client = TestClient(build_app(self.desk, visitors, Hosts(frozenset({"127.0.0.1"}), 8750)))
        self.client.base_url = f"http://{HOST}"
        self._number = 0

    def get(self, path: str, annotator: str = "a1", **headers: str) -> Any:
        return self.client.get(path, headers={"Authorization": f"Bearer token-{annotator}", **headers})

    def post(self, path: str, body: Any, annotator: str = "a1", **headers: str) -> Any:
        own = {"Authorization": f"Bearer token-{annotator}", **OWN, **headers}
        return self.client.post(path, json=body, headers=own)

    def next(self, annotator: str = "a1", window: str = "w1", held: tuple[str, ...] = (), num: int = 50) -> list[str]:
        """The codes of the next faces."""
        asked = {"window": window, "held": held, "num": num}
        return [item["code"] for item in self.post("/api/next", asked, annotator).json()["items"]]

    def vote(self, code: str, label: str, annotator: str = "a1", **more: Any) -> Any:
        self._number += 1
        body = {"id": f"vote-{annotator}-{self._number:04d}", "code": code, "label": label, **more}
        body.setdefault("at", f"2026-01-01T00:{self._number // 60:02d}:{self._number % 60:02d}.000001Z")
        return self.post("/api/save", body, annotator)

    def face(self, code: str, annotator: str = "a1") -> str:
        """The face behind a code."""
        return self.desk.seats[annotator].item_of(code)[0]
