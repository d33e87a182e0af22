"""`fer labels agreement`: how well annotators agree, and what ceiling that sets for a model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from fercli.core.project import Project
from fercli.core.results import StageResult
from fercli.core.rows import Face, Vote
from fercli.core.settings import setting

if TYPE_CHECKING:
    import numpy as np

    from fercli.labels.agreement import Agreement, Estimate
    from fercli.labels.annotators import AnnotatorReport

Record = dict[str, Any]  # JSON values


@dataclass(frozen=True)
class LabelsAgreementSettings:
    """What is measured."""

    metric: Literal["fleiss", "krippendorff", "cohen", "all"] = setting("all", "Measure by this coefficient.")
    by: Literal["class", "annotator"] | None = setting(None, "Show each class or each annotator.")
    minimum: float | None = setting(None, "Fail when the coefficient lies below this.", option="min")
    plot: bool = setting(False, "Draw annotator against annotator, and classes, into reports/.")
    seed: int = setting(0, "Draw resamples with this seed.", minimum=0)


@dataclass(frozen=True, kw_only=True)
class LabelsAgreementResult(StageResult):
    """How well people agree.

    Attributes:
        num_faces: faces with two votes or more.
        num_votes: votes on them.
        unit: what is resampled for the 95 % intervals: subject, else video, else face.
        coefficients: by name (fleiss, krippendorff, cohen, percent): value, low, high, or why there is no interval.
        ceiling: share of votes that are the majority of the others, in the same form.
        by_class: for each class kappa and alpha of the class against all others, and its ceiling.
        by_annotator: for each annotator votes, mean kappa with the others, share that is the majority of the others.
        pairs: each two annotators: faces that both judged, share alike, Cohen's kappa.
        is_anonymous: the votes are counts, so that annotators cannot be told apart.
        has_equal_votes: every face has as many votes as any other, as Fleiss' kappa is defined.
    """

    num_faces: int = 0
    num_votes: int = 0
    unit: str = ""
    coefficients: dict[str, Record] = field(default_factory=dict)
    ceiling: Record = field(default_factory=dict)
    by_class: dict[str, Record] = field(default_factory=dict)
    by_annotator: dict[str, Record] = field(default_factory=dict)
    pairs: tuple[Record, ...] = ()
    is_anonymous: bool = False
    has_equal_votes: bool = True


def labels_agreement(project: Project, settings: LabelsAgreementSettings) -> LabelsAgreementResult:
    """Measure agreement of the votes; nothing is written but the figures that `plot` asks for.

    A coefficient below `minimum` (all of those measured, where `metric` is "all") is a failed check.

    Raises:
        MissingStageError: no votes have been imported.
    """
    import numpy as np

    from fercli.labels.agreement import measure_agreement
    from fercli.labels.annotators import compare_annotators

    votes = project.required_rows(Vote)
    unit, unit_of_face = resampling_units(project.rows(Face), {vote.face_id for vote in votes})
    how: Record = {"unit_name": unit, "unit_of_face": unit_of_face}
    agreement = measure_agreement(votes, project.classes, **how, rng=np.random.default_rng(settings.seed))
    people = compare_annotators(votes, project.classes, **how, rng=np.random.default_rng(settings.seed))
    coefficients = _coefficients(settings, agreement, people)
    return LabelsAgreementResult(
        outputs=_draw(project, agreement, people) if settings.plot else (),
        num_faces=agreement.num_faces,
        num_votes=agreement.num_votes,
        unit=unit,
        coefficients=coefficients,
        ceiling=_record(people.ceiling),
        by_class=_by_class(agreement, people),
        by_annotator={person.annotator: _without_name(asdict(person)) for person in people.annotators},
        pairs=tuple(asdict(pair) for pair in people.pairs),
        is_anonymous=people.is_anonymous,
        has_equal_votes=agreement.has_equal_votes,
        warnings=tuple(_warnings(agreement, people, settings)),
        failed_checks=tuple(_below(coefficients, settings.minimum)),
        next_command="fer split",
    )


def resampling_units(faces: Sequence[Face], voted: set[str]) -> tuple[str, dict[str, str]]:
    """What to resample, and each voted face's: its subject where all are known, else its video, else itself."""
    mine = [face for face in faces if face.face_id in voted]
    if mine and all(face.subject_id for face in mine):
        return "subject", {face.face_id: face.subject_id for face in mine}
    if mine and all(face.video_id for face in mine):
        return "video", {face.face_id: face.video_id for face in mine}
    return "face", {}


