"""The operators that are accepted, and the rule of each."""

from collections.abc import Callable, Mapping

from converters.graph.lce_ops import BCONV, DEQUANTIZE, MAXPOOL, QUANTIZE
from converters.untrusted.node import Node
from converters.untrusted.rules import convolutions, elementwise, layout, lce

Rule = Callable[[Node], None]
_Q = elementwise.QUANTIZED

CUSTOM_RULES: Mapping[str, Rule] = {
    BCONV: lce.bconv,
    DEQUANTIZE: lce.dequantize,
    MAXPOOL: lce.max_pool,
    QUANTIZE: lce.quantize,
}

BUILTIN_RULES: Mapping[str, Rule] = {
    "ABS": elementwise.unary("FLOAT32"),
    "ADD": elementwise.arithmetic("Add", "FLOAT32", "INT32", *_Q),
    "ADD_N": elementwise.add_n,
    "ARG_MAX": layout.arg_extreme("ArgMax"),
    "ARG_MIN": layout.arg_extreme("ArgMin"),
    "AVERAGE_POOL_2D": convolutions.pool_2d,
    "CAST": elementwise.cast,
    "CONCATENATION": layout.concatenation,
    "CONV_2D": convolutions.conv_2d,
    "DEPTH_TO_SPACE": layout.depth_to_space,
    "DEPTHWISE_CONV_2D": convolutions.depthwise_conv_2d,
    "DEQUANTIZE": elementwise.dequantize,
    "DIV": elementwise.arithmetic("Div", "FLOAT32"),
    "ELU": elementwise.unary("FLOAT32"),
    "EQUAL": elementwise.comparison("Equal"),
    "EXP": elementwise.unary("FLOAT32"),
    "EXPAND_DIMS": layout.expand_dims,
    "FLOOR": elementwise.unary("FLOAT32"),
    "FULLY_CONNECTED": convolutions.fully_connected,
    "GATHER": layout.gather,
    "GELU": elementwise.unary("FLOAT32"),
    "GREATER": elementwise.comparison("Greater"),
    "GREATER_EQUAL": elementwise.comparison("GreaterEqual"),
    "HARD_SWISH": elementwise.unary("FLOAT32", *_Q),
    "LEAKY_RELU": elementwise.leaky_relu,
    "LESS": elementwise.comparison("Less"),
    "LESS_EQUAL": elementwise.comparison("LessEqual"),
    "LOG": elementwise.unary("FLOAT32"),
    "LOGICAL_AND": elementwise.logical,
    "LOGICAL_NOT": elementwise.logical_not,
    "LOGICAL_OR": elementwise.logical,
    "LOGISTIC": elementwise.unary("FLOAT32", *_Q),
    "MAX_POOL_2D": convolutions.pool_2d,
    "MAXIMUM": elementwise.arithmetic("MaximumMinimum", "FLOAT32", "INT32", *_Q),
    "MEAN": layout.reduction("FLOAT32", "INT32", *_Q),
    "MINIMUM": elementwise.arithmetic("MaximumMinimum", "FLOAT32", "INT32", *_Q),
    "MIRROR_PAD": layout.mirror_pad,
    "MUL": elementwise.arithmetic("Mul", "FLOAT32", "INT32", *_Q),
    "NEG": elementwise.unary("FLOAT32"),
    "NOT_EQUAL": elementwise.comparison("NotEqual"),
    "PACK": layout.pack,
    "PAD": layout.pad,
    "PADV2": layout.pad_v2,
    "PRELU": elementwise.prelu,
    "QUANTIZE": elementwise.quantize,
    "REDUCE_MAX": layout.reduction("FLOAT32", "INT32", *_Q),
    "REDUCE_MIN": layout.reduction("FLOAT32", "INT32", *_Q),
    "RELU": elementwise.unary("FLOAT32", *_Q),
    "RELU6": elementwise.unary("FLOAT32", *_Q),
    "RELU_0_TO_1": elementwise.unary("FLOAT32", *_Q),
    "RELU_N1_TO_1": elementwise.unary("FLOAT32", *_Q),
    "RESHAPE": layout.reshape,
    "RESIZE_BILINEAR": layout.resize("ResizeBilinear"),
    "RESIZE_NEAREST_NEIGHBOR": layout.resize("ResizeNearestNeighbor"),
    "REVERSE_V2": layout.reverse,
    "ROUND": elementwise.unary("FLOAT32"),
    "RSQRT": elementwise.unary("FLOAT32"),
    "SELECT": elementwise.select,
    "SELECT_V2": elementwise.select_v2,
    "SHAPE": layout.shape_of,
    "SIGN": elementwise.unary("FLOAT32"),
    "SLICE": layout.slice_,
    "SOFTMAX": elementwise.softmax,
    "SPACE_TO_DEPTH": layout.space_to_depth,
    "SPLIT": layout.split,
    "SQRT": elementwise.unary("FLOAT32"),
    "SQUARE": elementwise.unary("FLOAT32"),
    "SQUARED_DIFFERENCE": elementwise.arithmetic("SquaredDifference", "FLOAT32", "INT32"),
    "SQUEEZE": layout.squeeze,
    "STRIDED_SLICE": layout.strided_slice,
    "SUB": elementwise.arithmetic("Sub", "FLOAT32", "INT32", *_Q),
    "SUM": layout.reduction("FLOAT32", "INT32"),
    "TANH": elementwise.unary("FLOAT32", *_Q),
    "TRANSPOSE": layout.transpose,
    "TRANSPOSE_CONV": convolutions.transpose_conv,
    "UNPACK": layout.unpack,
}


def rule_of(name: str, is_custom: bool) -> Rule | None:
    """The rule of an operator, or None where it is not on the list."""
    return (CUSTOM_RULES if is_custom else BUILTIN_RULES).get(name)
