"""Compute the sign of a tensor once.

Formula: two ``LceQuantize`` of one tensor have equal outputs; readers of the second read the first.
LCE's converter merges those it makes; dropped clips and shortcuts leave others.

Refused:
- the second output is an output of the file: its name is part of the file's interface.
"""

from converters.graph import QUANTIZE, Edit, Graph
from converters.passes._result import PassResult, Refusal, Rewrite, Target, output_name


def run(graph: Graph, target: Target) -> PassResult:
    """All ``LceQuantize`` of the graph."""
    edit = Edit(graph)
    rewrites, refusals = [], []
    first: dict[int, int] = {}
    for op in graph.ops_named(QUANTIZE):
        kept = first.setdefault(op.inputs[0], op.outputs[0])
        if kept == op.outputs[0]:
            continue
        name = output_name(graph, op)
        if op.outputs[0] in graph.outputs:
            refusals.append(Refusal(QUANTIZE, name, "it is an output of the file"))
            continue
        edit.redirect(op.outputs[0], kept)
        edit.remove(op)
        kept_name = graph.tensors[kept].name
        rewrites.append(Rewrite(QUANTIZE, (name, kept_name), f"read from {kept_name!r} instead"))
    return PassResult(edit.finish() if rewrites else graph, tuple(rewrites), tuple(refusals))
