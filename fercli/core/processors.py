"""How many processors this process may use."""

import os


def count_processors() -> int:
    """The processors that this process was given, where the system tells (Linux: a job of a cluster, a container)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
