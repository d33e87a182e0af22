"""Do the work of `fer labels agreement`: compute coefficients with intervals, and their figures."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from fercli.core.errors import UsageError
from fercli.core.progress import Progress
from fercli.core.project import CONFIG_NAME, Project
from fercli.core.rows import Face, Label, Vote
from fercli.core.words import counted
from fercli.labels.agreement import Agreement, Estimate, measure_agreement
from fercli.labels.annotators import AnnotatorReport, compare_annotators
from fercli.labels.ordinal import OrdinalAgreement, measure_ordinal
from fercli.metrics.intervals import units_of
from fercli.reports.figures.agreement import draw_class_agreement
from fercli.reports.figures.scores import draw_agreement
from fercli.stages.labels.agreement import LabelsAgreementResult, LabelsAgreementSettings
from fercli.stages.labels.repeats import self_agreement
from fercli.stages.next_steps import after_labels

Record = dict[str, Any]  # JSON values


def call(
    project: Project, settings: LabelsAgreementSettings, *, progress: Progress, force: bool, dry_run: bool
) -> LabelsAgreementResult:
    """Measure agreement of the votes; nothing is written but the figures that `plot` asks for.

    A coefficient below `minimum` (all of those measured, where `metric` is "all") is a failed check.

    Raises:
        MissingStageError: no votes have been imported.
        UsageError: ordinal agreement of classes without an order.
    """
    if settings.metric == "ordinal" and not project.order:
        raise UsageError(
            "the classes of this project have no order",
            hint=f"Set order = [lowest, ..., highest] below [project] in {project.root / CONFIG_NAME}.",
        )
    every_vote = project.required_rows(Vote)
    votes = _fair(every_vote)
    unit, agreement, people = measured(project, project.rows(Face), votes, settings.seed)
    coefficients = _coefficients(settings, agreement, people)
    ordered = _ordered(project, votes, settings)
    coefficients |= ordinal_records(ordered) if ordered else {}
    by_suggestion = _by_suggestion(votes, project.classes)
    return LabelsAgreementResult(
        outputs=_draw(project, agreement, people) if settings.plot and not dry_run else (),
        num_faces=agreement.num_faces,
        num_votes=agreement.num_votes,
        unit=unit,
        order=project.order,
        coefficients=coefficients,
        ceiling=_record(people.ceiling),
        by_class=_by_class(agreement, people),
        by_annotator={person.annotator: _without_name(asdict(person)) for person in people.annotators},
        pairs=tuple(asdict(pair) for pair in people.pairs),
        is_anonymous=people.is_anonymous,
        num_uncertain=len(every_vote) - len(votes),
        by_suggestion=by_suggestion,
        self_agreement={
            annotator: {"num_faces": number, "share": num_alike / number}
            for annotator, (number, num_alike) in self_agreement(project).items()
        },
        has_equal_votes=agreement.has_equal_votes,
        warnings=(
            *_warnings(agreement, people, settings),
            *(ordinal_warnings(ordered) if ordered else ()),
            *_order_warnings(len(every_vote) - len(votes), by_suggestion),
        ),
        failed_checks=tuple(_below(coefficients, settings.minimum)),
        next_command=after_labels(project, project.rows(Label)),
    )


def measured(
    project: Project, faces: Sequence[Face], votes: Sequence[Vote], seed: int
) -> tuple[str, Agreement, AnnotatorReport]:
    """What intervals resample (the subjects, videos or faces of those that have votes), agreement, and annotators."""
    votes = _fair(votes)
    voted = {vote.face_id for vote in votes}
    unit, unit_of_face = units_of([face for face in faces if face.face_id in voted])
    how: Record = {"unit_name": unit, "unit_of_face": unit_of_face}
    agreement = measure_agreement(votes, project.classes, **how, rng=np.random.default_rng(seed))
    people = compare_annotators(votes, project.classes, **how, rng=np.random.default_rng(seed))
    return unit, agreement, people


def _ordered(project: Project, votes: Sequence[Vote], settings: LabelsAgreementSettings) -> OrdinalAgreement | None:
    """Agreement in the order of the classes; None where they have none, or another coefficient is asked for."""
    if not project.order or settings.metric not in ("ordinal", "all"):
        return None
    voted = {vote.face_id for vote in votes}
    unit, unit_of_face = units_of([face for face in project.rows(Face) if face.face_id in voted])
    how: Record = {"unit_name": unit, "unit_of_face": unit_of_face, "seed": settings.seed}
    return measure_ordinal(votes, project.classes, project.order, **how)


def ordinal_records(found: OrdinalAgreement) -> dict[str, Record]:
    """The coefficients of ordered classes by name."""
    return {
        **{f"kappa_{name}": {"value": value} for name, value in found.kappas.items()},
        **{f"alpha_{name}": _record(estimate) for name, estimate in found.alphas.items()},
        "icc1": _record(found.icc1),
        "icc2": {"value": found.icc2, "num_complete": found.num_complete},
        "icc3": {"value": found.icc3, "num_complete": found.num_complete},
    }


def ordinal_warnings(found: OrdinalAgreement) -> list[str]:
    """What was left out of the coefficients of ordered classes."""
    sentences = []
    if found.num_left_out:
        sentences.append(
            f"{counted(found.num_left_out, 'vote is', 'votes are')} for a class without a place in the order, or for "
            "none; the coefficients of ordered classes leave them out."
        )
    if not found.num_votes:
        sentences.append("No face has two votes in the order, so the coefficients of ordered classes have no value.")
    elif not found.num_annotators:
        sentences.append("The votes are anonymous counts: weighted kappa, ICC(2,1) and ICC(3,1) need annotators.")
    elif found.icc2 is None:
        wanted = f"faces that all of {counted(found.num_annotators, 'annotator')} voted on, and votes that differ"
        there = f"there {'is' if found.num_complete == 1 else 'are'} {counted(found.num_complete, 'such face')}"
        sentences.append(f"ICC(2,1) and ICC(3,1) need {wanted}; {there}.")
    return sentences


def _fair(votes: Sequence[Vote]) -> list[Vote]:
    """Without those on faces that a model found hard: these are hard for people too, and no sample of all faces."""
    return [vote for vote in votes if not vote.chosen]


def _draw(project: Project, agreement: Agreement, people: AnnotatorReport) -> tuple[str, ...]:
    """Write the matrix of pairs, where annotators can be told apart, and kappa by class."""
    pictures = {"agreement-by-class.png": draw_class_agreement(agreement.fleiss_by_class, people.ceiling_by_class)}
    if len(people.annotators) > 1:
        names = [person.annotator for person in people.annotators]
        pictures["agreement.png"] = draw_agreement(_pair_matrix(people, names), names)
    with project.commit() as commit:
        for name, picture in pictures.items():
            commit.data(project.root / "reports" / name, picture)
    return tuple(f"reports/{name}" for name in sorted(pictures))


def _pair_matrix(people: AnnotatorReport, names: Sequence[str]) -> np.ndarray:
    places = {name: place for place, name in enumerate(names)}
    matrix = np.full((len(names), len(names)), np.nan)
    for pair in people.pairs:
        if pair.kappa is not None:
            matrix[places[pair.first], places[pair.second]] = matrix[places[pair.second], places[pair.first]] = (
                pair.kappa
            )
    return matrix


def _coefficients(
    settings: LabelsAgreementSettings, agreement: Agreement, people: AnnotatorReport
) -> dict[str, Record]:
    all_of_them = {
        "fleiss": _record(agreement.fleiss),
        "krippendorff": _record(agreement.krippendorff),
        "cohen": {"value": people.mean_kappa, "num_pairs": len(people.pairs)},
        "percent": _record(agreement.percent),
    }
    if settings.metric == "all":
        return all_of_them
    if settings.metric == "ordinal":
        return {}
    return {settings.metric: all_of_them[settings.metric]}


def _record(found: Estimate) -> Record:
    """An estimate as JSON has it, without what does not apply."""
    return {name: value for name, value in asdict(found).items() if value not in (None, "", 0) or name == "value"}


def _by_class(agreement: Agreement, people: AnnotatorReport) -> dict[str, Record]:
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


def _by_suggestion(votes: Sequence[Vote], classes: Sequence[str]) -> dict[str, Record]:
    """Agreement without suggestions and with them: people who follow the same suggestion agree with each other."""
    parts = {
        "unaided": [vote for vote in votes if not vote.suggested],
        "suggested": [vote for vote in votes if vote.suggested],
    }
    if not parts["suggested"]:
        return {}
    found = {name: measure_agreement(part, classes) for name, part in parts.items()}
    return {
        name: {"num_votes": len(parts[name]), "num_faces": one.num_faces, "krippendorff": one.krippendorff.value}
        for name, one in found.items()
    }


def _order_warnings(num_uncertain: int, by_suggestion: dict[str, Record]) -> list[str]:
    sentences = []
    if num_uncertain:
        sentences.append(
            f"{counted(num_uncertain, 'vote')} left out: the faces were shown because a model was uncertain of them."
        )
    if by_suggestion:
        alphas = {name: _alpha(part["krippendorff"]) for name, part in by_suggestion.items()}
        number = counted(by_suggestion["suggested"]["num_votes"], "vote was", "votes were")
        sentences.append(
            f"{number} given after a model's suggestion was seen. Krippendorff's alpha: {alphas['unaided']} among "
            f"votes without a suggestion, {alphas['suggested']} among those with one."
        )
    return sentences


def _alpha(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3f}"


def _warnings(agreement: Agreement, people: AnnotatorReport, settings: LabelsAgreementSettings) -> list[str]:
    sentences = []
    if not agreement.num_faces:
        sentences.append("No face has two votes, so nobody can agree or disagree.")
    if agreement.num_faces and not agreement.has_equal_votes and settings.metric in ("fleiss", "all"):
        sentences.append(
            "Faces have unequal numbers of votes; prefer Krippendorff's alpha. Fleiss' kappa is computed from each "
            "face's own pairs."
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
