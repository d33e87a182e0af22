"""A run on FER2013 to the files of the baseline package: weights in float16, run.json, metrics.json, model card.

    python baseline/build.py RUN --votes fer2013new.csv      # RUN: a run's folder in its project
    python baseline/build.py RUN --out /tmp/baseline         # to look at it first

The run may be finished or stopped; the card says which. On the validation set a temperature is fitted, and the way of
cutting faces is chosen that suits the model best. The test set is predicted once as it was given, and once for each way
that `fer align --realign` cuts it; the first predictions are scored by FERPlus' labels of the same images too, where
--votes names them. Neither the run nor its project is changed.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import torch

import fercli
from fercli.core.baseline import NAME
from fercli.core.files import replace_text
from fercli.core.project import Project
from fercli.core.rows import Face, Prediction, SplitRow
from fercli.core.runs import Run, RunRecord, read_run, write_record
from fercli.core.splits import read_record
from fercli.core.tables import read_table
from fercli.data.samples import Samples, run_samples
from fercli.learn.checkpoints import load_checkpoint, save_checkpoint
from fercli.learn.predict import LoadedModel, load_run_model, predict_probabilities
from fercli.metrics.evaluation import calibration_of, evaluate, evaluation_record, without
from fercli.metrics.intervals import resampling_units
from fercli.metrics.temperature import fit_temperature
from fercli.sources.ferplus import EMOTIONS, ferplus_labels, read_ferplus_votes
from fercli.stages.align import RULE_OF, AlignSettings, align
from fercli.stages.align.rules import recorded_rules
from fercli.stages.evaluate.findings import identical_to_earlier
from fercli.vision.cutting import CuttingRules

HERE = Path(__file__).parent
LIMIT_BYTES = 8_000_000
# As `fer align` cuts faces unless told otherwise, and the square about the box, not turned. On the validation set of
# the run that the first baseline was made from, these came to 65.8% and 68.6%, with margins of 0.1 and 0.15 to 60.7%
# and 65.3%, and the crops as given to 69.0%.
CUTS = (CuttingRules(), CuttingRules(template="none"))
# FERPlus' words for the classes of FER2013; contempt is none of them.
FERPLUS_WORDS = {
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
    **{name: name for name in ("neutral", "surprise", "disgust", "fear")},
}

Record = dict[str, Any]  # JSON values


@dataclass(frozen=True)
class Source:
    """The run that the baseline is made from, and how far its training had come."""

    run: Run
    project: Project
    epoch: int
    num_epochs: int
    num_planned: int

    @property
    def is_interim(self) -> bool:
        """Whether the training had not ended."""
        return self.run.record.status != "finished"

    @property
    def state(self) -> str:
        """How far it had come, in words."""
        if self.is_interim:
            done = f"epoch {self.num_epochs} of {self.num_planned}"
            return f"interim: taken at {done} of a training that had not ended; the weights are of epoch {self.epoch}"
        return f"the best epoch, {self.epoch}, of {self.num_epochs}"


def main(words: Sequence[str] | None = None) -> int:
    """Read the command line and make the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--votes", type=Path, help="FERPlus' fer2013new.csv")
    parser.add_argument("--out", type=Path, default=HERE / "fercli_baseline" / NAME)
    given = parser.parse_args(words)
    source = read_source(given.run.resolve())
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / NAME
        weights = write_weights(source, made, temperature=1.0)
        write_record(made, record_of(source, {}))
        before, temperature = fitted_temperature(source, made)
        weights |= write_weights(source, made, temperature=temperature)
        cutting, tried = chosen_cut(source, made)
        metrics = {
            "cutting": cutting,
            "cuts_on_val": tried,
            "state": source.state,
            "weights": weights,
            "temperature": temperature,
            "val_ece_before": before,
            **scores_of(source, made, cutting, given.votes),
        }
        write_record(made, record_of(source, metrics))
        replace_text(made / "metrics.json", json.dumps(metrics, indent=1) + "\n")
        replace_text(made / "MODEL_CARD.md", card(source, metrics))
        shutil.rmtree(given.out, ignore_errors=True)
        shutil.copytree(made, given.out)
    print(f"{given.out}: {metrics['weights']['num_bytes']:,} bytes, {source.state}")
    return 0


