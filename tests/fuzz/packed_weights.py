"""A convolution whose float filters come from 8, 4 or 2 bits through DEQUANTIZE."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_BITS = {"INT8": 8, "INT4": 4, "INT2": 2}


def packed_weights(dtype: str) -> bytes:
    """Content of the file: 4 filters of 3x3x4 with a scale each, on 5 x 5 pixels."""
    shape = (4, 3, 3, 4)
    count = int(np.prod(shape))
    bits = _BITS[dtype]
    values = np.random.default_rng(0).choice([-1, 1], count)
    codes = (values & ((1 << bits) - 1)).astype(np.uint8).reshape(-1, 8 // bits)
    packed = np.zeros(len(codes), np.uint8)
    for place in range(8 // bits):
        packed |= codes[:, place] << (place * bits)
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = packed
    quantization = schema.QuantizationParametersT()
    quantization.scale = [0.25, 0.5, 1.0, 2.0]
    quantization.zeroPoint = [0, 0, 0, 0]
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor("input", (1, 5, 5, 4), "FLOAT32"),
        _tensor("packed", shape, dtype, 1, quantization),
        _tensor("filters", shape, "FLOAT32"),
        _tensor("output", (1, 3, 3, 4), "FLOAT32"),
    ]
    options = schema.Conv2DOptionsT()
    options.padding, options.strideH, options.strideW = schema.Padding.VALID, 1, 1
    graph.operators = [
        _operator(0, [1], 2, None),
        _operator(1, [0, 2, -1], 3, options),
    ]
    graph.inputs, graph.outputs = [0], [3]
    model.subgraphs = [graph]
    model.operatorCodes = [_code("DEQUANTIZE", 6), _code("CONV_2D", 1)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()) + bytes(16)


def _tensor(name: str, shape: Any, dtype: str, buffer: int = 0, quantization: Any = None) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
    tensor.type = getattr(schema.TensorType, dtype)
    tensor.quantization = quantization
    return tensor


def _operator(code: int, inputs: list[int], output: int, options: Any) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, inputs, [output]
    if options is not None:
        operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
        operator.builtinOptions = options
    return operator


def _code(name: str, version: int) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    code.version = version
    return code
