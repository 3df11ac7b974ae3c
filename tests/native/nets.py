"""Small networks as plain data, and how they become ``.tflite`` files.

``Net`` is what the generators make, the emulator computes and ``write_model`` stores, so that
what a file means does not depend on a reader of files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers
from numpy.typing import NDArray

Array = NDArray[Any]

QUANTIZE, DEQUANTIZE = "LceQuantize", "LceDequantize"
BCONV, BMAXPOOL = "LceBconv2d", "LceBMaxPool2d"
SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6 = 0, 1, 2, 3
ABSENT = -1

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
    "bool": schema.TensorType.BOOL,
}
_POOL_OPTIONS = ("padding", "stride_width", "stride_height", "filter_width", "filter_height")
_TRAILING_BYTES = 16  # LCE's kernels may read that far behind a constant


@dataclass(frozen=True)
class Tensor:
    """A tensor; ``data`` is None unless it is a constant.

    Attributes:
        shape: static shape.
        dtype: NumPy's name: float32, int32, int8 or bool.
        data: constant or None.
        scale: of affine quantization, or None.
        zero_point: of affine quantization.
    """

    shape: tuple[int, ...]
    dtype: str
    data: Array | None = None
    scale: float | None = None
    zero_point: int = 0


@dataclass(frozen=True)
class Op:
    """An operator: custom (``Lce...``) or builtin (``ADD``); inputs may be ``ABSENT``."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Net:
    """A graph in execution order; inputs and outputs are tensor indices."""

    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class NetBuilder:
    """Collects tensors and operators; every method that adds one returns its index."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []
        self.inputs: list[int] = []

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Shape of a tensor."""
        return self.tensors[tensor].shape

    def tensor(self, shape: Sequence[int], dtype: str, **quantization: Any) -> int:
        """A tensor that an operator will write."""
        self.tensors.append(Tensor(tuple(int(n) for n in shape), dtype, **quantization))
        return len(self.tensors) - 1

    def input(self, shape: Sequence[int], dtype: str, **quantization: Any) -> int:
        """A graph input."""
        self.inputs.append(self.tensor(shape, dtype, **quantization))
        return self.inputs[-1]

    def constant(self, data: Array) -> int:
        """A constant."""
        self.tensors.append(Tensor(data.shape, data.dtype.name, data))
        return len(self.tensors) - 1

    def op(self, name: str, inputs: Sequence[int], output: int, **options: int) -> int:
        """An operator with one output."""
        self.ops.append(Op(name, tuple(inputs), (output,), options))
        return output

    def build(self, *outputs: int) -> Net:
        """The finished network."""
        return Net(tuple(self.tensors), tuple(self.ops), tuple(self.inputs), outputs)


class _AlignedBuilder(flatbuffers.Builder):
    """Aligns every byte vector to 16 as ``schema.fbs`` demands of buffers."""

    def CreateNumpyVector(self, x: Array) -> int:
        self.StartVector(1, x.size, 16)
        self.head = int(self.Head() - x.size)
        self.Bytes[self.Head() : self.Head() + x.size] = x.tobytes()
        return int(self.EndVector())


def flexbuffer(options: Mapping[str, int]) -> bytes:
    """Options of LCE's operators; empty without any."""
    if not options:
        return b""
    # as LCE's converter orders them
    names = _POOL_OPTIONS if set(options) == set(_POOL_OPTIONS) else sorted(options)
    builder = flexbuffers.Builder()
    with builder.Map():
        for key in names:
            builder.Key(key)
            builder.Int(options[key])
    return bytes(builder.Finish())


def write_model(net: Net, custom_options: Mapping[int, bytes] | None = None) -> bytes:
    """The ``.tflite`` file of a network.

    Args:
        net: the network.
        custom_options: by operator index, bytes stored instead of the options of ``net``.
    """
    replaced = custom_options or {}
    codes: list[str] = sorted({op.name for op in net.ops})
    buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.name = "main"
    graph.tensors = [_tensor(t, i, buffers) for i, t in enumerate(net.tensors)]
    graph.operators = [
        _operator(op, codes.index(op.name), replaced.get(i, flexbuffer(op.options)))
        for i, op in enumerate(net.ops)
    ]
    graph.inputs, graph.outputs = list(net.inputs), list(net.outputs)
    model = schema.ModelT()
    model.version = 3
    model.description = "irnet conformance test"
    model.operatorCodes = [_code(name) for name in codes]
    model.subgraphs = [graph]
    model.buffers = buffers
    builder = _AlignedBuilder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()) + bytes(_TRAILING_BYTES)


def _tensor(tensor: Tensor, index: int, buffers: list[Any]) -> Any:
    out = schema.TensorT()
    out.name = f"t{index}"
    out.shape = list(tensor.shape)
    out.type = _TYPES[tensor.dtype]
    out.buffer = 0
    if tensor.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(tensor.data).tobytes(), np.uint8)
        out.buffer = len(buffers)
        buffers.append(buffer)
    if tensor.scale is not None:
        out.quantization = schema.QuantizationParametersT()
        out.quantization.scale = [float(np.float32(tensor.scale))]
        out.quantization.zeroPoint = [int(tensor.zero_point)]
    return out


def _code(name: str) -> Any:
    out = schema.OperatorCodeT()
    out.version = 1
    if name.startswith("Lce"):
        out.builtinCode = schema.BuiltinOperator.CUSTOM
        out.customCode = name
    else:
        out.builtinCode = getattr(schema.BuiltinOperator, name)
    out.deprecatedBuiltinCode = out.builtinCode
    return out


def _operator(op: Op, code: int, blob: bytes) -> Any:
    out = schema.OperatorT()
    out.opcodeIndex = code
    out.inputs, out.outputs = list(op.inputs), list(op.outputs)
    if op.name.startswith("Lce"):
        out.customOptions = list(blob)
        out.customOptionsFormat = schema.CustomOptionsFormat.FLEXBUFFERS
        return out
    kinds = {"ADD": "AddOptions", "MUL": "MulOptions", "MAX_POOL_2D": "Pool2DOptions"}
    kinds["CONV_2D"] = "Conv2DOptions"
    if op.name in kinds:
        out.builtinOptionsType = getattr(schema.BuiltinOptions, kinds[op.name])
        out.builtinOptions = getattr(schema, f"{kinds[op.name]}T")()
        for key, value in op.options.items():
            setattr(out.builtinOptions, key, value)
    return out
