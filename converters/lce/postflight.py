"""The converted file against the Keras model, layer by layer, before it is handed out.

Pre-flight knows the converter's faults by name. Here nothing is known: the file runs in the
kernels it was made for, on real images and on noise, and every layer must be what Keras computes
from the same values (:mod:`converters.verify.every_layer`). Weights, multipliers and thresholds of
binary convolutions are compared bit for bit and for every sum they can have, images or not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph import QUANTIZE, Graph
from converters.lce.binary_convs import BinaryConv
from converters.lce.keras_trace import input_shape
from converters.lce.matching import Match, Matching, match_layers
from converters.passes import Target
from converters.runtimes.child import MissingRuntimeError
from converters.runtimes.interpreters import DEFAULT, LCE, REFERENCE
from converters.runtimes.modes import AUTO, engine_for
from converters.runtimes.watching import EDITED, Runner, Values, runner
from converters.verify.blame import Mismatch
from converters.verify.counterparts import tensors_to_compare
from converters.verify.epilogue import check_epilogue
from converters.verify.every_layer import LayerCheck, Walk, walk_layers
from converters.verify.layers import check_layer, check_quantize, inverted_inputs, layer_reasons
from irnet_keras.data.preprocessing import Inputs, preprocess
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import CheckFailed, UsageError

NUM_IMAGES = 4  # of each kind
_CHANNELS = (1, 3)  # of what is taken for an image


@dataclass(frozen=True)
class Postflight:
    """What the comparison found.

    Attributes:
        engine: what ran the file.
        seed: of the noise and of the choice of real images.
        images: how many images of each kind: ``"real"`` (the shipped sample, resized) and
            ``"random"`` (standard normal).
        layers_checked: Keras layers that agree.
        worst: of these, the one nearest to its tolerance; None if there is none.
        mismatches: layers that do not agree.
        not_compared: layers about which the comparison says nothing, and why.
    """

    engine: str
    seed: int
    images: dict[str, int]
    layers_checked: int
    worst: LayerCheck | None
    mismatches: tuple[Mismatch, ...]
    not_compared: tuple[tuple[str, str], ...]

    def describe(self) -> str:
        """One line for the log."""
        images = " and ".join(f"{count} {kind}" for kind, count in self.images.items())
        line = (
            f"post-flight: {self.layers_checked} layers agree with Keras on {images} images "
            f"(seed {self.seed}) in {self.engine}"
        )
        if self.worst is not None:
            line += (
                f"; worst: {self.worst.layer}, off by {self.worst.error:.2g} "
                f"of {self.worst.tolerance:.2g} allowed"
            )
        return line


def postflight(
    model: Any,
    graph: Graph,
    convs: list[BinaryConv],
    target: Target,
    *,
    seed: int = 0,
    num_images: int = NUM_IMAGES,
) -> Postflight:
    """Compare every layer.

    Args:
        model: Keras model with one input.
        graph: the file.
        convs: the model's binary convolutions.
        target: decides what runs the file: LCE's default kernels, or the delegate. Files without
            LCE's operators run in LiteRT.
        seed: of the noise and of the choice of real images.
        num_images: of each kind.

    Raises:
        UsageError: the delegate is missing.
    """
    images, names = sample_images(model, np.random.default_rng(seed), num_images)
    found = _Found()
    engine = "no runtime"
    try:
        engine, values, outputs = _run(graph, target, images)
    except (UsageError, CheckFailed) as error:
        reason = str(error).split(f"{EDITED}: ")[-1]
        found.mismatches.append(Mismatch(str(model.name), f"the file does not run: {reason}"))
    else:
        matching = match_layers(graph, convs)
        for rows in _batches(model, len(images)):
            part = {index: array[rows] for index, array in values.items()}
            ends = [array[rows] for array in outputs]
            found.add_walk(
                walk_layers(model, graph, matching, images[rows], part, ends, names[rows])
            )
        values.update(dict.fromkeys(graph.inputs, images))
        found.add_signs(graph, values)
        found.add_binary(graph, matching, values, names)
    counts = {kind: sum(n.startswith(kind) for n in names) for kind in ("real", "random")}
    return found.report(engine, seed, {kind: n for kind, n in counts.items() if n})


def check_postflight(found: Postflight, log: Callable[[str], None]) -> None:
    """Log the result and refuse a file that differs.

    Raises:
        CheckFailed: naming the first layer that does.
    """
    for layer, reason in found.not_compared:
        log(f"warning: post-flight could not compare {layer}: {reason}")
    log(found.describe())
    if found.mismatches:
        first, more = found.mismatches[0], len(found.mismatches) - 1
        raise CheckFailed(
            f"the converted file does not compute what Keras does: {first.layer}: {first.text}"
            + (f" (and {more} more)" if more else "")
        )


def _run(graph: Graph, target: Target, images: Inputs) -> tuple[str, Values, list[NDArray[Any]]]:
    """What ran, all tensors, and the outputs as they are when nobody watches the tensors."""
    try:
        return _run_in(_runner(graph, target), graph, images)
    except MissingRuntimeError:  # the delegate
        # LCE's reference kernels take all that the delegate does, slowly
        return _run_in(runner(graph, LCE, mode=REFERENCE), graph, images)


def _run_in(watch: Runner, graph: Graph, images: Inputs) -> tuple[str, Values, list[NDArray[Any]]]:
    with watch(graph.outputs) as plain:
        outputs = plain.values(images)
        engine = plain.engine
    watched = tensors_to_compare(graph)
    with watch(watched or graph.outputs) as run:
        return engine, run.values(images), [outputs[i] for i in graph.outputs]


def sample_images(
    model: Any, rng: np.random.Generator, count: int
) -> tuple[Inputs, tuple[str, ...]]:
    """Real images, where the model takes images, and noise.

    Returns:
        float32 ``(n, *input shape)``, and a name for each.
    """
    import tensorflow as tf

    shape = input_shape(model)
    noise = rng.standard_normal((count, *shape)).astype(np.float32)
    names = tuple(f"random image {i}" for i in range(count))
    if len(shape) != 3 or shape[2] not in _CHANNELS:
        return noise, names
    sample = load_sample().test.images
    chosen = rng.permutation(len(sample))[:count]
    real = np.asarray(tf.image.resize(preprocess(sample[chosen]), shape[:2]))
    if shape[2] == 1:
        real = real.mean(axis=3, keepdims=True)
    return np.concatenate([real, noise]), (*(f"real image {i}" for i in chosen), *names)


def _batches(model: Any, count: int) -> list[slice]:
    """How many images at a time a model takes: all, unless its batch is fixed."""
    fixed = model.inputs[0].shape[0]
    size = int(fixed) if fixed else count
    return [slice(start, start + size) for start in range(0, count, size)]


def _runner(graph: Graph, target: Target) -> Runner:
    """Opens the runtime that the file is for."""
    engine = engine_for(graph, LCE if target == "lce" else AUTO)
    if engine == LCE:
        return runner(graph, engine, mode=DEFAULT, even_wrong=True)
    return runner(graph, engine)


def _exact_reasons(
    graph: Graph,
    match: Match,
    values: Values,
    inverted: NDArray[np.bool_] | None,
    names: Sequence[str],
) -> list[str]:
    """Why a binary convolution is not what Keras's layer and the steps behind it ask for."""
    report = check_layer(graph, match, values, inverted)
    # (a problem is that this check cannot judge the layer: the other one has)
    texts = layer_reasons(report.model_copy(update={"problem": None}))
    if report.violations and report.worst_index:
        texts[-1] += f", first index: {names[report.worst_index[0]]}"
    wrong = None if report.problem else check_epilogue(graph, match)
    if wrong is not None:
        texts.append(
            f"layer {match.conv.name}: {wrong.filters} filters are scaled wrongly, "
            f"filter {wrong.first}: {wrong.text}"
        )
    return texts


