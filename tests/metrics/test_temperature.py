import numpy as np
import pytest
from scipy.optimize import root_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import chi2

from fercli.metrics.intervals import Units
from fercli.metrics.temperature import LEAST, fit_temperature, with_temperature


def units_of(index: np.ndarray) -> Units:
    return Units("subject", index, tuple(f"s{number}" for number in range(int(index.max()) + 1)))


def drawn(seed: int, *, sureness: float = 1.0, num_faces: int = 400) -> tuple[np.ndarray, np.ndarray, Units]:
    """Targets drawn from softmax(logits), and probabilities of a model whose logits are `sureness` times these."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(num_faces, 4)) * 2
    targets = np.array([generator.choice(4, p=row) for row in softmax(logits, axis=1)])
    return softmax(logits * sureness, axis=1), targets, units_of(np.arange(num_faces) % 20)


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_is_where_the_slope_of_the_likelihood_is_zero(seed: int) -> None:
    probabilities, targets, units = drawn(seed, sureness=2.5)
    logits = np.log(np.maximum(probabilities, 5e-7))  # what a table of six digits calls 0

    def slope(sharpness: float) -> float:
        true = logits[np.arange(len(targets)), targets]
        return float((true - (softmax(logits * sharpness, axis=1) * logits).sum(1)).sum())

    expected = 1 / root_scalar(slope, bracket=(0.1, 10), xtol=1e-16, rtol=1e-15).root
    fitted = fit_temperature(probabilities, targets, units, generator=np.random.default_rng(0))
    assert fitted.value.value == pytest.approx(expected, abs=1e-12)
    assert not fitted.is_at_edge


def test_no_other_temperature_is_likelier() -> None:
    probabilities, targets, units = drawn(7, sureness=0.4)
    best = fit_temperature(probabilities, targets, units, generator=np.random.default_rng(0)).value.value
    losses = [
        -log_softmax(np.log(probabilities) / (best * factor), axis=1)[np.arange(len(targets)), targets].mean()
        for factor in (0.99, 1.0, 1.01)
    ]
    assert losses[1] == min(losses)


def test_an_overconfident_model_is_found_out_within_the_interval() -> None:
    probabilities, targets, units = drawn(3, sureness=3.0, num_faces=2000)
    value = fit_temperature(probabilities, targets, units, generator=np.random.default_rng(0)).value
    assert value.low is not None
    assert value.high is not None
    assert value.low < value.value < value.high
    assert value.low < 3.0 < value.high
    assert value.high - value.low < 1.0


def test_likely_temperatures_are_those_that_a_likelihood_ratio_test_keeps() -> None:
    probabilities, targets, units = drawn(3, sureness=3.0)
    fitted = fit_temperature(probabilities, targets, units, generator=np.random.default_rng(0))
    logits = np.log(np.maximum(probabilities, 5e-7))

    def likelihood(temperature: float) -> float:
        return float(log_softmax(logits / temperature, axis=1)[np.arange(len(targets)), targets].sum())

    for end in (fitted.likely_low, fitted.likely_high):
        assert 2 * (likelihood(fitted.value.value) - likelihood(end)) == pytest.approx(chi2.ppf(0.95, 1))
    assert fitted.likely_low < fitted.value.value < fitted.likely_high


def test_scaling_undoes_what_made_the_model_too_sure() -> None:
    calm, sharp = drawn(1)[0], drawn(1, sureness=2.0)[0]
    np.testing.assert_allclose(with_temperature(sharp, 2.0), calm, atol=2e-3)  # what a table calls 0 is floored
    np.testing.assert_allclose(with_temperature(sharp, 2.0).sum(1), 1, atol=1e-15)
    np.testing.assert_allclose(with_temperature(calm, 1.0), calm, atol=1e-5)
    assert (with_temperature(sharp, 7.0).argmax(1) == sharp.argmax(1)).all()


def test_a_model_that_is_always_right_has_no_best_temperature() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    fitted = fit_temperature(
        probabilities, np.array([0, 1]), units_of(np.array([0, 1])), generator=np.random.default_rng(0)
    )
    assert fitted.is_at_edge
    assert (fitted.value.value, fitted.likely_low) == (LEAST, LEAST)
    assert fitted.value.reason == "only 2 subjects; a confidence interval needs at least 5"


def test_uniform_rows_are_left_as_they_are() -> None:
    fitted = fit_temperature(
        np.full((3, 2), 0.5), np.array([0, 1, 1]), units_of(np.arange(3)), generator=np.random.default_rng(0)
    )
    assert (fitted.value.value, fitted.is_at_edge) == (1.0, False)


def test_no_face_is_refused() -> None:
    with pytest.raises(ValueError, match="no face to fit"):
        fit_temperature(
            np.zeros((0, 2)), np.zeros(0, np.int64), Units("face", np.zeros(0, np.int64), ()),
            generator=np.random.default_rng(0),
        )  # fmt: skip
