"""What a ``Net`` computes, in NumPy, bit for bit as LCE's kernels on x86-64 do.

Convolution sums are exact (float32 products of -1, 0 and +1 below 2**24); every rounding of the
output transforms is written out. ``exactness="keras"`` is the other order of operations:
integers first, ``fl(sum * g) + b`` in float64.

Zero padding of float outputs without activation has two forms in LCE:

- ``CORRECTION`` (its optimized kernels): pad with +1, transform, then add ``fl(-g * S)`` as a
  third float32 rounding to every pixel that has a tap outside, S the sum of those taps' weights;
- ``INTEGER`` (its reference kernel): taps outside add nothing to the integer sum.

All other zero-padded outputs exist in the second form only.

TensorFlow Lite runs with subnormal numbers off (flush to zero, subnormals are zeros), so that
is part of the arithmetic, also of that of multipliers and biases, which LCE does in its first
run.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import pack_bits, unpack_signs
from tests.native import nets
from tests.native.nets import Array, Net, Op, Tensor

CORRECTION, INTEGER = "correction", "integer"
LCE, KERAS = "lce", "keras"
Floats = NDArray[np.float32]
_SMALLEST_NORMAL = np.float32(2.0**-126)
_LIMITS = {
    nets.NONE: (-np.inf, np.inf),
    nets.RELU: (0, np.inf),
    nets.RELU_N1_TO_1: (-1, 1),
    nets.RELU6: (0, 6),
}


def run(net: Net, inputs: list[Array], padding: str, exactness: str = LCE) -> list[Array]:
    """Outputs of a network.

    Args:
        net: the network.
        inputs: one array per graph input.
        padding: ``CORRECTION`` or ``INTEGER``.
        exactness: ``LCE``, or ``KERAS`` (float outputs of convolutions then are float64).
    """
    values: dict[int, Array] = {
        i: t.data for i, t in enumerate(net.tensors) if t.data is not None
    } | dict(zip(net.inputs, inputs, strict=True))
    for op in net.ops:
        given = [values.get(i) for i in op.inputs]
        out = net.tensors[op.outputs[0]]
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            if op.name == nets.BCONV:
                value = bconv(op, given, out, padding, exactness)
            else:
                value = _OTHERS[op.name](op, given, net.tensors[op.inputs[0]], out)
        values[op.outputs[0]] = value
    return [values[i] for i in net.outputs]


def flush(x: Floats) -> Floats:
    """Subnormal numbers become zeros of their sign."""
    return np.where(np.abs(x) < _SMALLEST_NORMAL, np.copysign(np.float32(0), x), x)


def geometry(size: int, kernel: int, stride: int, dilation: int, padding: int) -> tuple[int, int]:
    """Output size and padding in front, TensorFlow's rule."""
    effective = (kernel - 1) * dilation + 1
    if padding == nets.VALID:
        return max(-(-(size - effective + 1) // stride), 0), 0
    out = -(-size // stride)
    return out, max((out - 1) * stride + effective - size, 0) // 2


def bconv_sums(
    op: Op, source: Array, filters: Array
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Integer sums over taps inside the image, weights outside it, and "has a tap outside".

    Returns:
        sums and weights ``(batch, height, width, filters)``, flags ``(height, width, 1)``.
    """
    o = op.options
    channels = o["channels_in"]
    groups = source.shape[3] // filters.shape[3]
    image = unpack_signs(source, channels).astype(np.float32)
    weights = unpack_signs(filters, channels // groups).astype(np.float32)
    batch, height, width, _ = image.shape
    count, kh, kw, depth = weights.shape
    sy, sx = o["stride_height"], o["stride_width"]
    dy, dx = o["dilation_height_factor"], o["dilation_width_factor"]
    oh, top = geometry(height, kh, sy, dy, o["padding"])
    ow, left = geometry(width, kw, sx, dx, o["padding"])
    sums = np.zeros((batch, oh, ow, count), np.float32)
    outside = np.zeros((oh, ow, count), np.float32)
    any_outside = np.zeros((oh, ow, 1), np.bool_)
    share = count // groups
    for fy in range(kh):
        ys = np.arange(oh) * sy - top + fy * dy
        for fx in range(kw):
            xs = np.arange(ow) * sx - left + fx * dx
            inside = ((ys >= 0) & (ys < height))[:, None] & ((xs >= 0) & (xs < width))[None, :]
            taps = image[:, ys.clip(0, height - 1)][:, :, xs.clip(0, width - 1)]
            taps = taps * inside[None, :, :, None]
            for g in range(groups):
                part = slice(g * share, (g + 1) * share)
                columns = taps[..., g * depth : (g + 1) * depth]
                sums[..., part] += columns @ weights[part, fy, fx].T
            outside += ~inside[:, :, None] * weights[:, fy, fx].sum(-1)
            any_outside |= ~inside[:, :, None]
    wide = np.broadcast_to(outside.astype(np.int64), sums.shape)
    return sums.astype(np.int64), wide, any_outside


def bconv(op: Op, given: list[Any], out: Tensor, padding: str, exactness: str) -> Array:
    """``LceBconv2d``."""
    source, filters, multiplier, bias, thresholds = given
    o = op.options
    sums, outside, any_outside = bconv_sums(op, source, filters)
    groups = source.shape[3] // filters.shape[3]
    k = filters.shape[1] * filters.shape[2] * o["channels_in"] // groups
    zeros = o["padding"] == nets.SAME and o["pad_values"] == 0
    low, high = _LIMITS.get(o["fused_activation_function"], _LIMITS[nets.NONE])
    corrected = (
        zeros and padding == CORRECTION and out.dtype == "float32" and (low, high) == _LIMITS[0]
    )
    if not zeros or corrected:
        sums = sums + outside
    if out.dtype == "int32":
        return pack_bits(k - sums > 2 * thresholds.astype(np.int64))
    low, high = max(low, -k), min(high, k)
    multiplier, bias = flush(multiplier), flush(bias)
    if exactness == KERAS:
        if corrected:
            sums = sums - outside
        exact = sums.clip(low, high) * multiplier.astype(np.float64) + bias.astype(np.float64)
        return exact if out.dtype == "float32" else _to_int8(exact / out.scale + out.zero_point)
    scale, zero_point = np.float64(1), np.float64(0)
    if out.dtype == "int8":
        scale, zero_point = np.float64(np.float32(out.scale)), np.float64(out.zero_point)
    g, b = multiplier.astype(np.float64), bias.astype(np.float64)
    factor = flush((-g / scale).astype(np.float32))
    offset = flush(((b + k * g) / scale + zero_point).astype(np.float32))
    x = (k - sums).clip(int(k - high), int(k - low)).astype(np.float32)
    y = flush(flush(x * factor) + offset)
    if out.dtype == "int8":
        return _to_int8(y.astype(np.float64))
    if corrected:
        correction = flush(-multiplier * outside.astype(np.float32))
        y = np.where(any_outside, flush(y + correction), y)
    return y


def _to_int8(y: NDArray[np.float64]) -> NDArray[np.int8]:
    """Round half away from zero and saturate."""
    return (np.sign(y) * np.floor(np.abs(y) + 0.5)).clip(-128, 127).astype(np.int8)


def _quantize(op: Op, given: list[Any], source: Tensor, out: Tensor) -> Array:
    x = given[0]
    if source.dtype == "bool":
        return pack_bits(~x)
    if source.dtype == "int8":
        return pack_bits(x.astype(np.int32) < source.zero_point)
    return pack_bits(flush(x) < 0)


def _dequantize(op: Op, given: list[Any], source: Tensor, out: Tensor) -> Array:
    signs = unpack_signs(given[0], out.shape[-1])
    if out.dtype == "bool":
        return signs > 0
    if out.dtype == "float32":
        return signs.astype(np.float32)
    one = np.floor(1.0 / np.float64(np.float32(out.scale)) + 0.5)
    return (out.zero_point + signs * one).clip(-128, 127).astype(np.int8)


def _windows(op: Op, x: Array, kernel: tuple[int, int]) -> list[tuple[Array, Array]]:
    """For every tap of a pooling window: (values, inside) per output pixel."""
    o = op.options
    keys = ("strideH", "strideW") if "strideH" in o else ("stride_height", "stride_width")
    sy, sx = (o[key] for key in keys)
    oh, top = geometry(x.shape[1], kernel[0], sy, 1, o["padding"])
    ow, left = geometry(x.shape[2], kernel[1], sx, 1, o["padding"])
    taps = []
    for fy in range(kernel[0]):
        ys = np.arange(oh) * sy - top + fy
        for fx in range(kernel[1]):
            xs = np.arange(ow) * sx - left + fx
            inside = ((ys >= 0) & (ys < x.shape[1]))[:, None] & ((xs >= 0) & (xs < x.shape[2]))
            value = x[:, ys.clip(0, x.shape[1] - 1)][:, :, xs.clip(0, x.shape[2] - 1)]
            taps.append((value, inside[None, :, :, None]))
    return taps


def _bmaxpool(op: Op, given: list[Any], source: Tensor, out: Tensor) -> Array:
    kernel = op.options["filter_height"], op.options["filter_width"]
    taps = [np.where(inside, v, -1) for v, inside in _windows(op, given[0], kernel)]
    return np.bitwise_and.reduce(taps).astype(np.int32)


def _maxpool(op: Op, given: list[Any], source: Tensor, out: Tensor) -> Array:
    kernel = op.options["filterHeight"], op.options["filterWidth"]
    taps = [np.where(inside, v, -np.inf) for v, inside in _windows(op, given[0], kernel)]
    return _activate(np.maximum.reduce(taps).astype(np.float32), op)


def _activate(x: Array, op: Op) -> Array:
    low, high = _LIMITS[op.options.get("fusedActivationFunction", nets.NONE)]
    return x.clip(np.float32(low), np.float32(high)) if (low, high) != _LIMITS[0] else x


def _clip(code: int) -> Any:
    return lambda op, given, source, out: given[0].clip(*map(np.float32, _LIMITS[code]))


_OTHERS = {
    nets.QUANTIZE: _quantize,
    nets.DEQUANTIZE: _dequantize,
    nets.BMAXPOOL: _bmaxpool,
    "MAX_POOL_2D": _maxpool,
    "ADD": lambda op, given, source, out: _activate(flush(given[0] + given[1]), op),
    "MINIMUM": lambda op, given, source, out: np.minimum(given[0], given[1]),
    "MAXIMUM": lambda op, given, source, out: np.maximum(given[0], given[1]),
    "MUL": lambda op, given, source, out: _activate(flush(given[0] * given[1]), op),
    "RELU": _clip(nets.RELU),
    "RELU6": _clip(nets.RELU6),
    "RELU_N1_TO_1": _clip(nets.RELU_N1_TO_1),
}
