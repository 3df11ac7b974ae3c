"""Drop clips whose result only ever gives its sign.

Formula: for ``low < 0 <= high``, ``clip(x, low, high) < 0`` exactly when ``x < 0``; and
``max(clip(x), clip(y)) = clip(max(x, y))``, so a maximum may stand between.

Applies to ``RELU_N1_TO_1`` (hardtanh) as an operator and as the activation fused into a float
``ADD``, ``SUB``, ``MUL``, ``DIV``, convolution, dense layer or pool; and to other clips, which are
a ``MINIMUM`` with constants >= 0 and a ``MAXIMUM`` with constants < 0. ``LceBconv2d`` clamps before
its multiplier and is none of these.

Refused:
- the result is an output of the file, or something other than ``LceQuantize`` reads it, if
  need be through ``MAX_POOL_2D``: the clipped value itself is needed.

``RELU`` and ``RELU6`` have ``low = 0``: they turn every negative sign, and are never touched.
NaN: the sign of NaN is +1 in LCE, the clip of NaN is -1 or NaN depending on the runtime.
"""

import numpy as np

from converters.graph import QUANTIZE, Edit, Graph, Op, fused_activation
from converters.passes._result import PassResult, Refusal, Rewrite, Target, output_name

CLIP = "RELU_N1_TO_1"  # the only activation with low < 0 <= high


def run(graph: Graph, target: Target) -> PassResult:
    """All clips of the graph."""
    edit = Edit(graph)
    rewrites, refusals = [], []
    new_name: dict[int, int] = {}
    for op in graph.ops:
        alone = op.name == CLIP or _is_bound(graph, op)
        fused = not alone and fused_activation(graph, op) == CLIP
        if not alone and not fused:
            continue
        name = output_name(graph, op)
        reason = _value_needed(graph, op.outputs[0])
        if reason is not None:
            refusals.append(Refusal(op.name, name, reason))
        elif fused:
            edit.set_activation(op, 0)
            rewrites.append(Rewrite(op.name, (name,), "fused clip dropped, only its sign is read"))
        else:
            clipped = next(i for i in op.inputs if graph.tensors[i].data is None)
            source = new_name.get(clipped, clipped)
            new_name[op.outputs[0]] = source  # clips in a row
            edit.redirect(op.outputs[0], source)
            edit.remove(op)
            rewrites.append(Rewrite(op.name, (name,), "clip dropped, only its sign is read"))
    return PassResult(edit.finish() if rewrites else graph, tuple(rewrites), tuple(refusals))


def _is_bound(graph: Graph, op: Op) -> bool:
    """Whether an operator is one side of a clip, and leaves shape and sign alone."""
    if op.name not in ("MINIMUM", "MAXIMUM"):
        return False
    tensors = [graph.tensors[i] for i in op.inputs]
    constants = [t.data for t in tensors if t.data is not None]
    shapes = [t.shape for t in tensors if t.data is None]
    out = graph.tensors[op.outputs[0]]
    if len(constants) != 1 or shapes != [out.shape] or out.dtype != "FLOAT32":
        return False
    bounds = np.asarray(constants[0])
    return bool((bounds >= 0).all() if op.name == "MINIMUM" else (bounds < 0).all())


def _value_needed(graph: Graph, tensor: int) -> str | None:
    """Why more than the sign of a tensor is needed; None if it is not."""
    if tensor in graph.outputs:
        return "its value is an output of the file"
    for reader in graph.consumers(tensor):
        if reader.name == QUANTIZE:
            continue
        clips = reader.name == CLIP or _is_bound(graph, reader)
        if not clips and not (
            reader.name == "MAX_POOL_2D" and fused_activation(graph, reader) in ("NONE", CLIP)
        ):
            return f"{reader.name} reads its value"
        reason = _value_needed(graph, reader.outputs[0])
        if reason is not None:
            return reason
    return None
