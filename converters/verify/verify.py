"""The verification: file against Keras model, on real images."""

import hashlib
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import BCONV, QUANTIZE, Graph, Tensor, pack_bits, read_graph
from converters.lce.binary_convs import BinaryConv, binary_convs
from converters.lce.keras_trace import input_shape
from converters.lce.matching import Matching, match_layers
from converters.runtimes import engine_for
from converters.runtimes.delegate import AUTO_KERNEL, DELEGATE
from converters.runtimes.modes import AUTO
from converters.runtimes.watching import BATCH, Runner, Values, runner
from converters.verify.flips import FlipCounter, keras_activations
from converters.verify.layers import (
    check_layer,
    check_quantize,
    inverted_inputs,
    layer_reasons,
    tensors_to_watch,
)
from converters.verify.oracle import compare_with_lce, oracle_reasons
from converters.verify.outputs import compare_outputs, output_reasons
from converters.verify.own_values import OwnValue
from converters.verify.quantized import (
    Sigma,
    check_quantized,
    has_int8_activations,
    quantized_ops,
    rms_limits,
    single_limits,
)
from converters.verify.quantized import tensors_to_watch as quantized_to_watch
from converters.verify.report import FlipReport, Kind, Limits, VerifyReport
from irnet_keras.data.cifar10 import LabelledImages
from irnet_keras.data.preprocessing import Inputs, preprocess
from irnet_keras.data.resizing import has_cifar10_labels, resized
from irnet_keras.data.upscaling import to_input
from irnet_keras.errors import UsageError
from irnet_keras.models.sizes import enlargement


def verify(
    model: Any,
    source: str | os.PathLike[str] | bytes,
    images: LabelledImages,
    *,
    seed: int = 0,
    per_layer_images: int = 4,
    limits: Limits | None = None,
    runtime: str = AUTO,
    kernel: str = AUTO_KERNEL,
) -> VerifyReport:
    """Compare a ``.tflite`` file with a Keras model.

    LCE files: every ``LceQuantize`` and ``LceBconv2d`` on its own, then all packed activations
    against Keras's, then logits; and what the delegate computes against LCE's interpreter.
    Other files: logits only.

    Args:
        model: Keras model, float32 images to logits.
        source: path or content of the file; it is checked structurally before any interpreter
            sees it.
        images: real images, uint8 ``(n, any height, any width, 3)``, resized to the model's, and
            their classes; a random choice of them is used per layer, all end to end. Accuracies
            are compared where the model is a CIFAR-10 classifier by its shapes.
        seed: of that choice.
        per_layer_images: images for the per-layer check.
        limits: end-to-end limits.
        runtime: what runs LCE files: ``"auto"``, ``"delegate"`` or ``"lce"``.
        kernel: kernel set of the delegate.

    Returns:
        the report; a failed comparison is a report with ``passed`` False, not an exception.

    Raises:
        UsageError: the file is not a well-formed ``.tflite`` file, no images are given or the model
            takes none, there are several outputs, or the runtime or kernel is not to be had.
    """
    graph = read_graph(source)
    if not len(images) or per_layer_images < 1:
        raise UsageError("verification needs at least one image")
    named = "the file" if isinstance(source, bytes) else os.fspath(source)
    for what, count in (("the model", len(model.outputs)), (named, len(graph.outputs))):
        if count != 1:
            raise UsageError(
                f"verification takes models and files of one output, {what} has {count}"
            )
    images = _resized(images, input_shape(model))
    engine = engine_for(graph, runtime, kernel)
    watch = runner(graph, engine, kernel, name=named)
    run = _Verification(model, graph, binary_convs(model), limits or Limits(), engine, watch)
    run.check(images, np.random.default_rng(seed), per_layer_images)
    return VerifyReport(
        kind=run.kind,
        model=str(model.name),
        file_sha256=hashlib.sha256(graph.data).hexdigest(),
        seed=seed,
        num_images=len(images),
        per_layer_images=min(per_layer_images, len(images)),
        limits=run.limits,
        passed=not run.reasons,
        reasons=tuple(run.reasons),
        notes=tuple(run.notes),
        **run.parts,
    )