def read_source(folder: Path) -> Source:
    """The run, its project, and how many epochs are behind it."""
    run, project = read_run(folder), fercli.open_project(folder.parents[1])
    epochs = (folder / "metrics.csv").read_text(encoding="utf-8").splitlines()[1:]
    meta = load_checkpoint(folder / "checkpoints" / "best.safetensors").meta
    planned = next(
        int(line.partition("=")[2])
        for line in (folder / "config.toml").read_text(encoding="utf-8").partition("[plan]")[2].splitlines()
        if line.startswith("epochs =")
    )
    return Source(run, project, int(meta["epoch"]), len(epochs), planned)


def write_weights(source: Source, folder: Path, *, temperature: float) -> Record:
    """The best weights, kernels and matrices in float16; vectors, such as those of normalisation, stay as they are."""
    saved = load_checkpoint(source.run.folder / "checkpoints" / "best.safetensors")
    kept = {
        name: tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor
        for name, tensor in saved.tensors.items()
    }
    if not all(torch.isfinite(tensor).all() for tensor in kept.values()):
        raise ValueError("a weight is out of the range of float16")
    names = ("model", "model_options", "classes", "form", "epoch", "is_average")
    meta = {name: saved.meta[name] for name in names if name in saved.meta}
    path = folder / "checkpoints" / "best.safetensors"
    path.unlink(missing_ok=True)  # or the note would tell of it too
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = save_checkpoint(path, kept, {**meta, "temperature": round(temperature, 4)})
    if path.stat().st_size > LIMIT_BYTES:
        raise ValueError(f"the weights take {path.stat().st_size:,} bytes, the limit is {LIMIT_BYTES:,}")
    return {
        "sha256": digest,
        "num_bytes": path.stat().st_size,
        "num_parameters": sum(tensor.numel() for tensor in kept.values() if tensor.is_floating_point()),
    }


def record_of(source: Source, metrics: Mapping[str, Any]) -> RunRecord:
    """run.json of the package: how faces are cut, on what it was trained, and its scores in short."""
    record = source.run.record
    named = {
        "FER2013 PublicTest": "as_given",
        "PublicTest, cut again": "cut_again",
        "PublicTest, cut by ArcFace's template": "cut_otherwise",
        "FERPlus' labels": "ferplus",
    }
    scores = {
        name: {**metrics[key]["accuracy"], "num_faces": metrics[key]["num_faces"]}
        for name, key in named.items()
        if metrics.get(key)
    }
    return replace(
        record,
        run_id=NAME,
        status="interrupted" if source.is_interim else "finished",
        name=NAME,
        reason=source.state,
        data_set="fer2013",
        cutting=metrics.get("cutting", recorded_rules(source.project)),
        result={
            "best": {"epoch": source.epoch},
            "epochs": source.num_epochs,
            "scores": scores,
            "also_measured_on": [metrics["other_cutting"]] if metrics.get("cut_otherwise") else [],
            "made_from": record.run_id,
        },
        begun=0,
        ended=0,
    )


def fitted_temperature(source: Source, folder: Path) -> tuple[float, float]:
    """The calibration error on the validation set, and the temperature that is fitted on it."""
    loaded = load_run_model(folder)
    rows = predictions_of(loaded, run_samples(source.project, source.run, "val"), "val")
    probabilities = np.array([[row.probabilities[name] for name in loaded.classes] for row in rows])
    targets = np.array([loaded.classes.index(row.label) for row in rows])
    fitted = fit_temperature(probabilities, targets, resampling_units(rows), generator=np.random.default_rng(0))
    return calibration_of(rows, loaded.classes).ece, fitted.value.value


def chosen_cut(source: Source, folder: Path) -> tuple[Record, list[Record]]:
    """The rules of `CUTS` under which the most validation faces are predicted right, and what each came to.

    Crops that fercli has cut itself tell their rules.
    """
    if not has_given_crops(source.project):
        return recorded_rules(source.project), []
    loaded = load_run_model(folder)
    tried: list[Record] = []
    for rules in CUTS:
        rows, num_cut = cut_again(source, loaded, "val", rules)
        accuracy = sum(row.label == row.predicted for row in rows) / len(rows)
        tried.append({"rules": rules_record(rules), "accuracy": accuracy, "num_cut": num_cut, "num_faces": len(rows)})
    return max(tried, key=lambda one: one["accuracy"])["rules"], tried


def rules_record(rules: CuttingRules) -> Record:
    """The rules as a run records them."""
    return {name: getattr(rules, name) for name in RULE_OF.values()}


def has_given_crops(project: Project) -> bool:
    return any(face.status == "given" for face in project.rows(Face))


