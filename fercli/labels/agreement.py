"""How well annotators agree: Fleiss' kappa, Krippendorff's alpha, percent, each from counts, with intervals."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from fercli.core.rows import MIN_UNITS, Vote
from fercli.labels.counts import count_votes, encode_votes

NUM_RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A coefficient with its 95 % bootstrap interval; `why_no_interval` is given where there is none.

    `value` is None where it is not defined: nobody judged a face twice, or only one category was ever used.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    num_units: int = 0
    why_no_interval: str = ""


@dataclass(frozen=True)
class Agreement:
    """Agreement over all classes and for each.

    Args:
        num_faces: faces with at least two votes; only these can agree.
        num_votes: votes on them.
        fleiss: Fleiss' kappa; with unequal numbers of votes each face's agreement is taken over its own pairs.
        krippendorff: nominal alpha; votes may be missing.
        percent: share of pairs of votes on one face that are alike.
        fleiss_by_class: the class (one vs. rest).
        krippendorff_by_class: the same for alpha.
        has_equal_votes: whether all faces have the same number of votes, as Fleiss' kappa is defined.
    """

    num_faces: int
    num_votes: int
    fleiss: Estimate
    krippendorff: Estimate
    percent: Estimate
    fleiss_by_class: dict[str, float | None] = field(default_factory=dict)
    krippendorff_by_class: dict[str, float | None] = field(default_factory=dict)
    has_equal_votes: bool = True


@dataclass(frozen=True)
class Units:
    """What is resampled for an interval: for each face the number of its unit, and what a unit is."""

    name: str
    of_face: Int[np.ndarray, " faces"]

    @property
    def num_units(self) -> int:
        """How many different units there are."""
        return len(np.unique(self.of_face))


def measure_agreement(
    votes: Sequence[Vote],
    classes: Sequence[str],
    *,
    unit_name: str = "face",
    unit_of_face: dict[str, str] | None = None,
    rng: np.random.Generator | None = None,
) -> Agreement:
    """Measure agreement over the faces with two or more votes; `unknown` and `nf` are categories like others.

    Args:
        votes: one for each face and annotator; the adjudicator's do not count.
        classes: the project's.
        unit_name: what is resampled: subject, video or face.
        unit_of_face: each face's unit; the face itself where None.
        rng: for the intervals; without it none are made.
    """
    codes = encode_votes(votes, classes)
    counts = count_votes(codes)
    is_judged_twice = counts.sum(axis=1) >= 2
    counts = counts[is_judged_twice]
    faces = [face_id for face_id, keep in zip(codes.face_ids, is_judged_twice.tolist(), strict=True) if keep]
    units = number_units(faces, unit_name, unit_of_face)
    by_class = {
        name: np.stack([counts[:, place], counts.sum(axis=1) - counts[:, place]], axis=1)
        for place, name in enumerate(codes.categories)
        if place < codes.num_classes
    }
    return Agreement(
        len(counts),
        int(counts.sum()),
        estimate(counts, fleiss_sums, fleiss_of_sums, units, rng=rng),
        estimate(counts, krippendorff_sums, krippendorff_of_sums, units, rng=rng),
        estimate(counts, percent_sums, ratio_of_sums, units, rng=rng),
        {name: fleiss_kappa(pair) for name, pair in by_class.items()},
        {name: krippendorff_alpha(pair) for name, pair in by_class.items()},
        len(np.unique(counts.sum(axis=1))) <= 1,
    )


def fleiss_kappa(counts: Float[np.ndarray, "faces categories"]) -> float | None:
    """Fleiss' kappa of faces that all have two votes or more; None where chance alone agrees fully.

    Source: Fleiss, Psychological Bulletin 76, 1971, eq. 1-7; for unequal numbers of votes the mean over faces of each
    face's own share of agreeing pairs.
    """
    return fleiss_of_sums(fleiss_sums(counts).sum(axis=0))


def krippendorff_alpha(counts: Float[np.ndarray, "faces categories"]) -> float | None:
    """Krippendorff's alpha for nominal data; faces with one vote do not count; None where only one category is used.

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, section C.
    """
    return krippendorff_of_sums(krippendorff_sums(counts).sum(axis=0))


# Each coefficient is a function of sums over faces. That makes a bootstrap of subjects one product of matrices.


def fleiss_sums(counts: Float[np.ndarray, "faces categories"]) -> Float[np.ndarray, "faces sums"]:
    """For each face: 1, its share of agreeing pairs, its votes by category."""
    number = counts.sum(axis=1)
    pairs = (counts * (counts - 1)).sum(axis=1) / np.maximum(number * (number - 1), 1)
    return np.column_stack([np.ones(len(counts)), pairs, counts])


def fleiss_of_sums(sums: Float[np.ndarray, " sums"]) -> float | None:
    """Fleiss' kappa from the columns of `fleiss_sums`, added up."""
    if sums[0] <= 0:
        return None
    observed, shares = sums[1] / sums[0], sums[2:] / sums[2:].sum()
    return _beyond_chance(observed, float((shares**2).sum()))


