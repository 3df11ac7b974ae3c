"""MaxPool -> ReLU -> sign: LCE turns it into a pool of bits and loses the ReLU."""

from converters.lce.preflight.finding import Finding
from converters.lce.preflight.tf_graph import TFGraph

_RELUS = ("Relu", "Relu6")
# What a sign begins with: LCE knows sign(sign(x) + c) and where(x >= 0, ...).
_SIGNS = ("Sign", "GreaterEqual", "Less")


def lost_activations(graph: TFGraph) -> list[Finding]:
    """ReLUs between a max pool and a sign."""
    found = []
    for node in graph.nodes.values():
        if node.op not in _RELUS:
            continue
        pool = graph.producer(graph.inputs(node)[0])
        readers = graph.consumers(node.name)
        if (
            pool.op == "MaxPool"
            and len(graph.consumers(pool.name)) == 1
            and readers
            and all(reader.op in _SIGNS for reader in readers)
            and not graph.is_output(node.name)
        ):
            name = {"Relu": "ReLU", "Relu6": "ReLU6"}[node.op]
            found.append(
                Finding(
                    "lost-activation",
                    "wrong",
                    graph.layer(node),
                    f"the {name} stands between the max pool {graph.layer(pool)} and a sign: LCE "
                    f"drops it (and the sign of a {name} is +1 everywhere)",
                    "remove it, put it before the pool, or use Hardtanh",
                )
            )
    return found
