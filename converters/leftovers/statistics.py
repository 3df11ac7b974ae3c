"""What the operators really see: ranges and second moments on representative images.

The float file runs in LiteRT with the delegate, the tensors of interest as its outputs, so nothing
overwrites them and every binary operator computes what it will compute later.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.graph import Graph, conv_options
from converters.graph.windows import windows
from converters.leftovers.select import DENSE, Leftover, Selection
from converters.runtimes.delegate import AUTO_KERNEL
from converters.runtimes.modes import engine_for
from converters.runtimes.watching import Values, runner
from irnet_keras.data.preprocessing import Inputs
from irnet_keras.errors import CheckFailed

BATCH = 8  # images at a time: a 7x7 stem on 224x224 unfolds to 7 MB each
# Rows of one image that go into the moments: neighbouring windows say nearly the same.
ROWS_PER_IMAGE = 1024

OUTSIDE_IMAGES = 64  # that show which values lie outside of a range

Doubles = NDArray[np.float64]
Ranges = dict[int, tuple[float, float]]  # smallest and largest value by tensor index


@dataclass(frozen=True)
class Moments:
    """Of the inputs that meet a filter, in the order of its weights.

    Attributes:
        mean: ``(size,)``.
        covariance: ``(size, size)``.
    """

    mean: Doubles
    covariance: Doubles


@dataclass(frozen=True)
class Statistics:
    """By tensor index, and by operator index."""

    ranges: Ranges
    moments: dict[int, Moments]


@dataclass(frozen=True)
class Outside:
    """A tensor's values outside of its calibrated range.

    Attributes:
        tensor: its name.
        low: of the range.
        high: of the range.
        share: of its values, 0..1.
        num_images: these are of.
    """

    tensor: str
    low: float
    high: float
    share: float
    num_images: int


def collect(graph: Graph, selection: Selection, images: Inputs) -> Statistics:
    """Run the float file on images.

    Args:
        graph: the float file.
        selection: operators to observe.
        images: what the file takes.

    Raises:
        UsageError, CheckFailed: the runtime refuses the file or crashes, or what an operator reads
            or writes is NaN or infinite.
    """
    wanted = [i for op in selection.ops for i in (op.inputs[0], op.outputs[0])]
    sums = {x.op.index: _Sums() for x in selection.weighted if has_moments(graph, x)}
    ranges: Ranges = {}
    for values in _observed(graph, wanted, images):
        for i in dict.fromkeys(wanted):
            low, high = ranges.get(i, (0.0, 0.0))  # 0 must be exact: it pads
            if not np.isfinite(values[i]).all():
                raise CheckFailed(
                    f"the float file computes NaN or infinite values in {graph.tensors[i].name!r}: "
                    "it cannot be quantized"
                )
            ranges[i] = (min(low, float(values[i].min())), max(high, float(values[i].max())))
        for leftover in selection.weighted:
            if leftover.op.index in sums:
                rows = _rows(graph, leftover, values[leftover.op.inputs[0]])
                sums[leftover.op.index].add(rows)
    return Statistics(ranges, {index: total.moments() for index, total in sums.items()})


def most_outside(graph: Graph, ranges: Ranges, images: Inputs) -> Outside:
    """The tensor with most values outside of its range, on up to ``OUTSIDE_IMAGES`` images.

    Args:
        graph: the float file.
        ranges: of its tensors, at least one.
        images: what the file takes.
    """
    found, total = dict.fromkeys(ranges, 0), dict.fromkeys(ranges, 0)
    images = images[:OUTSIDE_IMAGES]
    for values in _observed(graph, list(ranges), images):
        for i, (low, high) in ranges.items():
            found[i] += int((~((values[i] >= low) & (values[i] <= high))).sum())
            total[i] += values[i].size
    worst = max(ranges, key=lambda i: found[i] / total[i])
    share = found[worst] / total[worst]
    return Outside(graph.tensors[worst].name, *ranges[worst], share, len(images))


def _observed(graph: Graph, tensors: Sequence[int], images: Inputs) -> Iterator[Values]:
    """What tensors of the float file hold, a batch of images at a time."""
    watched = [i for i in dict.fromkeys(tensors) if i not in graph.inputs]
    with runner(graph, engine_for(graph), AUTO_KERNEL)(watched) as run:
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            yield {**run.values(batch), **dict.fromkeys(graph.inputs, batch)}


def has_moments(graph: Graph, leftover: Leftover) -> bool:
    """Whether every filter of an operator reads the same inputs (no groups, not depthwise)."""
    op = leftover.op
    if op.name == DENSE:
        return True
    depth = graph.tensors[op.inputs[0]].shape[-1]
    return op.name == "CONV_2D" and graph.tensors[leftover.weights].shape[-1] == depth


def _rows(graph: Graph, leftover: Leftover, values: NDArray[np.float32]) -> Doubles:
    """Inputs of a filter, ``(rows, size)``, evenly chosen where there are many."""
    op, shape = leftover.op, graph.tensors[leftover.weights].shape
    options = conv_options(graph, op) if op.name != DENSE else None
    if options is None:
        return values.reshape(-1, shape[-1]).astype(np.float64)
    patches = windows(values, shape[1:3], options)
    places = patches.shape[1] * patches.shape[2]
    chosen = np.linspace(0, places - 1, min(places, ROWS_PER_IMAGE)).round().astype(np.int64)
    y, x = np.divmod(chosen, patches.shape[2])
    return patches[:, y, x].reshape(-1, int(np.prod(shape[1:]))).astype(np.float64)


class _Sums:
    """Running sums of rows and of their products."""

    def __init__(self) -> None:
        self._count = 0
        self._first: Doubles = np.zeros(())
        self._second: Doubles = np.zeros(())

    def add(self, rows: Doubles) -> None:
        self._count += len(rows)
        self._first = self._first + rows.sum(axis=0)
        self._second = self._second + rows.T @ rows

    def moments(self) -> Moments:
        mean = self._first / self._count
        return Moments(mean, self._second / self._count - np.outer(mean, mean))
