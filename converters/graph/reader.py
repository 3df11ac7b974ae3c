"""Read a ``.tflite`` file into plain, immutable Python objects."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from converters.graph.consistency import check_bconv, check_dataflow, check_indices
from converters.graph.flatbuffer_check import MAX_FILE_BYTES, check_flatbuffer
from converters.graph.lce_ops import BCONV, MAXPOOL, BconvOptions, PoolOptions
from converters.graph.model import DTYPES, Graph, Op, Quantization, Tensor
from irnet_keras.errors import UsageError

_OP_NAMES = {v: k for k, v in vars(schema.BuiltinOperator).items() if not k.startswith("_")}
_TYPE_NAMES = {v: k for k, v in vars(schema.TensorType).items() if not k.startswith("_")}
_OPTIONS: dict[str, type[BconvOptions] | type[PoolOptions]] = {
    BCONV: BconvOptions,
    MAXPOOL: PoolOptions,
}
MAX_TENSOR_BYTES = 2**31 - 1


def verify_file(path: str | os.PathLike[str]) -> None:
    """Check that ``path`` is a well-formed ``.tflite`` file.

    Raises:
        UsageError: it is not; the message says why, in one line.
    """
    read_graph(path)


def read_graph(source: str | os.PathLike[str] | bytes) -> Graph:
    """Check and read a file or its content.

    Raises:
        UsageError: missing, unreadable or malformed; see
            :func:`converters.graph.flatbuffer_check.check_flatbuffer`.
    """
    if isinstance(source, bytes):
        return _read(source)
    path = Path(source)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UsageError(f"{path}: not a .tflite file, larger than {MAX_FILE_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    try:
        return _read(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _read(data: bytes) -> Graph:
    check_flatbuffer(data)
    model = schema.Model.GetRootAs(data, 0)
    if model.Version() != 3:
        raise UsageError(f"unsupported .tflite file: schema version {model.Version()}, expected 3")
    if model.SubgraphsLength() != 1:
        raise UsageError(
            f"unsupported .tflite file: {model.SubgraphsLength()} subgraphs, expected 1"
        )
    subgraph = model.Subgraphs(0)
    tensors = tuple(_tensor(model, subgraph.Tensors(i), i) for i in range(subgraph.TensorsLength()))
    codes = [_code(model.OperatorCodes(i)) for i in range(model.OperatorCodesLength())]
    ops = tuple(_op(codes, subgraph.Operators(i), i) for i in range(subgraph.OperatorsLength()))
    graph = Graph(
        tensors,
        ops,
        _ints(subgraph.InputsAsNumpy(), subgraph.InputsLength()),
        _ints(subgraph.OutputsAsNumpy(), subgraph.OutputsLength()),
        data,
    )
    check_indices(graph)
    check_dataflow(graph, [subgraph.Tensors(i).IsVariable() for i in range(len(tensors))])
    for op in graph.ops_named(BCONV):
        check_bconv(graph, op)
    return graph


def _ints(values: Any, length: int) -> tuple[int, ...]:
    return tuple(int(v) for v in values) if length else ()


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "backslashreplace")


def _tensor(model: Any, tensor: Any, index: int) -> Tensor:
    shape = _ints(tensor.ShapeAsNumpy(), tensor.ShapeLength())
    dtype = _TYPE_NAMES.get(tensor.Type())
    name = _text(tensor.Name())
    where = f"tensor {index} ({name!r})"
    if dtype is None:
        raise UsageError(f"damaged .tflite file: {where} has unknown type {tensor.Type()}")
    if tensor.Buffer() >= model.BuffersLength():
        raise UsageError(f"damaged .tflite file: {where} names buffer {tensor.Buffer()}")
    if any(n < -1 for n in shape):
        raise UsageError(f"damaged .tflite file: {where} has shape {shape}")
    itemsize = np.dtype(DTYPES[dtype]).itemsize if dtype in DTYPES else 1
    size = itemsize
    for n in shape:
        size *= abs(n)  # an unknown dimension counts as 1
    if size > MAX_TENSOR_BYTES:
        raise UsageError(f"damaged .tflite file: {where} of shape {shape} would be {size} bytes")
    buffer = model.Buffers(tensor.Buffer())
    data, offset = None, None
    if buffer.DataLength():
        vector = buffer._tab.Vector(buffer._tab.Offset(4))
        if dtype in DTYPES:
            if -1 in shape or buffer.DataLength() != size:
                raise UsageError(
                    f"damaged .tflite file: {where} of shape {shape} and type {dtype} "
                    f"has {buffer.DataLength()} bytes of data, expected {size}"
                )
            raw = np.frombuffer(buffer._tab.Bytes, np.uint8, buffer.DataLength(), vector)
            data, offset = raw.view(DTYPES[dtype]).reshape(shape), vector
    return Tensor(index, name, shape, dtype, data, offset, _quantization(tensor, where))


def _quantization(tensor: Any, where: str) -> Quantization | None:
    q = tensor.Quantization()
    if q is None or not q.ScaleLength():
        return None
    if q.ZeroPointLength() not in (0, q.ScaleLength()):
        raise UsageError(f"damaged .tflite file: {where} has scales without zero points")
    zero = q.ZeroPointAsNumpy() if q.ZeroPointLength() else np.zeros(q.ScaleLength(), np.int64)
    return Quantization(q.ScaleAsNumpy(), zero, q.QuantizedDimension())


def _code(code: Any) -> tuple[str | int, bool]:
    """Name of an operator code, or its number where that is unknown; whether it is custom."""
    # Codes above 127 are in the newer field only, smaller ones in either.
    builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
    name = _OP_NAMES.get(builtin, int(builtin))
    return (_text(code.CustomCode()), True) if name == "CUSTOM" else (name, False)


def _op(codes: list[tuple[str | int, bool]], op: Any, index: int) -> Op:
    if op.OpcodeIndex() >= len(codes):
        raise UsageError(f"damaged .tflite file: operator {index} has opcode {op.OpcodeIndex()}")
    name, is_custom = codes[op.OpcodeIndex()]
    if isinstance(name, int):
        raise UsageError(f"damaged .tflite file: operator {index} has unknown code {name}")
    blob = bytes(op.CustomOptionsAsNumpy()) if op.CustomOptionsLength() else b""
    return Op(
        index,
        name,
        _ints(op.InputsAsNumpy(), op.InputsLength()),
        _ints(op.OutputsAsNumpy(), op.OutputsLength()),
        _OPTIONS[name].parse(blob) if name in _OPTIONS else None,
        blob,
        is_custom,
    )
