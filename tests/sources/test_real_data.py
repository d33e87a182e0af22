"""The published figures of FER2013 and FERPlus, on the real files."""

import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from fercli.core.rows import SPLITS
from fercli.sources.census import is_constant, picture_digest, take_census
from fercli.sources.fer2013 import EMOTIONS, fer2013_roles, read_fer2013
from fercli.sources.ferplus import ferplus_labels, read_ferplus, read_ferplus_votes
from fercli.sources.items import FerplusMode
from fercli.sources.official import official_split
from fercli.vision.images import decode_image
from tests.sources.trees import options

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def fer2013_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """fer2013.csv in the official form, unpacked by the script that comes with the data."""
    import os

    script = Path(os.environ["FER_REAL_DATA"]) / "unpack_fer2013.py"
    spec = importlib.util.spec_from_file_location("unpack_fer2013", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    data = module.load()
    usages = data["usage_names"].tolist()
    path = tmp_path_factory.mktemp("fer2013") / "fer2013.csv"
    words = np.array([str(value) for value in range(256)], object)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("emotion,pixels,Usage\n")
        for image, target, usage in zip(data["pixels"], data["emotion"], data["usage"], strict=True):
            file.write(f"{target},{' '.join(words[image.ravel()])},{usages[usage]}\n")
    return path


def test_fer2013_has_the_published_counts_and_its_known_flaws(fer2013_csv: Path) -> None:
    parts, emotions, pictures, num_constant = [], [], [], 0
    for batch in read_fer2013(fer2013_csv, options("fer2013"), decode_image):
        assert not batch.failures
        for item, image in zip(batch.items, batch.images, strict=True):
            parts.append(item.part)
            emotions.append(item.emotion)
            pictures.append(picture_digest(image))
            num_constant += is_constant(image)
    per_class = Counter(zip(parts, emotions, strict=True))
    assert [per_class["Training", emotion] for emotion in EMOTIONS] == [3995, 436, 4097, 7215, 4830, 3171, 4965]
    assert [per_class["PublicTest", emotion] for emotion in EMOTIONS] == [467, 56, 496, 895, 653, 415, 607]
    made = official_split(
        parts, emotions, pictures, roles=fer2013_roles(set(parts)), generator=np.random.default_rng(0)
    )
    assert (num_constant, take_census(pictures, emotions).num_conflicting_groups) == (12, 47)
    of_split = {name: [p for p, s in zip(pictures, made.splits, strict=True) if s == name] for name in SPLITS}
    known = {*of_split["train"], *of_split["val"]}
    assert not set(of_split["val"]) & set(of_split["train"])
    assert sum(picture in known for picture in of_split["test"]) == 280


@pytest.mark.parametrize(
    ("mode", "num_training", "num_public_test"),
    [("majority", 25_060, 3_199), ("probability", 27_956, 3_505), ("multi-target", 27_671, 3_472)],
)
def test_ferplus_keeps_the_rows_that_the_authors_rules_keep(
    real_data: Path, mode: FerplusMode, num_training: int, num_public_test: int
) -> None:
    # Counted on the same votes with the rules of microsoft/FERPlus, src/ferplus.py, written out row by row.
    votes = read_ferplus_votes(real_data / "ferplus" / "fer2013new.csv")
    winners = ferplus_labels(votes.counts, mode).winners
    kept = Counter(part for part, winner in zip(votes.parts, winners, strict=True) if 0 <= winner < 8)
    assert kept == {"Training": num_training, "PublicTest": num_public_test}


def test_ferplus_joins_fer2013_by_line(real_data: Path, fer2013_csv: Path) -> None:
    how = options("ferplus", votes=real_data / "ferplus" / "fer2013new.csv")
    labels = Counter(
        bool(item.emotion) for batch in read_ferplus(fer2013_csv, how, decode_image) for item in batch.items
    )
    assert labels == {True: 25_060 + 3_199, False: 32_298 - 28_259}
