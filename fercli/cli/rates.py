"""Rates and lengths of time as a progress shows them."""


def shown_rate(per_s: float) -> str:
    """Items in a second, or seconds for one, whichever reads better."""
    if per_s >= 10:
        return f"{per_s:.0f}/s"
    if per_s >= 0.5 or per_s == 0:
        return f"{per_s:.1f}/s"
    return f"{1 / per_s:.1f} s each"


def shown_time(seconds: float) -> str:
    """A rough length of time: 40 s, 3 min, 2 h 5 min."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