def _resized(images: LabelledImages, shape: tuple[int, ...]) -> LabelledImages:
    if len(shape) != 3 or shape[2] != 3:
        raise UsageError(
            f"verification takes colour images (height, width, 3), the model takes {shape}"
        )
    return LabelledImages(resized(images.images, shape), images.labels)


def file_kind(graph: Graph) -> Kind:
    """What a file is, by its operators and constants."""
    if graph.ops_named(BCONV) or graph.ops_named(QUANTIZE):
        return "lce"
    constants = {
        t.dtype
        for t in graph.tensors
        if t.data is not None and len(t.shape) > 1 and not _are_signs(graph, t)
    }
    if "INT8" in constants:
        return "int8"
    return "float16" if "FLOAT16" in constants else "float32"


def _are_signs(graph: Graph, tensor: Tensor) -> bool:
    """Whether a constant is binary weights, exact behind ``DEQUANTIZE`` (``shrink-weights``)."""
    if tensor.data is None or tensor.dtype != "INT8" or not tensor.data.size:
        return False
    unpacked = all(op.name == "DEQUANTIZE" for op in graph.consumers(tensor.index))
    return unpacked and bool(np.isin(tensor.data, (-1, 0, 1)).all())


class _Verification:
    """State of one verification: what has been found so far."""

    def __init__(
        self,
        model: Any,
        graph: Graph,
        convs: list[BinaryConv],
        limits: Limits,
        engine: str,
        watch: Runner,
    ) -> None:
        self.model = model
        self.graph = graph
        self.convs = convs
        self.limits = limits
        self.kind = file_kind(graph)
        self.preprocess = preprocess if enlargement(model) is None else to_input
        self.engine = engine
        self.watch = watch
        self.reasons: list[str] = []
        self.notes: list[str] = []
        self.parts: dict[str, Any] = {}
        self.sigmas: dict[int, Sigma] = {}  # of quantized leftovers, by operator index

    def check(self, images: LabelledImages, rng: np.random.Generator, per_layer: int) -> None:
        """All comparisons that the file and the model allow."""
        expected = (input_shape(self.model), tuple(self.model.output_shape[1:]))
        found = tuple(
            self.graph.tensors[i].shape[1:] for i in (self.graph.inputs[0], self.graph.outputs[0])
        )
        if found != expected:
            self.reasons.append(
                f"the file maps {found[0]} to {found[1]}, the model {expected[0]} to {expected[1]}"
            )
            return
        labelled = has_cifar10_labels(expected[0], (expected[1],))
        if not labelled:
            self.notes.append(
                f"accuracy was not compared: the labels are CIFAR-10's, the model maps "
                f"{expected[0]} to {expected[1]}"
            )
        matching = match_layers(self.graph, self.convs)
        bits = False
        chosen = rng.permutation(len(images))[:per_layer]
        if self.kind == "lce" and self._matched(matching):
            self._check_layers(matching, self.preprocess(images.images[chosen]))
            bits = not any(layer.problem for layer in self.parts["layers"])
        if self.kind == "float32" and quantized_ops(self.graph):
            inputs = self.preprocess(images.images[chosen])
            with self.watch(quantized_to_watch(self.graph)) as run:
                values = run.values(inputs)
            self._check_leftovers({**values, **dict.fromkeys(self.graph.inputs, inputs)})
        if self.kind != "lce":
            self.notes.append(
                f"{self.kind} file: only {'logits and accuracy' if labelled else 'logits'} were "
                "compared, not single layers"
            )
        self._check_outputs(matching if bits else None, images, labelled)
        if self.engine == DELEGATE:
            self._check_oracle(matching, self.preprocess(images.images), chosen)

    def _matched(self, matching: Matching) -> bool:
        """Whether layers and ops are the same in number and shape."""
        for conv in matching.layers_without_op:
            self.reasons.append(f"layer {conv.name}: the file has no {BCONV} of its shape")
        for op in matching.ops_without_layer:
            self.reasons.append(f"operator {op.index} ({BCONV}) belongs to no layer of the model")
        return bool(matching.matches) and not (
            matching.layers_without_op or matching.ops_without_layer
        )

    def _check_layers(self, matching: Matching, inputs: Inputs) -> None:
        watched = tensors_to_watch(self.graph)
        leftovers = quantized_to_watch(self.graph)
        with self.watch(list(dict.fromkeys([*watched, *leftovers]))) as run:
            values = run.values(inputs)
        values.update(dict.fromkeys(self.graph.inputs, inputs))
        self._check_leftovers(values)
        quantize = [check_quantize(self.graph, op, values) for op in self.graph.ops_named(QUANTIZE)]
        inverted = inverted_inputs(self.graph, matching)
        layers = [
            check_layer(self.graph, match, values, inverted.get(match.op.index))
            for match in matching.matches
        ]
        for report in quantize:
            if not report.passed:
                self.reasons.append(
                    f"operator {report.op_index} ({QUANTIZE}): {report.wrong_bits} of "
                    f"{report.num_bits} bits differ from the signs of its input"
                )
        self.reasons += [reason for layer in layers for reason in layer_reasons(layer)]
        self.parts["quantize"] = tuple(quantize)
        self.parts["layers"] = tuple(layers)

    def _check_leftovers(self, values: Values) -> None:
        """Float layers that were quantized, each on its own."""
        reports, self.sigmas = check_quantized(self.graph, values)
        self.parts["leftovers"] = tuple(reports)
        for report in reports:
            if report.violations:
                self.reasons.append(
                    f"operator {report.op_index} ({report.op} {report.tensor!r}): "
                    f"{report.violations} of {report.num_outputs} outputs are wrong, worst by "
                    f"{report.worst_error:.3g} (tolerance {report.tolerance:.2g})"
                )

    def _check_outputs(
        self, matching: Matching | None, images: LabelledImages, labelled: bool
    ) -> None:
        """All images end to end; with signs where the layers are matched."""
        own = list(self.graph.outputs[:1])
        packed = [match.op.inputs[0] for match in matching.matches] if matching else []
        inverted = inverted_inputs(self.graph, matching) if matching else {}
        masks = [
            pack_bits(inverted[m.op.index]) if m.op.index in inverted else np.int32(0)
            for m in (matching.matches if matching else ())
        ]
        values_behind = [OwnValue(self.graph, index) for index in packed]
        sources_behind = [v.source for v in values_behind if v.source is not None]
        watched = [
            i for i in dict.fromkeys([*packed, *sources_behind]) if i not in self.graph.inputs
        ] or own
        behind_signs = [
            index if v.source is None else v.source
            for v, index in zip(values_behind, packed, strict=True)
        ]
        allowed = self._allowed(behind_signs)
        free = FlipCounter(self.convs, independent=False, added=allowed)
        given = FlipCounter(self.convs, independent=True, added=allowed)
        keras_logits, reference_logits = [], []
        file_logits: list[NDArray[Any]] = []
        with self.watch(watched) as run_watched, self.watch(own) as run_plain:
            self.parts["runtime"] = run_plain.engine
            for start in range(0, len(images), BATCH):
                inputs = self.preprocess(images.images[start : start + BATCH])
                file_logits += run_plain.values(inputs).values()
                sources, signs, logits = keras_activations(self.model, self.convs, inputs)
                keras_logits.append(logits)
                if not packed:
                    continue
                values = run_watched.values(inputs)
                values.update(dict.fromkeys(self.graph.inputs, inputs))
                words = [values[i] ^ mask for i, mask in zip(packed, masks, strict=True)]
                if not self._same_sizes(signs, words):
                    packed = []
                    continue
                behind = [
                    None if v.source is None else v.pooled(values[v.source]) for v in values_behind
                ]
                free.add(sources, signs, words, behind)
                sources, signs, logits = keras_activations(self.model, self.convs, inputs, words)
                given.add(sources, signs, words, behind)
                reference_logits.append(logits)
        keras = np.concatenate(keras_logits)
        reference: NDArray[np.float32] | None = keras
        added = single_limits(self.graph, self.sigmas).get(self.graph.outputs[0], 0.0)
        if packed:
            given_reports, limits = self._with_limits(given, behind_signs)
            self._add_flips(free.reports(), given_reports)
            reference = np.concatenate(reference_logits)
            added = self._logits_added(reference - np.concatenate(file_logits), limits)
        elif self.convs:
            self.notes.append("signs were not compared, so logits were compared by argmax only")
            reference = None
        report = compare_outputs(
            self.kind,
            keras,
            np.concatenate(file_logits),
            images.labels if labelled else None,
            reference,
            added,
        )
        self.parts["outputs"] = report
        int8 = self.kind == "lce" and has_int8_activations(self.graph)
        self.reasons += output_reasons(self.kind, report, self.limits, int8_leftovers=int8)
        if report.agreement < self.limits.min_agreement and not self.reasons:
            self.notes.append(
                f"only {report.agreement:.1%} of the images have the same argmax, although each "
                "layer is right on the file's own signs: values within rounding of 0 take either"
            )

    def _allowed(self, tensors: list[int]) -> list[float] | None:
        """How far quantized leftovers may move what is packed."""
        limits = single_limits(self.graph, self.sigmas)
        added = [limits.get(i, 0.0) for i in tensors]
        for index, moved in zip(tensors, added, strict=True):
            if not np.isfinite(moved):
                name = self.graph.tensors[index].name
                self.notes.append(f"signs of {name!r} were not compared: unknown operator before")
        return added or None

    def _with_limits(
        self, counter: FlipCounter, tensors: list[int]
    ) -> tuple[tuple[FlipReport, ...], dict[int, float]]:
        """Reports with the limits of their root mean squares, and the limits of all tensors."""
        layers = list(zip(tensors, counter.reports(), counter.roundings(), strict=True))
        measured = {i: r.rms + rounding for i, r, rounding in layers if r.rms is not None}
        limits = rms_limits(self.graph, self.sigmas, measured)
        limited = tuple(
            r.model_copy(update={"rms_limit": limits[i] + rounding if limits.get(i) else None})
            for i, r, rounding in layers
        )
        return limited, limits

    def _logits_added(self, difference: NDArray[np.float32], limits: dict[int, float]) -> float:
        """How far quantized leftovers may move single logits; their mean square is checked."""
        output = self.graph.outputs[0]
        if limits.get(output):
            rms = float(np.sqrt(np.square(difference, dtype=np.float64).mean()))
            self._check_rms("the logits differ", rms, limits[output])
        return single_limits(self.graph, self.sigmas).get(output, 0.0)

    def _check_rms(self, what: str, rms: float, limit: float) -> None:
        if not (rms <= limit):
            self.reasons.append(
                f"{what} from Keras's by {rms:.3g} (root mean square), int8 explains {limit:.3g}"
            )

    def _check_oracle(self, matching: Matching, images: Inputs, chosen: NDArray[Any]) -> None:
        names = {match.op.index: match.conv.name for match in matching.matches}
        report = compare_with_lce(self.graph, self.watch, images, images[chosen], names)
        self.parts["oracle"] = report
        self.reasons += oracle_reasons(report)
        self.notes += report.not_compared

    def _same_sizes(self, signs: list[NDArray[np.bool_]], words: list[NDArray[Any]]) -> bool:
        """Whether each op reads the height and width its layer reads."""
        for conv, sign, word in zip(self.convs, signs, words, strict=True):
            if sign.shape[1:3] != word.shape[1:3]:
                self.reasons.append(
                    f"layer {conv.name}: the file reads {word.shape[1:3]}, Keras "
                    f"{sign.shape[1:3]}: explicit padding was folded into the operator"
                )
                return False
        return True

    def _add_flips(self, free: tuple[FlipReport, ...], given: tuple[FlipReport, ...]) -> None:
        self.parts["flips"] = free
        self.parts["flips_given_bits"] = given
        for report in free:
            if report.non_finite:
                self.reasons.append(
                    f"layer {report.layer}: {report.non_finite} of {report.num_bits} values of its "
                    "input are NaN or infinite"
                )
        for report in given:
            if report.rms is not None and report.rms_limit is not None:
                what = f"layer {report.layer}: its input differs"
                self._check_rms(what, report.rms, report.rms_limit)
            if report.unexplained:
                self.reasons.append(
                    f"layer {report.layer}: {report.unexplained} signs of its input differ "
                    f"from Keras's, with values up to {report.worst_unexplained:.3g} away from 0 "
                    f"there (tolerance {report.tolerance:.1g}): what comes just before is wrong"
                )
