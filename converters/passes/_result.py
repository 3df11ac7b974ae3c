"""What a pass returns."""

from dataclasses import dataclass
from typing import Literal, get_args

from converters.graph import Graph, Op
from irnet_keras.errors import UsageError

# ``lce``: the file runs in LCE's default kernels. ``delegate``: in all our runtime supports.
Target = Literal["lce", "delegate"]
TARGETS: tuple[Target, ...] = get_args(Target)


def checked_target(name: str, what: str = "target") -> Target:
    """The target of that name; ``what`` is how a message calls it.

    Raises:
        UsageError: there is none.
    """
    for target in TARGETS:
        if target == name:
            return target
    raise UsageError(f"{what} must be one of {', '.join(TARGETS)}, got {name!r}")


@dataclass(frozen=True)
class Rewrite:
    """One change.

    Attributes:
        op: kind of the operator changed, e.g. ``"RELU_N1_TO_1"``.
        layers: names of the tensors concerned, the first is where it happened.
        detail: what was done, a clause for a report.
    """

    op: str
    layers: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class Refusal:
    """A place that looks as if it could be rewritten, and why it was not."""

    op: str
    layer: str
    reason: str


@dataclass(frozen=True)
class PassResult:
    """The graph afterwards (the same object if nothing changed)."""

    graph: Graph
    rewrites: tuple[Rewrite, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def modified(self) -> bool:
        """Whether the pass changed anything."""
        return bool(self.rewrites)


def output_name(graph: Graph, op: Op) -> str:
    """The name that stands for an operator in reports: that of what it writes."""
    return graph.tensors[op.outputs[0]].name
