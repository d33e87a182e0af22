"""Run torchrun and report the exit code of the processes it started, without torchrun's own messages.

What ended a process is told by whoever asked for them; torchrun would add its tracebacks.
"""

import logging
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

# A process that a signal ended, as shells number it.
_SIGNALLED = 128


def launch(words: list[str]) -> int:
    """Start the processes, wait for them; 0, or the exit code of the one that failed first, 128 + n for signal n."""
    logging.disable(logging.ERROR)
    try:
        run.main(words)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode > 0 else _SIGNALLED - failure.exitcode
    except SignalException as error:
        return _SIGNALLED + error.sigval
    return 0


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
