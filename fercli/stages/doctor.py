"""`fer doctor`: check the machine and the project."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fercli.core.batch import interrupted
from fercli.core.errors import FerError
from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Frame, Video
from fercli.core.runs import linked_runs
from fercli.core.words import counted
from fercli.stages.table import words_of

State = Literal["ok", "note", "problem"]
_PACKAGES = ("torch", "torchvision", "opencv-python-headless", "av", "mtcnn", "grad-cam", "pandas", "scikit-learn")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `hint` says how to mend a problem."""

    name: str
    state: State
    detail: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class DoctorResult(StageResult):
    """All findings, those of the machine first."""

    findings: tuple[Finding, ...]


def doctor(project: Project | None = None, refusal: FerError | None = None) -> DoctorResult:
    """Look at everything that makes commands fail: packages, the accelerator, the codecs, the disk, lost files.

    Args:
        project: the one that is looked at.
        refusal: why there is none, where a project is there that cannot be opened.
    """
    looks: list[Callable[[], list[Finding]]] = [_python, _packages, _opencv, _torch, _mtcnn, _h264]
    findings = [finding for look in looks for finding in _guarded(look)]
    findings += _disk(project.root if project else Path.cwd())
    findings += [Finding("project", "problem", refusal.message, refusal.hint)] if refusal else []
    if project:
        findings += _project_files(project)
    problems = [finding for finding in findings if finding.state == "problem"]
    failed = tuple(f"{finding.name}: {finding.detail}. {finding.hint}" for finding in problems)
    return DoctorResult(findings=tuple(findings), failed_checks=failed)


def _guarded(look: Callable[[], list[Finding]]) -> list[Finding]:
    # Whatever a broken installation raises is a finding of its own.
    try:
        return look()
    except Exception as error:
        name = look.__name__.strip("_")
        return [
            Finding(name, "problem", f"{type(error).__name__}: {error}", "Install fercli again in a new environment.")
        ]


def _python() -> list[Finding]:
    processors = counted(os.cpu_count() or 1, "processor")
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {processors}"
    return [Finding("python", "ok" if sys.version_info >= (3, 11) else "problem", detail)]


def _packages() -> list[Finding]:
    findings = []
    for name in _PACKAGES:
        try:
            findings.append(Finding(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(name, "problem", "not installed", "Run: pip install fercli"))
    return findings


def _opencv() -> list[Finding]:
    # Both packages own the folder cv2/; having both breaks it, and taking one out deletes it.
    variants = ("opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless")
    others = [name for name in variants if _is_installed(name)]
    if not others:
        return [Finding("opencv variants", "ok", "headless only")]
    hint = f"Run: pip uninstall -y {' '.join(others)} opencv-python-headless && pip install opencv-python-headless"
    return [Finding("opencv variants", "problem", f"{', '.join(others)} beside the headless build", hint)]


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _torch() -> list[Finding]:
    # A package that is broken or missing is a finding, so each look loads its own.
    import torch

    from fercli.learn.device import choose_machine

    if torch.cuda.is_available():
        device = f"cuda: {torch.cuda.get_device_name(0)}"
    elif torch.backends.mps.is_available():
        device = "mps: Apple's GPU"
    else:
        device = f"cpu, {counted(torch.get_num_threads(), 'thread')}"
    processor = choose_machine("cpu")
    return [
        Finding("device", "ok", device),
        Finding("bf16 on the processor", "ok" if processor.precision == "bf16" else "note", processor.reason),
    ]


def _mtcnn() -> list[Finding]:
    # As in _torch: what cannot be loaded is a finding.
    from fercli.vision.mtcnn.detector import FaceDetector

    FaceDetector()
    return [Finding("mtcnn weights", "ok", "OK")]


def _h264() -> list[Finding]:
    # As in _torch: what cannot be loaded is a finding.
    import av.codec

    if "libx264" in av.codec.codecs_available or "h264" in av.codec.codecs_available:
        return [Finding("H.264", "ok", "reads and writes")]
    return [Finding("H.264", "problem", "no encoder", "Install PyAV's own wheel: pip install --force-reinstall av")]


def _disk(folder: Path) -> list[Finding]:
    free_gb = shutil.disk_usage(folder).free / 1e9
    state: State = "ok" if free_gb > 5 else "note" if free_gb > 1 else "problem"
    return [Finding("free disk", state, f"{free_gb:.1f} GB", "" if state == "ok" else "Free some space.")]


def _project_files(project: Project) -> list[Finding]:
    findings = []
    kinds: tuple[tuple[type[Any], str], ...] = ((Video, "videos"), (Frame, "frames"), (Face, "faces"))
    for kind, name in kinds:
        try:
            rows = project.rows(kind)
        except FerError as error:
            findings.append(Finding("tables", "problem", error.message, error.hint))
            continue
        findings += _files_of(project, name, sorted({row.path.partition("#")[0] for row in rows} - {""}))
        findings += _changed_videos(project, rows) if kind is Video else []
    findings += _linked_runs(project)
    for name in interrupted(project.root):
        hint = "Run the same command to resume."
        findings.append(Finding("stages", "note", f"'fer {words_of(name)}' was interrupted", hint))
    return findings


def _files_of(project: Project, name: str, paths: list[str]) -> list[Finding]:
    """The files that a table names: how many are gone, and how many are none that a project may name."""
    lost, refused = [], []
    for path in paths:
        try:
            # What is committed and waits for its place is there.
            if not project.has(project.inside(path, f"{name}.csv")):
                lost.append(path)
        except FerError as error:
            refused.append(error)
    findings = []
    if refused:
        more = f" (and {len(refused) - 1:,} more)" if len(refused) > 1 else ""
        findings.append(Finding(f"{name} paths", "problem", f"{refused[0].message}{more}", refused[0].hint))
    if lost:
        detail = f"{len(lost)} of {counted(len(paths), 'file is', 'files are')} gone, the first is '{lost[0]}'"
        hint = "Restore them, or run the stage with --force."
        return [*findings, Finding(f"{name} files", "problem", detail, hint)]
    return [*findings, Finding(f"{name} files", "ok", f"{len(paths) - len(refused):,}, none missing")]


def _changed_videos(project: Project, videos: list[Video]) -> list[Finding]:
    findings = []
    for video in videos:
        try:
            changed = project.places.changed_videos([video])
        except FerError:
            continue  # said already
        hint = "Add the new version under another name."
        findings += [Finding(f"video {name}", "problem", "file changed since it was added", hint) for name in changed]
    return findings


def _linked_runs(project: Project) -> list[Finding]:
    hint = "Move the folder into runs/, or remove the link."
    return [
        Finding(f"run {folder.name}", "problem", "its folder is a link that leads out of the project", hint)
        for folder in linked_runs(project.root)
    ]
