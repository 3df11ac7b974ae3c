"""What makes a measurement doubtful, and what makes a machine slow. Pure functions."""

import re
import statistics

from edge_bench.schema import CpuState, Device

# Bits of the Raspberry Pi's get_throttled (vcgencmd's documentation).
_THROTTLED = {
    0: "under-voltage",
    1: "frequency capped",
    2: "throttled",
    3: "soft temperature limit",
}
_SINCE_BOOT = 16  # the same conditions, at any time since the start
FREQUENCY_CHANGE = 0.1  # of the median over cores
TEMPERATURE_CHANGE = 10.0  # degrees Celsius
HOT = 80.0  # where a Raspberry Pi begins to throttle
BUSY = 0.5  # other work per core


def throttling_flags(value: int) -> list[str]:
    """Names of the bits of a Raspberry Pi's ``get_throttled``."""
    return [
        f"{name} {when}"
        for offset, when in ((0, "now"), (_SINCE_BOOT, "since the start"))
        for bit, name in _THROTTLED.items()
        if value >> (bit + offset) & 1
    ]


def with_warnings(device: Device, threads: int = 1) -> Device:
    """The device with every warning that its description gives.

    Args:
        device: without them.
        threads: that the benchmark itself kept busy.
    """
    found = machine_warnings(device)
    crowd = too_many_threads(threads, device.cores)
    if crowd is not None:
        found.append(f"more threads than cores: {crowd}")
    found += state_warnings(device.before, device.after, device.cores, threads)
    return device.model_copy(update={"warnings": [*device.warnings, *found]})


def too_many_threads(threads: int, cores: int) -> str | None:
    """Both numbers in words, if not every thread of the interpreter has a core."""
    return f"{threads} threads on {cores} cores" if threads > cores else None


def machine_warnings(device: Device) -> list[str]:
    """What the system itself costs."""
    found = []
    arm = device.machine.startswith(("arm", "aarch64"))
    if device.os_bits == 32:
        found.append(
            "32-bit userland: LCE's fast kernels and most of XNNPACK's need a 64-bit system"
        )
    has = set(device.cpu_features)
    # (an emulator may show its host's features: then nothing is known)
    if arm and has & {"vfp", "fp"} and not has & {"neon", "asimd"}:
        found.append("no NEON: the CPU, or an emulator, runs scalar kernels only")
    return found


def state_warnings(before: CpuState, after: CpuState, cores: int, threads: int = 1) -> list[str]:
    """What moved while the benchmark ran, and what was wrong all the time."""
    found = []
    if before.governor and after.governor and before.governor != after.governor:
        found.append(f"the governor changed from {before.governor} to {after.governor}")
    elif before.governor == "powersave":
        found.append("the governor is powersave: the CPU may run at its lowest frequency")
    if before.frequency_mhz and after.frequency_mhz:
        old, new = (statistics.median(s.frequency_mhz) for s in (before, after))
        if abs(new - old) > FREQUENCY_CHANGE * max(old, new):
            found.append(f"the CPU's frequency moved from {old:.0f} to {new:.0f} MHz")
    hot = after.temperature_c
    if hot is not None:
        cool = before.temperature_c
        if cool is not None and abs(hot - cool) > TEMPERATURE_CHANGE:
            moved = "rose" if hot > cool else "fell"
            found.append(f"the temperature {moved} from {cool:.0f} to {hot:.0f} °C")
        if hot >= HOT:
            found.append(f"the CPU is at {hot:.0f} °C, where boards throttle")
    found += [f"the firmware reports: {flag}" for flag in after.throttling or []]
    load = before.load_average
    if load is not None and load[0] > BUSY * cores:
        found.append(f"the machine was busy before: load {load[0]:.2f} on {cores} cores")
    later = after.load_average
    if load is not None and later is not None and later[0] - load[0] > threads + BUSY * cores:
        found.append(
            f"the machine became busy meanwhile: load {load[0]:.2f}, then {later[0]:.2f} on "
            f"{cores} cores"
        )
    return found


def kernel_of(engine: str) -> str | None:
    """Kernel set named in a build's ``engine``, e.g. ``"lce_delegate 0.1.0 (avx2) + XNNPACK"``."""
    if engine.startswith("LCE "):
        return next((k for k in ("reference", "indirect") if k in engine), "default")
    match = re.search(r"lce_delegate \S+ \(([^)]+)\)", engine)
    return match[1] if match else None


def kernel_warnings(kernel: str | None) -> list[str]:
    """What is said of slow kernel sets."""
    if kernel is not None and "scalar" in kernel:
        return [f"binary operators ran in scalar kernels ({kernel}), not in SIMD"]
    if kernel == "reference":
        return ["binary operators ran in LCE's reference kernels, which are for debugging"]
    return []
