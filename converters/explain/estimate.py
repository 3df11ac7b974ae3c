"""A simple cost model: what an operator should take on a given machine.

    time = overhead + max(MACs / rate of its kind, bytes moved / bandwidth)

Bytes moved are weights, inputs and outputs. It knows nothing of shapes, caches, merged operators
or kernels, so single operators are often off by a factor of two or three (small channel counts
most of all); it is for seeing what matters, not for promising speed. ``--profile`` measures.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Machine:
    """Speeds of one thread.

    Attributes:
        name: for reports.
        macs_per_s: by kind of operator.
        bytes_per_s: values read and written.
        overhead_s: per operator.
    """

    name: str
    macs_per_s: dict[str, float]
    bytes_per_s: float
    overhead_s: float


# AMD EPYC (Zen 4) 3.67 GHz, one thread, LiteRT 2.3.0 with lce_delegate and XNNPACK. Binary: the
# delegate on Bi-Real ResNet-18's layers, 896 to 1192 GMAC/s (2026-11-23, docs/native). Float and
# int8: ResNet-18 with 1.81 GMAC in 36.2 and 10.6 ms (2026-11-23, benchmarks/birealnet18.py).
# Bandwidth and overhead: LceQuantize of 64 KiB takes 2.5 us, a dense layer of 640 weights 1.0 us
# (irnet explain --profile on ResNet-20, 2026-11-23).
ZEN4 = Machine(
    name="AMD EPYC (Zen 4), AVX-512, one thread",
    macs_per_s={"1-bit": 1.0e12, "int8": 170e9, "float": 50e9, "other": 50e9},
    bytes_per_s=30e9,
    overhead_s=0.5e-6,
)


def estimate_s(
    kind: str, macs: int | None, bytes_moved: int | None, machine: Machine = ZEN4
) -> float | None:
    """Seconds by the model; None where MACs or bytes are unknown."""
    if macs is None or bytes_moved is None:
        return None
    work = max(macs / machine.macs_per_s[kind], bytes_moved / machine.bytes_per_s)
    return machine.overhead_s + work
