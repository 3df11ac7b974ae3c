"""What can be read about the machine without special rights."""

import contextlib
import os
import platform
import re
import sys
from importlib import metadata
from pathlib import Path

import psutil

from edge_bench.schema import CpuState

_PACKAGES = ("irnet", "lce-delegate", "larq-compute-engine", "ai-edge-litert", "numpy")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


def cpu_state() -> CpuState:
    """Load, frequencies and temperature now."""
    frequencies: list[float] = []
    with contextlib.suppress(OSError, NotImplementedError, AttributeError):
        frequencies = [float(f.current) for f in psutil.cpu_freq(percpu=True)]
    load = None
    with contextlib.suppress(OSError, AttributeError):
        load = os.getloadavg()
    return CpuState(load_average=load, frequency_mhz=frequencies, temperature_c=_temperature())


def _temperature() -> float | None:
    read = getattr(psutil, "sensors_temperatures", None)  # Linux and FreeBSD only
    if read is None:
        return None
    values = [s.current for sensors in read().values() for s in sensors]
    return max(values, default=None)


def cpu_model() -> str:
    """Model name of the first CPU."""
    with contextlib.suppress(OSError):
        match = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
        if match:
            return match[1].strip()
    return platform.processor() or platform.machine()


def _cpuinfo() -> str:
    return Path("/proc/cpuinfo").read_text()


def usable_cores() -> int:
    """Logical cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def governor() -> str | None:
    """Frequency governor of the first core; None on machines without one, as most virtual."""
    with contextlib.suppress(OSError):
        return _GOVERNOR.read_text().strip()
    return None


def versions() -> dict[str, str]:
    """Python and the packages whose version decides what runs."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def command_line() -> list[str]:
    """How this process was started, the program by its name only."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
