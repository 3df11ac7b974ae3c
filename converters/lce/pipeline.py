"""The passes behind LCE's converter, in order, each with the reason for its place."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from converters.graph import Graph
from converters.passes import (
    PassResult,
    Refusal,
    Rewrite,
    Target,
    drop_clips,
    fold_batch_norms,
    pack_outputs,
    pack_pools,
    remove_dead,
    share_signs,
    shrink_weights,
)
from irnet_keras.errors import UsageError

Pass = Callable[[Graph, Target], PassResult]

PIPELINE: tuple[tuple[str, Pass], ...] = (
    # First: a clip hides that a value only gives its sign.
    ("drop-clips", drop_clips.run),
    # After it, because without clips more signs are signs of one tensor; before the packing passes,
    # because a chain has one reader.
    ("share-signs", share_signs.run),
    # Before pack-pools, which may invert input channels of packed convolutions only.
    ("pack-outputs", pack_outputs.run),
    ("pack-pools", pack_pools.run),
    # Before fold-batch-norms: a product per input channel folded in would make signs numbers.
    ("shrink-weights", shrink_weights.run),
    # After the packing passes: products and sums in front of a sign belong to those.
    ("fold-batch-norms", fold_batch_norms.run),
    # Last: all others leave tensors behind.
    ("remove-dead", remove_dead.run),
)
NAMES = tuple(name for name, _ in PIPELINE)


@dataclass(frozen=True)
class PassReport:
    """What one pass did and refused; ``rewrites`` and ``refusals`` as it named them."""

    name: str
    rewrites: tuple[Rewrite, ...]
    refusals: tuple[Refusal, ...]

    def describe(self) -> str:
        """One line, with the reasons for what was left."""
        line = f"{self.name}: {len(self.rewrites)} rewritten"
        reasons = dict.fromkeys(refusal.reason for refusal in self.refusals)
        return line + "".join(f", left as it was: {reason}" for reason in reasons)


def run_passes(
    graph: Graph, target: Target, off: Collection[str] = ()
) -> tuple[Graph, tuple[PassReport, ...]]:
    """All passes but those named in ``off``.

    Raises:
        UsageError: ``off`` has a name that no pass has.
    """
    check_names(off)
    reports = []
    for name, run in PIPELINE:
        if name in off:
            continue
        result = run(graph, target)
        graph = result.graph
        reports.append(PassReport(name, result.rewrites, result.refusals))
    return graph, tuple(reports)


def check_names(names: Collection[str], option: str = "pass") -> None:
    """Refuse names that no pass has; ``option`` is how the caller calls them.

    Raises:
        UsageError: naming the first of them.
    """
    for name in names:
        if name not in NAMES:
            raise UsageError(f"{option} must be one of {', '.join(NAMES)}, got {name!r}")
