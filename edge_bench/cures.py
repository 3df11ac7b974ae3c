"""What would make an operator faster, by the reasons that ``explain`` gives."""

from converters.explain import OpReport
from converters.explain.kinds import MULTIPLIERS

# Beginnings and parts of the reasons of layers that were meant to be binary.
_MEANT_BINARY = ("fallback: reads signs", "its input is ")
_HALF_BINARY = "1-bit needs signs on both sides"
_ZERO_PADDED = "LCE cannot write bits of a zero-padded convolution"
_STEM = "reads the network's input"

STRICT = "change the layer as irnet explain says, and convert with --strict"
ONES = "pad with ones: pad_values=1 on the binary layers, then train again"
STEM = (
    "irnet convert --leftovers int8, or a smaller first layer (a stack of cheap 3x3 or depthwise "
    "layers instead of 7x7)"
)
LEFTOVERS = "irnet convert --leftovers int8"


def meant_binary(op: OpReport) -> bool:
    """Whether a layer looks as if it should have been binary."""
    reason = op.why_not_1bit
    if reason is None or op.op not in MULTIPLIERS:
        return False
    return reason.startswith(_MEANT_BINARY) or _HALF_BINARY in reason


def is_zero_padded(op: OpReport) -> bool:
    """Whether zero padding keeps a binary convolution from writing bits."""
    return op.note is not None and _ZERO_PADDED in op.note


def is_stem(op: OpReport) -> bool:
    """Whether an operator is the float layer that reads the network's input."""
    return op.op in MULTIPLIERS and op.kind == "float" and _STEM in (op.why_not_1bit or "")


def cure_of(op: OpReport) -> str | None:
    """What would make an operator of a 1-bit file faster; None for nothing known."""
    if meant_binary(op):
        return STRICT
    if is_zero_padded(op):
        return ONES
    if is_stem(op):
        return STEM
    return LEFTOVERS if op.op in MULTIPLIERS and op.kind == "float" else None
