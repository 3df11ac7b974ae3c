"""Float layers that were quantized: each on its own, and how far they may move what follows.

On its own, an operator gets the input it really saw and the file's own numbers. int8 outputs may be
off by ``INT8_STEPS`` of their own steps, sums of float inputs with int8 weights by float rounding.

What follows sees the difference to Keras's weights, too. Every rounding of size ``a`` either way is
sub-Gaussian with variance ``a^2 / 3`` (a uniform error's own); so is a weighted sum of them:

    sigma^2 = (step_w * |x|)^2 / 3 + step_out^2 / 12

for weights rounded up or down by less than a whole step (converters.leftovers.rounding) and the
largest patch |x| seen, plus what the input brings: errors of different channels are independent,
each has rounded weights of its own; those of one channel at worst agree. Single values may differ
by ``SIGMAS`` of it, which 2 of 10^9 exceed. The root mean square of the differences, for which the
mean of |x|^2 counts, may be ``RMS_SIGMAS`` of it (one layer's weights are drawn once, and some
filters carry most of the signal); there what earlier layers bring is not bounded but measured, and
may be ``RMS_SLACK`` of that: a 3x3 max pool of stride 2 lifts it by sqrt(9) at worst, a slice less.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from converters.graph import Graph, Op, Tensor, conv_options, fused_activation
from converters.graph.windows import windows
from converters.runtimes.watching import Values
from converters.verify.reference import ACTIVATION_RANGES, UNIT_ROUNDOFF
from converters.verify.report import LeftoverReport

# Half a step for rounding, half a step for kernels that round twice (gemmlowp's fixed point).
INT8_STEPS = 1.0
SIGMAS = 6.0
RMS_SIGMAS = 2.0
RMS_SLACK = 3.0

Doubles = NDArray[np.float64]
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
_MULTIPLIERS = (*_CONVOLUTIONS, "FULLY_CONNECTED")
# Operators whose outputs are no further apart than their inputs.
_CALM = (
    "DEQUANTIZE", "MAX_POOL_2D", "AVERAGE_POOL_2D", "MEAN", "RELU", "RELU6", "RELU_N1_TO_1",
    "STRIDED_SLICE", "PAD", "SPACE_TO_DEPTH", "RESHAPE", "CONCATENATION", "MAXIMUM", "MINIMUM",
)  # fmt: skip


@dataclass(frozen=True)
class Sigma:
    """How far an operator's outputs are from those of exact weights and activations."""

    worst: float
    typical: float

    def with_step(self, step: float) -> "Sigma":
        """And rounded to multiples of ``step``."""
        own = step / 12**0.5
        return Sigma(float(np.hypot(self.worst, own)), float(np.hypot(self.typical, own)))


@dataclass(frozen=True)
class _Sums:
    """Expected values of a multiplier, their float roundings and its own sigma."""

    values: Doubles
    rounding: Doubles
    sigma: Sigma


def quantized_ops(graph: Graph) -> list[Op]:
    """Convolutions and dense layers with int8 weights, and the ``QUANTIZE`` before them."""
    found = [op for op in graph.ops if op.name in _MULTIPLIERS and _is_quantized(graph, op)]
    return sorted(
        [*found, *(op for op in graph.ops_named("QUANTIZE") if not op.is_custom)],
        key=lambda op: op.index,
    )


def has_int8_activations(graph: Graph) -> bool:
    """Whether part of the file computes in int8 throughout."""
    return any(graph.tensors[op.outputs[0]].dtype == "INT8" for op in quantized_ops(graph))


def tensors_to_watch(graph: Graph) -> list[int]:
    """Inputs and outputs of the quantized operators, without graph inputs."""
    wanted = dict.fromkeys(i for op in quantized_ops(graph) for i in (op.inputs[0], op.outputs[0]))
    return [i for i in wanted if i not in graph.inputs]


