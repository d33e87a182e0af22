"""What a table was measured on."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's name, as Linux tells it; elsewhere its architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
