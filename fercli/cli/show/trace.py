"""What is known of one face, line by line."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fercli.core.rows import Face
from fercli.core.words import counted
from fercli.stages.trace import TraceResult


def show_trace(result: TraceResult, *_: Any) -> bool:
    """Print where a face comes from and what became of it."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for what, text in _lines(result):
        table.add_row(Text(what, style="dim"), Text(text))
    Console(highlight=False).print(Text(result.face.face_id, style="bold"), table)
    return True


def _lines(result: TraceResult) -> list[tuple[str, str]]:
    face, label = result.face, result.label
    lines = [("video", result.video.path if result.video else "none (added as a crop)")]
    origin = (
        face.origin or (result.frame.origin if result.frame else "") or (result.video.origin if result.video else "")
    )
    if origin:
        lines.append(("origin", origin))
    if result.frame:
        at = f" at {result.frame.time_s:.3f} s" if result.frame.time_s is not None else ""
        kept = result.frame.path or "not saved, decoded from the video"
        lines.append(("frame", f"{kept} (frame {result.frame.frame_index}{at})"))
    lines += [("face", _box(face)), ("status", face.status + (f": {face.reason}" if face.reason else ""))]
    lines.append(("subject", f"{face.subject_id or 'unknown'} {face.track_id}".rstrip()))
    lines += [("vote", f"{vote.annotator}: {vote.label}  ({vote.source})") for vote in result.votes]
    if label:
        share = f", {label.agreement:.0%} of {counted(label.num_votes, 'vote')}" if label.agreement is not None else ""
        lines.append(("label", f"{label.label or 'none'} ({label.status}, {label.rule}{share})"))
    lines += [(f"split {name}", split) for name, split in result.splits.items()]
    for one in result.predictions:
        verdict = "correct" if one.predicted == one.label else f"incorrect; label: {one.label}"
        lines.append(
            ("prediction", f"{one.predicted} {one.probability:.0%} ({verdict}), run {one.run_id}, {one.split}")
        )
    return lines


def _box(face: Face) -> str:
    if face.left is None or face.top is None or face.width is None or face.height is None:
        return f"given as a crop, source row {face.source_row}" if face.source_row is not None else "given as a crop"
    sure = f", confidence {face.confidence:.3f}" if face.confidence is not None else ""
    return f"{face.width:.0f} x {face.height:.0f} pixels at ({face.left:.0f}, {face.top:.0f}){sure}"