def krippendorff_sums(counts: Float[np.ndarray, "faces categories"]) -> Float[np.ndarray, "faces sums"]:
    """For each face: its disagreeing pairs over (votes - 1), its votes by category."""
    number = counts.sum(axis=1)
    disagreeing = (number**2 - (counts**2).sum(axis=1)) / np.maximum(number - 1, 1)
    return np.where((number >= 2)[:, None], np.column_stack([disagreeing, counts]), 0.0)


def krippendorff_of_sums(sums: Float[np.ndarray, " sums"]) -> float | None:
    """Krippendorff's alpha from the columns of `krippendorff_sums`, added up."""
    total = sums[1:].sum()
    expected = total**2 - (sums[1:] ** 2).sum()
    return float(1 - (total - 1) * sums[0] / expected) if expected > 1e-9 else None


def percent_sums(counts: Float[np.ndarray, "faces categories"]) -> Float[np.ndarray, "faces sums"]:
    """For each face: its agreeing pairs, its pairs."""
    number = counts.sum(axis=1)
    return np.column_stack([(counts * (counts - 1)).sum(axis=1) / 2, number * (number - 1) / 2])


def ratio_of_sums(sums: Float[np.ndarray, " sums"]) -> float | None:
    """The first sum over the second."""
    return float(sums[0] / sums[1]) if sums[1] > 0 else None


def number_units(faces: Sequence[str], name: str, unit_of_face: dict[str, str] | None) -> Units:
    """Number the units of these faces; a face without an entry is a unit of its own."""
    words = [(unit_of_face or {}).get(face) or face for face in faces]
    numbers = {word: number for number, word in enumerate(sorted(set(words)))}
    return Units(name, np.array([numbers[word] for word in words], dtype=np.int64))


def estimate(
    data: Float[np.ndarray, "faces columns"],
    sums_of: Callable[[Float[np.ndarray, "faces columns"]], Float[np.ndarray, "faces sums"]],
    of_sums: Callable[[Float[np.ndarray, " sums"]], float | None],
    units: Units,
    *,
    rng: np.random.Generator | None,
) -> Estimate:
    """A coefficient and its percentile interval over resampled units; under MIN_UNITS units there is no interval."""
    sums = sums_of(data)
    value = of_sums(sums.sum(axis=0)) if len(sums) else None
    if value is None or rng is None:
        return Estimate(value)
    num_units = units.num_units
    if num_units < MIN_UNITS:
        why = f"a confidence interval needs at least {MIN_UNITS} {units.name}s, and there are {num_units}"
        return Estimate(value, unit=units.name, num_units=num_units, why_no_interval=why)
    by_unit = np.zeros((int(units.of_face.max()) + 1, sums.shape[1]))
    np.add.at(by_unit, units.of_face, sums)
    drawn = [entry for row in _resampled_sums(by_unit, rng) if (entry := of_sums(row)) is not None]
    if not drawn:
        return Estimate(
            value, unit=units.name, num_units=num_units, why_no_interval="no bootstrap resample has a value"
        )
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(value, float(low), float(high), units.name, num_units)


def _resampled_sums(by_unit: Float[np.ndarray, "units sums"], rng: np.random.Generator) -> Iterator[np.ndarray]:
    num_units = len(by_unit)
    for _ in range(NUM_RESAMPLES):
        # Four times faster than rng.multinomial where every face is a unit.
        weights = np.bincount(rng.integers(num_units, size=num_units), minlength=num_units)
        yield weights @ by_unit


def _beyond_chance(observed: float, expected: float) -> float | None:
    return float((observed - expected) / (1 - expected)) if expected < 1 - 1e-12 else None
