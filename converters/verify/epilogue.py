"""Multipliers, biases and thresholds of a binary convolution, for every sum it can have.

Images reach few of the sums near a threshold; here none is left out, and no image is needed.
"""

from dataclasses import dataclass

import numpy as np

from converters.graph import BconvOptions, Graph
from converters.graph.lce_ops import ACTIVATIONS
from converters.lce.matching import Match
from converters.verify.reference import expected_affine, output_tolerance, sign_tail

_SUMS_AT_ONCE = 256  # bounds memory: as many doubles per filter


@dataclass(frozen=True)
class Epilogue:
    """What :func:`check_epilogue` found wrong.

    Attributes:
        filters: how many filters are wrong.
        first: the first of them.
        text: what is wrong with it, in numbers.
    """

    filters: int
    first: int
    text: str


@np.errstate(over="ignore", invalid="ignore")  # what is not finite is wrong
def check_epilogue(graph: Graph, match: Match) -> Epilogue | None:
    """Compare what follows the sum with the Keras layers, for all sums from -K to K.

    Returns:
        None if everything is right.

    Raises:
        ValueError: the Keras layers behind the convolution are not known to the reference.
    """
    output = graph.tensors[match.op.outputs[0]].dtype
    if output == "INT32":
        return _thresholds(graph, match)
    if output == "FLOAT32":
        return _affine(graph, match)
    return None


def _affine(graph: Graph, match: Match) -> Epilogue | None:
    """The output is linear in the clamped sum, so that its ends say everything."""
    options = match.op.options
    fused = options.fused_activation_function if isinstance(options, BconvOptions) else 0
    affine = expected_affine(match.conv, ACTIVATIONS[fused])
    multiplier, offset = (graph.tensors[i].data for i in match.op.inputs[2:4])
    if multiplier is None or offset is None or multiplier.shape != affine.multiplier.shape:
        raise ValueError("multiplier or bias is not one constant per filter")
    weights = np.prod(match.conv.kernel.shape[:3])
    ends = np.clip([[-weights], [weights]], affine.low, affine.high)
    expected = ends * affine.multiplier + affine.offset
    found = ends * multiplier.astype(np.float64) + offset.astype(np.float64)
    wrong = ~(np.abs(found - expected) <= output_tolerance(affine, expected)).all(axis=0)
    if not wrong.any():
        return None
    first = int(np.argmax(wrong))
    return Epilogue(
        int(wrong.sum()),
        first,
        f"multiplier {multiplier[first]:.6g} and bias {offset[first]:.6g} instead of "
        f"{affine.multiplier[first]:.6g} and {affine.offset[first]:.6g}",
    )


def _thresholds(graph: Graph, match: Match) -> Epilogue | None:
    conv = match.conv
    threshold = graph.tensors[match.op.inputs[4]].data
    if threshold is None:
        raise ValueError("thresholds are no constant")
    weights = int(np.prod(conv.kernel.shape[:3]))
    wrong = np.zeros(len(conv.scale), np.int64)
    place: dict[int, int] = {}
    for start in range(0, weights + 1, _SUMS_AT_ONCE):
        count = np.arange(start, min(start + _SUMS_AT_ONCE, weights + 1))[:, None]
        sums = np.broadcast_to(weights - 2 * count, (len(count), len(wrong)))
        tail = sign_tail(conv, sums.astype(np.float32))
        values = np.where(tail.inverted, -tail.values, tail.values)
        # a negated filter counts what the other one does not
        found = np.where(tail.negated, weights - count, count) > threshold
        tie = np.abs(values) <= tail.tolerance + np.spacing(np.abs(values).astype(np.float32))
        bad = (found != (values < 0)) & ~tie
        for filter_ in np.flatnonzero(bad.any(axis=0)):
            place.setdefault(int(filter_), int(sums[np.argmax(bad[:, filter_]), filter_]))
        wrong += bad.sum(axis=0)
    if not place:
        return None
    first = min(place)
    return Epilogue(
        len(place),
        first,
        f"threshold {int(threshold[first])} gives the wrong sign for {int(wrong[first])} of "
        f"{weights + 1} sums, e.g. {place[first]}",
    )
