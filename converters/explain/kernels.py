"""The weights of an operator as numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.explain.wiring import Wiring
from converters.graph import DEQUANTIZE, Op
from converters.graph.filters import NOT_SIGNS, Filters, describe_filters


def kernel_of(op: Op, wiring: Wiring) -> Filters:
    """Look at the weights of a multiplier."""
    values = _values(op.inputs[1], wiring)
    if values is None:
        return Filters(False, False, "weights are computed while it runs")
    if isinstance(values, str):
        return Filters(False, True, values)
    if values.ndim < 2:
        return Filters(False, False, NOT_SIGNS)
    # filters are the last axis of a depthwise kernel, the first of all others
    last = op.name in ("DEPTHWISE_CONV_2D", "CONV_3D")
    return describe_filters(np.moveaxis(values, -1, 0) if last else values)


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
