"""Options of TensorFlow Lite's own operators, read where somebody asks for them."""

import struct
from dataclasses import dataclass
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from converters.graph.lce_ops import ACTIVATIONS, PoolOptions
from converters.graph.model import Graph, Op
from irnet_keras.errors import UsageError

# Operators that apply an activation to what they compute, and the table that says which.
_TABLES: dict[str, Any] = {
    "ADD": schema.AddOptions,
    "SUB": schema.SubOptions,
    "MUL": schema.MulOptions,
    "DIV": schema.DivOptions,
    "CONV_2D": schema.Conv2DOptions,
    "DEPTHWISE_CONV_2D": schema.DepthwiseConv2DOptions,
    "FULLY_CONNECTED": schema.FullyConnectedOptions,
    "MAX_POOL_2D": schema.Pool2DOptions,
    "AVERAGE_POOL_2D": schema.Pool2DOptions,
}
# Order of schema.fbs, enum ActivationFunctionType; the first four are LCE's, too.
_ALL_ACTIVATIONS = (*ACTIVATIONS, "TANH", "SIGN_BIT")


def fused_activation(graph: Graph, op: Op) -> str | None:
    """Name of the activation an operator applies (``"NONE"``, ``"RELU"``, ...).

    None where the operator has no such option.

    Raises:
        UsageError: the option is unreadable.
    """
    if op.name not in _TABLES:
        return None
    options = _options(graph, op)
    code = 0 if options is None else _read(op, options.FusedActivationFunction)
    if not 0 <= code < len(_ALL_ACTIVATIONS):
        raise UsageError(f"damaged .tflite file: operator {op.index} has activation {code}")
    return _ALL_ACTIVATIONS[code]


def pool_options(graph: Graph, op: Op) -> PoolOptions | None:
    """Window of a ``MAX_POOL_2D`` or ``AVERAGE_POOL_2D``; None where it has no options.

    Raises:
        UsageError: the options are unreadable.
    """
    options = _options(graph, op)
    if options is None:
        return None
    return PoolOptions(
        padding=_read(op, options.Padding),
        stride_width=_read(op, options.StrideW),
        stride_height=_read(op, options.StrideH),
        filter_width=_read(op, options.FilterWidth),
        filter_height=_read(op, options.FilterHeight),
    )


@dataclass(frozen=True)
class ConvOptions:
    """Window of a ``CONV_2D`` or ``DEPTHWISE_CONV_2D``; ``padding`` is 0 SAME or 1 VALID."""

    padding: int
    strides: tuple[int, int]
    dilation: tuple[int, int]


def conv_options(graph: Graph, op: Op) -> ConvOptions | None:
    """Window of a convolution (height, width); None where it has no options.

    Raises:
        UsageError: the options are unreadable.
    """
    options = _options(graph, op)
    if options is None:
        return None
    return ConvOptions(
        padding=_read(op, options.Padding),
        strides=(_read(op, options.StrideH), _read(op, options.StrideW)),
        dilation=(_read(op, options.DilationHFactor), _read(op, options.DilationWFactor)),
    )


def conv_padding(graph: Graph, op: Op) -> int | None:
    """Padding of a ``CONV_2D``: 0 SAME, 1 VALID; None where it has no options."""
    options = _options(graph, op)
    return None if options is None else _read(op, options.Padding)


def _options(graph: Graph, op: Op) -> Any:
    table = schema.Model.GetRootAs(graph.data, 0).Subgraphs(0).Operators(op.index).BuiltinOptions()
    if table is None:
        return None
    options = _TABLES[op.name]()
    options.Init(table.Bytes, table.Pos)
    return options


def _read(op: Op, getter: Any) -> int:
    try:
        return int(getter())
    except (struct.error, IndexError) as error:
        raise UsageError(f"damaged .tflite file: options of operator {op.index}") from error
