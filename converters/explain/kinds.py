"""In what an operator computes: one bit, int8 or float."""

from typing import Literal

from converters.explain.wiring import Wiring
from converters.graph import BCONV, DEQUANTIZE, MAXPOOL, QUANTIZE, Op

Kind = Literal["1-bit", "int8", "float", "other"]
KINDS: tuple[Kind, ...] = ("1-bit", "int8", "float", "other")

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "CONV_3D", "CONV_3D_TRANSPOSE")
# Operators that multiply and accumulate; their weights are input 1 but for TRANSPOSE_CONV.
MULTIPLIERS = (*CONVOLUTIONS, "FULLY_CONNECTED", "BATCH_MATMUL")
LCE_OPS = (QUANTIZE, DEQUANTIZE, BCONV, MAXPOOL)

FLOATS = ("FLOAT32", "FLOAT16", "BFLOAT16", "FLOAT64")
SMALL_INTS = ("INT2", "INT4", "UINT4", "INT8", "UINT8", "INT16")


def is_lce(op: Op) -> bool:
    """Whether an operator is one of Larq Compute Engine's."""
    return op.is_custom and op.name in LCE_OPS


def is_multiplier(op: Op) -> bool:
    """Whether an operator multiplies weights (or two tensors) in a type other than one bit."""
    return not op.is_custom and op.name in MULTIPLIERS and len(op.inputs) >= 2


def data_input(op: Op) -> int:
    """The activations a multiplier reads."""
    if op.name in ("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE"):
        return op.inputs[2] if len(op.inputs) > 2 else -1
    return op.inputs[0]


def weights_input(op: Op) -> int:
    """The weights a multiplier reads."""
    return op.inputs[1]


def unpacks_weights(op: Op, wiring: Wiring) -> bool:
    """Whether an operator gives small constants back as numbers, which runtimes do once."""
    return not op.is_custom and op.name == "DEQUANTIZE" and not wiring.computed(op)


def kind_of(op: Op, wiring: Wiring) -> Kind:
    """What an operator computes in.

    Convolutions and dense layers by their operands: weights of 8 bits or fewer are ``"int8"``
    also with float activations, which LiteRT then quantizes while it runs. All others by the
    type of their first output.
    """
    tensors = wiring.graph.tensors
    if is_lce(op) and op.name != DEQUANTIZE:
        return "1-bit"
    if is_multiplier(op):
        operands = {tensors[i].dtype for i in (data_input(op), weights_input(op)) if i >= 0}
        if operands & set(SMALL_INTS):
            return "int8"
    dtype = tensors[op.outputs[0]].dtype if op.outputs else ""
    if dtype in FLOATS:
        return "float"
    return "int8" if dtype in SMALL_INTS else "other"
