"""Remove what nothing reads: operators, tensors, buffers, operator codes.

An operator is dead if none of its outputs is read by a live one or is an output of the file.
Buffers that only say "no data" become buffer 0, which says so by definition.

Never removed: inputs and outputs of the file, what its signatures name, metadata; operators
that write variables or resources or call other subgraphs (they act without outputs).
"""

from converters.graph import Edit, Graph, Op
from converters.passes._result import PassResult, Rewrite, Target, output_name


def run(graph: Graph, target: Target) -> PassResult:
    """The whole file."""
    edit = Edit(graph)
    dead = _dead_ops(graph)
    for op in dead:
        edit.remove(op)
    dropped = edit.remove_unused()
    rewrites = [Rewrite(op.name, (output_name(graph, op),), "nothing reads it") for op in dead]
    if any(dropped.values()):
        what = ", ".join(f"{count} {kind}" for kind, count in dropped.items() if count)
        rewrites.append(Rewrite("file", ("",), f"{what} dropped, nothing named them"))
    return PassResult(edit.finish() if rewrites else graph, tuple(rewrites))


def _dead_ops(graph: Graph) -> list[Op]:
    read = set(graph.outputs)
    dead = []
    for op in reversed(graph.ops):
        if op.outputs and read.isdisjoint(op.outputs) and not _acts(op):
            dead.append(op)
        else:
            read.update(op.inputs)
    return dead[::-1]


def _acts(op: Op) -> bool:
    return op.name in ("CALL", "CALL_ONCE", "IF", "WHILE") or "VARIABLE" in op.name
