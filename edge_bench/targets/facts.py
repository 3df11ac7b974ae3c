"""What a target is and how it is doing, read by the same POSIX scripts everywhere."""

import re
from dataclasses import dataclass

from edge_bench.conditions import throttling_flags
from edge_bench.schema import CpuState

# They print "== name" and the text of it. Files that a system does not have stay empty.
_SHOW = r"""
show() { echo "== $1"; shift; "$@" 2>/dev/null; }
"""
FACTS_SCRIPT = (
    _SHOW
    + r"""
show kernel uname -s
show release uname -r
show machine uname -m
show bits getconf LONG_BIT
show cores nproc
show python "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'
show android getprop ro.build.version.release
show product getprop ro.product.model
show memory cat /proc/meminfo
show board cat /proc/device-tree/model
show cpuinfo cat /proc/cpuinfo
exit 0
"""
)
STATE_SCRIPT = (
    _SHOW
    + r"""
show load cat /proc/loadavg
show governor cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
show frequency cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq
show temperature cat /sys/class/thermal/thermal_zone*/temp
show throttled sh -c 'vcgencmd get_throttled || cat "$1"' sh "$1"
exit 0
"""
)
# ARM's and other makers' numbers of cores; /proc/cpuinfo of 64-bit ARM has no names.
_PARTS = {
    (0x41, 0xD03): "Cortex-A53",
    (0x41, 0xD04): "Cortex-A35",
    (0x41, 0xD05): "Cortex-A55",
    (0x41, 0xD07): "Cortex-A57",
    (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD09): "Cortex-A73",
    (0x41, 0xD0A): "Cortex-A75",
    (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse-N1",
    (0x41, 0xD0D): "Cortex-A77",
    (0x41, 0xD41): "Cortex-A78",
    (0x41, 0xD44): "Cortex-X1",
    (0x41, 0xC07): "Cortex-A7",
}


@dataclass(frozen=True)
class Facts:
    """What does not change while a target is used; None where it cannot be read.

    Attributes:
        system: kernel and its release.
        machine: instruction set as ``uname -m`` names it.
        os_bits: of the userland, 32 or 64.
        cpu_model: of the first core.
        cpu_features: instruction-set extensions the kernel reports, sorted.
        cores: logical cores.
        memory_bytes: of the machine.
        product: of a board or phone.
        android: version, None elsewhere.
        python: version of the Python that would be used, major and minor.
    """

    system: str
    machine: str
    os_bits: int | None
    cpu_model: str | None
    cpu_features: tuple[str, ...]
    cores: int | None
    memory_bytes: int | None
    product: str | None
    android: str | None
    python: str | None

    @property
    def arch(self) -> str:
        """Of programs that run here: a 32-bit userland on a 64-bit ARM kernel is ``armv7l``."""
        if self.machine in ("aarch64", "arm64"):
            return "armv7l" if self.os_bits == 32 else "aarch64"
        return {"armv8l": "armv7l", "amd64": "x86_64"}.get(self.machine, self.machine)


def parse_facts(text: str) -> Facts:
    """Facts from the output of ``FACTS_SCRIPT``."""
    part = _parts(text)
    cpuinfo = part.get("cpuinfo", "")
    features = _field(cpuinfo, "Features") or _field(cpuinfo, "flags") or ""
    return Facts(
        system=f"{_line(part, 'kernel') or 'unknown'} {_line(part, 'release') or ''}".strip(),
        machine=_line(part, "machine") or "unknown",
        os_bits=_integer(part, "bits"),
        cpu_model=_cpu_model(cpuinfo),
        cpu_features=tuple(sorted(set(features.split()))),
        cores=_integer(part, "cores"),
        memory_bytes=_memory(part, "MemTotal"),
        product=_line(part, "product") or _line(part, "board"),
        android=_line(part, "android"),
        python=_line(part, "python"),
    )


def parse_conditions(text: str) -> CpuState:
    """State from the output of ``STATE_SCRIPT``."""
    part = _parts(text)
    number = r"(\d{1,6}\.\d{1,6})"
    load = re.match(rf"{number} {number} {number} ", part.get("load", ""))
    kilohertz = re.findall(r"^\d{1,9}$", part.get("frequency", ""), re.MULTILINE)
    millidegrees = [int(t) for t in re.findall(r"^-?\d{1,9}$", part.get("temperature", ""), re.M)]
    # Zones that are off report 0 or nonsense.
    temperatures = [t / 1000 for t in millidegrees if 0 < t < 200_000]
    flags = re.fullmatch(r"(?:throttled=0x)?([0-9a-fA-F]{1,8})\s*", part.get("throttled", ""))
    return CpuState(
        load_average=(float(load[1]), float(load[2]), float(load[3])) if load else None,
        governor=_line(part, "governor"),
        frequency_mhz=[int(k) / 1000 for k in kilohertz],
        temperature_c=max(temperatures, default=None),
        throttling=throttling_flags(int(flags[1], 16)) if flags else None,
    )


def _parts(text: str) -> dict[str, str]:
    """Text under each ``== name``; the first of a name counts."""
    found: dict[str, str] = {}
    pieces = re.split(r"^== (\w+)\n", text, flags=re.MULTILINE)
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        found.setdefault(name, body)
    return found


def _line(part: dict[str, str], name: str) -> str | None:
    """The first line, printable, at most 200 characters; None if empty."""
    lines = part.get(name, "").strip().splitlines()
    return "".join(c for c in lines[0] if c.isprintable())[:200] if lines else None


def _integer(part: dict[str, str], name: str) -> int | None:
    text = _line(part, name)
    return int(text) if text is not None and re.fullmatch(r"\d{1,9}", text) else None


def _memory(part: dict[str, str], name: str) -> int | None:
    found = re.search(rf"^{name}:\s*(\d+) kB", part.get("memory", ""), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _field(cpuinfo: str, name: str) -> str | None:
    found = re.search(rf"^{name}\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else None


def _cpu_model(cpuinfo: str) -> str | None:
    maker, part = _field(cpuinfo, "CPU implementer"), _field(cpuinfo, "CPU part")
    if maker and part:
        known = _PARTS.get((int(maker, 16), int(part, 16)))
        return known or f"implementer {maker}, part {part}"
    return _field(cpuinfo, "model name") or _field(cpuinfo, "Hardware")
