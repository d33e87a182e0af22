"""Choose the engine that the settings name."""

from typing import Literal

from fercli.core.errors import UsageError
from fercli.engine.local import Engine, LocalEngine

EngineName = Literal["local", "ray"]


def choose_engine(name: EngineName, *, address: str, workers: int = 1, device: str = "cpu") -> Engine:
    """`workers` processes on this machine, or the Ray cluster at `address`, whose tasks get a GPU for "cuda".

    Raises:
        UsageError: a cluster without an address.
    """
    if name == "local":
        return LocalEngine(workers)
    if not address:
        raise UsageError("--engine ray needs --address HOST:PORT", hint="Use the address printed by `ray start`.")
    from fercli.engine.ray import RayEngine

    return RayEngine(address, uses_gpus=device.startswith("cuda"))
