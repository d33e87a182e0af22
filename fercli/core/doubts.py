"""Say how little a score may mean: first of all, whether it beats always predicting one class."""

from collections.abc import Mapping
from typing import Any


def baseline_doubt(part: str, accuracy: Mapping[str, Any], majority: Mapping[str, Any]) -> tuple[str, ...]:
    """A sentence where an accuracy is not above the majority-class baseline, or may not be; else none.

    Args:
        part: the set, "test".
        accuracy: `value`, and `low`, the lower bound of its interval, None with a `reason` where there is none.
        majority: `emotion` and `value`, as in metrics.json.
    """
    value, low = accuracy["value"], accuracy.get("low")
    baseline = f"the majority-class baseline ({majority['value']:.1%}, always '{majority['emotion']}')"
    if value <= majority["value"]:
        return (f"The {part} accuracy ({value:.1%}) does not exceed {baseline}.",)
    if low is None:
        why = accuracy.get("reason") or "it has no confidence interval"
        return (f"The {part} accuracy ({value:.1%}) may not really exceed {baseline}: {why}.",)
    if low <= majority["value"]:
        return (f"The {part} accuracy may not really exceed {baseline}: the lower bound of its CI is {low:.1%}.",)
    return ()
