"""Binary layers that LCE would leave float, or round: quantizers, kernels, groups, obstacles."""

import math
from typing import Any

from converters.graph.filters import TOLERANCE, taken_for_binary
from converters.lce.binary_convs import BinaryConv
from converters.lce.preflight.convolutions import CONV, DEPTHWISE, PADS, Convolution
from converters.lce.preflight.finding import Finding
from converters.lce.preflight.same_padding import shift
from converters.lce.preflight.tf_graph import TFGraph
from converters.passes import Target

# The converter's constant folding refuses results above this size that are also more than twice
# their operands.
FOLDING_BYTES = 1 << 20

_KNOWN_FORM = "use larq.math.sign(x), ste_sign, ede_sign or tf.where(x >= 0, 1.0, -1.0)"
_NO_OPERATOR = {
    DEPTHWISE: ("LCE has no depthwise convolution", "use QuantConv2D"),
    "Conv2DBackpropInput": (
        "LCE has no transposed convolution",
        "upsample first, then use QuantConv2D",
    ),
    "Conv3D": ("LCE has no 3-D convolution", "use QuantConv2D"),
    "MatMul": (
        "LCE has no dense layer",
        "use a QuantConv2D with kernel 1 on an image of (1, 1, channels)",
    ),
    "BatchMatMulV2": ("LCE has no matrix product", "use QuantConv2D"),
}


def quantizer_findings(graph: TFGraph, convs: list[Convolution]) -> list[Finding]:
    """Everything that keeps a layer with binary inputs from becoming ``LceBconv2d``."""
    found = []
    for conv in convs:
        if conv.magnitude is None:
            continue
        found += _kernel(graph, conv)
        if conv.filters.is_binary:
            found += _layer(graph, conv)
    return found


def unquantized(graph: TFGraph, convs: list[Convolution], layers: dict[str, Any]) -> list[Finding]:
    """Larq layers whose input quantizer does not give +c and -c."""
    found = []
    for conv in convs:
        layer = layers.get(conv.layer)
        quantizer = getattr(layer, "input_quantizer", None)
        weights = getattr(layer, "kernel_quantizer", None) or getattr(
            layer, "depthwise_quantizer", None
        )
        if quantizer is not None and weights is not None and conv.magnitude is None:
            name = getattr(quantizer, "name", None) or getattr(quantizer, "__name__", "")
            found.append(
                Finding(
                    "not-binary",
                    "slow",
                    conv.layer,
                    f"its input quantizer {name} gives other values than -1 and +1: it stays float",
                    _KNOWN_FORM,
                )
            )
    return found


def _kernel(graph: TFGraph, conv: Convolution) -> list[Finding]:
    if conv.kernel is None or conv.node.op != CONV:
        return []
    if not conv.filters.is_binary:
        if taken_for_binary(conv.kernel):
            return [
                Finding(
                    "rounded-kernel",
                    "wrong",
                    conv.layer,
                    f"{conv.filters.text}: below {100 * TOLERANCE:g} % LCE rounds them to +-c",
                    "make every filter exactly +-c (scale * larq.math.sign(u), one scale a filter)",
                )
            ]
        return [
            Finding(
                "not-binary",
                "slow",
                conv.layer,
                f"it reads signs, but its {conv.filters.text}: it stays float",
                "make every filter exactly +-c, c above 1.2e-7 (libra_pb, ste_sign), or keep its "
                "input in numbers",
            )
        ]
    large = [n for n in graph.ancestors(conv.kernel_tensor) if _not_folded(graph, n)]
    if large:
        return [
            Finding(
                "not-folded",
                "slow",
                conv.layer,
                f"its kernel quantizer uses {large[0].op} on {conv.kernel.size:,} weights, which "
                "the converter does not fold above 262,144: it stays float",
                "use scale * larq.math.sign(u) for kernels (libra_pb, ste_sign)",
            )
        ]
    return []


def _not_folded(graph: TFGraph, node: Any) -> bool:
    if node.op not in ("Select", "SelectV2", "Cast"):
        return False
    result = _bytes(graph, node.name)
    operands = sum(_bytes(graph, name) for name in graph.inputs(node))
    return result > FOLDING_BYTES and result > 2 * operands


def _bytes(graph: TFGraph, tensor: str) -> int:
    shape = graph.shape(tensor)
    if shape is None or None in shape:
        return 0
    size = {"bool": 1, "int8": 1, "uint8": 1, "float16": 2}.get(graph.dtype(tensor), 4)
    return math.prod(n or 0 for n in shape) * size


