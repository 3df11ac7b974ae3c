"""Which operators are quantized, and how.

``int8-weights`` leaves alone what reads the file's input. There int8 weights save next to nothing
(Bi-Real ResNet-18's stem: 28 kB of 4.2 MB, and no time) and cost more than all others together:
every value is packed to a sign, directly and through every shortcut behind it, and values near 0
take the other sign. See docs/explanation/leftovers.md for the measurement.

``int8`` takes all of them: the stem is where the time goes. A max pool that alone reads a
convolution pools int8, a quarter of the bytes; a SPACE_TO_DEPTH that feeds nothing else moves int8.
"""

from dataclasses import dataclass
from typing import Literal

from converters.graph import Graph, Op
from converters.leftovers.modes import Mode

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
DENSE = "FULLY_CONNECTED"

Scheme = Literal["int8 weights", "int8"]


@dataclass(frozen=True)
class Leftover:
    """A float operator that will be quantized.

    Attributes:
        op: the operator.
        scheme: how.
        per_channel: one scale per filter, else one for all.
    """

    op: Op
    scheme: Scheme
    per_channel: bool

    @property
    def weights(self) -> int:
        """Tensor index of its weights; max pools have none."""
        return self.op.inputs[1]


@dataclass(frozen=True)
class Kept:
    """A float operator with weights that stays as it is, and why."""

    op: Op
    reason: str


@dataclass(frozen=True)
class Selection:
    """Weighted operators, what moves or pools values beside them, and what stays."""

    weighted: tuple[Leftover, ...]
    beside: tuple[Op, ...]
    kept: tuple[Kept, ...]

    @property
    def ops(self) -> tuple[Op, ...]:
        """Every operator that will be quantized, in execution order."""
        chosen = [*(leftover.op for leftover in self.weighted), *self.beside]
        return tuple(sorted(chosen, key=lambda op: op.index))


def select(graph: Graph, mode: Mode) -> Selection:
    """Choose among the float convolutions and dense layers with constant weights."""
    weighted, kept = [], []
    for op in graph.ops:
        if op.is_custom or op.name not in (*CONVOLUTIONS, DENSE):
            continue
        tensor = graph.tensors[op.inputs[1]]
        if tensor.data is None or tensor.dtype != "FLOAT32":
            kept.append(Kept(op, f"its weights are no float32 constant, but {tensor.dtype}"))
        elif graph.tensors[op.inputs[0]].dtype != "FLOAT32":
            kept.append(Kept(op, f"it reads {graph.tensors[op.inputs[0]].dtype}"))
        elif mode == "int8-weights":
            if op.inputs[0] in graph.inputs:
                kept.append(Kept(op, "it reads the file's input: int8 weights cost signs there"))
            else:
                weighted.append(Leftover(op, "int8 weights", True))
        elif mode == "int8":
            # Dense int8 kernels before TensorFlow 2.17, LCE's among them, know one scale only,
            # and use the first of several without a word.
            weighted.append(Leftover(op, "int8", op.name != DENSE))
    beside = [
        op
        for leftover in weighted
        if leftover.scheme == "int8"
        for op in (_only_pool(graph, leftover.op), _only_source(graph, leftover.op))
        if op is not None
    ]
    return Selection(tuple(weighted), tuple(beside), tuple(kept))


def _only_pool(graph: Graph, op: Op) -> Op | None:
    reader = _only_reader(graph, op.outputs[0])
    return reader if reader is not None and reader.name == "MAX_POOL_2D" else None


def _only_source(graph: Graph, op: Op) -> Op | None:
    source = graph.producer(op.inputs[0])
    if source is None or source.name != "SPACE_TO_DEPTH":
        return None
    return source if _only_reader(graph, op.inputs[0]) is not None else None


def _only_reader(graph: Graph, tensor: int) -> Op | None:
    readers = graph.consumers(tensor)
    return readers[0] if len(readers) == 1 and tensor not in graph.outputs else None
