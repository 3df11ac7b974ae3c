"""Why an operator is not 1-bit, read off the graph."""

from dataclasses import dataclass

from converters.explain.kernels import kernel_of
from converters.explain.kinds import (
    LCE_OPS,
    data_input,
    is_lce,
    is_multiplier,
    unpacks_weights,
    weights_input,
)
from converters.explain.wiring import Wiring
from converters.graph import BCONV, DEQUANTIZE, MAXPOOL, QUANTIZE, BconvOptions, Op
from converters.graph.filters import Filters
from converters.graph.lce_ops import SAME

# Operators that only move or rescale values, so that what was a sign still is one.
_MOVES = (
    "PAD", "PADV2", "MIRROR_PAD", "TRANSPOSE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS",
    "STRIDED_SLICE", "SLICE", "CONCATENATION", "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "MUL", "NEG",
    "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND",
)  # fmt: skip
_CONVERSIONS = ("QUANTIZE", "DEQUANTIZE", "CAST")
# What quantizers that LCE does not recognise end in.
_SIGN_LIKE = ("SIGN", "SELECT", "SELECT_V2", "ROUND", "FLOOR", "CEIL")
_COMPARISONS = ("GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")
_CLIPS = ("RELU_N1_TO_1", "RELU", "RELU6", "RELU_0_TO_1", "MINIMUM", "MAXIMUM")
MAX_STEPS = 16  # operators to walk back; quantizers and paddings are shorter


@dataclass(frozen=True)
class _Source:
    """Where the activations of a multiplier come from.

    Attributes:
        kind: ``"signs"`` (an ``LceDequantize``), ``"unknown sign"``, ``"input"`` of the file, or
            ``"values"``.
        text: says so.
        between: operators passed on the way, the nearest first.
    """

    kind: str
    text: str
    between: tuple[Op, ...]


def why_not_one_bit(op: Op, wiring: Wiring) -> str | None:
    """The reason in one sentence without a full stop; None for operators that are 1-bit."""
    if is_lce(op) and op.name != DEQUANTIZE:
        return None
    if op.is_custom and op.name not in LCE_OPS:
        return "custom operator that neither LCE nor the delegate knows"
    if is_lce(op):
        return _dequantize(op, wiring)
    if unpacks_weights(op, wiring):
        stored = wiring.graph.tensors[op.inputs[0]].dtype.lower()
        return f"unpacks weights stored as {stored}, once"
    if is_multiplier(op):
        return _multiplier(op, wiring)
    return _other(op, wiring)


def note_on(op: Op, wiring: Wiring) -> str | None:
    """What keeps a binary convolution from handing on bits; None for anything else."""
    if not is_lce(op) or op.name != BCONV or not isinstance(op.options, BconvOptions):
        return None
    if wiring.graph.tensors[op.outputs[0]].dtype == "INT32":
        return None
    readers = wiring.readers(op)
    if not readers or op.outputs[0] in wiring.graph.outputs:
        return "writes floats: they are an output of the file"
    others = [r for r in readers if not (is_lce(r) and r.name == QUANTIZE)]
    if others:
        names = " and ".join(sorted({r.name for r in others}))
        return f"writes floats, which {names} reads"
    if (op.options.padding, op.options.pad_values) == (SAME, 0):
        return "writes floats: LCE cannot write bits of a zero-padded convolution"
    return "writes floats, though only signs of them are read"


def _dequantize(op: Op, wiring: Wiring) -> str:
    readers = wiring.readers(op)
    if not readers or set(op.outputs) & set(wiring.graph.outputs):
        return "unpacks signs for the file's output"
    return f"unpacks signs for {_names(readers)}, which needs numbers"


def _multiplier(op: Op, wiring: Wiring) -> str:
    source = _source(data_input(op), wiring)
    kernel = kernel_of(op, wiring)
    if source.kind == "unknown sign":
        return f"{source.text}; {kernel.text}"
    if source.kind == "signs":
        return _fallback(op, source, kernel, wiring)
    if kernel.is_binary:
        stored = _stored_as(op, wiring)
        what = f"1-bit weights stored as {stored}, float activations" if stored else kernel.text
        return f"{source.text}: 1-bit needs signs on both sides ({what})"
    return f"{source.text}; {kernel.text}"


def _stored_as(op: Op, wiring: Wiring) -> str | None:
    """Type of the constant that weights are unpacked from, None for weights stored as such."""
    below = wiring.producer(weights_input(op))
    if below is None or not unpacks_weights(below, wiring):
        return None
    return wiring.graph.tensors[below.inputs[0]].dtype.lower()


