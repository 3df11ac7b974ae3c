"""Whether constant weights are +-c, one c per filter, and what keeps them from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.explain.wiring import Wiring
from converters.graph import DEQUANTIZE, Op

# LCE's test of a kernel, mlir/transforms/prepare_tf.cc
MIN_SCALE = 1.19e-7
TOLERANCE = 0.005

NOT_SIGNS = "weights are not signs"


@dataclass(frozen=True)
class Kernel:
    """Weights of an operator.

    Attributes:
        is_binary: every filter is +c and -c with one c.
        is_nearly_binary: not quite, but near enough that they were meant to be.
        text: says what they are, e.g. ``"weights are not signs"``.
    """

    is_binary: bool
    is_nearly_binary: bool
    text: str


def kernel_of(op: Op, wiring: Wiring) -> Kernel:
    """Look at the weights of a multiplier."""
    values = _values(op.inputs[1], wiring)
    if values is None:
        return Kernel(False, False, "weights are computed while it runs")
    if isinstance(values, str):
        return Kernel(False, True, values)
    if values.ndim < 2:
        return Kernel(False, False, NOT_SIGNS)
    # filters are the last axis of a depthwise kernel, the first of all others
    last = op.name in ("DEPTHWISE_CONV_2D", "CONV_3D")
    return describe_kernel(np.moveaxis(values, -1, 0) if last else values)


def describe_kernel(kernel: NDArray[Any]) -> Kernel:
    """Judge a kernel whose first axis is filters, by LCE's rule."""
    count = len(kernel)
    if not kernel.size:
        return Kernel(False, False, NOT_SIGNS)
    magnitude = np.abs(np.asarray(kernel, np.float64)).reshape(count, -1)
    if magnitude.shape[1] < 2 or not np.isfinite(magnitude).all():
        return Kernel(False, False, NOT_SIGNS)
    reference = magnitude[:, :1]
    if (magnitude == reference).all() and (reference > MIN_SCALE).all():
        return Kernel(True, False, "weights are +-c per filter")
    largest = magnitude.max(axis=1, keepdims=True)
    dead = int((largest <= MIN_SCALE).sum())
    levels = (magnitude == largest) | (magnitude == 0)
    if levels.all():
        holed = int((magnitude == 0).any(axis=1).sum()) - dead
        if dead == count:
            return Kernel(False, False, "all weights are 0")
        if dead and not holed:
            text = f"{dead} of {count} filters are 0 throughout, the others +-c"
        else:
            text = f"weights are -c, 0 or +c: {holed + dead} of {count} filters hold zeros"
        return Kernel(False, True, text)
    safe = np.where(reference > MIN_SCALE, reference, np.inf)
    off = np.abs(magnitude / safe - 1).max(axis=1)
    if off.max() <= 10 * TOLERANCE:
        wrong = int((off > 0).sum())
        return Kernel(
            False,
            True,
            f"weights are not exactly +-c: {wrong} of {count} filters are off by up to "
            f"{100 * off.max():.2g} %",
        )
    if kernel.ndim > 2:
        per_channel = np.abs(kernel).reshape(-1, kernel.shape[-1])
        if (per_channel == per_channel[:1]).all():
            return Kernel(False, True, "weights are +-c with one c per input channel")
    uniform = int((off == 0).sum())
    if uniform:
        return Kernel(False, True, f"weights are +-c in {uniform} of {count} filters only")
    return Kernel(False, False, NOT_SIGNS)


def _values(tensor: int, wiring: Wiring) -> NDArray[Any] | str | None:
    """Weights as numbers; a sentence where the converter did not fold them; or None."""
    if tensor < 0:
        return None
    found = wiring.graph.tensors[tensor]
    if found.data is not None:
        data, q = found.data, found.quantization
        if q is None or data.dtype.kind not in "iu":
            return data
        if len(q.scale) == 1:
            return (data.astype(np.float64) - int(q.zero_point[0])) * float(q.scale[0])
        if not 0 <= q.axis < data.ndim or data.shape[q.axis] != len(q.scale):
            return None
        shape = [-1 if axis == q.axis else 1 for axis in range(data.ndim)]
        zero = q.zero_point.reshape(shape)
        return (data.astype(np.float64) - zero) * q.scale.astype(np.float64).reshape(shape)
    op = wiring.producer(tensor)
    if op is None or not op.inputs:
        return None
    if op.name == DEQUANTIZE:
        return (
            "weights are signs that the converter did not fold (a kernel quantizer with "
            "scalar tf.where and more than 262,144 weights)"
        )
    if op.name in ("DEQUANTIZE", "CAST", "TRANSPOSE", "RESHAPE"):
        below = _values(op.inputs[0], wiring)
        # a transposed kernel has its filters elsewhere: say only that it is not folded
        return below if op.name == "DEQUANTIZE" or not isinstance(below, np.ndarray) else None
    return None
