"""Agreement of annotators as tables on the screen."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from fercli.core.words import counted
from fercli.stages.labels.agreement import LabelsAgreementResult, LabelsAgreementSettings

_NAMES = {
    "fleiss": "Fleiss' kappa",
    "krippendorff": "Krippendorff's alpha",
    "cohen": "Cohen's kappa (mean over pairs)",
    "percent": "pairwise agreement",
    "kappa_linear": "Cohen's kappa, linear weights (mean over pairs)",
    "kappa_quadratic": "Cohen's kappa, quadratic weights (mean over pairs)",
    "alpha_ordinal": "Krippendorff's alpha, ordinal",
    "alpha_interval": "Krippendorff's alpha, interval",
    "icc1": "ICC(1,1)",
    "icc2": "ICC(2,1), absolute agreement",
    "icc3": "ICC(3,1), consistency",
    "ceiling": "human ceiling",
}
_MOST_PAIRS = 20


def show_agreement(result: LabelsAgreementResult, settings: LabelsAgreementSettings, _: Any) -> bool:
    """Print the coefficients with their intervals, and each class or annotator where asked for."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{counted(result.num_votes, 'vote')} on {counted(result.num_faces, 'face')} with two votes or more")
    console.print(_coefficients_table(result))
    if "alpha_ordinal" in result.coefficients:
        console.print(f"order: {' < '.join(result.order)}", markup=False)
    reasons = {entry.get("why_no_interval", "") for entry in (*result.coefficients.values(), result.ceiling)}
    for reason in sorted(reasons - {""}):
        console.print(f"no confidence interval: {reason}")
    for annotator, entry in result.self_agreement.items():
        console.print(
            f"{annotator} gave the same label to {entry['share']:.1%} of "
            f"{counted(entry['num_faces'], 'face')} shown twice"
        )
    if settings.by == "class":
        rows = [
            (name, *(_number(entry[key]) for key in ("fleiss", "krippendorff", "ceiling")))
            for name, entry in result.by_class.items()
        ]
        console.print(_table(("class (one vs. rest)", "Fleiss", "Krippendorff", "ceiling"), rows))
    if settings.by == "annotator":
        rows = [
            (name, str(entry["num_votes"]), _number(entry["mean_kappa"]), _number(entry["against_others"]))
            for name, entry in result.by_annotator.items()
        ]
        console.print(_table(("annotator", "votes", "mean kappa", "agrees with majority of others"), rows))
    if settings.by == "annotator" or settings.metric == "cohen":
        rows = [
            (f"{pair['first']} and {pair['second']}", str(pair["num_common"]), _number(pair["kappa"]))
            for pair in result.pairs[:_MOST_PAIRS]
        ]
        console.print(_table(("pair", "faces in common", "Cohen"), rows))
        if len(result.pairs) > _MOST_PAIRS:
            console.print(f"... and {counted(len(result.pairs) - _MOST_PAIRS, 'more pair')} (all with --json)")
    return True


def _coefficients_table(result: LabelsAgreementResult) -> Table:
    entries = {**result.coefficients, "ceiling": result.ceiling}
    rows = [(_NAMES[name], _number(entry.get("value")), _interval(entry)) for name, entry in entries.items()]
    return _table(("", "value", f"95% CI (bootstrap over {result.unit}s)"), rows)


def _interval(entry: dict[str, Any]) -> str:
    if "num_complete" in entry:
        return f"- ({counted(entry['num_complete'], 'face')} with all votes)"
    if "low" in entry:
        return f"{entry['low']:.3f} to {entry['high']:.3f} ({entry['num_units']})"
    return "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for place, title in enumerate(titles):
        table.add_column(title, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table
