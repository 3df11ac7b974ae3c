"""Inputs and outputs of a model, and their quantization."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import Graph
from converters.graph.model import DTYPES
from irnet_keras.errors import UsageError


@dataclass(frozen=True)
class TensorDetails:
    """An input or output of a model.

    Attributes:
        name: as stored in the file.
        shape: with the batch dimension, which is 1.
        dtype: NumPy's name, e.g. ``"float32"``.
        scale: ``real = scale * (q - zero_point)``, or None for unquantized tensors.
        zero_point: as above.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None
    zero_point: int | None

    def quantize(self, values: NDArray[Any]) -> NDArray[Any]:
        """Float to this tensor's type: ``round(x / scale) + zero_point``, ties to even, saturated.

        Arrays that already have the type pass unchanged.
        """
        if values.dtype == self.dtype:
            return values
        if self.scale is None or self.zero_point is None:
            return values.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.rint(values / np.float32(self.scale)) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def dequantize(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """This tensor's type to float32."""
        if self.scale is None or self.zero_point is None:
            return values.astype(np.float32)
        return (values.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)


def tensor_details(graph: Graph, index: int, path: Path) -> TensorDetails:
    """Details of an input or output.

    Raises:
        UsageError: a type NumPy lacks, or an input without static shape or with a batch.
    """
    tensor = graph.tensors[index]
    if tensor.dtype not in DTYPES:
        raise UsageError(
            f"{path}: {tensor.name!r} has type {tensor.dtype}, which has no array form"
        )
    if index in graph.inputs and (-1 in tensor.shape or tensor.shape[:1] != (1,)):
        raise UsageError(
            f"{path}: input {tensor.name!r} has shape {tensor.shape}; needed is a static shape "
            "with batch 1"
        )
    dtype = np.dtype(DTYPES[tensor.dtype]).name
    q = tensor.quantization
    if q is None or len(q.scale) != 1 or dtype.startswith("float"):
        return TensorDetails(tensor.name, tensor.shape, dtype, None, None)
    return TensorDetails(tensor.name, tensor.shape, dtype, float(q.scale[0]), int(q.zero_point[0]))
