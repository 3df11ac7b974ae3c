"""Larq Compute Engine's custom ops: names and options.

References:
    ``larq_compute_engine/tflite/kernels/bconv2d.cc`` (LCE 0.16).
"""

import struct
from dataclasses import asdict, dataclass, fields

from flatbuffers import flexbuffers

from irnet_keras.errors import UsageError

QUANTIZE = "LceQuantize"
DEQUANTIZE = "LceDequantize"
BCONV = "LceBconv2d"
MAXPOOL = "LceBMaxPool2d"

SAME, VALID = 0, 1  # schema.fbs, enum Padding
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")

# What Python's flexbuffers raises on bytes that are not a flexbuffer.
_FLEXBUFFER_ERRORS = (
    ValueError, TypeError, IndexError, KeyError, OverflowError, AssertionError, AttributeError,
    RecursionError, MemoryError, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class BconvOptions:
    """Options of ``LceBconv2d``; the run time demands all eight.

    Attributes:
        channels_in: input channels over all groups.
        stride_height: >= 1; so are the next three.
        padding: 0 SAME, 1 VALID.
        pad_values: 0 or 1, what SAME padding adds.
        fused_activation_function: index into ``ACTIVATIONS``.
    """

    channels_in: int
    stride_height: int
    stride_width: int
    dilation_height_factor: int
    dilation_width_factor: int
    padding: int
    pad_values: int
    fused_activation_function: int

    @staticmethod
    def parse(blob: bytes) -> "BconvOptions":
        """Read the flexbuffer map.

        Raises:
            UsageError: not a flexbuffer map with exactly these integers, or one out of range.
        """
        options = BconvOptions(**_integers(blob, [f.name for f in fields(BconvOptions)], BCONV))
        sizes = (
            options.channels_in,
            options.stride_height,
            options.stride_width,
            options.dilation_height_factor,
            options.dilation_width_factor,
        )
        choices = (options.padding, options.pad_values)
        if (
            not all(1 <= size < 2**24 for size in sizes)
            or not all(choice in (0, 1) for choice in choices)
            or not 0 <= options.fused_activation_function < len(ACTIVATIONS)
        ):
            raise UsageError(f"damaged .tflite file: {BCONV} option out of range in {options}")
        return options

    def pack(self) -> bytes:
        """Inverse of :meth:`parse`; byte for byte as LCE's converter writes it."""
        return _flexbuffer(dict(sorted(asdict(self).items())))


@dataclass(frozen=True)
class PoolOptions:
    """Options of ``LceBMaxPool2d``; sizes are >= 1, padding 0 SAME or 1 VALID."""

    padding: int
    stride_width: int
    stride_height: int
    filter_width: int
    filter_height: int

    @staticmethod
    def parse(blob: bytes) -> "PoolOptions":
        """Read the flexbuffer map.

        Raises:
            UsageError: as for :meth:`BconvOptions.parse`.
        """
        options = PoolOptions(**_integers(blob, [f.name for f in fields(PoolOptions)], MAXPOOL))
        sizes = (
            options.stride_width,
            options.stride_height,
            options.filter_width,
            options.filter_height,
        )
        if not all(1 <= size < 2**24 for size in sizes) or options.padding not in (SAME, VALID):
            raise UsageError(f"damaged .tflite file: {MAXPOOL} option out of range in {options}")
        return options

    def pack(self) -> bytes:
        """Inverse of :meth:`parse`; byte for byte as LCE's converter writes it."""
        return _flexbuffer(asdict(self))


def _integers(blob: bytes, names: list[str], op: str) -> dict[str, int]:
    # Not Loads(): it would follow whatever is nested, a few bytes for an endless time.
    try:
        root = flexbuffers.GetRoot(blob)
        found = {name: root.AsMap[name] for name in names} if root.IsMap else {}
        values = {name: value.AsInt for name, value in found.items() if value.IsInt}
    except KeyError:
        values = {}
    except _FLEXBUFFER_ERRORS as error:
        raise UsageError(f"damaged .tflite file: {op} options are unreadable") from error
    if len(values) != len(names):
        raise UsageError(f"damaged .tflite file: {op} options need the integers {', '.join(names)}")
    return values


def _flexbuffer(values: dict[str, int]) -> bytes:
    """A map with the names in this order; the smallest width that fits."""
    builder = flexbuffers.Builder()
    with builder.Map():
        for key, value in values.items():
            builder.Key(key)
            builder.Int(value)
    return bytes(builder.Finish())
