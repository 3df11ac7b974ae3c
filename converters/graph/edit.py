"""Edits of a flatbuffer: other outputs or fewer operators in place, or a rewritten file.

:func:`with_outputs` and :func:`with_operators` leave every constant where it is. :class:`Edit`
collects changes of operators and constants and writes the file anew: equal input gives equal bytes.
"""

import struct
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from converters.graph.lce_ops import BconvOptions, PoolOptions
from converters.graph.model import DTYPES, Graph, Op, Quantization
from converters.graph.reader import read_graph

# SubGraph's fields in schema.fbs
_INPUTS_SLOT, _OUTPUTS_SLOT, _OPERATORS_SLOT = 1, 2, 3
_ALIGNMENT = 16  # schema.fbs demands it of buffers
_TRAILING_BYTES = 16  # LCE's kernels may read that far behind a constant
_PER_CHANNEL_DEQUANTIZE = 5  # operator version, TensorFlow's tools/versioning/op_version.cc
_TYPES = {np.dtype(name): kind for kind, name in DTYPES.items()}


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


def in_output_order(graph: Graph, names: Sequence[str]) -> Graph:
    """The file with its outputs in another order; converters sort them by name.

    Args:
        graph: a graph read by :func:`converters.graph.read_graph`.
        names: of its signature's outputs, in the order wanted.

    Returns:
        the same object where the order is right, or the signature has other names.
    """
    edit = Edit(graph)
    return edit.finish() if edit.order_outputs(names) else graph


