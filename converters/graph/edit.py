"""Edits that leave every constant where it is: which tensors are outputs, which operators stay."""

import struct
from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from converters.graph.model import Graph, Op

# SubGraph's fields in schema.fbs
_INPUTS_SLOT, _OUTPUTS_SLOT, _OPERATORS_SLOT = 1, 2, 3


def with_outputs(graph: Graph, tensors: Sequence[int]) -> bytes:
    """The file with other graph outputs, everything else byte for byte as it was.

    A new vector is appended and the subgraph's offset pointed at it, so that no constant
    moves or loses its alignment.

    Args:
        graph: a graph read by :func:`converters.graph.read_graph`.
        tensors: tensor indices in the order the interpreter will return them.

    Raises:
        IndexError: no tensor of that index.
    """
    for index in tensors:
        if not 0 <= index < len(graph.tensors):
            raise IndexError(f"tensor {index} of {len(graph.tensors)}")
    data = bytearray(graph.data)
    data.extend(b"\0" * (-len(data) % 4))
    vector = len(data)
    data.extend(struct.pack(f"<I{len(tensors)}i", len(tensors), *tensors))
    table = schema.Model.GetRootAs(graph.data, 0).Subgraphs(0)._tab
    position = table.Pos + table.Offset(4 + 2 * _OUTPUTS_SLOT)
    struct.pack_into("<I", data, position, vector - position)
    return bytes(data)


def with_operators(
    graph: Graph, ops: Sequence[Op], inputs: Sequence[int], outputs: Sequence[int]
) -> bytes:
    """The file with only these operators; tensors and constants stay where they are.

    Args:
        graph: a graph read by :func:`converters.graph.read_graph`.
        ops: of that graph, in execution order.
        inputs: tensors the interpreter will be given.
        outputs: tensors the interpreter will return.

    Raises:
        IndexError: no tensor of an output's index.
    """
    data = bytearray(with_outputs(graph, outputs))
    table = schema.Model.GetRootAs(graph.data, 0).Subgraphs(0)._tab
    position = table.Pos + table.Offset(4 + 2 * _INPUTS_SLOT)
    struct.pack_into("<I", data, position, len(data) - position)
    data.extend(struct.pack(f"<I{len(inputs)}i", len(inputs), *inputs))
    # Offsets are relative and point forward, so entries may move towards the beginning.
    first = table.Vector(table.Offset(4 + 2 * _OPERATORS_SLOT))
    struct.pack_into("<I", data, first - 4, len(ops))
    for place, op in enumerate(ops):
        (offset,) = struct.unpack_from("<I", graph.data, first + 4 * op.index)
        struct.pack_into("<I", data, first + 4 * place, offset + 4 * (op.index - place))
    return bytes(data)
