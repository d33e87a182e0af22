import functools
import os
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fercli.core.errors import InputError, UsageError
from fercli.engine.choose import choose_engine
from fercli.engine.local import LocalEngine
from fercli.engine.ray import RayEngine


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def map_one(address: str) -> list[Any]:
    return list(RayEngine(address).map_items(functools.partial(make_squarer, 0), [1]))


def test_missing_extra_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs Ray, which is not installed") as caught:
        map_one("127.0.0.1:6379")
    assert caught.value.hint == "Run: pip install 'fercli[ray]'"


def test_cluster_needs_an_address() -> None:
    with pytest.raises(UsageError, match="needs --address HOST:PORT"):
        choose_engine("ray", address="")
    assert choose_engine("ray", address="head:6379") == RayEngine("head:6379")
    assert choose_engine("ray", address="head:6379", device="cuda") == RayEngine("head:6379", uses_gpus=True)
    assert choose_engine("local", address="", workers=3) == LocalEngine(3)


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port", "127.0.0.1:99999"])
def test_what_is_no_address_is_said_at_once(address: str) -> None:
    pytest.importorskip("ray")
    with pytest.raises((UsageError, InputError), match=r"is not the address of a Ray cluster|no Ray cluster answers"):
        map_one(address)


def test_closed_port_is_an_error_before_ray_waits_for_it() -> None:
    pytest.importorskip("ray")
    with pytest.raises(InputError, match=r"no Ray cluster answers at '127\.0\.0\.1:") as caught:
        map_one(f"127.0.0.1:{free_port()}")
    assert "ray start --head" in caught.value.hint


def test_no_items_ask_no_cluster() -> None:
    assert list(RayEngine("nobody:1").map_items(pytest.fail, [])) == []


def make_squarer(offset: int) -> Callable[[int], tuple[int, int]]:
    return functools.partial(square, offset)


def square(offset: int, number: int) -> tuple[int, int]:
    if number < 0:
        raise ValueError("negative")
    return number * number + offset, os.getpid()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two machines of one processor each, on this machine's own loopback addresses."""
    from tests.engine.clusters import started_cluster

    with started_cluster() as cluster:
        yield cluster.address


@pytest.mark.cluster
def test_results_come_from_the_cluster_in_the_order_of_the_items(address: str) -> None:
    results = list(RayEngine(address).map_items(functools.partial(make_squarer, 1), list(range(40))))
    assert [value for value, _ in results] == [number * number + 1 for number in range(40)]
    assert os.getpid() not in {pid for _, pid in results}


@pytest.mark.cluster
def test_an_error_of_a_worker_is_raised_here_as_it_is(address: str) -> None:
    with pytest.raises(ValueError, match="negative"):
        list(RayEngine(address).map_items(functools.partial(make_squarer, 0), [1, -1, 2]))


def make_builder(folder: str) -> Callable[[int], int]:
    from pathlib import Path

    (Path(folder) / f"built-{os.getpid()}").touch(exist_ok=False)
    return abs


@pytest.mark.cluster
def test_worker_is_built_once_in_each_process(address: str, tmp_path: Any) -> None:
    results = list(RayEngine(address).map_items(functools.partial(make_builder, str(tmp_path)), list(range(30))))
    assert results == list(range(30))
    assert 1 <= len(list(tmp_path.iterdir())) < 10


def make_looker(_number: int) -> Callable[[int], list[str]]:
    import ray

    return lambda _item: ray.get_runtime_context().get_accelerator_ids()["GPU"]


@pytest.mark.cluster
@pytest.mark.parametrize(("uses_gpus", "seen"), [(True, ["0"]), (False, [])])
def test_tasks_get_a_gpu_only_when_asked_for(address: str, *, uses_gpus: bool, seen: list[str]) -> None:
    engine = RayEngine(address, uses_gpus=uses_gpus)
    assert list(engine.map_items(functools.partial(make_looker, 0), [1, 2])) == [seen, seen]


@pytest.mark.cluster
def test_cluster_without_gpus_is_told_at_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    with pytest.raises(InputError, match="has no GPU"):
        list(RayEngine(address, uses_gpus=True).map_items(functools.partial(make_looker, 0), [1]))


@pytest.mark.cluster
def test_cluster_that_wants_a_token_says_which_variables_to_set(tmp_path: Any) -> None:
    from tests.engine.clusters import run_with_token_cluster

    kind, message, hint = run_with_token_cluster(tmp_path)
    assert kind == "InputError"
    assert "rejected the authentication token" in message
    assert "RAY_AUTH_TOKEN" in hint