class Edit:
    """Changes to one graph. Indices of operators and tensors are the graph's until the end.

    Args:
        graph: stays as it is.
    """

    def __init__(self, graph: Graph) -> None:
        self._model = schema.ModelT.InitFromPackedBuf(graph.data, 0)
        self._main = self._model.subgraphs[0]
        self._before: dict[int, list[Any]] = {}
        self._ops: list[Any] = list(self._main.operators)

    def add_constant(
        self, name: str, data: NDArray[Any], quantization: Quantization | None = None
    ) -> int:
        """A new constant; returns its tensor index."""
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        tensor = self._tensor(name, data.shape, data.dtype)
        tensor.buffer = len(self._model.buffers) - 1
        if quantization is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = quantization.scale
            tensor.quantization.zeroPoint = quantization.zero_point
            tensor.quantization.quantizedDimension = quantization.axis
        return self._add(tensor)

    def add_tensor(self, name: str, shape: Sequence[int], dtype: str) -> int:
        """A new tensor that an operator will write; ``dtype`` is TFLite's name."""
        return self._add(self._tensor(name, shape, np.dtype(DTYPES[dtype])))

    def insert_lce(
        self,
        before: Op,
        name: str,
        inputs: Sequence[int],
        output: int,
        options: BconvOptions | PoolOptions | None = None,
    ) -> None:
        """A new operator of Larq Compute Engine in front of one that exists."""
        custom = schema.BuiltinOperator.CUSTOM
        op = self._insert(before, self._code(custom, 1, name.encode()), inputs, output)
        op.customOptions = list(b"" if options is None else options.pack())
        op.customOptionsFormat = schema.CustomOptionsFormat.FLEXBUFFERS

    def insert_dequantize(self, before: Op, source: int, output: int) -> None:
        """A new ``DEQUANTIZE`` of a tensor with one scale a channel in front of an operator."""
        code = self._code(schema.BuiltinOperator.DEQUANTIZE, _PER_CHANNEL_DEQUANTIZE)
        self._insert(before, code, [source], output)

    def insert_space_to_depth(self, before: Op, source: int, output: int, block: int) -> None:
        """A new ``SPACE_TO_DEPTH`` in front of an operator that exists."""
        code = self._code(schema.BuiltinOperator.SPACE_TO_DEPTH, 1)
        op = self._insert(before, code, [source], output)
        op.builtinOptionsType = schema.BuiltinOptions.SpaceToDepthOptions
        op.builtinOptions = schema.SpaceToDepthOptionsT()
        op.builtinOptions.blockSize = block

    def set_strides(self, op: Op, strides: tuple[int, int]) -> None:
        """Other strides (height, width) for a convolution."""
        options = self._ops[op.index].builtinOptions
        options.strideH, options.strideW = strides

    def set_inputs(self, op: Op, inputs: Sequence[int]) -> None:
        """Other inputs for an operator."""
        self._ops[op.index].inputs = list(inputs)

    def rename(self, tensor: int, name: str) -> None:
        """Another name for a tensor."""
        self._main.tensors[tensor].name = name

    def require_version(self, op: Op, version: int) -> None:
        """Say that an operator's kind needs at least this version of its kernel."""
        code = self._model.operatorCodes[self._ops[op.index].opcodeIndex]
        code.version = max(code.version, version)

    def set_activation(self, op: Op, activation: int) -> None:
        """Another fused activation for a builtin operator that has one."""
        self._ops[op.index].builtinOptions.fusedActivationFunction = activation

    def remove(self, op: Op) -> None:
        """Drop an operator; what it wrote must have no reader when the edit is finished."""
        self._ops[op.index] = None

    def redirect(self, old: int, new: int) -> None:
        """Let every operator that reads tensor ``old`` read ``new``."""
        inserted = [op for ops in self._before.values() for op in ops]
        for op in [*self._ops, *inserted]:
            if op is not None:
                op.inputs = [new if i == old else i for i in op.inputs]

    def order_outputs(self, names: Sequence[str]) -> bool:
        """Order the outputs as these names of the signature; whether that changed anything."""
        signatures = list(self._model.signatureDefs or ())
        by_name = {m.name.decode(): m for s in signatures[:1] for m in s.outputs}
        if sorted(by_name) != sorted(names):
            return False
        wanted = [by_name[name] for name in names]
        outputs = [entry.tensorIndex for entry in wanted]
        if outputs == list(self._main.outputs):
            return False
        signatures[0].outputs, self._main.outputs = wanted, outputs
        return True

    def remove_unused(self) -> dict[str, int]:
        """Drop tensors, buffers and operator codes that nothing names; returns how many."""
        before = self._sizes()
        ops = self._operators()
        used = {i for op in ops for i in (*op.inputs, *op.outputs) if i != -1}
        used.update(self._main.inputs, self._main.outputs)
        maps = [
            entry
            for signature in self._model.signatureDefs or ()
            for entry in (*signature.inputs, *signature.outputs)
        ]
        used.update(entry.tensorIndex for entry in maps)
        place = {old: new for new, old in enumerate(sorted(used))}
        place[-1] = -1
        for op in ops:
            op.inputs = [place[i] for i in op.inputs]
            op.outputs = [place[i] for i in op.outputs]
        for entry in maps:
            entry.tensorIndex = place[entry.tensorIndex]
        self._main.inputs = [place[i] for i in self._main.inputs]
        self._main.outputs = [place[i] for i in self._main.outputs]
        self._main.tensors = [self._main.tensors[i] for i in sorted(used)]
        self._remove_unused_buffers()
        codes = sorted({op.opcodeIndex for op in ops})
        for op in ops:
            op.opcodeIndex = codes.index(op.opcodeIndex)
        self._model.operatorCodes = [self._model.operatorCodes[i] for i in codes]
        after = self._sizes()
        return {kind: before[kind] - after[kind] for kind in before}

    def _sizes(self) -> dict[str, int]:
        return {
            "tensors": len(self._main.tensors),
            "buffers": len(self._model.buffers),
            "operator codes": len(self._model.operatorCodes),
        }

    def finish(self) -> Graph:
        """Write the file and read it again, with all of the reader's checks.

        Raises:
            UsageError: the edit left the graph inconsistent.
        """
        self._main.operators = self._operators()
        return read_graph(_packed(self._model))

    def _operators(self) -> list[Any]:
        found = []
        for index, op in enumerate(self._ops):
            found += self._before.get(index, [])
            found += [] if op is None else [op]
        return found

    def _remove_unused_buffers(self) -> None:
        # Buffer 0 is empty by definition, and stands for "no data" in every tensor without.
        buffers = self._model.buffers
        for tensor in self._main.tensors:
            data = buffers[tensor.buffer].data
            if data is None or not len(data):
                tensor.buffer = 0
        metadata = self._model.metadata or ()
        used = {0, *(t.buffer for t in self._main.tensors), *(m.buffer for m in metadata)}
        used.update(self._model.metadataBuffer if self._model.metadataBuffer is not None else ())
        place = {old: new for new, old in enumerate(sorted(used))}
        for owner in (*self._main.tensors, *metadata):
            owner.buffer = place[owner.buffer]
        if self._model.metadataBuffer is not None:
            self._model.metadataBuffer = [place[int(i)] for i in self._model.metadataBuffer]
        self._model.buffers = [buffers[i] for i in sorted(used)]

    def _tensor(self, name: str, shape: Sequence[int], dtype: np.dtype[Any]) -> Any:
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = [int(n) for n in shape]
        tensor.type = getattr(schema.TensorType, _TYPES[dtype])
        tensor.buffer = 0
        return tensor

    def _add(self, tensor: Any) -> int:
        self._main.tensors.append(tensor)
        return len(self._main.tensors) - 1

    def _insert(self, before: Op, code: int, inputs: Sequence[int], output: int) -> Any:
        op = schema.OperatorT()
        op.opcodeIndex = code
        op.inputs, op.outputs = list(inputs), [output]
        self._before.setdefault(before.index, []).append(op)
        return op

    def _code(self, builtin: int, version: int, custom: bytes | None = None) -> int:
        """Index of an operator code, added where the file has none."""
        codes = self._model.operatorCodes
        wanted = (builtin, version, custom)
        for index, code in enumerate(codes):
            known = max(code.builtinCode, code.deprecatedBuiltinCode)
            if (known, code.version, code.customCode) == wanted:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = builtin  # both, as codes up to 127 are
        code.version, code.customCode = version, custom
        codes.append(code)
        return len(codes) - 1


def embed_buffers(data: bytes) -> Graph:
    """Read a file whose constants may lie behind the flatbuffer, as large ones of some tools do.

    Args:
        data: of a trusted tool: it is read before it is checked.

    Raises:
        UsageError: what comes out is not well-formed.
    """
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for buffer in model.buffers:
        if buffer.size:
            buffer.data = np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return read_graph(_packed(model))


def _packed(model: Any) -> bytes:
    """A file; buffers are aligned, and LCE's kernels may read a little behind the last one."""
    for subgraph in model.subgraphs:
        for op in subgraph.operators:
            if op.customOptions is not None:  # as a list they are not aligned as buffers are
                op.customOptions = [int(byte) for byte in op.customOptions]
    builder = _AlignedBuilder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()) + bytes(_TRAILING_BYTES)


class _AlignedBuilder(flatbuffers.Builder):
    """Aligns byte vectors, which buffers are, as the schema demands."""

    def CreateNumpyVector(self, x: NDArray[Any]) -> int:  # noqa: N802 (flatbuffers' name)
        if x.dtype.itemsize != 1:
            return int(super().CreateNumpyVector(x))
        self.StartVector(1, x.size, _ALIGNMENT)
        self.head = int(self.Head() - x.size)
        self.Bytes[self.Head() : self.Head() + x.size] = x.tobytes()
        return int(self.EndVector())
