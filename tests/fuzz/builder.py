"""Any ``.tflite`` file from a list of tensors and operators, right or wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_BITS = {"INT4": 4, "INT2": 2}
_NUMPY = {"FLOAT32": "<f4", "FLOAT16": "<f2", "INT32": "<i4", "INT64": "<i8", "INT8": "i1",
          "UINT8": "u1", "BOOL": "?"}  # fmt: skip


@dataclass(frozen=True)
class T:
    """A tensor; ``data`` makes it a constant, ``scale`` quantizes it (a list: per channel)."""

    shape: Sequence[int]
    dtype: str = "FLOAT32"
    data: Any = None
    scale: float | Sequence[float] | None = None
    zero_point: int = 0
    axis: int = 0


@dataclass(frozen=True)
class O:  # noqa: E742
    """An operator; ``kind`` names its options table."""

    name: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    kind: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def build(
    tensors: Sequence[T], ops: Sequence[O], inputs: Sequence[int], outputs: Sequence[int]
) -> bytes:
    """Content of the file."""
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(t, i, model.buffers) for i, t in enumerate(tensors)]
    names = sorted({op.name for op in ops})
    graph.operators = [_operator(op, names.index(op.name)) for op in ops]
    graph.inputs, graph.outputs = list(inputs), list(outputs)
    model.subgraphs = [graph]
    model.operatorCodes = [_code(name) for name in names]
    return pack(model)


def unpack(data: bytes) -> Any:
    """A file as objects that can be changed."""
    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))


def pack(model: Any) -> bytes:
    """The file of such objects."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()) + bytes(16)


def _tensor(tensor: T, index: int, buffers: list[Any]) -> Any:
    out = schema.TensorT()
    out.name, out.shape, out.buffer = f"t{index}", list(tensor.shape), 0
    out.type = getattr(schema.TensorType, tensor.dtype)
    if tensor.data is not None:
        out.buffer = len(buffers)
        buffers.append(schema.BufferT())
        buffers[-1].data = np.frombuffer(_content(tensor), np.uint8)
    if tensor.scale is not None:
        scales = [tensor.scale] if isinstance(tensor.scale, float) else list(tensor.scale)
        out.quantization = schema.QuantizationParametersT()
        out.quantization.scale = scales
        out.quantization.zeroPoint = [tensor.zero_point] * len(scales)
        out.quantization.quantizedDimension = tensor.axis
    return out


def _content(tensor: T) -> bytes:
    if tensor.dtype not in _BITS:
        return np.ascontiguousarray(tensor.data, _NUMPY[tensor.dtype]).tobytes()
    bits = _BITS[tensor.dtype]
    codes = (np.asarray(tensor.data) & ((1 << bits) - 1)).astype(np.uint8).reshape(-1, 8 // bits)
    packed = np.zeros(len(codes), np.uint8)
    for place in range(8 // bits):
        packed |= codes[:, place] << (place * bits)
    return packed.tobytes()


def _operator(op: O, code: int) -> Any:
    out = schema.OperatorT()
    out.opcodeIndex, out.inputs, out.outputs = code, list(op.inputs), list(op.outputs)
    if op.kind:
        out.builtinOptionsType = getattr(schema.BuiltinOptions, f"{op.kind}Options")
        out.builtinOptions = getattr(schema, f"{op.kind}OptionsT")()
        for key, value in op.options.items():
            setattr(out.builtinOptions, key, value)
    return out


def _code(name: str) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name, schema.BuiltinOperator.CUSTOM)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.customCode = None if hasattr(schema.BuiltinOperator, name) else name
    code.version = _VERSIONS.get(name, 1)
    return code


_VERSIONS = {"DEQUANTIZE": 6, "REVERSE_V2": 1}
