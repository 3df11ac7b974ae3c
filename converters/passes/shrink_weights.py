"""Store binary weights that meet float activations as int8, a quarter of their float32 size.

Formula: ``w = q * c`` with ``q`` in {-1, 0, +1} and ``c = max |w|`` of each filter. ``q`` becomes
an int8 constant with scale ``c`` per filter and zero point 0, ``DEQUANTIZE`` gives it back to the
layer. The product is exact: the layer reads the very float32 numbers it read before (-0 as +0).
Both LiteRT and LCE's interpreter unpack a constant once, when the file is loaded, and XNNPACK
takes the result for a constant; so time and memory of a run stay what they were.

int8, because LCE's interpreter knows no smaller type, and LiteRT's XNNPACK does not unpack one
(docs/explanation/passes.md has the figures).

Applies to ``CONV_2D``, ``DEPTHWISE_CONV_2D`` and ``FULLY_CONNECTED`` with float32 weights that are
-c, 0 or +c with one c per filter (batch norms and scales already multiplied in do not disturb).

Refused:
- the weights are nearly so: rounding them is not this pass's business;
- a magnitude is not finite, or subnormal, which a CPU may count as 0;
- something other than such a layer reads the weights, or they are an output of the file;
- the filters are so small that scales and zero points need more than is saved.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import Edit, Graph, Op, Quantization, Tensor
from converters.graph.filters import describe_filters
from converters.passes._result import PassResult, Refusal, Rewrite, Target, output_name

# Axis of the filters in each layer's weights.
FILTER_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}
# float32 scale and int64 zero point; of the second tensor, its operator and their tables
_BYTES_PER_FILTER, _BYTES_PER_LAYER = 12, 300


@dataclass(frozen=True)
class _Signs:
    """``weights = values * scale`` with the scale along the filters' axis."""

    values: NDArray[np.int8]
    scale: NDArray[np.float32]


def run(graph: Graph, target: Target) -> PassResult:
    """All layers with constant float32 weights."""
    edit = Edit(graph)
    rewrites, refusals = [], []
    unpacked: dict[int, int] = {}
    for layer in graph.ops:
        weights = _weights(graph, layer)
        if weights is None:
            continue
        name, axis = output_name(graph, layer), FILTER_AXIS[layer.name]
        found = _signs(graph, weights, axis)
        if found is None:
            continue
        if isinstance(found, str):
            refusals.append(Refusal(layer.name, name, found))
            continue
        if weights.index not in unpacked:
            unpacked[weights.index] = _store(edit, layer, weights, found, axis)
        edit.set_inputs(layer, (layer.inputs[0], unpacked[weights.index], *layer.inputs[2:]))
        detail = f"{found.values.size} binary weights stored as int8"
        rewrites.append(Rewrite(layer.name, (name,), detail))
    return PassResult(edit.finish() if rewrites else graph, tuple(rewrites), tuple(refusals))


def _weights(graph: Graph, layer: Op) -> Tensor | None:
    if layer.is_custom or layer.name not in FILTER_AXIS or len(layer.inputs) < 2:
        return None
    if min(layer.inputs[:2]) < 0:
        return None
    weights = graph.tensors[layer.inputs[1]]
    rank = 2 if layer.name == "FULLY_CONNECTED" else 4
    constant = weights.data is not None and weights.data.size > 0
    fits = constant and weights.dtype == "FLOAT32" and len(weights.shape) == rank
    return weights if fits else None


def _signs(graph: Graph, weights: Tensor, axis: int) -> _Signs | str | None:
    """Signs and scales; why they are not to be stored; None for ordinary weights."""
    kernel: NDArray[Any] = np.moveaxis(np.asarray(weights.data), axis, 0)
    magnitude = np.abs(kernel).reshape(len(kernel), -1)
    largest = magnitude.max(axis=1, keepdims=True)
    if not ((magnitude == largest) | (magnitude == 0)).all():
        described = describe_filters(kernel)
        return described.text if described.is_nearly_binary else None
    if not np.isfinite(largest).all():
        return "weights are not finite"
    if (largest[largest > 0] < np.finfo(np.float32).tiny).any():
        return "a filter's magnitude is subnormal"
    if weights.index in graph.outputs:
        return "its weights are an output of the file"
    for reader in graph.consumers(weights.index):
        if _weights(graph, reader) is not weights or FILTER_AXIS[reader.name] != axis:
            return f"{reader.name} reads its weights, too"
        if list(reader.inputs).count(weights.index) != 1:
            return f"{reader.name} reads its weights as something else, too"
    if 3 * magnitude.size <= _BYTES_PER_FILTER * len(kernel) + _BYTES_PER_LAYER:
        return f"{magnitude.size} weights are too few to become smaller"
    scale = np.where(largest > 0, largest, 1).astype(np.float32).reshape(-1)
    return _Signs(np.sign(np.asarray(weights.data)).astype(np.int8), scale)


def _store(edit: Edit, layer: Op, weights: Tensor, signs: _Signs, axis: int) -> int:
    """Add constant and ``DEQUANTIZE``; returns the tensor that holds the weights at run time."""
    zeros = np.zeros(len(signs.scale), np.int64)
    affine = Quantization(signs.scale, zeros, axis)
    constant = edit.add_constant(f"{weights.name}/signs", signs.values, affine)
    result = edit.add_tensor(weights.name, weights.shape, weights.dtype)
    edit.insert_dequantize(layer, constant, result)
    return result