def _draw(project: Project, agreement: "Agreement", people: "AnnotatorReport") -> tuple[str, ...]:
    """Write the matrix of pairs, where annotators can be told apart, and kappa by class."""
    from fercli.core.files import replace_bytes
    from fercli.reports.figures.agreement import draw_class_agreement
    from fercli.reports.figures.scores import draw_agreement

    pictures = {"agreement-by-class.png": draw_class_agreement(agreement.fleiss_by_class, people.ceiling_by_class)}
    if len(people.annotators) > 1:
        names = [person.annotator for person in people.annotators]
        pictures["agreement.png"] = draw_agreement(_pair_matrix(people, names), names)
    for name, picture in pictures.items():
        replace_bytes(project.root / "reports" / name, picture)
    return tuple(f"reports/{name}" for name in sorted(pictures))


def _pair_matrix(people: "AnnotatorReport", names: Sequence[str]) -> "np.ndarray":
    import numpy as np

    places = {name: place for place, name in enumerate(names)}
    matrix = np.full((len(names), len(names)), np.nan)
    for pair in people.pairs:
        if pair.kappa is not None:
            matrix[places[pair.first], places[pair.second]] = matrix[places[pair.second], places[pair.first]] = (
                pair.kappa
            )
    return matrix


def _coefficients(
    settings: LabelsAgreementSettings, agreement: "Agreement", people: "AnnotatorReport"
) -> dict[str, Record]:
    all_of_them = {
        "fleiss": _record(agreement.fleiss),
        "krippendorff": _record(agreement.krippendorff),
        "cohen": {"value": people.mean_kappa, "num_pairs": len(people.pairs)},
        "percent": _record(agreement.percent),
    }
    if settings.metric == "all":
        return all_of_them
    return {settings.metric: all_of_them[settings.metric]}


def _record(found: "Estimate") -> Record:
    """An estimate as JSON has it, without what does not apply."""
    return {name: value for name, value in asdict(found).items() if value not in (None, "", 0) or name == "value"}


def _by_class(agreement: "Agreement", people: "AnnotatorReport") -> dict[str, Record]:
    return {
        name: {
            "fleiss": kappa,
            "krippendorff": agreement.krippendorff_by_class[name],
            "ceiling": people.ceiling_by_class[name],
        }
        for name, kappa in agreement.fleiss_by_class.items()
    }


def _without_name(record: Record) -> Record:
    return {name: value for name, value in record.items() if name != "annotator"}


def _warnings(agreement: "Agreement", people: "AnnotatorReport", settings: LabelsAgreementSettings) -> list[str]:
    sentences = []
    if not agreement.num_faces:
        sentences.append("No face has two votes, so nobody can agree or disagree.")
    if agreement.num_faces and not agreement.has_equal_votes and settings.metric in ("fleiss", "all"):
        sentences.append(
            "Faces have different numbers of votes; Fleiss' kappa takes each face's own pairs, Krippendorff's alpha is "
            "made for this case."
        )
    if people.is_anonymous and (settings.metric == "cohen" or settings.by == "annotator"):
        sentences.append("The votes are anonymous counts: annotators cannot be told apart.")
    return sentences


def _below(coefficients: dict[str, Record], minimum: float | None) -> list[str]:
    if minimum is None:
        return []
    return [
        f"{name} is {record['value']:.3f}, below {minimum:g}."
        for name, record in coefficients.items()
        if name != "percent" and record["value"] is not None and record["value"] < minimum
    ]
