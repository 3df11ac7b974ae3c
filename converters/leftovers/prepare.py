"""A float file whose weights are already where int8 can hold them, biases corrected.

What quantizes the file afterwards finds every weight on its grid and rounds nothing any more.
"""

import numpy as np

from converters.graph import Edit, Graph
from converters.leftovers.rounding import corrected_bias, round_weights, scales
from converters.leftovers.select import Leftover, Selection
from converters.leftovers.statistics import Doubles, Moments, Statistics


def prepare(graph: Graph, selection: Selection, statistics: Statistics) -> Graph:
    """Round the weights of all chosen operators whose inputs are known.

    Operators that share weights get weights rounded for all of them together, each its own bias.
    """
    edit = Edit(graph)
    sharing: dict[int, list[Leftover]] = {}
    for leftover in selection.weighted:
        sharing.setdefault(leftover.weights, []).append(leftover)
    for tensor, owners in sharing.items():
        known = [statistics.moments.get(owner.op.index) for owner in owners]
        moments = [m for m in known if m is not None]
        data = graph.tensors[tensor].data
        if data is None or len(moments) != len(owners):
            continue
        before = data.reshape(len(data), -1).astype(np.float64)
        step = scales(before, per_channel=all(owner.per_channel for owner in owners))
        covariance = np.mean([m.covariance for m in moments], axis=0)
        after = round_weights(before, step, covariance)
        rounded = edit.add_constant(
            graph.tensors[tensor].name, after.astype(np.float32).reshape(data.shape)
        )
        for owner, own in zip(owners, moments, strict=True):
            _replace(edit, graph, owner, rounded, before, after, own)
    return edit.finish()  # (what nothing reads any more goes later: indices stay as they are)


def _replace(
    edit: Edit,
    graph: Graph,
    owner: Leftover,
    weights: int,
    before: Doubles,
    after: Doubles,
    moments: Moments,
) -> None:
    op = owner.op
    old = op.inputs[2] if len(op.inputs) > 2 else -1
    name, bias = f"{graph.tensors[op.outputs[0]].name}/bias", np.zeros(len(before), np.float32)
    data = graph.tensors[old].data if old >= 0 else None
    if data is not None:
        name, bias = graph.tensors[old].name, data
    new = edit.add_constant(name, corrected_bias(bias, before, after, moments))
    edit.set_inputs(op, (op.inputs[0], weights, new))
