"""`fer annotate`: open the labelling page on this machine, to label faces by keyboard."""

from dataclasses import dataclass, field
from typing import Any, Literal

from fercli.core.results import StageResult
from fercli.core.settings import ANY, setting
from fercli.core.stage import Argument, Stage

# Where the page is looked for first: what it could not send yet waits in the browser under this address.
PORT = 8750
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class AnnotateSettings:
    """Who labels, which faces, in what order, and where the page is."""

    annotator: tuple[str, ...] = setting((), "Give each of these annotators a link (default: you).")
    only: Literal["unlabelled", "ties"] | None = setting(
        None, "Show only faces with too few votes, or resolve ties yourself."
    )
    order: Literal["shuffled", "uncertain", "video"] = setting("shuffled", "Show the faces in this order.")
    uncertainty: Literal["entropy", "margin"] = setting(
        "entropy", "Measure uncertainty like this (uncertain).", only_with={"order": ("uncertain",)}
    )
    blind: float = setting(
        0.0, "Show this fraction of the faces twice, unannounced.", aliases=("retest",), minimum=0, maximum=1
    )
    suggest: str = setting("", "Show predictions of this run ('latest': the newest) or baseline.")
    suggest_when: Literal["before", "after"] = setting(
        "after", "Show them before or after the annotator's own vote.", only_with={"suggest": ANY}
    )
    run: str = setting("", "Order by the uncertainty of this run, or of baseline.", only_with={"order": ("uncertain",)})
    review: bool = setting(False, "Open the review of disagreements instead.")
    host: str = setting(LOOPBACK, "Serve on this address; others can then open it, unencrypted.")
    port: int = setting(PORT, "Serve on this port, or on the next free one.", minimum=1, maximum=65_535)
    browser: bool = setting(True, "Open the page in the browser.")
    seed: int = setting(0, "Set the random seed for order and repeats.", minimum=0)
    # [annotate.guide] of fer.toml: a class -> its definition, or {text = "...", examples = [face ids]}.
    guide: dict[str, Any] = setting({}, "Define the classes for the annotators.", is_hidden=True)


@dataclass(frozen=True, kw_only=True)
class AnnotateResult(StageResult):
    """What came of it.

    Attributes:
        num_faces: faces that could be shown, repeats not counted.
        num_votes: votes that were imported at the end, and before it while the page was closed.
        num_skipped: faces left out.
        votes: of each annotator, by pseudonym.
        self_agreement: share of faces shown twice that got the same label, by annotator.
    """

    num_faces: int = 0
    num_votes: int = 0
    num_skipped: int = 0
    votes: dict[str, int] = field(default_factory=dict)
    self_agreement: dict[str, float] = field(default_factory=dict)


annotate = Stage(
    words="annotate",
    settings=AnnotateSettings,
    result=AnnotateResult,
    work="fercli.stages.annotate.work",
    arguments=(Argument("face_id", str, "Face to open in the review.", "[FACE_ID]", default=""),),
    private=("annotator",),
    is_whole=True,
)
