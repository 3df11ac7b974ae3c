"""Conversion with Larq Compute Engine."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from converters.graph import BCONV, in_output_order, read_graph
from converters.lce.binary_convs import binary_convs
from converters.lce.gate import check_binary, check_known_ops
from converters.lce.matching import match_layers
from converters.lce.pipeline import PassReport, check_names, run_passes
from converters.lce.postflight import Postflight, check_postflight, postflight
from converters.lce.preflight import Finding, preflight, untraceable
from converters.lce.progress import Progress, stage
from converters.leftovers import LeftoversReport, Mode, checked_mode, quantize_leftovers
from converters.passes import Target, checked_target
from converters.quiet import convert_quietly
from irnet_keras.data.preprocessing import Inputs
from irnet_keras.errors import CheckFailed


@dataclass(frozen=True)
class Conversion:
    """A file that passed the gate.

    Attributes:
        data: the ``.tflite`` file.
        binary_layers: Keras names of the convolutions that run in 1 bit.
        target: what the file is for.
        passes: what each pass did.
        findings: what pre-flight found; of a strict conversion only what is slow.
        postflight: how the file compares with Keras; of a strict conversion without mismatches.
        leftovers: what became of the float operators that remained.
    """

    data: bytes
    binary_layers: tuple[str, ...]
    target: Target
    passes: tuple[PassReport, ...]
    postflight: Postflight
    findings: tuple[Finding, ...] = ()
    leftovers: LeftoversReport = field(default_factory=lambda: LeftoversReport("float32"))


def convert(
    model: Any,
    log: Callable[[str], None] = lambda line: None,
    *,
    target: Target = "lce",
    strict: bool = True,
    off: Collection[str] = (),
    progress: Progress = lambda line: None,
    known_faults: bool = True,
    leftovers: Mode = "float32",
    representative: Inputs | None = None,
) -> Conversion:
    """Convert a Keras model and check that every binary convolution became ``LceBconv2d``.

    Every layer of the file is compared with Keras's (:mod:`converters.lce.postflight`).

    Args:
        model: Keras model with one float32 input of known shape, batch open or 1.
        log: receives what the user should know, and the converter's own log on failure.
        target: ``"lce"``, a file that LCE's default kernels run rightly, or ``"delegate"``, one
            that may use everything our runtime supports.
        strict: refuse what pre-flight knows to become wrong or not to run, and what the gate
            knows to have stayed float; otherwise these are warnings. A file with operators that
            no runtime has is refused either way.
        off: names of passes (:data:`converters.lce.pipeline.NAMES`) to leave out.
        progress: receives a line as each stage begins and ends.
        known_faults: look for LCE's known faults first; False shows what the other checks find.
        leftovers: what becomes of the float operators that remain, see :mod:`converters.leftovers`.
        representative: preprocessed float32 images ``(n, height, width, channels)`` for that;
            default: shipped images, resized where the model's are larger.

    Returns:
        the file; its input and output are float32, batch 1.

    Raises:
        UsageError: an input that :func:`converters.lce.keras_trace.input_shape` refuses; an unknown
            target, pass or kind of leftovers; no representative data for that.
        CheckFailed: the converter failed, or pre-flight, the gate or post-flight refused, or
            quantized leftovers cost too much accuracy.
    """
    checked_target(target)
    check_names(off)
    checked_mode(leftovers)
    _report(untraceable(model), log, strict=strict)
    findings: tuple[Finding, ...] = ()
    with stage("pre-flight", progress):
        convs = binary_convs(model)
        if known_faults:
            findings = preflight(model, target, convs)
    _report(findings, log, strict=strict)
    if not convs:
        log("no layer has binary weights and binary inputs: all layers compute in float")
    with stage("LCE's converter", progress):
        data = _run_converter(model, log)
    with stage("passes and gate", progress):
        graph = in_output_order(read_graph(data), model.output_names)
        graph, passes = run_passes(graph, target, off)
        for report in passes:
            if report.rewrites or report.refusals:
                log(report.describe())
        check_known_ops(graph)
        _warn_unless_strict(lambda: check_binary(graph, convs), log, strict=strict)
    with stage("post-flight", progress):
        compared = postflight(model, graph, convs, target)
    _warn_unless_strict(lambda: check_postflight(compared, log), log, strict=strict)
    binary = [m.conv.name for m in match_layers(graph, convs).matches if m.differing_bits == 0]
    if convs:
        log(f"{len(binary)} of {len(convs)} binary convolutions became {BCONV}")
    if leftovers == "float32":
        return Conversion(graph.data, tuple(binary), target, passes, compared, findings)
    # Last: everything before compares with Keras, which knows no int8.
    with stage(f"leftovers to {leftovers}", progress):
        small = quantize_leftovers(graph, leftovers, representative, log)
        check_known_ops(small.graph)
        if strict:
            check_binary(small.graph, convs)
    return Conversion(
        small.graph.data, tuple(binary), target, passes, compared, findings, small.report
    )


def _warn_unless_strict(
    check: Callable[[], None], log: Callable[[str], None], *, strict: bool
) -> None:
    try:
        check()
    except CheckFailed as error:
        if strict:
            raise
        log(f"warning: {error}")


def _report(findings: tuple[Finding, ...], log: Callable[[str], None], *, strict: bool) -> None:
    """Log findings; raise for those a strict conversion refuses."""
    for finding in findings:
        log(f"{'error' if strict and finding.refuses else 'warning'}: {finding}")
    refused = [finding for finding in findings if finding.refuses]
    if strict and refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        raise CheckFailed(
            f"not converted: {refused[0]}{more}; --no-strict converts it all the same"
        )


def _run_converter(model: Any, log: Callable[[str], None]) -> bytes:
    def work() -> bytes:
        import larq_compute_engine as lce

        return bytes(lce.convert_keras_model(model))

    return convert_quietly("LCE", work, log)
