"""Every LCE op on its own: the input it really saw, the output it really wrote."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import (
    BCONV,
    QUANTIZE,
    BconvOptions,
    Graph,
    Op,
    pack_bits,
    packed_words,
    unpack_signs,
)
from converters.graph.bits import count_bits, unpack_bits
from converters.graph.lce_ops import ACTIVATIONS
from converters.lce.matching import Match, Matching, packed_filter, pooled_bits
from converters.runtimes.watching import Values
from converters.verify.reference import (
    Affine,
    apply_affine,
    binary_sums,
    expected_affine,
    output_tolerance,
    sign_tail,
)
from converters.verify.report import LayerReport, QuantizeReport


def tensors_to_watch(graph: Graph) -> list[int]:
    """Inputs and outputs of all ``LceQuantize`` and ``LceBconv2d``, without graph inputs."""
    wanted: dict[int, None] = {}
    for op in (*graph.ops_named(QUANTIZE), *graph.ops_named(BCONV)):
        wanted.update(dict.fromkeys((op.inputs[0], op.outputs[0])))
    return [index for index in wanted if index not in graph.inputs]


def check_quantize(graph: Graph, op: Op, values: Values) -> QuantizeReport:
    """Packed bits against the signs of the op's actual input, bit for bit."""
    source, packed = values[op.inputs[0]], values[op.outputs[0]]
    tensor = graph.tensors[op.inputs[0]]
    if tensor.dtype == "BOOL":
        negative = ~source
    elif tensor.dtype == "INT8" and tensor.quantization is not None:
        negative = source < int(tensor.quantization.zero_point[0])
    else:
        negative = source < 0
    wrong = int(count_bits(packed ^ pack_bits(negative)).sum())
    return QuantizeReport(
        op_index=op.index,
        tensor=tensor.name,
        num_bits=source.size,
        wrong_bits=wrong,
        passed=wrong == 0,
    )


@dataclass(frozen=True)
class _Weights:
    wrong_bits: int
    first: tuple[int, int, int, int] | None


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is counted
def check_layer(
    graph: Graph, match: Match, values: Values, inverted: NDArray[np.bool_] | None = None
) -> LayerReport:
    """One binary convolution: weights, then outputs against the exact reference.

    Args:
        graph: the file.
        match: layer and op.
        values: tensors by index as the file's runtime computed them, batch first.
        inverted: input channels whose bits are inverted, see :func:`inverted_inputs`.
    """
    conv, op = match.conv, match.op
    target = graph.tensors[op.outputs[0]]
    bitpacked = target.dtype == "INT32"
    if inverted is None:
        inverted = np.zeros(conv.channels_in, np.bool_)
    weights = _check_weights(graph, match, bitpacked, inverted)
    found: dict[str, Any] = {
        "layer": conv.name,
        "op_index": op.index,
        "output": "bitpacked" if bitpacked else "float32",
        "wrong_weight_bits": weights.wrong_bits,
        "first_wrong_weight": weights.first,
    }
    fused = ACTIVATIONS[
        op.options.fused_activation_function if isinstance(op.options, BconvOptions) else 0
    ]
    try:
        affine = expected_affine(conv, fused)
    except ValueError as error:
        return LayerReport(**found, problem=str(error))
    if target.dtype not in ("FLOAT32", "INT32"):
        return LayerReport(**found, problem=f"{target.dtype} output is not verified")
    signs = unpack_signs(values[op.inputs[0]] ^ pack_bits(inverted), conv.channels_in)
    sums = binary_sums(conv, signs)
    expected = apply_affine(affine, sums)
    if bitpacked:
        try:
            tail = sign_tail(conv, sums)
        except ValueError as error:
            return LayerReport(**found, problem=str(error))
        affine = replace(affine, tolerance=tail.tolerance)
        expected = np.where(tail.inverted, -tail.values, tail.values)
    actual = values[op.outputs[0]]
    filters = expected.shape[-1]
    shape = (*expected.shape[:-1], packed_words(filters) if bitpacked else filters)
    if actual.shape != shape:
        return LayerReport(
            **found, problem=f"output shape {actual.shape[1:]}, the Keras layer's is {shape[1:]}"
        )
    if bitpacked:
        return LayerReport(**found, **_compare_bits(affine, expected, actual))
    return LayerReport(**found, **_compare_floats(affine, expected, actual))


