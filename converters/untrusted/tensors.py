"""Checks of every tensor: type, shape, size of its data, quantization."""

from math import isfinite, prod
from typing import Any

from converters.graph.model import Graph, Tensor
from converters.untrusted.policy import RefusedFileError, Spending

ELEMENT_BITS = {
    "FLOAT32": 32, "FLOAT16": 16, "INT32": 32, "INT64": 64, "INT16": 16, "INT8": 8, "UINT8": 8,
    "BOOL": 8, "INT4": 4, "INT2": 2, "UINT32": 32,
}  # fmt: skip
_PACKED = ("INT4", "INT2")
_RANGES = {
    "INT8": (-128, 127), "UINT8": (0, 255), "INT16": (0, 0), "INT4": (0, 0), "INT2": (0, 0),
    "INT32": (0, 0),
}  # fmt: skip
MAX_RANK = 6  # more is beyond what the kernels' fixed arrays hold
# What a float32 network's scales are within; their products and ratios then fit a double.
MIN_SCALE, MAX_SCALE = 2.0**-60, 2.0**60


def num_bytes(values: int, bits: int) -> int:
    """Bytes of that many packed values."""
    return -(-values * bits // 8)


def check_tensors(
    graph: Graph, subgraph: Any, buffers: Any, spending: Spending
) -> dict[int, list[bool]]:
    """Check all tensors and charge their memory.

    Args:
        graph: the file.
        subgraph: the same, as the generated class.
        buffers: function from buffer number to the generated class.
        spending: what the file takes.

    Returns:
        By tensor with a size that the file leaves open, which sizes are.

    Raises:
        RefusedFileError: which tensor, and why.
    """
    unknown = {}
    for tensor in graph.tensors:
        table = subgraph.Tensors(tensor.index)
        signature = _shape(tensor, table)
        if -1 in signature:
            unknown[tensor.index] = [n == -1 for n in signature]
        data = buffers(table.Buffer()).DataLength()
        size = num_bytes(prod(tensor.shape), ELEMENT_BITS[tensor.dtype])
        if tensor.dtype in _PACKED and data not in (0, size):
            raise _refused(tensor, f"has {data} bytes of data, expected {size}")
        if tensor.data is not None:
            _alignment(tensor)
        _quantization(tensor, table.Quantization())
        spending.tensor(f"tensor {tensor.index}", size, constant=data > 0)
    for index in graph.inputs:
        if buffers(subgraph.Tensors(index).Buffer()).DataLength():
            raise _refused(graph.tensors[index], "is an input of the graph and has data")
    if len(set(graph.inputs)) != len(graph.inputs):
        raise RefusedFileError("refused .tflite file: a graph input is listed twice")
    return unknown


def _refused(tensor: Tensor, what: str) -> RefusedFileError:
    return RefusedFileError(f"refused .tflite file: tensor {tensor.index} ({tensor.name!r}) {what}")


def _shape(tensor: Tensor, table: Any) -> list[int]:
    """Check shape and signature; returns the signature."""
    if tensor.dtype not in ELEMENT_BITS:
        raise _refused(tensor, f"has type {tensor.dtype}")
    if len(tensor.shape) > MAX_RANK or any(n < 1 for n in tensor.shape):
        raise _refused(
            tensor, f"has shape {tensor.shape}, accepted: up to {MAX_RANK} sizes of at least 1"
        )
    length = table.ShapeSignatureLength()
    signature = [int(n) for n in table.ShapeSignatureAsNumpy()] if length else []
    if length:
        fits = length == len(tensor.shape) and all(
            s in (-1, n) for s, n in zip(signature, tensor.shape, strict=True)
        )
        if not fits:
            raise _refused(tensor, f"has the signature {signature} for shape {tensor.shape}")
    if table.IsVariable():
        raise _refused(tensor, "is variable")
    return signature


def _alignment(tensor: Tensor) -> None:
    size = min(ELEMENT_BITS[tensor.dtype] // 8, 4)  # 8-byte types are 4-aligned in practice
    if size > 1 and (tensor.data_offset or 0) % size:
        raise _refused(tensor, f"has data at byte {tensor.data_offset}, not a multiple of {size}")


def _quantization(tensor: Tensor, table: Any) -> None:
    if table is not None and table.DetailsType():
        raise _refused(tensor, "has quantization details")
    q = tensor.quantization
    if q is None:
        return
    count = len(q.scale)
    if not table.ZeroPointLength():
        raise _refused(tensor, "has scales without zero points")
    if count != 1 and (not 0 <= q.axis < len(tensor.shape) or tensor.shape[q.axis] != count):
        raise _refused(tensor, f"has {count} scales on axis {q.axis} of shape {tensor.shape}")
    scales = [float(s) for s in q.scale]
    if not all(isfinite(s) and MIN_SCALE <= s <= MAX_SCALE for s in scales):
        # an all-zero filter may have the scale 0, but its kernels divide by it
        raise _refused(tensor, "has a scale that is not finite and positive")
    low, high = _RANGES.get(tensor.dtype, (-(2**63), 2**63))
    if count > 1:
        low, high = (0, 0) if tensor.dtype != "UINT8" else (low, high)
    if not all(low <= int(z) <= high for z in q.zero_point):
        raise _refused(tensor, f"has a zero point outside {low} to {high}")