def _fallback(op: Op, source: _Source, kernel: Filters, wiring: Wiring) -> str:
    """A multiplier that reads signs and stayed as it is."""
    start = "fallback: reads signs, but "
    if not kernel.is_binary:
        return start + kernel.text
    if op.name == "DEPTHWISE_CONV_2D":
        return start + "LCE has no depthwise convolution"
    if op.name == "FULLY_CONNECTED":
        return (
            start + "LCE has no dense layer (a 1x1 convolution on (1, 1, channels) would be 1-bit)"
        )
    if op.name != "CONV_2D":
        return start + f"LCE has no {op.name}"
    if source.between:
        return start + _obstacle(source.between, wiring)
    channels = wiring.graph.tensors[op.inputs[0]].shape[-1]
    per_group = wiring.graph.tensors[op.inputs[1]].shape[-1]
    if 0 < per_group < channels and per_group % 32:
        return start + (
            f"its {channels // per_group} groups have {per_group} channels each, LCE needs "
            "multiples of 32"
        )
    return start + "the converter left it (as it does where the signs were scaled before it)"


def _obstacle(between: tuple[Op, ...], wiring: Wiring) -> str:
    """What stands between an ``LceDequantize`` and a convolution."""
    op = between[-1]
    if op.name in ("PAD", "PADV2"):
        value = 0.0
        if op.name == "PADV2" and len(op.inputs) > 2 and op.inputs[2] >= 0:
            data = wiring.graph.tensors[op.inputs[2]].data
            value = float(data.reshape(-1)[0]) if data is not None and data.size else 0.0
        if value == 0:
            return "a padding of 0 stands before it (pad inside of the convolution: padding='same')"
        if value == 1:
            return "a padding of +1 that is not 'same' stands before it"
        return f"it is padded with {value:g}, LCE pads with 0 or +1"
    if op.name == "MUL":
        return "the signs are scaled before it (move the factor behind it)"
    return f"{_names([op])} stands between sign and convolution"


def _source(tensor: int, wiring: Wiring) -> _Source:
    between: list[Op] = []
    for _ in range(MAX_STEPS):
        if tensor < 0 or wiring.is_constant(tensor):
            return _Source("values", "reads a constant", tuple(between))
        op = wiring.producer(tensor)
        if op is None:
            return _Source("input", "reads the network's input", tuple(between))
        if is_lce(op):
            kind = "signs" if op.name == DEQUANTIZE else "values"
            return _Source(kind, f"reads floats from {op.name} {op.index}", tuple(between))
        if op.name in _SIGN_LIKE:
            text = f"its input is quantized by {op.name} {op.index}, no form of sign LCE knows"
            return _Source("unknown sign", text, tuple(between))
        if op.name in _COMPARISONS:
            text = f"its input is {op.name} {op.index} as numbers, no form of sign LCE knows"
            return _Source("unknown sign", text, tuple(between))
        if op.name in ("SUB", "ADD") and _is_shifted_cast(op, wiring):
            text = "its input is quantized by a comparison and CAST, no form of sign LCE knows"
            return _Source("unknown sign", text, tuple(between))
        if op.name in _CONVERSIONS:
            tensor = op.inputs[0] if op.inputs else -1
            continue
        computed = wiring.computed(op)
        if op.name not in _MOVES or not computed:
            return _Source("values", f"reads numbers from {op.name} {op.index}", tuple(between))
        between.append(op)
        tensor = computed[0]
    return _Source("values", "reads numbers", tuple(between))


def _is_shifted_cast(op: Op, wiring: Wiring) -> bool:
    """``a * cast(x >= 0) + b`` and the like."""
    for _ in range(4):
        computed = wiring.computed(op)
        below = wiring.producer(computed[0]) if len(computed) == 1 else None
        if below is None:
            return False
        if below.name == "CAST":
            computed = wiring.computed(below)
            comparison = wiring.producer(computed[0]) if computed else None
            return comparison is not None and comparison.name in _COMPARISONS
        op = below
    return False


def _other(op: Op, wiring: Wiring) -> str:
    readers = wiring.readers(op)
    only_signs = bool(readers) and all(is_lce(r) and r.name == QUANTIZE for r in readers)
    only_signs = only_signs and not set(op.outputs) & set(wiring.graph.outputs)
    constant = bool(wiring.constants(op))
    if op.name in _CONVERSIONS:
        return "converts between number types"
    if op.name == "RELU_N1_TO_1" and only_signs:
        return "a hardtanh, of which only signs are read: it changes nothing"
    if op.name in _CLIPS:
        return "activation on numbers"
    if op.name in ("ADD", "SUB") and constant:
        return "adds constants (batch norm or bias) to numbers"
    if op.name in ("MUL", "DIV") and constant:
        return "scales numbers (batch norm)"
    if op.name == "ADD":
        return "sum of two branches: a shortcut carries numbers"
    if op.name == "MAX_POOL_2D":
        return (
            f"pools numbers; directly before a sign it would be {MAXPOOL}"
            if not only_signs
            else "pools numbers, of which only signs are read"
        )
    return "no 1-bit form"


def _names(ops: list[Op]) -> str:
    shown = ", ".join(f"{op.name} {op.index}" for op in ops[:3])
    return shown + (f" and {len(ops) - 3} more" if len(ops) > 3 else "")
