"""What can be read about the machine without special rights."""

import contextlib
import os
import platform
import re
import struct
import sys
from collections.abc import Collection
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from edge_bench.conditions import throttling_flags
from edge_bench.schema import Context, CpuState, Device
from irnet_keras.training.run_folder import git_revision

_PACKAGES = ("irnet", "lce-delegate", "larq-compute-engine", "ai-edge-litert", "numpy")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")  # Raspberry Pi's
# As /proc/cpuinfo calls the instruction sets that kernels are chosen by.
# vfp and fp, which every ARM has that runs LiteRT, tell one without NEON from an unreadable one.
CPU_FEATURES = (
    "vfp", "neon", "fp", "asimd", "asimddp", "avx2", "avx512f", "avx512_vpopcntdq",
)  # fmt: skip


def cpu_state() -> CpuState:
    """Load, frequencies and temperature now."""
    frequencies: list[float] = []
    with contextlib.suppress(OSError, NotImplementedError, AttributeError):
        frequencies = [float(f.current) for f in psutil.cpu_freq(percpu=True)]
    load = None
    with contextlib.suppress(OSError, AttributeError):
        load = os.getloadavg()
    return CpuState(
        load_average=load,
        frequency_mhz=frequencies,
        temperature_c=_temperature(),
        governor=governor(),
        throttling=_throttling(),
    )


def local_device(before: CpuState, after: CpuState) -> Device:
    """This machine, as the target of a benchmark between two states."""
    return Device(
        name="local",
        kind="local",
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        os_bits=64 if struct.calcsize("P") == 8 else 32,
        cpu_model=cpu_model(),
        cores=usable_cores(),
        cpu_features=cpu_features(),
        memory_bytes=psutil.virtual_memory().total,
        before=before,
        after=after,
        versions=versions(),
    )


def context(before: CpuState, after: CpuState, **measured: Any) -> Context:
    """Conditions of a benchmark that was started here.

    Args:
        before: state of this machine before it.
        after: state now.
        **measured: ``date``, ``seed``, ``rounds``, ``order``, ``memory_method`` and ``timed``.
    """
    return Context(
        host=platform.node(),
        system=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        cpu_model=cpu_model(),
        cores=usable_cores(),
        governor=governor(),
        before=before,
        after=after,
        versions=versions(),
        git_revision=git_revision(),
        command=command_line(),
        **measured,
    )


def _throttling() -> list[str] | None:
    with contextlib.suppress(OSError, ValueError):
        return throttling_flags(int(THROTTLED.read_text(), 16))
    return None


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


def cpu_features() -> list[str]:
    """Those of ``CPU_FEATURES`` that the first CPU has."""
    with contextlib.suppress(OSError):
        match = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", _cpuinfo(), re.MULTILINE)
        if match:
            return those_that_matter(match[1].split())
    return []


def those_that_matter(features: Collection[str]) -> list[str]:
    """Those of ``CPU_FEATURES`` among what ``/proc/cpuinfo`` lists."""
    return [name for name in CPU_FEATURES if name in features]


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
    """How this process was started; of paths only the last part, of hosts no user."""
    program, *words = sys.argv
    # `python -m package` puts the path of its __main__.py there
    path = Path(program)
    start = ["python", "-m", path.parent.name] if path.name == "__main__.py" else [path.name]
    return [*start, *map(without_places, words)]


def without_places(word: str) -> str:
    """A word of a command line without folders, users' names and phones' serial numbers.

    Results are handed on: they must not tell where on a disk or as whom something ran.
    """
    option, equals, value = word.partition("=")
    if equals and option.startswith("--"):
        return f"{option}={without_places(value)}"
    scheme, colon, rest = word.partition("://")
    if colon:
        return f"{scheme}://{rest.rpartition('@')[2]}"
    if word.startswith("adb:"):
        return "adb"
    return Path(word).name if "/" in word else word


def without_folders(text: str) -> str:
    """A line of text whose absolute paths are cut down to their last part."""
    return re.sub(r"(?<![\w.:/])/(?:[^\s/:'\"]+/)+", "", text)
