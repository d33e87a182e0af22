"""From classroom video to a published facial-expression model; the Python API mirrors the commands of `fer`."""

__version__ = "0.1.0"
