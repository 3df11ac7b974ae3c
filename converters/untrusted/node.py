"""One operator as the rules see it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from converters.graph.model import Op, Tensor
from converters.untrusted.policy import RefusedFileError, Spending
from converters.untrusted.tensors import ELEMENT_BITS, num_bytes

Shape = tuple[int, ...]
# schema.fbs, enum ActivationFunctionType: NONE, RELU, RELU_N1_TO_1, RELU6. The kernels take TANH
# and SIGN_BIT in silence and clamp to whatever is on the stack.
_ACTIVATIONS = 4
# Far beyond any network, and small enough for products of two in 32 bits.
MAX_SIZE = 1 << 15
# Two scales over the output's: XNNPACK ends the process where a convolution's reaches 256.
MAX_PRODUCT = 255.0
# What a function of one value, such as HARD_SWISH in the plain kernels, takes in time.
MACS_PER_VALUE = 10


@dataclass
class State:
    """What the operators before have made known.

    Attributes:
        tensors: with the shapes that the kernels compute.
        unknown: by tensor, whether the file leaves each size open (and says 1).
        values: of tensors that do not depend on the graph's inputs.
        spending: what the file takes.
    """

    tensors: list[Tensor]
    unknown: dict[int, list[bool]]
    values: dict[int, NDArray[Any]]
    spending: Spending


class Node:
    """An operator, its tensors and options, and how a rule says that they do not fit.

    Attributes:
        op: the operator.
        inputs: its tensors, None where absent.
        outputs: its tensors.
    """

    def __init__(self, op: Op, table: Any, state: State) -> None:
        self.op = op
        self.inputs = [None if i == -1 else state.tensors[i] for i in op.inputs]
        self.outputs = [state.tensors[i] for i in op.outputs]
        self._table = table
        self._state = state

    def fail(self, what: str) -> RefusedFileError:
        """The error to raise."""
        return RefusedFileError(
            f"refused .tflite file: operator {self.op.index} ({self.op.name}) {what}"
        )

    def require(self, condition: object, what: str) -> None:
        """Raise unless ``condition``; ``what`` completes "operator 3 (CONV_2D) ..."."""
        if not condition:
            raise self.fail(what)

    def arity(self, inputs: int | tuple[int, int], outputs: int = 1) -> None:
        """Number of inputs (or its bounds) and outputs; no input among the first is absent."""
        low, high = (inputs, inputs) if isinstance(inputs, int) else inputs
        self.require(
            low <= len(self.inputs) <= high and len(self.outputs) == outputs,
            f"has {len(self.inputs)} inputs and {len(self.outputs)} outputs",
        )
        self.require(None not in self.inputs[:low], "lacks an input")

    def input(self, slot: int) -> Tensor:
        """An input that must be there."""
        found = self.inputs[slot] if slot < len(self.inputs) else None
        if found is None:
            raise self.fail(f"lacks input {slot}")
        return found

    def optional(self, slot: int) -> Tensor | None:
        """An input that may be absent."""
        return self.inputs[slot] if slot < len(self.inputs) else None

    @property
    def output(self) -> Tensor:
        """The first output."""
        return self.outputs[0]

    def value(self, slot: int) -> NDArray[Any]:
        """Value of an input that is constant, or computed from shapes alone."""
        tensor = self.input(slot)
        found = self._state.values.get(tensor.index) if tensor.data is None else tensor.data
        if found is None:
            raise self.fail(f"has an input {slot} that is not constant")
        return found

    def known(self, slots: Iterable[int]) -> list[NDArray[Any]] | None:
        """Values of inputs, or None unless all are known."""
        try:
            return [self.value(slot) for slot in slots]
        except RefusedFileError:
            return None

    def set_value(self, value: NDArray[Any]) -> None:
        """Remember what the first output will be whatever the graph's inputs are."""
        self._state.values[self.output.index] = value

    def integers(self, slot: int, count: int | None = None) -> list[int]:
        """A constant vector (or, for ``count`` None, a vector or scalar) of INT32 or INT64."""
        tensor = self.input(slot)
        value = self.value(slot)
        self.require(
            tensor.dtype in ("INT32", "INT64") and (value.ndim == 1 or count is None),
            f"has {tensor.dtype} of shape {tensor.shape} as input {slot}",
        )
        self.require(value.ndim <= 1, f"has an input {slot} of shape {tensor.shape}")
        found = [int(n) for n in value.ravel()]
        self.require(
            count is None or len(found) == count, f"has {len(found)} values as input {slot}"
        )
        return found

    def axes(self, values: Sequence[int], rank: int) -> list[int]:
        """Axes counted from the front, each in range and once."""
        self.require(
            all(-rank <= a < rank for a in values), f"has axes {list(values)} of {rank} dimensions"
        )
        found = [a % rank for a in values]
        self.require(len(set(found)) == len(found), f"has the axes {list(values)}")
        return found

    def options(self, kind: str, required: bool = True) -> Any:
        """The table of builtin options, which must be of this kind; None if there is none."""
        number = getattr(schema.BuiltinOptions, f"{kind}Options")
        found, table = self._table.BuiltinOptionsType(), self._table.BuiltinOptions()
        if found == 0 and table is None and not required:
            return None
        if found != number or table is None:
            raise self.fail(f"has options of kind {found}, expected {number} ({kind}Options)")
        options = getattr(schema, f"{kind}Options")()
        options.Init(table.Bytes, table.Pos)
        return options

    def activation(self, options: Any) -> None:
        """The fused activation is one that the kernels have."""
        if options is not None:
            code = options.FusedActivationFunction()
            self.require(0 <= code < _ACTIVATIONS, f"has the activation {code}")

    def sizes(self, **values: int) -> None:
        """Strides, dilations and windows are from 1 to ``MAX_SIZE``."""
        for name, value in values.items():
            self.require(1 <= value <= MAX_SIZE, f"has {name} {value}, accepted: 1 to {MAX_SIZE}")

    def expect(self, shape: Shape, dtype: str, slot: int = 0) -> None:
        """The output is declared as what the kernel will make of it.

        Converters write 1 for a size that they do not know and -1 into the signature.
        """
        tensor = self.outputs[slot]
        unknown = self._state.unknown.get(tensor.index, [])
        if tensor.shape != shape and len(unknown) == len(shape) == len(tensor.shape):
            declared = zip(tensor.shape, shape, unknown, strict=True)
            if all(a == b or (a == 1 and u) for a, b, u in declared):
                tensor = replace(tensor, shape=shape)
                self._state.tensors[tensor.index] = self.outputs[slot] = tensor
                size = scratch(elements(tensor), tensor.dtype)
                self._state.spending.tensor(f"tensor {tensor.index}", size)
        self.require(
            tensor.shape == shape and tensor.dtype == dtype,
            f"declares an output of type {tensor.dtype} and shape {tensor.shape}, "
            f"but makes {dtype} {shape}",
        )

    def dtypes(self, tensor: Tensor, *accepted: str) -> None:
        """The tensor's type is one of these; 8-bit and 16-bit ones are quantized as a whole."""
        self.require(tensor.dtype in accepted, f"has a tensor of type {tensor.dtype}")
        if tensor.dtype in ("INT8", "UINT8", "INT16"):
            q = tensor.quantization
            self.require(
                q is not None and len(q.scale) == 1, f"needs one scale for tensor {tensor.index}"
            )

    def rank(self, tensor: Tensor, low: int, high: int) -> None:
        """Number of dimensions."""
        self.require(
            low <= len(tensor.shape) <= high, f"has a tensor of {len(tensor.shape)} dimensions"
        )

    def scale_ratio(self, first: Tensor, second: Tensor, limit: float = 2.0**18) -> None:
        """The first tensor's scale is at most this many times the second's.

        The kernels turn the ratio into a fixed-point multiplier, some with an assertion that it
        is below 1 after a shift by 20 bits. A constant 0 may have a tiny scale.
        """
        a, b = first.quantization, second.quantization
        if a is None or b is None or first.dtype == "FLOAT32" or second.dtype == "FLOAT32":
            return
        ratio = float(a.scale[0]) / float(b.scale[0])
        self.require(ratio <= limit, f"has scales in the ratio {ratio:.3g}")

    def work(self, macs: int, scratch_bytes: int = 0) -> None:
        """Charge multiply-accumulates (or ``MACS_PER_VALUE`` of each value) and scratch memory."""
        self._state.spending.work(macs)
        if scratch_bytes:
            self._state.spending.tensor(f"operator {self.op.index} ({self.op.name})", scratch_bytes)


def value_work(tensor: Tensor) -> int:
    """What an operator costs that computes each value of a tensor by itself."""
    return MACS_PER_VALUE * prod(tensor.shape)


def elements(tensor: Tensor) -> int:
    """Number of values."""
    return prod(tensor.shape)


def scratch(values: int, dtype: str) -> int:
    """Bytes of that many values."""
    return num_bytes(values, ELEMENT_BITS[dtype])


def as_scalar(values: Sequence[int]) -> int | None:
    """The only value, or None."""
    return values[0] if len(values) == 1 else None


def broadcast(node: Node, *tensors: Tensor) -> Shape:
    """Common shape by NumPy's rule, at most 4 dimensions unless all shapes are equal."""
    shapes = {t.shape for t in tensors}
    if len(shapes) == 1:
        return next(iter(shapes))
    node.require(all(len(s) <= 4 for s in shapes), "broadcasts more than 4 dimensions")
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError as error:
        raise node.fail(f"has shapes {sorted(shapes)} that do not fit") from error
