"""Which ``LceBconv2d`` is which Keras layer, decided by the packed weights.

LCE negates a filter before packing when its output is bitpacked and the multiplier is
negative, so filters are compared up to their sign. Behind a pool of bits channels may come inverted
(:mod:`converters.passes.pack_pools`); there filters are compared up to the sign of input channels,
too. What is left over (a damaged file, another
model's file) is paired by the fewest differing bits, so that a report can name the layer.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import BCONV, MAXPOOL, BconvOptions, Graph, Op
from converters.graph.bits import count_bits, unpack_bits
from converters.lce.binary_convs import BinaryConv


@dataclass(frozen=True)
class Match:
    """A layer and its op.

    Attributes:
        conv: the Keras side.
        op: the file's side.
        differing_bits: weight bits that differ, up to one sign per filter, and one per input
            channel where they may be inverted.
    """

    conv: BinaryConv
    op: Op
    differing_bits: int


@dataclass(frozen=True)
class Matching:
    """``matches`` in Keras order, and what found no partner of its shape."""

    matches: tuple[Match, ...]
    layers_without_op: tuple[BinaryConv, ...]
    ops_without_layer: tuple[Op, ...]


def packed_filter(graph: Graph, op: Op) -> NDArray[Any]:
    """Constant filter of an ``LceBconv2d``: int32 ``(O, kh, kw, words)``."""
    data = graph.tensors[op.inputs[1]].data
    if data is None:
        raise ValueError(f"operator {op.index} has no constant filter")  # reader refuses these
    return data


def filter_distance(packed: NDArray[Any], conv: BinaryConv) -> NDArray[np.int64]:
    """Differing bits per filter with the signs as they are and negated, shape ``(2, O)``."""
    filters = packed.shape[0]
    difference = count_bits((packed ^ conv.packed).reshape(filters, -1))
    size = conv.kernel.size // filters
    return np.stack([difference, size - difference])


def _distance(graph: Graph, op: Op, conv: BinaryConv) -> int:
    packed = packed_filter(graph, op)
    distance = int(filter_distance(packed, conv).min(axis=0).sum())
    if distance and pooled_bits(graph, op) is not None:
        distance = min(distance, _distance_up_to_channels(packed, conv))
    return distance


def pooled_bits(graph: Graph, op: Op) -> Op | None:
    """The ``LceBconv2d`` whose bits were pooled to give the input of a convolution, or None."""
    pool = graph.producer(op.inputs[0])
    if pool is None or pool.name != MAXPOOL:
        return None
    source = graph.producer(pool.inputs[0])
    return source if source is not None and source.name == BCONV else None


def _distance_up_to_channels(packed: NDArray[Any], conv: BinaryConv) -> int:
    """Differing bits up to one sign per filter and one per input channel.

    With ``differs[o, i] = filter[o] ^ channel[i]`` two channels differ alike in every filter, and
    majorities find both signs in spite of single wrong bits.
    """
    filters, depth = packed.shape[0], conv.kernel.shape[2]
    differs = unpack_bits(packed ^ conv.packed, depth).reshape(filters, -1, depth)
    total = 0
    for group in np.split(differs, conv.groups):
        channel = (group ^ group[..., :1]).mean(axis=(0, 1)) > 0.5
        sign = (group ^ channel).mean(axis=(1, 2)) > 0.5
        channel = (group ^ sign[:, None, None]).mean(axis=(0, 1)) > 0.5
        total += int((group ^ sign[:, None, None] ^ channel).sum())
    return total


def _channels(op: Op) -> int:
    return op.options.channels_in if isinstance(op.options, BconvOptions) else 0


def match_layers(graph: Graph, convs: list[BinaryConv]) -> Matching:
    """Pair layers and ops: exact ones first, in order; then the nearest of equal shape.

    Layers that the converter merged because they compute the same have one op.
    """
    ops = list(graph.ops_named(BCONV))
    found: dict[int, Match] = {}
    candidates: list[tuple[int, int, int]] = []
    for i, conv in enumerate(convs):
        shape = conv.packed.shape
        for j, op in enumerate(ops):
            packed = packed_filter(graph, op)
            if conv.is_conv2d and packed.shape == shape and _channels(op) == conv.channels_in:
                distance = _distance(graph, op, conv)
                # ties (equal weights) by distance in execution order
                candidates.append((distance, i, j))
    used: set[int] = set()
    for distance, i, j in sorted(candidates, key=lambda c: (c[0], abs(c[1] - c[2]), c[1])):
        if i not in found and j not in used:
            found[i] = Match(convs[i], ops[j], distance)
            used.add(j)
    named = {match.conv.name: match for match in found.values()}
    for i, conv in enumerate(convs):
        twin = named.get(conv.twin_of or "")
        if i not in found and twin is not None and twin.differing_bits == 0:
            found[i] = replace(twin, conv=conv)
    return Matching(
        tuple(found[i] for i in sorted(found)),
        tuple(conv for i, conv in enumerate(convs) if i not in found),
        tuple(op for j, op in enumerate(ops) if j not in used),
    )