def scores_of(source: Source, folder: Path, cutting: Mapping[str, Any], votes: Path | None) -> Record:
    """All scores of the card."""
    loaded = load_run_model(folder)
    val = predictions_of(loaded, run_samples(source.project, source.run, "val"), "val")
    test = predictions_of(loaded, run_samples(source.project, source.run, "test"), "test")
    copies = identical_to_earlier(source.project, source.run, "test")
    again: dict[str, Record | None] = {"cut_again": None, "cut_otherwise": None, "other_cutting": None}
    for rules in CUTS if has_given_crops(source.project) else ():
        rows, num_cut = cut_again(source, loaded, "test", rules)
        is_chosen = rules_record(rules) == cutting
        again["cut_again" if is_chosen else "cut_otherwise"] = {**scored(rows, loaded.classes), "num_cut": num_cut}
        if not is_chosen:
            again["other_cutting"] = rules_record(rules)
    return {
        **again,
        "val": scored(val, loaded.classes),
        "as_given": scored(test, loaded.classes),
        "without_copies": scored(without(test, copies), loaded.classes) if copies else None,
        "ferplus": by_ferplus(source.project, test, loaded.classes, votes) if votes else None,
    }


def predictions_of(loaded: LoadedModel, samples: Samples, part: str) -> list[Prediction]:
    """A row for each face."""
    found = predict_probabilities(loaded, samples)
    return [
        Prediction(
            samples.face_ids[row], samples.subject_ids[row], samples.video_ids[row], part,
            loaded.classes[int(samples.targets[row])], loaded.classes[int(found[row].argmax())],
            {name: float(share) for name, share in zip(loaded.classes, found[row], strict=True)},
        )
        for row in range(len(samples))
    ]  # fmt: skip


def scored(predictions: Sequence[Prediction], classes: Sequence[str]) -> Record:
    """Scores with intervals, by class, the confusion matrix, and calibration."""
    evaluation, calibrated = evaluate(predictions, classes, seed=0), calibration_of(predictions, classes)
    return {
        **evaluation_record(evaluation),
        "confusion_matrix": evaluation.matrix.tolist(),
        "calibration": {"ece": calibrated.ece, "brier": calibrated.brier, "nll": calibrated.nll},
    }


def cut_again(source: Source, loaded: LoadedModel, part: str, rules: CuttingRules) -> tuple[list[Prediction], int]:
    """One set as fercli finds and cuts its faces, and how many; where none is found the crop stays as it was given."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        shutil.copytree(source.project.root, root, ignore=shutil.ignore_patterns("runs", "exports", "reports"))
        project = fercli.open_project(root)
        wanted = {*run_samples(source.project, source.run, part).face_ids}
        project.write_rows([face for face in project.rows(Face) if face.face_id in wanted], Face)
        settings = AlignSettings(realign=True, template=rules.template, margin=rules.margin)
        result = align(project, settings, force=True)
        return predictions_of(loaded, run_samples(project, source.run, part), part), result.num_realigned


def by_ferplus(project: Project, test: Sequence[Prediction], classes: Sequence[str], votes: Path) -> Record:
    """The same predictions by FERPlus' majority of ten votes; images whose majority is none of ours are left out."""
    winners = ferplus_labels(read_ferplus_votes(votes).counts, "majority").winners
    row_of = {face.face_id: face.source_row for face in project.rows(Face)}
    labels = {}
    for one in test:
        row = row_of[one.face_id]
        word = EMOTIONS[winners[row]] if row is not None and 0 <= winners[row] < len(EMOTIONS) else ""
        labels[one.face_id] = FERPLUS_WORDS.get(word, "")
    rows = [replace(one, label=labels[one.face_id]) for one in test if labels[one.face_id]]
    return {**scored(rows, classes), "num_left_out": len(test) - len(rows)}


