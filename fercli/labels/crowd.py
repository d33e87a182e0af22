"""How far each annotator can be trusted, and labels that take it into account: weighted votes and Dawid-Skene."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fercli.labels.counts import VoteCodes, count_votes

# Dawid and Skene's tables start from counts; a zero would forbid for ever what an annotator has not done yet.
SMOOTHING = 1e-2


@dataclass(frozen=True)
class CrowdEstimate:
    """What was learned from the votes.

    Args:
        shares: for each face the weight, or the posterior probability, of each category.
        accuracy: for each annotator the share of votes that the estimate holds to be right.
        num_rounds: rounds until nothing changed any more.
        has_settled: whether that happened before the last round allowed.
    """

    shares: Float[np.ndarray, "faces categories"]
    accuracy: Float[np.ndarray, " annotators"]
    num_rounds: int
    has_settled: bool


def weigh_annotators(codes: VoteCodes) -> CrowdEstimate:
    """Weigh each vote by how often its annotator agrees with the most frequent label of all.

    Faces without one most frequent label do not count for the weight. One round ("worker agreement with aggregate").
    """
    counts = count_votes(codes)
    at_top = counts == counts.max(axis=1, keepdims=True)
    is_clear = at_top.sum(axis=1) == 1
    agrees = at_top[codes.face, codes.category] & is_clear[codes.face]
    judged = np.bincount(codes.annotator, is_clear[codes.face], minlength=len(codes.annotators))
    right = np.bincount(codes.annotator, agrees, minlength=len(codes.annotators))
    accuracy = np.divide(right, judged, out=np.ones_like(right), where=judged > 0)
    return CrowdEstimate(count_votes(codes, accuracy[codes.annotator]), accuracy, 1, True)


def dawid_skene(
    codes: VoteCodes, *, max_rounds: int = 100, tolerance: float = 1e-5, smoothing: float = SMOOTHING
) -> CrowdEstimate:
    """Estimate labels and each annotator's confusions together, by expectation and maximisation.

    Starts from the shares of votes; ends when the log-likelihood of a vote grows by less than `tolerance`.

    Source: Dawid and Skene, Applied Statistics 28, 1979, eq. 2.3-2.5. `smoothing` is added to each cell of an
    annotator's table.
    """
    used = np.flatnonzero(np.bincount(codes.category, minlength=len(codes.categories)))
    place = np.searchsorted(used, codes.category)
    posterior = count_votes(codes)[:, used]
    posterior /= np.maximum(posterior.sum(axis=1, keepdims=True), 1.0)
    before, has_settled, num_rounds = -np.inf, False, 0
    while not has_settled and num_rounds < max_rounds:
        num_rounds += 1
        tables = _tables(codes, place, posterior, smoothing)
        posterior, likelihood = _posterior(codes, place, posterior.mean(axis=0), tables)
        has_settled = likelihood - before < tolerance * len(codes.face)
        before = likelihood
    right = np.bincount(codes.annotator, posterior[codes.face, place], minlength=len(codes.annotators))
    given = np.bincount(codes.annotator, minlength=len(codes.annotators))
    shares = np.zeros((len(codes.face_ids), len(codes.categories)))
    shares[:, used] = posterior
    return CrowdEstimate(shares, right / np.maximum(given, 1), num_rounds, has_settled)


def _tables(
    codes: VoteCodes, place: np.ndarray, posterior: np.ndarray, smoothing: float
) -> Float[np.ndarray, "annotators true said"]:
    """The share of `said` among an annotator's votes on faces that are `true`, each face counted by its posterior."""
    num_annotators, num_used = len(codes.annotators), posterior.shape[1]
    cell = codes.annotator * num_used + place
    columns = [
        np.bincount(cell, posterior[codes.face, true], minlength=num_annotators * num_used) for true in range(num_used)
    ]
    tables = np.stack(columns, axis=1).reshape(num_annotators, num_used, num_used).transpose(0, 2, 1) + smoothing
    return np.asarray(tables / np.maximum(tables.sum(axis=2, keepdims=True), 1e-300))


def _posterior(
    codes: VoteCodes, place: np.ndarray, prior: np.ndarray, tables: np.ndarray
) -> tuple[Float[np.ndarray, "faces true"], float]:
    with np.errstate(divide="ignore"):
        said = np.log(tables)[codes.annotator, :, place]
        evidence = np.tile(np.log(prior), (len(codes.face_ids), 1))
    for true in range(len(prior)):
        evidence[:, true] += np.bincount(codes.face, said[:, true], minlength=len(codes.face_ids))
    peak = evidence.max(axis=1, keepdims=True)
    weights = np.exp(evidence - peak)
    total = weights.sum(axis=1, keepdims=True)
    return weights / total, float((np.log(total) + peak).sum())
