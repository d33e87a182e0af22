"""What a run of `fer align` made, in counts and sentences."""

from collections import Counter
from collections.abc import Mapping

from fercli.core.results import Failure
from fercli.core.words import counted
from fercli.stages.align import AlignResult
from fercli.stages.align.merge import MergedFaces, Record
from fercli.stages.align.plan import AlignPlan, is_realigned
from fercli.stages.align.voted import MOST_NAMED


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
        said.append(
            f"Settings changed ({', '.join(plan.changes)}), so "
            f"{counted(len(plan.todo), 'picture was', 'pictures were')} done again."
        )
    if lost:
        said.append(
            f"Faces that have votes are gone ({len(lost)}), as --force allowed: {', '.join(lost[:MOST_NAMED])}."
        )
    if plan.frames and not num_ok:
        said.append("No faces were kept. Look at a few frames, then try a smaller --min-face.")
    elif num_dropped > num_ok:
        said.append(f"More faces were dropped ({num_dropped}) than kept ({num_ok}); the reasons are counted above.")
    return tuple(said)
