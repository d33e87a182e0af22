"""How sure a prediction must be to be called by a class: the run's temperature and threshold, fitted by `fer eval`."""

from dataclasses import dataclass

import numpy as np

from fercli.core.certainty import percent, temperature_words
from fercli.core.errors import InputError, UsageError
from fercli.core.runs import Run, checkpoint_word
from fercli.core.words import counted
from fercli.metrics.temperature import with_temperature
from fercli.stages.evaluate.doubt import threshold_of
from fercli.stages.evaluate.fitting import read_fitted
from fercli.stages.next_steps import run_words
from fercli.stages.predict import UNCERTAIN, PredictSettings


@dataclass(frozen=True)
class Certainty:
    """A temperature (1 leaves probabilities as they are), a threshold where one is asked for, and what to say of both.

    Both were fitted on probabilities of six digits, and are applied to such.
    """

    temperature: float | None = None
    threshold: float | None = None
    words: tuple[str, ...] = ()

    def shares(self, row: np.ndarray) -> list[float]:
        """One face's probabilities, of six digits, with the temperature."""
        rounded = [round(float(share), 6) for share in row]
        if self.temperature is None:
            return rounded
        return [round(float(share), 6) for share in with_temperature(np.array([rounded]), self.temperature)[0]]

    def word(self, name: str, probability: float) -> str:
        """The class, or `uncertain` where its probability is below the threshold."""
        return UNCERTAIN if self.threshold is not None and probability < self.threshold else name


PLAIN = Certainty()


def certainty_of(run: Run, settings: PredictSettings) -> Certainty:
    """What `--calibrated` and `--target-accuracy` ask for.

    Raises:
        MissingStageError: nothing was fitted for these weights of the run.
        UsageError: a class of the run is called "uncertain".
        InputError: no threshold reaches the accuracy on the validation faces.
    """
    target = settings.target_accuracy
    if not settings.calibrated and target is None:
        return PLAIN
    classes = run.record.classes
    checkpoint = "" if settings.checkpoint == "best" else f" --checkpoint {settings.checkpoint}"
    named = run_words(run.folder) if run.home is None else f" {run.run_id}"
    command = f"fer eval{named}{checkpoint} --calibration"
    record, validation = read_fitted(run, checkpoint_word(settings.checkpoint), command, settings.checkpoint)
    temperature = float(record["value"]) if settings.calibrated else None
    words = [temperature_words(record)] if settings.calibrated else []
    if target is None:
        return Certainty(temperature, None, tuple(words))
    if UNCERTAIN in classes:
        raise UsageError(
            f"a class of the run is called '{UNCERTAIN}', as faces below the threshold would be",
            hint="Predict without --target-accuracy.",
        )
    found = threshold_of(validation, classes, temperature or 1.0, target)
    if found.value is None:
        raise InputError(
            f"no threshold gives an accuracy of {percent(target)} on the validation faces; at most "
            f"{percent(found.accuracy)}",
            hint="Give a lower --target-accuracy.",
        )
    words.append(
        f"Faces with a probability below {found.value:.3f} are '{UNCERTAIN}': above it, {percent(found.accuracy)} of "
        f"{counted(found.num_accepted, 'validation face')} were correct (at least {percent(found.bound)} with 95% "
        f"confidence, if faces were independent), and {percent(found.coverage)} of {found.num_faces:,} were above. "
        "Other people and rooms may differ."
    )
    return Certainty(temperature, found.value, tuple(words))
