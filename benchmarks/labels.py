"""How long votes take: a million of them from a CSV file to labels, and the majority of 36,000 faces with ten votes.

    python benchmarks/labels.py                    # 100,000 faces, ten annotators
    python benchmarks/labels.py --faces 10000

Makes a project in a temporary folder, without pictures. Prints a Markdown table: seconds of wall clock and of CPU, and
the largest memory of the process so far.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fercli.core.project import Project, create_project
from fercli.core.rows import Face, Vote
from fercli.labels.aggregate import aggregate_votes
from fercli.stages.labels.agreement import LabelsAgreementSettings, labels_agreement
from fercli.stages.labels.importing import LabelsImportSettings, labels_import
from fercli.stages.labels.vote import LabelsVoteSettings, labels_vote

CLASSES = ("happy", "dedicated", "neutral", "confused", "tired", "bored")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--annotators", type=int, default=10)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    print("| step | wall s | CPU s | largest memory MB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        measure_project(Path(name), args.faces, args.annotators, rng)
    votes = some_votes(36_000, 10, rng)
    show("majority of 36,000 faces x 10 votes", lambda: aggregate_votes(votes, CLASSES))


def measure_project(folder: Path, num_faces: int, num_annotators: int, rng: np.random.Generator) -> None:
    """Import, vote again by other rules, measure agreement."""
    project = make_project(folder / "p", num_faces)
    votes = some_votes(num_faces, num_annotators, rng)
    path = folder / "votes.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("face_id,annotator,label,created_at\n")
        file.writelines(f"{vote.face_id},{vote.annotator},{vote.label},2024-05-01T10:00:00Z\n" for vote in votes)
    number = f"{len(votes):,} votes"
    votes.clear()
    show(f"fer labels import, {number}", lambda: labels_import(project, LabelsImportSettings(), [path]))
    show("the same file again", lambda: labels_import(project, LabelsImportSettings(), [path]))
    for method in ("ferplus", "weighted", "dawid-skene"):
        settings = LabelsVoteSettings(method=method)
        show(f"fer labels vote --method {method}", lambda settings=settings: labels_vote(project, settings))
    show("fer labels agreement", lambda: labels_agreement(project, LabelsAgreementSettings()))


def make_project(root: Path, num_faces: int) -> Project:
    """A project whose faces have no pictures; ten faces to a frame."""
    project = create_project(root, name="votes", classes=CLASSES)
    names = (f"lesson/f{place // 10:06d}-{place % 10}" for place in range(num_faces))
    project.write_rows([Face(name, name[:-2], "lesson", subject_id=f"s{name[-1]}") for name in names], Face)
    return project


def some_votes(num_faces: int, num_annotators: int, rng: np.random.Generator) -> list[Vote]:
    """Votes of annotators who are right seven times of ten."""
    truth = rng.integers(len(CLASSES), size=num_faces)
    said = np.where(
        rng.random((num_annotators, num_faces)) < 0.7,
        truth,
        rng.integers(len(CLASSES), size=(num_annotators, num_faces)),
    )
    return [
        Vote(f"lesson/f{place // 10:06d}-{place % 10}", f"person{annotator}", CLASSES[target], CLASSES[target])
        for annotator, row in enumerate(said.tolist())
        for place, target in enumerate(row)
    ]


def show(step: str, work: Callable[[], object]) -> None:
    """Run `work` once and print its line of the table."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {step} | {wall:.2f} | {cpu:.2f} | {memory:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
