"""Write the section of a report on votes, labels and agreement."""

from collections.abc import Callable, Sequence

import numpy as np

from fercli.core.words import counted
from fercli.labels.agreement import Agreement, Estimate
from fercli.labels.annotators import AnnotatorReport
from fercli.labels.summary import LabelSummary
from fercli.reports.figures.scores import draw_agreement
from fercli.reports.page import Missing, Picture, Section, Table, count, percent, percent_range

_STATUS_WORDS = {
    "ok": "majority label",
    "adjudicated": "adjudicated",
    "given": "provided with the dataset",
    "tie": "tie: several classes share the most votes",
    "no_majority": "no class has more than half of the votes",
    "too_few": "too few votes",
    "unknown": "the votes say 'unknown'",
}


def label_section(
    summary: LabelSummary | None, agreement: Agreement | None, annotators: AnnotatorReport | None, rules: Sequence[str]
) -> Section:
    """Say who voted, what the votes agree on, how well people agree, and what got no label."""
    title = "Annotation"
    if summary is None:
        gap = Missing("no labels yet, so no model can be trained.", "fer labels import FILE")
        return Section("labels", title, missing=(gap,))
    has_votes = agreement is not None and agreement.num_votes > 0
    facts = [("faces with a label", f"{count(summary.num_labelled)} of {count(summary.num_faces)}")]
    facts += [("rule", ", ".join(rules))] if has_votes and rules else []
    pictures: tuple[Picture, ...] = ()
    tables = [_status_table(summary), _class_table(summary, agreement)]
    text = [
        "Labels record what annotators agreed on, not what a person felt. The table below reports inter-annotator "
        "agreement."
    ]
    if not has_votes:
        text = [
            "The labels were provided with the dataset; its votes, and the agreement of its annotators, are unknown."
        ]
    elif annotators is not None and agreement is not None:
        facts += _annotator_facts(summary, agreement, annotators)
        tables.append(_agreement_table(agreement, annotators))
        pictures = _agreement_pictures(annotators)
    return Section(
        "labels",
        title,
        text=tuple(text),
        facts=tuple(facts),
        warnings=tuple(_sentence(warning) for warning in summary.warnings),
        tables=tuple(tables),
        pictures=pictures,
    )


def _status_table(summary: LabelSummary) -> Table:
    rows = tuple(
        (_STATUS_WORDS.get(status, status), count(number), percent(number / summary.num_faces))
        for status, number in sorted(summary.by_status.items(), key=lambda entry: -entry[1])
    )
    return Table("Vote outcomes", ("outcome", "faces", "share"), rows)


def _class_table(summary: LabelSummary, agreement: Agreement | None) -> Table:
    has_votes = agreement is not None and agreement.num_votes > 0
    columns: tuple[str, ...] = ("class", "faces", "share")
    rows: list[tuple[str, ...]] = []
    for tally in summary.classes:
        share = tally.num_faces / summary.num_labelled if summary.num_labelled else None
        row: tuple[str, ...] = (tally.label, count(tally.num_faces), percent(share))
        if has_votes and agreement is not None:
            kappa = agreement.fleiss_by_class.get(tally.label)
            row += (count(tally.num_votes), count(tally.num_outvoted), count(tally.num_open), _kappa(kappa))
        rows.append(row)
    if has_votes:
        columns += ("votes", "outvoted", "without a majority", "Fleiss' kappa")
    note = "Outvoted: votes for this class on faces that another class won." if has_votes else ""
    return Table("Classes", columns, tuple(rows), note)


def _annotator_facts(summary: LabelSummary, agreement: Agreement, annotators: AnnotatorReport) -> list[tuple[str, str]]:
    who = "anonymous" if annotators.is_anonymous else count(len(annotators.annotators))
    dissent = f"{count(summary.num_dissenting)} of {count(summary.num_labelled)} labelled faces"
    return [("annotators", who), ("votes", count(agreement.num_votes)), ("faces with disagreement", dissent)]


def _agreement_table(agreement: Agreement, annotators: AnnotatorReport) -> Table:
    rows = (
        _estimate_row("pairwise agreement", agreement.percent, percent),
        _estimate_row("Fleiss' kappa", agreement.fleiss, _kappa),
        _estimate_row("Krippendorff's alpha", agreement.krippendorff, _kappa),
        _estimate_row("human ceiling", annotators.ceiling, percent),
    )
    reason = agreement.fleiss.why_no_interval or annotators.ceiling.why_no_interval
    note = (
        "Human ceiling: how often one annotator's vote matches the majority of the others. A model above it fits the "
    )
    note += "labels better than annotators agree with each other."
    if reason:
        note += f" No confidence interval: {reason}."
    elif not agreement.has_equal_votes:
        note += " Faces have unequal numbers of votes; Fleiss' kappa is computed from each face's own pairs."
    unit = agreement.fleiss.unit or "face"
    columns = ("metric", "value", f"95% CI over {unit}s", f"{unit}s")
    return Table(
        f"Inter-annotator agreement ({counted(agreement.num_faces, 'face')} with at least two votes)",
        columns,
        rows,
        note,
    )


def _estimate_row(name: str, found: Estimate, show: Callable[[float | None], str]) -> tuple[str, ...]:
    if found.low is None or found.high is None:
        interval = "-"
    elif show is percent:
        interval = percent_range(found.low, found.high)
    else:
        interval = f"{show(found.low)} to {show(found.high)}"
    return name, show(found.value), interval, count(found.num_units) if found.num_units else "-"


def _agreement_pictures(annotators: AnnotatorReport) -> tuple[Picture, ...]:
    names = [annotator.annotator for annotator in annotators.annotators]
    if len(names) < 2:
        return ()
    places = {name: place for place, name in enumerate(names)}
    matrix = np.full((len(names), len(names)), np.nan)
    for pair in annotators.pairs:
        if pair.kappa is not None:
            matrix[places[pair.first], places[pair.second]] = pair.kappa
            matrix[places[pair.second], places[pair.first]] = pair.kappa
    known = [f"{pair.first} and {pair.second} {_kappa(pair.kappa)}" for pair in annotators.pairs[:12]]
    return (
        Picture(
            draw_agreement(matrix, names),
            f"Heat map of pairwise Cohen's kappa: {'; '.join(known)}.",
            "Pairwise Cohen's kappa on faces annotated by both (1 = perfect agreement, 0 = chance). "
            "Names are pseudonyms.",
        ),
    )


def _kappa(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
