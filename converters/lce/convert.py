"""Conversion with Larq Compute Engine."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from converters.graph import BCONV, read_graph
from converters.lce.binary_convs import binary_convs
from converters.lce.gate import check_binary
from converters.lce.pipeline import PassReport, check_names, run_passes
from converters.passes import Target, checked_target
from converters.quiet import convert_quietly


@dataclass(frozen=True)
class Conversion:
    """A file that passed the gate.

    Attributes:
        data: the ``.tflite`` file.
        binary_layers: Keras names of the convolutions that run in 1 bit.
        target: what the file is for.
        passes: what each pass did.
    """

    data: bytes
    binary_layers: tuple[str, ...]
    target: Target
    passes: tuple[PassReport, ...]


def convert(
    model: Any,
    log: Callable[[str], None] = lambda line: None,
    *,
    target: Target = "lce",
    off: Collection[str] = (),
) -> Conversion:
    """Convert a Keras model and check that every binary convolution became ``LceBconv2d``.

    Args:
        model: Keras model with one float32 input of known shape.
        log: receives what the user should know, and the converter's own log on failure.
        target: ``"lce"``, a file for LCE's default kernels, or ``"delegate"``, one that may use
            everything our runtime supports.
        off: names of passes (:data:`converters.lce.pipeline.NAMES`) to leave out.

    Returns:
        the file; its input and output are float32, batch 1.

    Raises:
        UsageError: the model has not exactly one input of known shape; an unknown target or pass.
        CheckFailed: the converter failed, or the gate refused the result.
    """
    checked_target(target)
    check_names(off)
    convs = binary_convs(model)
    if not convs:
        log("no layer has binary weights and binary inputs: all weights stay float")
    graph, passes = run_passes(read_graph(_run_converter(model, log)), target, off)
    for report in passes:
        if report.rewrites or report.refusals:
            log(report.describe())
    check_binary(graph, convs)
    if convs:
        log(f"{len(convs)} of {len(convs)} binary convolutions became {BCONV}")
    return Conversion(graph.data, tuple(conv.name for conv in convs), target, passes)


def _run_converter(model: Any, log: Callable[[str], None]) -> bytes:
    def work() -> bytes:
        import larq_compute_engine as lce

        return bytes(lce.convert_keras_model(model))

    return convert_quietly("LCE", work, log)