def check_quantized(graph: Graph, values: Values) -> tuple[list[LeftoverReport], dict[int, Sigma]]:
    """Every quantized operator on what it really saw.

    Args:
        graph: the file.
        values: tensors by index as the runtime computed them, batch first.

    Returns:
        reports, and sigma by operator index.
    """
    reports, sigmas = [], {}
    for op in quantized_ops(graph):
        target = graph.tensors[op.outputs[0]]
        source = _real(graph.tensors[op.inputs[0]], values[op.inputs[0]])
        if op.name == "QUANTIZE":
            sums = _Sums(source, UNIT_ROUNDOFF * np.abs(source), Sigma(0.0, 0.0))
        else:
            sums = _multiply(graph, op, source)
        actual = _real(target, values[op.outputs[0]])
        expected, tolerance, step = sums.values, sums.rounding, 0.0
        if target.dtype == "INT8" and target.quantization is not None:
            step = float(target.quantization.scale[0])
            zero = int(target.quantization.zero_point[0])
            expected = np.clip(expected, (-128 - zero) * step, (127 - zero) * step)
            tolerance = tolerance + INT8_STEPS * step
        sigmas[op.index] = sums.sigma.with_step(step)
        error = np.abs(actual.reshape(expected.shape) - expected)
        reports.append(
            LeftoverReport(
                op_index=op.index,
                op=op.name,
                tensor=target.name,
                output="int8" if step else "float32",
                worst_error=float(error.max()),
                worst_steps=float(error.max()) / step if step else None,
                tolerance=float(tolerance.max()),
                violations=int((~(error <= tolerance)).sum()),
                num_outputs=error.size,
            )
        )
    return reports, sigmas


def single_limits(graph: Graph, sigmas: dict[int, Sigma]) -> dict[int, float]:
    """How far quantization may move single values, given the signs, by tensor index.

    Infinite behind operators of which nothing is known.
    """
    return _spread(graph, {i: SIGMAS * sigma.worst for i, sigma in sigmas.items()}, {})


def rms_limits(
    graph: Graph, sigmas: dict[int, Sigma], measured: dict[int, float]
) -> dict[int, float]:
    """The same of root mean squares.

    Args:
        graph: the file.
        sigmas: of :func:`check_quantized`.
        measured: root mean square differences of some tensors, by index.
    """
    own = {i: RMS_SIGMAS * sigma.typical for i, sigma in sigmas.items()}
    return _spread(graph, own, measured)


def _spread(graph: Graph, own: dict[int, float], measured: dict[int, float]) -> dict[int, float]:
    limits: dict[int, float] = {}
    brought: dict[int, float] = {}
    for op in graph.ops:
        incoming = [brought.get(i, 0.0) for i in op.inputs if i >= 0]
        total = _passed_on(graph, op, incoming) + own.get(op.index, 0.0)
        for i in op.outputs:
            limits[i] = total
            brought[i] = min(total, RMS_SLACK * measured.get(i, total))
    return limits


def _passed_on(graph: Graph, op: Op, incoming: list[float]) -> float:
    if not any(incoming) or op.name.startswith("Lce"):  # signs are given
        return 0.0
    if op.name in (*_CALM, "QUANTIZE"):
        return max(incoming)
    if op.name in ("ADD", "SUB"):
        return sum(incoming)
    if op.name in _MULTIPLIERS:
        weights = np.abs(_weights(graph, op))
        taps = weights.sum(axis=tuple(range(1, weights.ndim - 1)))
        depthwise = op.name == "DEPTHWISE_CONV_2D"
        gains = taps if depthwise else np.sqrt(np.square(taps).sum(axis=-1))
        return max(incoming) * float(gains.max())
    constants = [graph.tensors[i].data for i in op.inputs if i >= 0]
    factors = [c for c in constants if c is not None]
    if op.name == "MUL" and len(factors) == 1:
        return max(incoming) * float(np.abs(factors[0]).max())
    return float("inf")


def _is_quantized(graph: Graph, op: Op) -> bool:
    tensor, data = _weight_tensor(graph, op), graph.tensors[op.inputs[0]].dtype
    return (
        tensor.dtype == "INT8"
        and tensor.data is not None
        and tensor.quantization is not None
        # (dynamic range: LiteRT rounds activations as it likes, there is no one right result)
        and (data == "INT8" or tensor.index != op.inputs[1])
    )


