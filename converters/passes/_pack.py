"""Replacing a sign chain (see ``_sign_chain``) by a convolution that writes bits."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from converters.graph import (
    BCONV,
    MAXPOOL,
    QUANTIZE,
    BconvOptions,
    Edit,
    Graph,
    Op,
    pack_bits,
    packed_words,
)
from converters.graph.lce_ops import SAME
from converters.passes._result import PassResult, Refusal, Rewrite, Target, output_name
from converters.passes._sign_chain import SignChain, Thresholds, find_chain, thresholds

_DUMMY = "irnet/dummy_multiplier"


def pack_chains(graph: Graph, target: Target, *, pooled: bool) -> PassResult:
    """Replace the chains with (without) a maximum, the last one first.

    (Rounding depends on a chain's weights, which the chain before it may change.) What is no
    chain is reported with those without a maximum.
    """
    rewrites: list[Rewrite] = []
    refusals: list[Refusal] = []
    position = len(graph.ops)
    while position:
        position -= 1
        op = graph.ops[position]
        if op.name != QUANTIZE:
            continue
        chain = find_chain(graph, op)
        if chain is None:
            continue
        name = output_name(graph, op)
        if isinstance(chain, str):
            refusals += [] if pooled else [Refusal(QUANTIZE, name, chain)]
            continue
        if (chain.pool is not None) != pooled:
            continue
        found = _refused(graph, chain, target) or thresholds(graph, chain)
        if isinstance(found, Thresholds) and found.complement.any():
            found = _keeps_signs(graph, op.outputs[0]) or found
        if isinstance(found, str):
            refusals.append(Refusal(BCONV, output_name(graph, chain.conv), found))
            continue
        rewrites.append(_rewrite(graph, chain, found))
        graph = _packed(graph, op, chain, found)
        position = chain.conv.index
    return PassResult(graph, tuple(rewrites[::-1]), tuple(refusals[::-1]))


def is_zero_padded(op: Op) -> bool:
    """Whether a binary convolution counts what is outside of the image as 0."""
    options = op.options
    return isinstance(options, BconvOptions) and (options.padding, options.pad_values) == (SAME, 0)


def _refused(graph: Graph, chain: SignChain, target: Target) -> str | None:
    if target == "lce" and is_zero_padded(chain.conv):
        return (
            "zero padding: LCE's default kernels cannot write bits then (pad with ones, or choose "
            "the target delegate)"
        )
    if -1 in graph.tensors[chain.conv.inputs[0]].shape:
        return "the size of the image is not known"
    return None


def _keeps_signs(graph: Graph, bits: int) -> str | None:
    """Why channels of a packed tensor cannot come out inverted; None if they can."""
    why = "a scale behind the maximum is negative, "
    if bits in graph.outputs:
        return why + "and the signs are an output of the file"
    for reader in graph.consumers(bits):
        options = reader.options
        if reader.name != BCONV or not isinstance(options, BconvOptions):
            return why + f"and {reader.name} reads the signs"
        if options.padding == SAME and options.pad_values == 1:
            return why + "and the next convolution pads with ones, which cannot be inverted"
        if is_zero_padded(reader) and graph.tensors[reader.outputs[0]].dtype == "FLOAT32":
            return why + (
                "and the next convolution has float output and zero padding, whose rounding at "
                "the border depends on its weights"
            )
    return None


def _rewrite(graph: Graph, chain: SignChain, found: Thresholds) -> Rewrite:
    detail = "bitpacked output"
    if chain.between:
        detail += f" in place of {', '.join(op.name for op in chain.between)} and {QUANTIZE}"
    counts = [
        ("filters negated", found.negate),
        ("channels pooled inverted", found.complement),
        ("channels with sums of exactly 0 that LCE rounds below 0 at the border", found.zeros),
    ]
    for what, flags in counts:
        if flags.any():
            detail += f", {int(flags.sum())} of {flags.size} {what}"
    names = [output_name(graph, op) for op in (chain.conv, *chain.between)]
    return Rewrite(BCONV, tuple(names), detail)


def _packed(graph: Graph, quantize: Op, chain: SignChain, found: Thresholds) -> Graph:
    edit = Edit(graph)
    conv, options = chain.conv, chain.conv.options
    if not isinstance(options, BconvOptions):
        raise TypeError(conv.name)  # the reader refuses these
    name = graph.tensors[quantize.outputs[0]].name
    filters = conv.inputs[1]
    if found.negate.any():
        filters = _flipped_filters(graph, edit, filters, _all_channels(graph, conv, found.negate))
    bits = quantize.outputs[0]
    if chain.pool is not None:
        shape = graph.tensors[conv.outputs[0]].shape
        words = packed_words(shape[3])
        bits = edit.add_tensor(f"{name}/unpooled", (*shape[:3], words), "INT32")
    affine = (-1, -1)
    if is_zero_padded(conv):  # LCE's reference kernel, our oracle, wants a multiplier then
        affine = (_dummy_multiplier(graph, edit, len(found.threshold)), -1)
    threshold = edit.add_constant(f"{name}/threshold", found.threshold)
    edit.insert_lce(
        conv,
        BCONV,
        (conv.inputs[0], filters, *affine, threshold),
        bits,
        replace(options, fused_activation_function=0),
    )
    if chain.pool is not None:
        edit.insert_lce(conv, MAXPOOL, (bits,), quantize.outputs[0], chain.pool)
    for op in (conv, *chain.between, quantize):
        edit.remove(op)
    if found.complement.any():
        for reader in graph.consumers(quantize.outputs[0]):
            flips = _input_channels(graph, reader, found.complement)
            changed = _flipped_filters(graph, edit, reader.inputs[1], flips)
            edit.set_inputs(reader, (reader.inputs[0], changed, *reader.inputs[2:]))
    return edit.finish()


def _all_channels(graph: Graph, conv: Op, negate: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Flips of whole filters, ``(filters, channels of a group)``."""
    depth = _depth(graph, conv)
    return np.repeat(negate[:, None], depth, axis=1)


def _input_channels(graph: Graph, conv: Op, channels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Flips of input channels, ``(filters, channels of a group)``."""
    depth = _depth(graph, conv)
    count = graph.tensors[conv.inputs[1]].shape[0]
    groups = channels.reshape(-1, depth)
    return np.repeat(groups, count // len(groups), axis=0)


def _depth(graph: Graph, conv: Op) -> int:
    if not isinstance(conv.options, BconvOptions):
        raise TypeError(conv.name)  # the reader refuses these
    words, depth = (graph.tensors[i].shape[3] for i in conv.inputs[:2])
    return conv.options.channels_in // (words // depth)


def _flipped_filters(graph: Graph, edit: Edit, tensor: int, flips: NDArray[np.bool_]) -> int:
    packed = np.asarray(graph.tensors[tensor].data)
    mask = pack_bits(flips)[:, None, None, :]
    return edit.add_constant(graph.tensors[tensor].name, packed ^ mask)


def _dummy_multiplier(graph: Graph, edit: Edit, filters: int) -> int:
    """Ones, shared by all convolutions of that many filters."""
    name = f"{_DUMMY}_{filters}"
    known: Sequence[int] = [t.index for t in graph.tensors if t.name == name]
    return known[0] if known else edit.add_constant(name, np.ones(filters, np.float32))
