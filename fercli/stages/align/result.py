"""What a run of `fer align` made or would make, in counts and sentences."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from fercli.core.results import Failure, StageResult
from fercli.stages.align.merge import MergedFaces, Record
from fercli.stages.align.plan import AlignPlan, is_realigned

MOST_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class AlignResult(StageResult):
    """What the table of faces holds now.

    Attributes:
        num_frames: frames that were to be looked at, now or in an earlier run.
        num_frames_done: of them, in this run.
        num_frames_without_faces: of them, those in which no face was kept.
        num_faces: faces cut out, over all frames.
        dropped: faces found and not kept, by reason.
        num_gone: faces of an earlier run that are not found any more.
        num_realigned: given crops that were set upright.
        num_given: faces that came as crops.
        device: where this run computed.
    """

    num_frames: int = 0
    num_frames_done: int = 0
    num_frames_without_faces: int = 0
    num_faces: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    num_gone: int = 0
    num_realigned: int = 0
    num_given: int = 0
    device: str = ""


def summarise(
    plan: AlignPlan,
    merged: MergedFaces,
    records: Mapping[str, Record],
    *,
    lost: list[str],
    device: str,
    outputs: tuple[str, ...],
) -> AlignResult:
    """Count what a run has made; `lost` are faces with votes that are gone."""
    looked_at = [item for item in plan.keys if item in plan.frames]
    failures = tuple(Failure(item, record["failure"]) for item, record in records.items() if "failure" in record)
    with_faces = {face.frame_id for face in merged.rows if face.status == "ok"}
    num_ok = sum(face.status == "ok" for face in merged.rows)
    dropped = Counter(face.reason for face in merged.rows if face.status == "dropped")
    return AlignResult(
        num_frames=len(looked_at),
        num_frames_done=sum(item in plan.frames and "failure" not in record for item, record in records.items()),
        num_frames_without_faces=len(set(looked_at) - with_faces - {failure.item for failure in failures}),
        num_faces=num_ok,
        dropped=dict(sorted(dropped.items())),
        num_gone=sum(face.status == "gone" for face in merged.rows),
        num_realigned=sum(is_realigned(face) for face in merged.rows),
        num_given=plan.num_given,
        device=device,
        outputs=outputs,
        warnings=_warnings(plan, num_ok, sum(dropped.values()), lost),
        failures=failures,
        next_command="fer subjects track" if num_ok else "",
    )


def _warnings(plan: AlignPlan, num_ok: int, num_dropped: int, lost: list[str]) -> tuple[str, ...]:
    said = []
    if plan.changes:
        said.append(f"Settings changed ({', '.join(plan.changes)}), so {len(plan.todo)} pictures were done again.")
    if lost:
        said.append(
            f"Faces that have votes are gone ({len(lost)}), as --force allowed: {', '.join(lost[:MOST_NAMED])}."
        )
    if plan.frames and not num_ok:
        said.append("No face was kept in any frame; look at a few frames, and try a smaller --min-face.")
    elif num_dropped > num_ok:
        said.append(f"More faces were dropped ({num_dropped}) than kept ({num_ok}); the reasons are counted above.")
    return tuple(said)


def summarise_plan(plan: AlignPlan) -> AlignResult:
    """Say what a run would do."""
    frames = [task for task in plan.todo if task.given is None]
    lines = [f"look for faces in {len(frames)} of {len(plan.frames)} frames"] if plan.frames else []
    if len(plan.todo) > len(frames):
        lines.append(f"set {len(plan.todo) - len(frames)} given crops upright")
    if plan.changes:
        lines.append(f"do them again because settings changed: {', '.join(plan.changes)}")
    num_frames = sum(item in plan.frames for item in plan.keys)
    return AlignResult(num_frames=num_frames, num_given=plan.num_given, is_dry_run=True, plan=tuple(lines))
