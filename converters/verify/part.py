"""The operators of a file that LCE and the delegate must run alike, as a file of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

from converters.graph import BCONV, BconvOptions, Graph, Op, with_operators
from converters.runtimes.interpreters import DEFAULT, INDIRECT, REFERENCE
from converters.runtimes.modes import is_zero_padded, window_exceeds_image_of

# What the delegate may merge with binary operators. One correct result each, in every runtime.
MERGED = ("ADD", "MUL", "RELU", "RELU_N1_TO_1", "RELU6", "MAX_POOL_2D")


@dataclass(frozen=True)
class Part:
    """Operators that LCE runs in one of these modes bit for bit as the delegate must.

    Attributes:
        ops: in execution order.
        modes: LCE's kernels; the first that accepts the part is used.
        inputs: tensors they read that none of them writes.
        outputs: tensors they write.
        ends: of these, what other operators or the user read. Nothing merged is among them, so
            the delegate runs as it does without anybody watching.
    """

    ops: tuple[Op, ...]
    modes: tuple[str, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    ends: tuple[int, ...]


def parts(graph: Graph) -> list[Part]:
    """The binary operators with what may be merged: at most two parts.

    Zero padding that LCE's fast kernels refuse or get wrong (a kernel larger than its image)
    needs its reference kernels, which round the zero padding of other convolutions differently.
    """
    kept = {op.index for op in binary_ops(graph) if _is_batch_of_one(graph, op)}
    mergeable = [op for op in graph.ops if op.name in MERGED and _is_float(graph, op)]
    while True:
        near = {i for op in graph.ops if op.index in kept for i in _computed(graph, op)}
        more = {op.index for op in mergeable if not near.isdisjoint(_computed(graph, op))}
        if more <= kept:
            break
        kept |= more
    special = {op.index for op in graph.ops if op.index in kept and _needs_reference(graph, op)}
    return [
        _part(graph, chosen, modes)
        for chosen, modes in [(kept - special, (INDIRECT, DEFAULT)), (special, (REFERENCE,))]
        if chosen
    ]


def binary_ops(graph: Graph) -> list[Op]:
    """The operators of Larq Compute Engine."""
    return [op for op in graph.ops if op.name.startswith("Lce")]


def part_file(graph: Graph, part: Part, outputs: Sequence[int]) -> bytes:
    """The file with only these operators; tensors and constants stay where they are.

    Args:
        graph: a graph read by :func:`converters.graph.read_graph`.
        part: of that graph.
        outputs: the tensors the interpreter will return.
    """
    return with_operators(graph, part.ops, part.inputs, outputs)


def _part(graph: Graph, chosen: set[int], modes: tuple[str, ...]) -> Part:
    ops = tuple(op for op in graph.ops if op.index in chosen)
    outputs = tuple(i for op in ops for i in op.outputs)
    read = dict.fromkeys(i for op in ops for i in op.inputs if _is_computed(graph, i))
    outside = {i for op in graph.ops if op.index not in chosen for i in op.inputs}
    outside.update(graph.outputs)
    return Part(
        ops=ops,
        modes=modes,
        inputs=tuple(i for i in read if i not in outputs),
        outputs=outputs,
        ends=tuple(i for i in outputs if i in outside),
    )


def _computed(graph: Graph, op: Op) -> list[int]:
    return [i for i in (*op.inputs, *op.outputs) if _is_computed(graph, i)]


def _is_computed(graph: Graph, tensor: int) -> bool:
    """Whether a tensor is neither constant nor absent."""
    return tensor >= 0 and graph.tensors[tensor].data is None


def _is_batch_of_one(graph: Graph, op: Op) -> bool:
    return all(graph.tensors[i].shape[:1] == (1,) for i in _computed(graph, op))


def _is_float(graph: Graph, op: Op) -> bool:
    tensors = [graph.tensors[i] for i in (*op.inputs, *op.outputs) if i >= 0]
    return all(t.dtype == "FLOAT32" for t in tensors) and _is_batch_of_one(graph, op)


def _needs_reference(graph: Graph, op: Op) -> bool:
    if op.name != BCONV or not is_zero_padded(op) or not isinstance(op.options, BconvOptions):
        return False
    return (
        window_exceeds_image_of(graph, op)
        or op.options.fused_activation_function != 0
        or graph.tensors[op.outputs[0]].dtype != "FLOAT32"
    )
