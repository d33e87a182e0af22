"""Ray clusters on this machine's loopback addresses, for tests."""

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def started_cluster() -> Iterator[Any]:
    """A head of one processor at 127.0.0.2 and a second machine, which says it has a GPU, at 127.0.0.3."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster_utils = pytest.importorskip("ray.cluster_utils")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        head = {"num_cpus": 1, "node_ip_address": "127.0.0.2", "include_dashboard": False}
        cluster = cluster_utils.Cluster(initialize_head=True, connect=False, head_node_args=head)
        try:
            cluster.second = cluster.add_node(num_cpus=1, num_gpus=1, node_ip_address="127.0.0.3")
            cluster.wait_for_nodes()
            yield cluster
        finally:
            cluster.shutdown()


_TOKEN = """
import os, sys
from ray.cluster_utils import Cluster
head = {"num_cpus": 1, "node_ip_address": "127.0.0.2", "include_dashboard": False}
cluster = Cluster(initialize_head=True, connect=False, head_node_args=head)
import subprocess
ask = '''
import sys
from fercli.core.errors import FerError
from fercli.engine.ray import RayEngine
from functools import partial
try:
    print(list(RayEngine(sys.argv[1]).map_items(partial(partial, abs), [-1])))
except FerError as error:
    print(type(error).__name__, error.message, error.hint, sep="\\\\t")
'''
other = os.environ | {"RAY_AUTH_TOKEN": "fedcba9876543210" * 4}
for environment in (other, os.environ):
    subprocess.run([sys.executable, "-c", ask, cluster.address], env=environment)
cluster.shutdown()
"""


def run_with_token_cluster(folder: Path) -> tuple[str, str, str]:
    """What one is told who brings a wrong token; the right one must do."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}
    environment = os.environ | token | {"RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", _TOKEN]
    # Half a minute on a machine of its own, over two minutes on a busy one.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=900, cwd=folder, env=environment
    )
    told = done.stdout.splitlines()
    assert told[-1] == "[1]", done.stdout + done.stderr
    kind, message, hint = told[-2].split("\t")
    return kind, message, hint
