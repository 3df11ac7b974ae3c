"""The tensors of a file by their values: which of them holds what a Keras layer computed.

Names do not tell: the converter merges layers, cuts names to 50 characters and moves operators.
Tensors are compared flat, so that a reshape is no difference.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import BCONV, QUANTIZE, Graph, Op, Tensor
from converters.graph.bits import unpack_signs
from converters.runtimes.watching import Values

Floats = NDArray[np.float32]
_SAMPLE = 64  # values compared before all are


@dataclass(frozen=True)
class Counterpart:
    """A tensor that the file computes.

    Attributes:
        tensor: the file's.
        op: what writes it.
        step: rounding step of an integer tensor, 0 for floats.
        values: real values ``(images, size)``.
    """

    tensor: Tensor
    op: Op
    step: float
    values: Floats

    def describe(self) -> str:
        """For messages."""
        return f"operator {self.op.index} ({self.op.name} {self.tensor.name!r})"


@dataclass(frozen=True)
class Difference:
    """Where two tensors differ most.

    Attributes:
        error: absolute; the largest float where one of the two is not finite.
        image: number of the image.
        place: flat index in its tensor.
    """

    error: float
    image: int
    place: int


def tensors_to_compare(graph: Graph) -> list[int]:
    """Every tensor that operators write and that has a counterpart in Keras or is packed."""
    return [
        index
        for op in graph.ops
        for index in op.outputs
        if index not in graph.inputs and _is_comparable(graph, op, graph.tensors[index])
    ]


def _is_comparable(graph: Graph, op: Op, tensor: Tensor) -> bool:
    if tensor.dtype == "BOOL":  # what a sign was taken of
        return any(reader.name == QUANTIZE for reader in graph.consumers(tensor.index))
    return _real(tensor) is not None or op.name.startswith("Lce")


def _real(tensor: Tensor) -> Callable[[NDArray[Any]], Floats] | None:
    """How to read a tensor as numbers; None if it holds none."""
    quantization = tensor.quantization
    if tensor.dtype == "FLOAT32":
        return lambda values: values
    if tensor.dtype not in ("INT8", "UINT8", "INT16") or quantization is None:
        return None
    if quantization.scale.size != 1:
        return None
    scale, zero = np.float32(quantization.scale[0]), np.float32(quantization.zero_point[0])
    return lambda values: (values.astype(np.float32) - zero) * scale


class Counterparts:
    """What the file computed for some images.

    Args:
        graph: the file.
        values: its tensors by index, batch first.
    """

    def __init__(self, graph: Graph, values: Values) -> None:
        self.all: list[Counterpart] = []
        self._producers = {index: op for op in graph.ops for index in op.outputs}
        for op in graph.ops:
            for index in op.outputs:
                if index in values:
                    self._add(graph, op, index, values[index])
        self._by_size: dict[int, list[Counterpart]] = {}
        for found in self.all:
            self._by_size.setdefault(found.values.shape[1], []).append(found)

    def _add(self, graph: Graph, op: Op, index: int, values: NDArray[Any]) -> None:
        tensor = graph.tensors[index]
        step = 0.0
        if op.name in (QUANTIZE, BCONV) and tensor.dtype == "INT32":
            source = op.inputs[0] if op.name == QUANTIZE else op.inputs[1]
            shape = graph.tensors[source].shape
            signs = unpack_signs(values, shape[-1 if op.name == QUANTIZE else 0])
            numbers = signs.astype(np.float32)
        else:
            real = _real(tensor)
            if real is None:
                return
            numbers = real(values)
            if tensor.quantization is not None and tensor.dtype != "FLOAT32":
                step = float(tensor.quantization.scale[0])
        self.all.append(Counterpart(tensor, op, step, numbers.reshape(len(values), -1)))

    def merged_into(self, tensor: int, agreed: set[int]) -> list[Counterpart]:
        """What a tensor was computed from, back to tensors that agree with Keras."""
        found: set[int] = set()
        to_do = [tensor]
        while to_do:
            producer = self._producers.get(to_do.pop())
            for index in producer.inputs if producer is not None else ():
                if index not in agreed and index not in found:
                    found.add(index)
                    to_do.append(index)
        return [c for c in self.all if c.tensor.index in found]

    def of_size(self, size: int) -> list[Counterpart]:
        """Those with so many values per image, in the file's order."""
        return self._by_size.get(size, [])

    def nearest(self, expected: Floats, tolerance: float) -> tuple[Counterpart, Difference] | None:
        """The tensor that is closest to Keras's, if it is within the tolerance."""
        best: tuple[Counterpart, Difference] | None = None
        for found in self.of_size(expected.shape[1]):
            allowed = tolerance + found.step
            few = slice(0, None, max(expected.shape[1] // _SAMPLE, 1))
            if largest_difference(found.values[:1, few], expected[:1, few]).error > allowed:
                continue
            difference = largest_difference(found.values, expected)
            if difference.error <= allowed and (best is None or difference.error < best[1].error):
                best = found, difference
        return best


def largest_difference(found: Floats, expected: Floats) -> Difference:
    """Between arrays ``(images, size)``; NaN equals NaN, an infinity itself."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(found - expected)
    if not np.isfinite(error).all():
        same = (found == expected) | (np.isnan(found) & np.isnan(expected))
        error = np.where(same, 0, np.where(np.isfinite(error), error, np.finfo(np.float32).max))
    worst = int(np.argmax(error)) if error.size else 0
    image, place = divmod(worst, max(error.shape[1], 1))
    return Difference(float(error.flat[worst]) if error.size else 0.0, image, place)