def _weight_tensor(graph: Graph, op: Op) -> Tensor:
    """The stored weights: input 1, or what is unpacked to give it."""
    producer = graph.producer(op.inputs[1])
    unpacked = producer is not None and producer.name == "DEQUANTIZE"
    return graph.tensors[producer.inputs[0] if unpacked and producer else op.inputs[1]]


def _weights(graph: Graph, op: Op) -> Doubles:
    tensor = _weight_tensor(graph, op)
    return np.zeros(tensor.shape) if tensor.data is None else _real(tensor, tensor.data)


def _real(tensor: Tensor, values: NDArray[np.generic]) -> Doubles:
    """A tensor's values as real numbers."""
    result = values.astype(np.float64)
    q = tensor.quantization
    if q is None or tensor.dtype.startswith("FLOAT"):
        return result
    shape = [1] * result.ndim
    if len(q.scale) > 1:
        shape[q.axis] = len(q.scale)
    scaled: Doubles = (result - q.zero_point.reshape(shape)) * q.scale.astype(np.float64).reshape(
        shape
    )
    return scaled


def _multiply(graph: Graph, op: Op, source: Doubles) -> _Sums:
    weights, tensor = _weights(graph, op), _weight_tensor(graph, op)
    bias = graph.tensors[op.inputs[2]] if len(op.inputs) > 2 and op.inputs[2] >= 0 else None
    offset = _real(bias, bias.data) if bias is not None and bias.data is not None else 0.0
    options = conv_options(graph, op) if op.name in _CONVOLUTIONS else None
    if options is None:
        patches = source.reshape(len(source), -1, 1, 1, 1, weights.shape[-1])
        weights = weights.reshape(len(weights), 1, 1, -1)
    else:
        patches = windows(source, weights.shape[1:3], options)
    depthwise = op.name == "DEPTHWISE_CONV_2D"
    values = _products(patches, weights, depthwise=depthwise) + offset
    absolute = _products(np.abs(patches), np.abs(weights), depthwise=depthwise) + np.abs(offset)
    taps = weights[0].size if not depthwise else weights.shape[1] * weights.shape[2]
    low, high = ACTIVATION_RANGES.get(fused_activation(graph, op) or "NONE", (-np.inf, np.inf))
    steps = _rounded_steps(tensor)
    squares = (patches**2).sum(axis=(3, 4, 5))
    worst = float(np.max(steps) * np.sqrt(squares.max() / 3))
    typical = float(np.sqrt(np.mean(np.square(steps)) * squares.mean() / 3))
    return _Sums(
        np.clip(values, low, high),
        (taps + 2) * UNIT_ROUNDOFF * absolute,
        Sigma(worst, typical),
    )


def _rounded_steps(tensor: Tensor) -> Doubles:
    """Sizes of the steps that weights were rounded to.

    0 where all weights of a filter have one magnitude: +-c needs no rounding.
    """
    if tensor.quantization is None or tensor.data is None:
        return np.zeros(1)
    axis = tensor.quantization.axis
    sizes = np.abs(np.moveaxis(tensor.data.astype(np.int64), axis, 0))
    sizes = sizes.reshape(len(sizes), -1)
    exact = sizes.min(axis=1) == sizes.max(axis=1)
    return np.where(exact, 0.0, tensor.quantization.scale.astype(np.float64))


def _products(patches: Doubles, weights: Doubles, *, depthwise: bool) -> Doubles:
    """Patches ``(n, y, x, kh, kw, c)`` times filters: ``(n, y, x, filters)``."""
    if depthwise:
        channels = patches.shape[-1]
        split = weights.reshape(*weights.shape[1:3], channels, -1)
        sums = np.einsum("nyxhwc,hwcm->nyxcm", patches, split, optimize=True)
        return sums.reshape(*sums.shape[:3], -1)
    depth = weights.shape[-1]
    groups = patches.shape[-1] // depth
    parts = [
        patches[..., g * depth : (g + 1) * depth].reshape(*patches.shape[:3], -1)
        @ part.reshape(len(part), -1).T
        for g, part in enumerate(np.split(weights, groups))
    ]
    return np.concatenate(parts, axis=-1)
