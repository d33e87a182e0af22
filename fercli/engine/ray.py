"""Map a function over items on an existing Ray cluster; same results, same order as on this machine.

Needs `fercli[ray]` on every machine of the cluster, and the project's folder under the same path on each of them.
"""

import os
import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

from fercli.core.errors import InputError, UsageError

Item = TypeVar("Item")
Result = TypeVar("Result")

# `ray.init` waits over two minutes where nobody listens, so somebody must answer first.
_PROBE_S = 5.0
# A task is done again when its process or its machine dies, so often at most.
_MAX_RETRIES = 10
# Tasks that wait for each processor of the cluster, so that none starves and memory stays flat.
_TASKS_PER_CPU = 2

# What the processes of a cluster built, by the call of `map_items` that it is for; the last one only.
_workers: dict[str, Callable[[Any], Any]] = {}  # takes and gives what the caller of `map_items` chose


@dataclass(frozen=True)
class RayEngine:
    """The processors of the Ray cluster whose head listens at `address`, "HOST:PORT".

    `make_worker` is called once in each process; it and the items must be picklable. Each task uses one processor and,
    with `uses_gpus`, one GPU, which is the only one that it sees.
    """

    address: str
    uses_gpus: bool = False

    def map_items(self, make_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item]) -> Iterator[Result]:
        """See `Engine.map_items`; a task whose process or machine dies is done again elsewhere.

        Raises:
            UsageError: the extra is not installed, or `address` is none.
            InputError: no cluster answers there, it refuses this machine, or it lacks the GPUs that are asked for.
        """
        if not items:
            return
        ray = _import_ray()
        _probe(self.address)
        _connect(ray, self.address)
        try:
            if self.uses_gpus and ray.cluster_resources().get("GPU", 0) < 1:
                raise InputError(
                    f"the Ray cluster at '{self.address}' has no GPU",
                    hint="Use --device auto, or start its machines with ray start --num-gpus=N.",
                )
            yield from _map_on_cluster(ray, make_worker, items, uses_gpus=self.uses_gpus)
        finally:
            ray.shutdown()


def _import_ray() -> Any:  # the module; it is an extra
    # Ray reports how it is used unless it is told not to; what a cluster reports is decided where it is started.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--engine ray needs Ray, which is not installed", hint="Run: pip install 'fercli[ray]'"
        ) from error
    return ray


def _probe(address: str) -> None:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(
            f"'{address}' is not the address of a Ray cluster", hint="Use the address printed by `ray start`."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PROBE_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"no Ray cluster answers at '{address}' ({error})",
            hint="Start one there (ray start --head --disable-usage-stats), or check host, port and firewall.",
        ) from error


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if _lacks_token(error):
            raise InputError(
                f"the Ray cluster at '{address}' rejected the authentication token",
                hint="Set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN (or RAY_AUTH_TOKEN_PATH) as on the cluster.",
            ) from error
        raise InputError(
            f"cannot use the Ray cluster at '{address}' from here: {str(error).strip().splitlines()[0]}",
            hint="This machine must be in the cluster (ray start --address=HOST:PORT), with the same Ray and Python.",
        ) from error


def _lacks_token(error: BaseException | None) -> bool:
    """Whether the cluster refused for want of a token; Ray says so only in the text of the errors beneath."""
    while error is not None:
        if "AuthToken" in str(error) or type(error).__name__ == "AuthenticationError":
            return True
        error = error.__cause__ or error.__context__
    return False


def _map_on_cluster(
    ray: Any, make_worker: Callable[[], Callable[[Item], Result]], items: Sequence[Item], *, uses_gpus: bool
) -> Iterator[Result]:
    run = ray.remote(num_cpus=1, num_gpus=int(uses_gpus), max_retries=_MAX_RETRIES)(_run)
    key, shared = uuid4().hex, ray.put(make_worker)
    at_work = _TASKS_PER_CPU * max(1, int(ray.cluster_resources().get("GPU" if uses_gpus else "CPU", 1)))
    waiting: deque[Any] = deque()  # references to results
    for item in items:
        waiting.append(run.remote(key, shared, item))
        if len(waiting) >= at_work:
            yield _result(ray, waiting.popleft())
    while waiting:
        yield _result(ray, waiting.popleft())


def _result(ray: Any, reference: Any) -> Any:  # what the worker gave
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        # The worker's own error, as on this machine.
        raise (error.cause or error) from error
    except ray.exceptions.RayError as error:
        raise InputError(
            f"the Ray cluster lost a task {_MAX_RETRIES} times: {str(error).strip().splitlines()[0]}",
            hint="See `ray status` on the cluster; run the same command to resume.",
        ) from error


def _run(key: str, make_worker: Callable[[], Callable[[Any], Any]], item: Any) -> Any:  # runs on the cluster
    if key not in _workers:
        _workers.clear()
        _workers[key] = make_worker()
    return _workers[key](item)