def card(source: Source, metrics: Mapping[str, Any]) -> str:
    """MODEL_CARD.md."""
    record, given = source.run.record, metrics["as_given"]
    again, cutting = metrics["cut_again"], metrics["cutting"]
    text = (HERE / "card.md").read_text(encoding="utf-8")
    interim = (
        f"**This is an interim state: epoch {source.num_epochs} of {source.num_planned}. The training had not ended "
        "when these weights were taken, and they will be replaced.**\n\n"
        if source.is_interim
        else ""
    )
    rules = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in cutting.items())
    own = source.run.folder / "split.csv"
    rows = read_table(own, SplitRow) if own.exists() else source.project.split_rows("default")
    sides = {row.face_id: row.split for row in rows}
    text = text.format(
        num_train=f"{list(sides.values()).count('train'):,}",
        num_val=f"{list(sides.values()).count('val'):,}",
        num_copies=num_copies(source.project, sides),
        interim=interim,
        network=record.model,
        num_parameters=f"{metrics['weights']['num_parameters']:,}",
        num_bytes=f"{metrics['weights']['num_bytes']:,}",
        sha256=metrics["weights"]["sha256"],
        state=source.state,
        made_from=record.run_id,
        settings=", ".join(f"{name} {version}" for name, version in record.versions.items()),
        rules=rules,
        classes=", ".join(record.classes),
        scores="\n".join(score_rows(metrics)),
        cut=cut_words(metrics),
        ferplus=ferplus_words(metrics["ferplus"]),
        by_class="\n".join(class_rows(given)),
        confusion="\n".join(confusion_rows(given, record.classes)),
        temperature=f"{metrics['temperature']:.3f}",
        ece=f"{given['calibration']['ece']:.3f}",
        val_ece=f"{metrics['val']['calibration']['ece']:.3f}",
        val_ece_before=f"{metrics['val_ece_before']:.3f}",
        cut_ece=f", {again['calibration']['ece']:.3f} on PublicTest cut again" if again else "",
    )
    return wrapped(text)


def cut_words(metrics: Mapping[str, Any]) -> str:
    again, tried = metrics["cut_again"], metrics["cuts_on_val"]
    if again is None:
        return "The crops are those that fercli cut."
    words = " and ".join(f"template {one['rules']['template']} {one['accuracy']:.1%}" for one in tried)
    return (
        f"Of its {again['num_faces']:,} crops, `fer align --realign` found a face in {again['num_cut']:,} and cut it "
        "again; the others stayed as they were given. How faces are cut was chosen by the accuracy on the validation "
        f"set: {words}. The crops of FER2013 leave little room around a face, so what is cut out of a whole image has "
        "less black at its edges than these."
    )


def wrapped(text: str) -> str:
    """Paragraphs in lines of 120; tables, lists and headings as they are."""
    parts = text.split("\n\n")
    return "\n\n".join(part if part[:2] in ("| ", "|-", "# ", "##", "* ") else fill(part, 120) for part in parts) + "\n"


def num_copies(project: Project, sides: Mapping[str, str]) -> int:
    """How many training images are byte-identical to one of the published test set."""
    record = read_record(project.split_path("official"))
    copies = record.get("leakage", {}).get("identical", [])
    return len({one["copy_id"] for one in copies if one["split"] == "test" and sides.get(one["copy_id"]) == "train"})


def ferplus_words(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "The model has been measured on no other labels, and on images of no other dataset."
    return (
        f"FERPlus gives {found['num_left_out']:,} of the images no majority for one of these seven classes; they are "
        "left out of its row. These are other labels of the same images: on images of another dataset the model has "
        "not been measured."
    )


def score_rows(metrics: Mapping[str, Any]) -> list[str]:
    titles = {
        "as_given": "PublicTest as it was given",
        "without_copies": "the same without images that are also in Training",
        "cut_again": "PublicTest, faces found and cut as `fer predict` cuts them for this model",
        "cut_otherwise": "PublicTest, faces found and cut as `fer align` cuts them by default",
        "ferplus": "PublicTest by FERPlus' labels of the same images",
        "val": "validation set (10% of Training; the epoch and the temperature were chosen on it)",
    }
    rows = []
    for key, title in titles.items():
        if found := metrics[key]:
            cells = [spread(found[name]) for name in ("accuracy", "balanced_accuracy", "macro_f1")]
            rows.append(f"| {title} | {found['num_faces']:,} | {' | '.join(cells)} |")
    return rows


def spread(score: Mapping[str, Any]) -> str:
    value = f"{score['value']:.1%}"
    return value if score["low"] is None else f"{value} ({score['low']:.1%} to {score['high']:.1%})"


def class_rows(found: Mapping[str, Any]) -> list[str]:
    return [
        f"| {name} | {' | '.join(share(row[key]) for key in ('precision', 'recall', 'f1'))} | {row['support']:,} |"
        for name, row in found["per_class"].items()
    ]


def share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def confusion_rows(found: Mapping[str, Any], classes: Sequence[str]) -> list[str]:
    head = [f"| true \\ predicted | {' | '.join(classes)} |", f"|---|{'---:|' * len(classes)}"]
    matrix = zip(classes, found["confusion_matrix"], strict=True)
    return head + [f"| {name} | {' | '.join(map(str, row))} |" for name, row in matrix]


if __name__ == "__main__":
    sys.exit(main())
