"""What a ``.tflite`` file says, as plain immutable Python objects."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph.lce_ops import BconvOptions, PoolOptions

# NumPy's name of each TFLite type that has one.
DTYPES: dict[str, str] = {
    "FLOAT32": "<f4", "FLOAT16": "<f2", "FLOAT64": "<f8", "INT8": "i1", "UINT8": "u1",
    "INT16": "<i2", "UINT16": "<u2", "INT32": "<i4", "UINT32": "<u4", "INT64": "<i8",
    "UINT64": "<u8", "BOOL": "?", "COMPLEX64": "<c8", "COMPLEX128": "<c16",
}  # fmt: skip


@dataclass(frozen=True)
class Quantization:
    """Affine quantization ``real = scale * (q - zero_point)``; per channel along ``axis``."""

    scale: NDArray[np.float32]
    zero_point: NDArray[np.int64]
    axis: int


@dataclass(frozen=True)
class Tensor:
    """A tensor of the graph.

    Attributes:
        index: position in the subgraph.
        name: as stored (LCE cuts names to 50 characters).
        shape: static shape, -1 where unknown.
        dtype: TFLite's name, e.g. ``"FLOAT32"``.
        data: read-only constant of that shape, or None.
        data_offset: byte position of the constant in the file, or None.
        quantization: or None.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    data: NDArray[Any] | None
    data_offset: int | None
    quantization: Quantization | None


@dataclass(frozen=True)
class Op:
    """An operator.

    Attributes:
        index: position in execution order.
        name: builtin name (``"CONV_2D"``) or custom code (``"LceBconv2d"``).
        inputs: tensor indices, -1 where an optional input is absent.
        outputs: tensor indices.
        options: parsed options of ``LceBconv2d`` and ``LceBMaxPool2d``, otherwise None.
        custom_options: raw bytes of a custom op's options.
        is_custom: ``name`` is a custom code, which may spell anything, a builtin's name too.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: BconvOptions | PoolOptions | None
    custom_options: bytes
    is_custom: bool = False


@dataclass(frozen=True)
class Graph:
    """The first subgraph of a file.

    Attributes:
        tensors: all tensors; ``Tensor.index`` is the position.
        ops: in execution order.
        inputs: tensor indices.
        outputs: tensor indices.
        data: the file.
    """

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    data: bytes

    def ops_named(self, name: str) -> tuple[Op, ...]:
        """Operators of one kind, in execution order."""
        return tuple(op for op in self.ops if op.name == name)

    def producer(self, tensor: int) -> Op | None:
        """The operator that writes ``tensor``, or None for inputs and constants."""
        return next((op for op in self.ops if tensor in op.outputs), None)

    def consumers(self, tensor: int) -> tuple[Op, ...]:
        """The operators that read ``tensor``, in execution order."""
        return tuple(op for op in self.ops if tensor in op.inputs)