def _layer(graph: TFGraph, conv: Convolution) -> list[Finding]:
    """A layer whose operands are both +-c."""
    found: list[Finding] = []

    def stays(check: str, reason: str, cure: str) -> None:
        found.append(Finding(check, "slow", conv.layer, f"{reason}: it stays float", cure))

    if conv.node.op in _NO_OPERATOR:
        stays("no-operator", *_NO_OPERATOR[conv.node.op])
        return found
    if (problem := unknown_sign(graph, conv)) is not None:
        stays("unknown-quantizer", problem, _KNOWN_FORM)
    _obstacles(graph, conv, stays)
    return found


def unknown_sign(graph: TFGraph, conv: Convolution) -> str | None:
    """Why LCE does not recognise the quantizer of a layer's input; None if it does."""
    node = graph.producer(conv.source)
    inputs = [graph.resolve(name) for name in graph.inputs(node)]
    if node.op == "Sign":
        inner = graph.producer(inputs[0])
        operands = graph.inputs(inner) if inner.op in ("Add", "AddV2") else []
        known = any(graph.is_constant(name) for name in operands) and any(
            graph.producer(name).op == "Sign" for name in operands
        )
        return None if known else "its input quantizer is a plain tf.sign, which LCE does not know"
    if node.op in ("Select", "SelectV2"):
        if all(graph.is_constant(name) and graph.shape(name) == () for name in inputs[1:]):
            return None
        return "its input quantizer is a tf.where with tensors instead of the scalars 1.0 and -1.0"
    if node.op == "Mul" and any(graph.is_constant(name) for name in inputs):
        return f"its input is scaled signs (+-{conv.magnitude:g}), which LCE does not know"
    return f"its input quantizer ends in {node.op}, a form of sign that LCE does not know"


def _obstacles(graph: TFGraph, conv: Convolution, stays: Any) -> None:
    """What stands between sign and convolution."""
    for node in conv.between:
        if node.op not in PADS:
            stays(
                "not-adjacent",
                f"{node.op} ({graph.layer(node)}) stands between the sign and this layer",
                "take the sign after it",
            )
            return
    if not conv.between:
        return
    pad = conv.between[0]
    constants = graph.inputs(pad)[2:]
    value = 0.0
    if constants and graph.is_constant(constants[0]):
        value = float(graph.values(constants)[constants[0]])
    if value == 0 or pad.op == "MirrorPad":
        stays(
            "padded-signs",
            "its signs are padded with 0 outside of it",
            "use padding='same' of the layer",
        )
    elif value != 1:
        stays(
            "padded-signs",
            f"its signs are padded with {value:g}, LCE pads with 0 or +1",
            "use pad_values=0 or pad_values=1",
        )
    elif not is_same(graph, conv, pad):
        stays(
            "padded-signs",
            "its signs are padded with +1 other than padding='same' does",
            "use padding='same' and pad_values=1 of the layer",
        )


def is_same(graph: TFGraph, conv: Convolution, pad: Any) -> bool:
    """Whether LCE takes an explicit padding for SAME (rightly or not)."""
    source, paddings = graph.inputs(pad)[:2]
    size = graph.image_size(source)
    if size is None or not graph.is_constant(paddings):
        return False
    pads = graph.values([paddings])[paddings]
    return all(
        shift(size[axis], conv.window[axis], conv.strides[axis], *map(int, pads[axis + 1]))
        is not None
        for axis in (0, 1)
    )


def grouped(convs: list[BinaryConv], target: Target) -> list[Finding]:
    """Binary convolutions with groups.

    Args:
        convs: by layer: Keras hides grouped convolutions in functions that TensorFlow compiles,
            so that the graph does not show them.
        target: see :func:`converters.lce.preflight.preflight`.
    """
    found = []
    for conv in convs:
        if conv.groups == 1 or not conv.is_conv2d:
            continue
        channels = conv.kernel.shape[2]
        groups = f"its {conv.groups} groups have {channels} channels each"
        if channels % 32:
            cure = "use groups of a multiple of 32 channels"
            reason = f"{groups}, LCE needs multiples of 32: it stays float"
            found.append(Finding("groups", "slow", conv.name, reason, cure))
        elif target == "lce":
            cure = "use the delegate (--target delegate)"
            reason = f"{groups}, and LCE's default kernels refuse groups"
            found.append(Finding("groups", "fails", conv.name, reason, cure))
    return found
