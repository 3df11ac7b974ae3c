"""Which runtimes run a file, by what LCE's kernels accept."""

from converters.explain.kinds import is_lce
from converters.explain.report import Target
from converters.explain.wiring import Wiring
from converters.graph import BCONV, BconvOptions, Op
from converters.graph.lce_ops import SAME
from converters.runtimes.modes import window_exceeds_image_of

# What a file needs.
LITERT, LCE, LCE_OTHER, DELEGATE, NOTHING = "litert", "lce", "lce-other", "delegate", "none"


def group_count(op: Op, wiring: Wiring) -> int:
    """Groups of a binary convolution, as its kernel's shape implies them."""
    options = op.options
    words = wiring.graph.tensors[op.inputs[1]].shape[3]
    if not isinstance(options, BconvOptions):
        return 1
    return max(1, -(-options.channels_in // 32) // max(1, words))


def target_of(wiring: Wiring) -> Target:
    """The least that runs a file rightly.

    ``"litert"``: no Larq operators; ``"lce"``: LCE's default kernels (and the delegate);
    ``"lce-other"``: LCE with its indirect or reference kernels only (or the delegate);
    ``"delegate"``: the delegate only; ``"none"``: nothing this project knows.
    """
    graph = wiring.graph
    unknown = [op for op in graph.ops if op.is_custom and not is_lce(op)]
    if unknown:
        reasons = [f"{op.name or 'unnamed'} {op.index}: unknown custom operator" for op in unknown]
        return Target(needs=NOTHING, reasons=tuple(reasons))
    if not any(is_lce(op) for op in graph.ops):
        return Target(needs=LITERT, reasons=())
    needs, reasons = LCE, []
    for op in graph.ops:
        if not is_lce(op) or op.name != BCONV:
            continue
        default, others = refusals(op, wiring)
        if default is None:
            continue
        reasons.append(f"{BCONV} {op.index}: {default}")
        if others is not None:
            needs = DELEGATE
            reasons[-1] += f"; {others}"
        elif needs == LCE:
            needs = LCE_OTHER
    return Target(needs=needs, reasons=tuple(reasons))


def refusals(op: Op, wiring: Wiring) -> tuple[str | None, str | None]:
    """Why LCE's default kernels, and why all of its kernels, refuse a binary convolution.

    "Refuse" includes running it wrongly. None where they run it.
    """
    options = op.options
    if not isinstance(options, BconvOptions):
        return "no options", "no options"
    graph = wiring.graph
    default: list[str] = []
    others: list[str] = []
    groups = group_count(op, wiring)
    if groups > 1:
        default.append("the default kernels refuse groups")
    zero_padded = (options.padding, options.pad_values) == (SAME, 0)
    output = graph.tensors[op.outputs[0]].dtype
    reference_only = False
    if zero_padded:
        if output != "FLOAT32":
            kind = "bitpacked" if output == "INT32" else "int8"
            default.append(f"the default kernels refuse zero padding with {kind} output")
            reference_only = True
        elif options.fused_activation_function:
            default.append("the default kernels refuse zero padding with an activation")
            reference_only = True
        if window_exceeds_image_of(graph, op):
            default.append("the default kernels are wrong where the kernel exceeds the image")
            reference_only = True
    if reference_only:
        if (options.channels_in // groups) % 2:
            others.append("the reference kernels need an even number of channels")
        if output == "INT32" and op.inputs[2] == -1:
            others.append("the reference kernels need a multiplier, also for bits")
    return "; ".join(default) or None, "; ".join(others) or None
