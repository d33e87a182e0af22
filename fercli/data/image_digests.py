"""Crops of faces to digests of their bytes, to find the same picture twice."""

import hashlib
from collections.abc import Iterable
from typing import Any

from fercli.core.files import sha256_of
from fercli.core.progress import SILENT, Progress
from fercli.core.project import Project
from fercli.core.rows import Face


def image_digests(project: Project, faces: Iterable[Face], *, progress: Progress = SILENT) -> dict[str, str]:
    """SHA-256 of each face's file, or of its row in a packed file; the empty string where there is no such file."""
    faces = list(faces)
    progress.start("comparing images", len(faces))
    packs: dict[str, Any] = {}  # arrays by file name; numpy is imported late
    digests = {}
    for face in faces:
        digests[face.face_id] = _digest(project, face.path, packs)
        progress.advance()
    return digests


def _digest(project: Project, path: str, packs: dict[str, Any]) -> str:
    name, _, row = path.partition("#")
    if not name or not (project.root / name).is_file():
        return ""
    if not row:
        return sha256_of(project.root / name)
    if name not in packs:
        import numpy as np

        packs[name] = np.load(project.root / name, mmap_mode="r", allow_pickle=False)
    return hashlib.sha256(packs[name][int(row)].tobytes()).hexdigest()
