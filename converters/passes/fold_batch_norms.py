"""Fold a product and a sum per channel into the dense layer or float convolution that follows.

Formula: ``W (m * x + a) + c = (W diag(m)) x + (c + W a)``, computed in float64 and rounded once.
Not bit for bit: the new constants and the order of operations round differently, by some units in
the last place of the layer's largest term.

Applies to ``MUL``, ``ADD`` and ``SUB`` of one constant a channel, without activation, in front of
``FULLY_CONNECTED`` or ``CONV_2D``; a ``RESHAPE`` that joins all dimensions but the first (Flatten)
may stand in front of a dense layer.

Refused:
- something other than the layer reads the value, or it is an output of the file;
- an activation stands in between;
- the layer's weights or bias are not float32 constants (binary weights stay signs);
- a dense layer reads another number of values than a multiple of the channels, or a ``RESHAPE``
  stands in front of a convolution;
- a sum that is not 0 in front of a convolution that pads with zeros: the border pads after the sum;
- the result would not be finite.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.graph import Edit, Graph, Op, fused_activation
from converters.graph.builtin_ops import conv_padding
from converters.graph.lce_ops import VALID
from converters.passes._result import PassResult, Refusal, Rewrite, Target, output_name
from converters.passes._sign_chain import channel_constant

LAYERS = ("FULLY_CONNECTED", "CONV_2D")
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class _Norm:
    """``multiplier * x + offset`` of the channels of ``source``, done by ``ops``."""

    source: int
    multiplier: Doubles
    offset: Doubles
    ops: tuple[Op, ...]
    reshape: Op | None


def run(graph: Graph, target: Target) -> PassResult:
    """All dense layers and float convolutions."""
    edit = Edit(graph)
    rewrites, refusals = [], []
    for layer in graph.ops:
        if layer.name not in LAYERS:
            continue
        norm = _norm_before(graph, layer)
        if norm is None:
            continue
        found = norm if isinstance(norm, str) else _folded(graph, layer, norm)
        if isinstance(norm, str) or isinstance(found, str):
            refusals.append(Refusal(layer.name, output_name(graph, layer), str(found)))
            continue
        weights, bias = found
        _apply(graph, edit, layer, norm, weights, bias)
        what = " and ".join(op.name for op in norm.ops)
        names = (output_name(graph, layer), *(output_name(graph, op) for op in norm.ops))
        rewrites.append(Rewrite(layer.name, names, f"{what} folded into its weights and bias"))
    return PassResult(edit.finish() if rewrites else graph, tuple(rewrites), tuple(refusals))


def _norm_before(graph: Graph, layer: Op) -> _Norm | str | None:
    """Product and sum in front of a layer; why they cannot be folded; None if there are none."""
    tensor, reader = layer.inputs[0], layer
    reshape = graph.producer(tensor)
    if reshape is not None and reshape.name == "RESHAPE":
        if _only_reader(graph, tensor) != reader or not _joins(graph, reshape):
            return None
        tensor, reader = reshape.inputs[0], reshape
    else:
        reshape = None
    channels = graph.tensors[tensor].shape[-1] if graph.tensors[tensor].shape else 0
    multiplier, offset = np.ones(channels), np.zeros(channels)
    ops: list[Op] = []
    blocked: str | None = None
    while True:
        op = graph.producer(tensor)
        step = None if op is None else channel_constant(graph, op)
        if op is None or step is None:
            break
        if _only_reader(graph, tensor) != reader or tensor in graph.outputs:
            blocked = f"something else reads what {op.name} computes, too"
            break
        if fused_activation(graph, op) != "NONE":
            blocked = f"{op.name} has an activation"
            break
        kind, values = step
        # what was found so far comes behind this step
        if kind == "multiply":
            multiplier = multiplier * values
        else:
            offset = offset + multiplier * values
        ops.insert(0, op)
        tensor = next(i for i in op.inputs if graph.tensors[i].data is None)
        reader = op
    return _Norm(tensor, multiplier, offset, tuple(ops), reshape) if ops else blocked


def _folded(
    graph: Graph, layer: Op, norm: _Norm
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | str:
    weights = graph.tensors[layer.inputs[1]]
    if weights.data is None:
        return "its weights are no constant, or are stored as signs"
    if weights.dtype != "FLOAT32":
        return f"its weights are {weights.dtype}, not a float32 constant"
    inputs = weights.shape[-1]  # OHWI and [units, inputs]: inputs last in both
    if inputs % len(norm.multiplier):
        return f"it reads {inputs} values, the product has {len(norm.multiplier)} channels"
    if layer.name == "CONV_2D":
        if norm.reshape is not None:
            return "a RESHAPE stands between"
        if norm.offset.any() and conv_padding(graph, layer) != VALID and _has_window(weights.shape):
            return "the sum comes before zero padding, which the bias would not know"
    filters = weights.shape[0]
    index = layer.inputs[2] if len(layer.inputs) > 2 else -1
    old = np.zeros(filters)
    if index != -1:
        constant = graph.tensors[index]
        if constant.data is None or constant.dtype != "FLOAT32":
            return f"its bias is {constant.dtype}, not a float32 constant"
        old = constant.data.astype(np.float64)
    repeats = inputs // len(norm.multiplier)
    multiplier, offset = (np.tile(v, repeats) for v in (norm.multiplier, norm.offset))
    exact = np.asarray(weights.data, np.float64)
    bias = old + (exact * offset).reshape(filters, -1).sum(axis=1)
    with np.errstate(over="ignore"):
        result = (exact * multiplier).astype(np.float32), bias.astype(np.float32)
    return result if all(np.isfinite(v).all() for v in result) else "the result is not finite"


def _apply(
    graph: Graph,
    edit: Edit,
    layer: Op,
    norm: _Norm,
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> None:
    old = graph.tensors[layer.inputs[1]].name
    constants = (edit.add_constant(old, weights), edit.add_constant(f"{old}/bias", bias))
    first = layer.inputs[0] if norm.reshape is not None else norm.source
    edit.set_inputs(layer, (first, *constants))
    if norm.reshape is not None:
        edit.set_inputs(norm.reshape, (norm.source, *norm.reshape.inputs[1:]))
    for op in norm.ops:
        edit.remove(op)


def _only_reader(graph: Graph, tensor: int) -> Op | None:
    readers = graph.consumers(tensor)
    return readers[0] if len(readers) == 1 else None


def _joins(graph: Graph, reshape: Op) -> bool:
    """Whether a RESHAPE only joins all dimensions but the first."""
    source, target = (graph.tensors[i].shape for i in (reshape.inputs[0], reshape.outputs[0]))
    return len(target) == 2 and source[:1] == target[:1] and -1 not in (*source, *target)


def _has_window(shape: tuple[int, ...]) -> bool:
    return shape[1:3] != (1, 1)