def layer_reasons(layer: LayerReport) -> list[str]:
    """Why a layer fails, empty if it passes."""
    reasons = []
    if layer.problem:
        reasons.append(f"layer {layer.layer}: {layer.problem}")
    if layer.wrong_weight_bits:
        reasons.append(
            f"layer {layer.layer}: {layer.wrong_weight_bits} weight bits differ from the Keras "
            f"kernel, first at (filter, y, x, channel) {layer.first_wrong_weight}"
        )
    if layer.non_finite:
        reasons.append(
            f"layer {layer.layer}: {layer.non_finite} of {layer.num_outputs} outputs are NaN or "
            "infinite in the file or by the Keras weights"
        )
    if layer.violations > layer.non_finite:
        reasons.append(
            f"layer {layer.layer}: {layer.violations} of {layer.num_outputs} outputs are wrong, "
            f"worst by {layer.worst_error:.3g} (tolerance {layer.tolerance:.2g}) "
            f"at {layer.worst_index}"
        )
    return reasons


def inverted_inputs(graph: Graph, matching: Matching) -> dict[int, NDArray[np.bool_]]:
    """Input channels that reach a convolution as the complement of their sign bits.

    Channels that fall with a pooled value are pooled inverted, and the weights that read them
    are negated; which ones follows from the Keras layers.

    Returns:
        boolean ``(channels_in,)`` by operator index.
    """
    layers = {match.op.index: match.conv for match in matching.matches}
    found = {}
    for index, conv in layers.items():
        source = pooled_bits(graph, graph.ops[index])
        if source is not None and source.index in layers:
            producer = layers[source.index]
            no_sums = np.zeros((0, len(producer.scale)), np.float32)
            try:
                flags = sign_tail(producer, no_sums).inverted
            except ValueError:  # check_layer says so
                continue
            if len(flags) == conv.channels_in:
                found[index] = flags
    return found


def _check_weights(
    graph: Graph, match: Match, bitpacked: bool, inverted: NDArray[np.bool_]
) -> _Weights:
    """Bits against the Keras kernel's signs, allowing LCE's negated filters (see matching)."""
    conv = match.conv
    packed = packed_filter(graph, match.op)
    groups = inverted.reshape(conv.groups, 1, 1, 1, -1)
    filters = conv.negative.reshape(conv.groups, -1, *conv.negative.shape[1:])
    negative = (filters ^ groups).reshape(conv.negative.shape)
    if bitpacked:
        try:
            flipped = sign_tail(conv, np.zeros((0, len(conv.scale)), np.float32)).negated
        except ValueError:  # check_layer says so
            flipped = np.zeros(len(conv.scale), np.bool_)
        negative = negative ^ flipped[:, None, None, None]
    wrong = packed ^ pack_bits(negative)
    places = np.argwhere(unpack_bits(wrong, negative.shape[-1]))
    first = tuple(int(i) for i in places[0]) if len(places) else None
    return _Weights(int(count_bits(wrong).sum()), first)  # type: ignore[arg-type]


def _compare_floats(
    affine: Affine, expected: NDArray[np.float64], actual: NDArray[Any]
) -> dict[str, Any]:
    finite = np.isfinite(actual) & np.isfinite(expected)
    # JSON knows neither NaN nor infinity
    error = np.where(finite, np.abs(actual.astype(np.float64) - expected), np.finfo(float).max)
    tolerance = np.where(finite, output_tolerance(affine, expected), 0.0)
    worst = np.unravel_index(int(np.argmax(error - tolerance)), error.shape)
    return {
        "worst_error": float(error[worst]),
        "worst_index": tuple(int(i) for i in worst),
        "tolerance": float(tolerance[worst]),
        "violations": int((~(error <= tolerance)).sum()),
        "non_finite": int((~finite).sum()),
        "num_outputs": error.size,
    }


def _compare_bits(
    affine: Affine, expected: NDArray[np.float64], actual: NDArray[Any]
) -> dict[str, Any]:
    """Exact but for ties: a threshold computed in float32 may fall either side of a 0."""
    finite = np.isfinite(expected)
    wrong = (unpack_bits(actual, expected.shape[-1]) != (expected < 0)) | ~finite
    tie = wrong & (np.abs(expected) <= output_tolerance(affine, expected))
    places = np.argwhere(wrong & ~tie)
    stray = int(count_bits(actual).sum()) - int(unpack_bits(actual, expected.shape[-1]).sum())
    return {
        "worst_error": float(np.abs(expected[wrong & finite]).max(initial=0.0)),
        "worst_index": tuple(int(i) for i in places[0]) if len(places) else None,
        "tolerance": float(affine.tolerance[np.isfinite(affine.tolerance)].max(initial=0.0)),
        "violations": len(places) + stray,
        "non_finite": int((~finite).sum()),
        "ties": int(tie.sum()),
        "num_outputs": expected.size,
    }
