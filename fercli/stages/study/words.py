"""Write a study as tables, and as sentences on what its data can and cannot show."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fercli.core.rows import MIN_UNITS
from fercli.core.words import counted
from fercli.reports.score_words import MEASURES, NONE, points, scaled, with_interval
from fercli.reports.text_table import TextTable
from fercli.stages.compare.words import SETS, difference_table, paper_table
from fercli.stages.study import StudyResult

_ALPHA = 0.05
_PAPER = (
    "Of its Figures 6 (variants) and 7 (topn), no numbers are known here: only the full model can stand beside ours. "
    "The paper starts from MS-Celeb-1M weights and trains at full width until early stopping, on its own splits; on "
    "FERPlus, RAF-DB and AffectNet it stops on the set that it reports."
)


def study_tables(result: StudyResult) -> list[TextTable]:
    """Scores, differences, costs, and what the paper reports."""
    tables = [score_table(result)]
    if result.differences:
        tables.append(gap_table(result, result.differences))
    tables.append(cost_table(result))
    if result.reported:
        tables.append(_paper_table(result))
    return tables


def gap_table(result: StudyResult, differences: Sequence[Mapping[str, Any]]) -> TextTable:  # JSON
    """Some of the differences to the first variant."""
    return difference_table(differences, result.against, result.unit, noun="variant")


def paper_words(result: StudyResult) -> Iterator[str]:
    """What the paper reports of each model, in a sentence."""
    for one in result.reported:
        known = [f"{words} {one[name]:.2f}%" for name, words in SETS.items() if one[name] is not None]
        if known:
            yield f"The SFER-MDFAE paper reports of {one['model']}: {', '.join(known)}. {_PAPER}"


def conclusions_of(result: StudyResult) -> Iterator[str]:
    """What can be said of the variants' accuracies, each thing with its number."""
    trained = [one for one in result.variants if one["runs"]]
    gaps = [one for one in result.differences if one["score"] == "accuracy"]
    units = counted(result.num_units, result.unit)
    if gaps and gaps[0]["low"] is None:
        yield (
            f"With {units} in the test set, no difference between variants can be tested: at least {MIN_UNITS} "
            f"{result.unit}s are needed."
        )
    elif gaps:
        yield f"With {units}, differences in accuracy below {_widths(gaps)} cannot be told apart."
        yield _told_apart(gaps, result.against)
    spreads = [one["seed_std"] for one in trained if one["seed_std"] is not None]
    if spreads:
        yield (
            f"Trainings that differ only in their seed differ by up to {100 * max(spreads):.1f} points (largest "
            f"standard deviation of a variant's {len(result.seeds)} test accuracies); intervals do not include that."
        )
    else:
        yield "One seed each: how much equal trainings differ by chance is not known. Add --seeds 0,1,2."
    if result.chosen:
        scores = {one["name"]: one["val_accuracy"]["mean"] for one in trained if one["val_accuracy"]}
        best = [name for name, score in scores.items() if score == scores[result.chosen]]
        yield (
            f"Best on the validation set: {', '.join(best)} ({scores[result.chosen]:.1%}{' each' * (len(best) > 1)}). "
            "Choose by validation accuracy; the test set is shown for all variants, so choosing by it would make its "
            "score too good."
        )


def _widths(gaps: Sequence[Mapping[str, Any]]) -> str:
    """Half the width of the differences' intervals, in points."""
    halves = sorted(50 * (one["high"] - one["low"]) for one in gaps)
    low, high = f"{halves[0]:.1f}", f"{halves[-1]:.1f}"
    if low == high:
        return f"about {high} points (half the width of the 95% CI of a difference)"
    return f"about {low} to {high} points, depending on the variant (half the width of the 95% CI of its difference),"


def _told_apart(gaps: Sequence[Mapping[str, Any]], against: str) -> str:
    """Which variants differ from the first beyond chance: the interval leaves 0 out, and so does the corrected test."""
    clear = [one for one in gaps if (one["low"] > 0 or one["high"] < 0) and one["p_holm"] < _ALPHA]
    names = [f"{one['variant']} ({points(one['value'])} points)" for one in clear]
    rule = f"95% CI without 0 and p (Holm) below {_ALPHA:g}"
    if not clear:
        return f"No variant can be told apart from {against} in accuracy ({rule})."
    others = [one["variant"] for one in gaps if one not in clear]
    rest = f"; {', '.join(others)} cannot" if others else ""
    return f"Told apart from {against} in accuracy ({rule}): {', '.join(names)}{rest}."


def score_table(result: StudyResult) -> TextTable:
    """One row a variant: how good it is on val, and on test with intervals."""
    rows = []
    for one in result.variants:
        if one["runs"]:
            scores = (with_interval(one[name]) for name in MEASURES)
            rows.append((one["name"], str(len(one["runs"])), _val_words(one), *scores))
        else:
            rows.append((one["name"], "refused", *[NONE] * (1 + len(MEASURES))))
    test = (f"test {words}" for words in MEASURES.values())
    return TextTable("Scores", ("variant", "runs", "val accuracy", *test), tuple(rows), tuple(_notes(result)))


def cost_table(result: StudyResult) -> TextTable:
    """One row a trained variant: size, epochs and time."""
    rows = tuple(
        (
            one["name"],
            scaled(one["parameters"], 1e6, digits=3),
            scaled(one["macs"], 1e9, digits=3),
            f"{one['epochs']:.4g}",
            scaled(one["seconds"], 1.0, digits=0),
        )
        for one in result.variants
        if one["runs"]
    )
    notes = ("Epochs: mean over the runs. Training: all runs of the variant, on the machines they ran on.",)
    return TextTable("Costs", ("variant", "params (M)", "MACs (G)", "epochs", "training (s)"), rows, notes)


def _val_words(one: Mapping[str, Any]) -> str:  # JSON values
    val = one["val_accuracy"]
    if not val:
        return NONE
    return f"{val['mean']:.2%}" + ("" if val["std"] is None else f" ± {val['std']:.2%}")


def _notes(result: StudyResult) -> Iterator[str]:
    seeds = f"{'seed' if len(result.seeds) == 1 else 'seeds'} {', '.join(map(str, result.seeds))}"
    folds = f", {counted(result.num_folds, 'fold')}" if result.num_folds else ""
    yield f"Budget: at most {counted(result.epochs, 'epoch')} for each training; {seeds}{folds}."
    yield f"Test scores: {counted(result.num_faces, 'face')} of {counted(result.num_units, result.unit)}."
    if any(one["accuracy"]["low"] is not None for one in result.variants):
        yield f"95% CI in brackets: bootstrap over {result.unit}s."
    if len(result.seeds) > 1:
        yield "Over the seeds: accuracies are means (val with standard deviation), macro-F1 is that of all predictions."
    for one in result.variants:
        if one["refused"]:
            yield f"{one['name']} is refused: {one['refused']}"


def _paper_table(result: StudyResult) -> TextTable:
    models = {one["model"] for one in result.reported}
    full = next(one for one in result.variants if one["name"] == result.against)
    ours = dict.fromkeys(models, full["accuracy"]["value"])
    table = paper_table(result.reported, ours, "test")
    return TextTable(table.title, table.columns, table.rows, (*table.notes, _PAPER))
