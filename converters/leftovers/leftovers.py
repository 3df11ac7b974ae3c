"""``--leftovers``: choose, observe, round, quantize, compare."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from converters.graph import Graph
from converters.leftovers.fold_strides import fold_strides
from converters.leftovers.modes import LIMIT_POINTS, Mode
from converters.leftovers.prepare import prepare
from converters.leftovers.quantizer import run_quantizer
from converters.leftovers.representative import check_count, sample_inputs
from converters.leftovers.score import Score, check, score
from converters.leftovers.select import Selection, select
from converters.leftovers.statistics import Ranges, collect
from converters.untrusted.tensors import MAX_SCALE, MIN_SCALE
from irnet_keras.data.preprocessing import Inputs
from irnet_keras.errors import CheckFailed


@dataclass(frozen=True)
class LeftoversReport:
    """What became of the float operators.

    Attributes:
        mode: what was asked for.
        quantized: name (of what it writes), kind and scheme of each operator.
        kept: name, kind and reason of float operators with weights that stayed.
        representative: images the ranges and moments come from.
        limit_points: accuracy that may be lost; None for float32.
        bytes_before: of the file with float leftovers.
        bytes_after: of the result.
        score: before and after; None where nothing was quantized.
    """

    mode: Mode
    quantized: tuple[dict[str, str], ...] = ()
    kept: tuple[dict[str, str], ...] = ()
    representative: int = 0
    limit_points: float | None = None
    bytes_before: int | None = None
    bytes_after: int | None = None
    score: Score | None = None

    def as_json(self) -> dict[str, Any]:
        """The report with the score's entries beside its own; they are null without a score."""
        found = asdict(self)
        found.pop("score")
        names = Score.__dataclass_fields__
        return found | (asdict(self.score) if self.score else dict.fromkeys(names))

    def describe(self) -> str:
        """One line for people."""
        line = f"leftovers {self.mode}: {len(self.quantized)} operators quantized"
        if self.score is None:
            return line
        line += f", {self.bytes_before:,} -> {self.bytes_after:,} bytes"
        found = self.score
        if found.accuracy_before is not None and found.accuracy_after is not None:
            line += f"; accuracy {found.accuracy_before:.2%} -> {found.accuracy_after:.2%}"
        if found.agreement is not None:
            line += f", {found.agreement:.2%} with the same answer"
        return (
            f"{line}, outputs differ by {found.mean_difference:.3g} on average "
            f"({found.num_images} images: {found.images})"
        )


@dataclass(frozen=True)
class Leftovers:
    """The result: ``graph`` is the same object if nothing was quantized."""

    graph: Graph
    report: LeftoversReport


def quantize_leftovers(
    graph: Graph,
    mode: Mode,
    representative: Inputs | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Leftovers:
    """Quantize the float operators of a converted file.

    Args:
        graph: the file, float32 input and outputs, batch 1.
        mode: see :data:`converters.leftovers.modes.Mode`.
        representative: inputs, float32 ``(n, height, width, channels)``; default: shipped
            images, resized to the model's input.
        log: receives progress.

    Returns:
        the new file and the report; input and outputs stay float32. Equal input gives equal
        bytes.

    Raises:
        UsageError: no representative data for the model's input, or too few.
        CheckFailed: the quantizer failed, values are not finite, or the result differs too much
            (:func:`converters.leftovers.score.check`).
    """
    if mode == "float32":
        return Leftovers(graph, LeftoversReport(mode))
    selection = select(graph, mode)
    kept = tuple(
        {
            "op": entry.op.name,
            "name": graph.tensors[entry.op.outputs[0]].name,
            "reason": entry.reason,
        }
        for entry in selection.kept
    )
    if not selection.weighted:
        log(f"leftovers {mode}: no float convolution or dense layer to quantize")
        return Leftovers(graph, LeftoversReport(mode, kept=kept, limit_points=LIMIT_POINTS[mode]))
    if representative is None:
        shape = graph.tensors[graph.inputs[0]].shape[1:]
        representative = sample_inputs(shape, test=False)
    log(f"leftovers {mode}: {len(representative)} images to see what the operators see")
    check_count(representative)
    _check_finite(graph, selection, mode)
    result, ranges = _quantized(graph, mode, representative, log)
    _check_scales(result, mode)
    found = score(graph, result, representative, ranges)
    check(found, mode)
    schemes = {leftover.op.index: leftover.scheme for leftover in selection.weighted}
    quantized = tuple(
        {
            "op": op.name,
            "name": graph.tensors[op.outputs[0]].name,
            "scheme": schemes.get(op.index, "int8"),
        }
        for op in selection.ops
    )
    report = LeftoversReport(
        mode,
        quantized,
        kept,
        len(representative),
        LIMIT_POINTS[mode],
        len(graph.data),
        len(result.data),
        found,
    )
    return Leftovers(result, report)


def _quantized(
    graph: Graph, mode: Mode, representative: Inputs, log: Callable[[str], None]
) -> tuple[Graph, Ranges]:
    """The result, and the ranges it was made with of tensors of ``graph``."""
    folded = fold_strides(graph) if mode == "int8" else graph
    selection = select(folded, mode)
    statistics = collect(folded, selection, representative)
    prepared = prepare(folded, selection, statistics)
    # the same choice, of operators that read other weights now
    ranges = statistics.ranges if mode == "int8" else {}
    result = run_quantizer(prepared, select(prepared, mode), ranges, log)
    # (what is folded stands behind the tensors there were)
    return result, {i: ranges[i] for i in ranges if i < len(graph.tensors)}


def _check_finite(graph: Graph, selection: Selection, mode: Mode) -> None:
    """Weights and biases are numbers."""
    for leftover in selection.weighted:
        for i in leftover.op.inputs[1:3]:
            data = graph.tensors[i].data if i >= 0 else None
            if data is not None and not np.isfinite(data).all():
                name = graph.tensors[leftover.op.outputs[0]].name
                raise CheckFailed(
                    f"--leftovers {mode}: the model's weights of {name!r} hold NaN or infinite "
                    "values"
                )


def _check_scales(graph: Graph, mode: Mode) -> None:
    """Values are neither too large nor too small for the scales that runtimes accept."""
    for tensor in graph.tensors:
        scales = [] if tensor.quantization is None else tensor.quantization.scale.tolist()
        wrong = [scale for scale in scales if not MIN_SCALE <= scale <= MAX_SCALE]
        if wrong:
            raise CheckFailed(
                f"--leftovers {mode}: the model's values in {tensor.name!r} are too large or too "
                f"small for int8: a scale is {wrong[0]:g}, accepted are {MIN_SCALE:g} to "
                f"{MAX_SCALE:g}"
            )
