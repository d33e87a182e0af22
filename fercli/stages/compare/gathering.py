"""Gather the predictions of several runs on the same faces; what cannot be compared is refused with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fercli.core.errors import CheckError, MissingStageError
from fercli.core.rows import Prediction
from fercli.core.runs import Run, eval_folder, read_headline
from fercli.core.tables import read_table
from fercli.core.words import counted
from fercli.stages.compare import CompareSettings


@dataclass(frozen=True)
class Gathered:
    """Predictions of each run, row by row of the same faces.

    Attributes:
        predictions: by the run's id.
        classes: of all runs, in order.
        num_left_out: faces that were left out because not all runs have them, or their labels differ.
    """

    predictions: dict[str, list[Prediction]]
    classes: tuple[str, ...]
    num_left_out: int


def gather(runs: Sequence[Run], settings: CompareSettings) -> Gathered:
    """Read the predictions of the runs' best weights and line them up.

    Raises:
        MissingStageError: a run has not been evaluated on this set.
        CheckError: classes, faces or labels differ.
    """
    _check_classes(runs)
    rows = {run.run_id: _predictions(run, settings.split) for run in runs}
    by_id = {name: {row.face_id: row for row in found} for name, found in rows.items()}
    everywhere = set.intersection(*(set(found) for found in by_id.values()))
    alike = {face for face in everywhere if len({found[face].label for found in by_id.values()}) == 1}
    anywhere = set.union(*(set(found) for found in by_id.values()))
    if not settings.common:
        _check_faces(by_id, everywhere, anywhere, alike)
    if not alike:
        raise CheckError(
            "the runs have no face in common that has the same label in all of them",
            hint="Compare runs of one split: fer runs lists them.",
        )
    kept = sorted(alike)
    return Gathered(
        predictions={name: [found[face] for face in kept] for name, found in by_id.items()},
        classes=runs[0].record.classes,
        num_left_out=len(anywhere) - len(alike),
    )


def _predictions(run: Run, split: str) -> list[Prediction]:
    path = eval_folder(run, split) / "predictions.csv"
    if read_headline(run, split) is None or not path.exists():
        option = "" if split == "test" else f" --split {split}"
        raise MissingStageError(
            f"run '{run.run_id}' has not been evaluated on the {split} set", hint=f"Run: fer eval {run.run_id}{option}"
        )
    return read_table(path, Prediction)


def _check_classes(runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if run.record.classes != first.record.classes:
            raise CheckError(
                f"runs '{first.run_id}' and '{run.run_id}' have other classes: {', '.join(first.record.classes)}; "
                f"{', '.join(run.record.classes)}",
                hint="Compare runs that were trained on the same classes in the same order.",
            )


def _check_faces(
    by_id: Mapping[str, Mapping[str, Prediction]], everywhere: set[str], anywhere: set[str], alike: set[str]
) -> None:
    hint = f"Compare on the {counted(len(alike), 'face')} that all runs have, with the same label: --common."
    if everywhere != anywhere:
        numbers = ", ".join(f"{len(found):,} in '{name}'" for name, found in by_id.items())
        raise CheckError(
            f"the runs were evaluated on different faces: {numbers}, of which all have {len(everywhere):,}",
            hint=hint if alike else "Train and evaluate the runs on the same split.",
        )
    if alike != everywhere:
        first = min(everywhere - alike)
        raise CheckError(
            f"the labels of {counted(len(everywhere - alike), 'face')} differ between the runs, first '{first}'",
            hint=hint,
        )