class _Found:
    """What has been found so far."""

    def __init__(self) -> None:
        self.mismatches: list[Mismatch] = []
        self._checked: dict[str, LayerCheck] = {}
        self._not_compared: dict[str, str] = {}
        self._groups: dict[str, list[str]] = {}

    def add_walk(self, walk: Walk) -> None:
        """One batch."""
        for check in walk.checked:
            known = self._checked.get(check.layer)
            if known is None or _share(check) > _share(known):
                self._checked[check.layer] = check
        self.mismatches += walk.mismatches
        self._not_compared.update(walk.not_compared)
        self._groups.update(walk.groups)

    def add_signs(self, graph: Graph, values: Values) -> None:
        """Every ``LceQuantize`` on its own."""
        for op in graph.ops_named(QUANTIZE):
            if op.inputs[0] not in values:  # of a constant
                continue
            report = check_quantize(graph, op, values)
            if not report.passed:
                text = f"{report.wrong_bits} of {report.num_bits} bits differ from its input's"
                self.mismatches.append(Mismatch(f"operator {op.index} ({QUANTIZE})", text))

    def add_binary(
        self, graph: Graph, matching: Matching, values: Values, names: Sequence[str]
    ) -> None:
        """Weights, multipliers and thresholds of binary convolutions, exactly."""
        inverted = inverted_inputs(graph, matching)
        found = []
        for match in matching.matches:
            if not self._is_known(match.conv) or match.op.inputs[0] not in values:
                continue
            channels = inverted.get(match.op.index)
            texts = _exact_reasons(graph, match, values, channels, names)
            shorter = self._with_merged_tail(graph, match)
            if texts and shorter is not None:
                # (a batch norm that does next to nothing looks as if it were not merged)
                texts = _exact_reasons(graph, shorter, values, channels, names)
            prefix = f"layer {match.conv.name}: "
            found += [Mismatch(match.conv.name, text.removeprefix(prefix)) for text in texts]
        # they say more of the same layers
        exact = {mismatch.layer for mismatch in found}
        self.mismatches = found + [m for m in self.mismatches if m.layer not in exact]

    def _is_known(self, conv: BinaryConv) -> bool:
        """Whether the exact reference knows all that the converter merged with a layer."""
        if not conv.is_uniform or conv.name not in self._groups:
            return False
        if conv.name not in self._checked:  # wrong in any case: this may say more
            return bool(conv.tail)
        return len(conv.tail) >= self._merged(conv)

    def _merged(self, conv: BinaryConv) -> int:
        """How many steps behind a layer, its own activation included, have no tensor before it."""
        return len(self._groups[conv.name]) - 1 + (conv.activation != "linear")

    def _with_merged_tail(self, graph: Graph, match: Match) -> Match | None:
        """The layer with only the steps behind it that a float operator was seen to compute.

        None if those are all.
        """
        conv = match.conv
        if conv.name not in self._checked or graph.tensors[match.op.outputs[0]].dtype == "INT32":
            return None
        tail = conv.tail[: self._merged(conv)]
        if len(tail) == len(conv.tail):
            return None
        return replace(match, conv=replace(conv, tail=tail))

    def report(self, engine: str, seed: int, images: dict[str, int]) -> Postflight:
        """The result."""
        wrong = {mismatch.layer for mismatch in self.mismatches}
        checked = [check for name, check in self._checked.items() if name not in wrong]
        return Postflight(
            engine=engine,
            seed=seed,
            images=images,
            layers_checked=len(checked),
            worst=max(checked, key=_share, default=None),
            mismatches=tuple(self.mismatches),
            not_compared=tuple(self._not_compared.items()),
        )


def _share(check: LayerCheck) -> float:
    return check.error / check.tolerance if check.tolerance > 0 else 0.0
