"""The delegate against LCE's own interpreter: the same operators on the same values, bit for bit.

The two runtimes round float operators (first convolution, means, dense layers) differently, and
one sign that flips for it changes everything behind. So LCE gets the binary operators and those
the delegate may merge with them, nothing else, and reads the values the delegate itself had
where another operator stands between. What it computes from there on is compared.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import Graph, Op
from converters.runtimes import TFLiteProcess
from converters.runtimes.interpreters import LCE
from converters.runtimes.watching import BATCH, Runner, Values, opened
from converters.verify.part import Part, binary_ops, part_file, parts
from converters.verify.report import OracleLayer, OracleReport
from irnet_keras.data.preprocessing import Inputs
from irnet_keras.errors import CheckFailed, UsageError


class _LceError(Exception):
    """LCE refused the operators or crashed on them."""


def compare_with_lce(
    graph: Graph,
    watch: Runner,
    images: Inputs,
    layer_images: Inputs,
    names: dict[int, str],
) -> OracleReport:
    """Compare what the delegate computes with LCE's interpreter.

    Args:
        graph: the file.
        watch: opens the delegate on it.
        images: for the ends of the binary parts, which run merged, as they always do.
        layer_images: for every operator's output; operators somebody watches are not merged.
        names: layers by operator index, for messages.
    """
    found = _Found(graph, names)
    every = parts(graph)
    in_parts = {op.index for part in every for op in part.ops}
    for op in binary_ops(graph):
        if op.index not in in_parts:
            found.problems.append(
                f"not compared with LCE: operator {op.index} ({op.name}) has no batch of 1"
            )
    for part in every:
        try:
            _compare(graph, watch, part, layer_images, found, merged=False)
            _compare(graph, watch, part, images, found, merged=True)
        except _LceError as error:
            found.refuse(part, str(error))
    return found.report(len(images), len(layer_images))


def differing(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[np.bool_]:
    """Where two arrays differ in bits, but any NaN equals any NaN, and 0 equals -0."""
    if ours.dtype.kind != "f":
        return np.asarray(ours != theirs)
    return np.asarray((ours != theirs) & ~(np.isnan(ours) & np.isnan(theirs)))


def oracle_reasons(report: OracleReport) -> list[str]:
    """Why the comparison fails: operators that differ although what they read does not."""
    alone = [
        f"{layer.name}: {layer.differing} values differ from LCE's interpreter, first "
        f"{layer.first_difference}"
        for layer in report.layers
        if layer.differing
    ]
    merged = [
        f"{layer.name}: {layer.merged_differing} values differ from LCE's interpreter when "
        f"operators are merged, first {layer.first_difference}"
        for layer in report.layers
        if layer.merged_differing
    ]
    return alone or merged[:1]  # (the rest may follow from the first)


def _compare(
    graph: Graph, watch: Runner, part: Part, images: Inputs, found: "_Found", *, merged: bool
) -> None:
    outputs = part.ends if merged else part.outputs
    watched = [i for i in (*part.inputs, *outputs) if i not in graph.inputs]
    with watch(watched) as delegate, _lce(graph, part, outputs) as lce:
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            ours = {**delegate.values(batch), **dict.fromkeys(graph.inputs, batch)}
            try:
                arrays = lce.run_all([ours[i] for i in part.inputs])
            except (UsageError, CheckFailed) as error:
                raise _LceError(str(error)) from error
            theirs = {i: a.reshape(ours[i].shape) for i, a in zip(outputs, arrays, strict=True)}
            found.add(part, ours, theirs, start, merged=merged)
        found.engines.setdefault(lce.engine)


@contextlib.contextmanager
def _lce(graph: Graph, part: Part, outputs: Sequence[int]) -> Iterator[TFLiteProcess]:
    """LCE's interpreter on a part, in the first mode that takes it."""
    data = part_file(graph, part, outputs)
    refusals = []
    with contextlib.ExitStack() as stack:
        for mode in part.modes:
            try:
                process = stack.enter_context(opened(data, engine=LCE, mode=mode))
            except (UsageError, CheckFailed) as error:
                refusals.append(str(error))
                continue
            yield process
            return
        raise _LceError("; ".join(refusals))


@dataclass
class _Layer:
    """Counts of one operator; see :class:`converters.verify.report.OracleLayer`."""

    op: Op
    num_values: int = 0
    differing: int = 0
    downstream: int = 0
    merged_differing: int = 0
    first: str | None = None


@dataclass
class _Found:
    """What has been compared so far."""

    graph: Graph
    names: dict[int, str]
    engines: dict[str, None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    layers: dict[int, _Layer] = field(default_factory=dict)

    def refuse(self, part: Part, reason: str) -> None:
        """Note that LCE could not run a part."""
        self.problems.append(f"not compared with LCE: {len(part.ops)} operators: {reason}")

    def add(self, part: Part, ours: Values, theirs: Values, start: int, *, merged: bool) -> None:
        """One batch; ``start`` is the number of its first image."""
        wrong: set[int] = set()
        for op in part.ops:
            for tensor in op.outputs:
                if tensor not in theirs:
                    continue
                layer = self.layers.setdefault(op.index, _Layer(op))
                bad = differing(ours[tensor], theirs[tensor])
                layer.num_values += bad.size
                if not bad.any():
                    continue
                wrong.add(tensor)
                count = int(bad.sum())
                if merged:
                    layer.merged_differing += count
                elif wrong.isdisjoint(op.inputs):
                    layer.differing += count
                else:
                    layer.downstream += count
                if layer.first is None:
                    place = tuple(int(i) for i in np.argwhere(bad)[0])
                    layer.first = (
                        f"at {(place[0] + start, *place[1:])}: {ours[tensor][place]} instead of "
                        f"{theirs[tensor][place]}"
                    )

    def report(self, num_images: int, per_layer_images: int) -> OracleReport:
        """The result in the form of the report."""
        layers = tuple(
            OracleLayer(
                op_index=index,
                name=self._name(layer.op),
                num_values=layer.num_values,
                differing=layer.differing,
                downstream=layer.downstream,
                merged_differing=layer.merged_differing,
                first_difference=layer.first,
            )
            for index, layer in sorted(self.layers.items())
        )
        return OracleReport(
            engines=tuple(self.engines),
            num_images=num_images if layers else 0,
            per_layer_images=per_layer_images if layers else 0,
            num_values=sum(layer.num_values for layer in layers),
            not_compared=tuple(self.problems),
            layers=layers,
        )

    def _name(self, op: Op) -> str:
        if op.index in self.names:
            return f"layer {self.names[op.index]}"
        return f"operator {op.index} ({op.name} {self.graph.tensors[op.outputs[0]].name!r})"
