"""The one edit this project makes to a flatbuffer: which tensors are outputs."""

import struct
from collections.abc import Sequence

from ai_edge_litert import schema_py_generated as schema

from converters.graph.model import Graph

_OUTPUTS_SLOT = 2  # SubGraph.outputs in schema.fbs


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
