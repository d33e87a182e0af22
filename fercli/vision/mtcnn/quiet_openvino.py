"""OpenVINO's modules, imported so that nothing leaves the machine.

The package reports each import to its makers where `openvino_telemetry` comes with it, as it does from PyPI. Without
that package it takes a stub of its own, so it is hidden while OpenVINO is imported.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["op", "ov"]


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Within, importing the module `name` fails as if it were not installed."""
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # what Python takes for "not there"
    try:
        yield
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before


with _hidden("openvino_telemetry"):
    import openvino as ov
    from openvino import opset13 as op
