"""Who writes and who reads a tensor, and how many bytes it has."""

from ai_edge_litert import schema_py_generated as schema

from converters.graph import Graph, Op, Tensor

# Bits per value; strings, resources and variants have no fixed size.
BITS: dict[str, int] = {
    "FLOAT32": 32, "FLOAT16": 16, "BFLOAT16": 16, "FLOAT64": 64, "INT2": 2, "INT4": 4, "INT8": 8,
    "UINT4": 4, "UINT8": 8, "INT16": 16, "UINT16": 16, "INT32": 32, "UINT32": 32, "INT64": 64,
    "UINT64": 64, "BOOL": 8, "COMPLEX64": 64, "COMPLEX128": 128,
}  # fmt: skip


class Wiring:
    """Producers and consumers of a graph's tensors, looked up once.

    Attributes:
        graph: the graph.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._producers = {i: op for op in graph.ops for i in op.outputs}
        self._consumers: dict[int, list[Op]] = {}
        for op in graph.ops:
            for i in dict.fromkeys(op.inputs):
                self._consumers.setdefault(i, []).append(op)
        model = schema.Model.GetRootAs(graph.data, 0)
        subgraph = model.Subgraphs(0)
        lengths = [model.Buffers(i).DataLength() for i in range(model.BuffersLength())]
        self._buffers = [subgraph.Tensors(t.index).Buffer() for t in graph.tensors]
        self._constant_bytes = [lengths[buffer] for buffer in self._buffers]

    def producer(self, tensor: int) -> Op | None:
        """The operator that writes a tensor, None for inputs and constants."""
        return self._producers.get(tensor)

    def consumers(self, tensor: int) -> list[Op]:
        """The operators that read a tensor."""
        return self._consumers.get(tensor, [])

    def readers(self, op: Op) -> list[Op]:
        """The operators that read what ``op`` writes."""
        return list({r.index: r for i in op.outputs for r in self.consumers(i)}.values())

    def is_constant(self, tensor: int) -> bool:
        """Whether the file holds the tensor's values, in any type."""
        return tensor >= 0 and self._constant_bytes[tensor] > 0

    def computed(self, op: Op) -> list[int]:
        """Inputs of an operator that are neither constant nor absent, each once."""
        return [i for i in dict.fromkeys(op.inputs) if i >= 0 and not self.is_constant(i)]

    def constants(self, op: Op) -> list[int]:
        """Constant inputs of an operator, each once."""
        return [i for i in dict.fromkeys(op.inputs) if self.is_constant(i)]

    def buffer(self, tensor: int) -> int:
        """Number of the buffer behind a tensor; constants may share one."""
        return self._buffers[tensor]

    def constant_bytes(self, tensor: int) -> int:
        """Bytes of a constant in the file, 0 for computed tensors."""
        return self._constant_bytes[tensor]


def num_elements(shape: tuple[int, ...]) -> int | None:
    """Elements of a shape with an unknown batch counted as 1; None for other unknown sizes."""
    total = 1
    for axis, size in enumerate(shape):
        if size < 0 and axis > 0:
            return None
        total *= abs(size)
    return total


def tensor_bytes(tensor: Tensor) -> int | None:
    """Memory of a tensor for one image, None where the file leaves it open."""
    count = num_elements(tensor.shape)
    bits = BITS.get(tensor.dtype)
    return None if count is None or bits is None else -(-count * bits // 8)
