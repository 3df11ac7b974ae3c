"""From a float ``LceBconv2d`` to the ``LceQuantize`` behind it: thresholds instead of floats.

What the chain computes (K = window bits of a group, s = the convolution's integer sum, S = sum
of the weights outside of the image, 0 inside; every operation rounds to float32, subnormal numbers
count as 0):

    x = K - s - S                                LCE's doubled popcount, padded with +1
    y = fl(fl(x * m) + b')                       m = -g, b' = fl(b + K g)
    y = fl(y + fl(-g * S))                       pixels with taps outside, zero padding
    y = step_n(... step_1(y))                    clips, products, sums, a maximum

With an activation fused into the convolution, or an image smaller than its window, zero padding
is counted in integers instead (x = K - s, no third rounding), as our runtime does.

Every step is monotone in s, its rounding included. So for each channel and each set of outside
taps there is one place where the sign changes; it is found by bisection with the arithmetic
above, not by algebra, which would have to reproduce the roundings.

Where a sum is exactly 0 in real numbers, the third rounding can make it negative at a border while
it is not inside (networks fresh from initialisation: no offset). One threshold cannot give both;
it gives +1, the sign of 0 and what Keras computes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from converters.graph import (
    BCONV,
    BconvOptions,
    Graph,
    Op,
    PoolOptions,
    fused_activation,
    pool_options,
    unpack_signs,
)
from converters.graph.lce_ops import ACTIVATIONS, SAME

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_LIMITS = {"RELU": (0.0, np.inf), "RELU_N1_TO_1": (-1.0, 1.0), "RELU6": (0.0, 6.0)}
_SMALLEST_NORMAL = np.float32(2.0**-126)
_LARGEST = 1e37  # nothing may overflow on the way, or the chain would not be monotone
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True)
class Step:
    """One operation on the convolution's output.

    Attributes:
        kind: what it does.
        low: of a clip.
        high: of a clip.
        constant: float32, one value a channel, of a product or sum.
    """

    kind: Literal["clip", "multiply", "add", "pool"]
    low: float = -np.inf
    high: float = np.inf
    constant: Floats | None = None


@dataclass(frozen=True)
class SignChain:
    """Operators between a convolution and its sign; nobody else reads what they compute.

    Attributes:
        conv: the ``LceBconv2d``.
        between: the operators after it, in order.
        steps: what they do.
        pool: window of the one maximum among them, or None.
    """

    conv: Op
    between: tuple[Op, ...]
    steps: tuple[Step, ...]
    pool: PoolOptions | None


@dataclass(frozen=True)
class Thresholds:
    """What replaces a chain.

    Attributes:
        threshold: int32 per channel: bit 1 for ``acc > threshold``.
        negate: channels whose filter has to change its sign.
        complement: channels whose bits come out inverted: they decrease with a pooled value, and
            the maximum of signs is the AND of bits, so their complement is pooled.
        zeros: channels in which a sum that is exactly 0 was negative at some borders by LCE's
            rounding; the threshold counts it as 0, whose sign is +1.
    """

    threshold: NDArray[np.int32]
    negate: NDArray[np.bool_]
    complement: NDArray[np.bool_]
    zeros: NDArray[np.bool_]


def find_chain(graph: Graph, quantize: Op) -> SignChain | str | None:
    """The chain that ends in an ``LceQuantize``.

    Returns:
        the chain; why it is none although it begins in an ``LceBconv2d``; or None if the values
        come from elsewhere.
    """
    tensor = quantize.inputs[0]
    between: list[Op] = []
    steps: list[Step] = []
    pool: PoolOptions | None = None
    while True:
        op = graph.producer(tensor)
        if op is None or graph.tensors[tensor].dtype != "FLOAT32":
            return None
        if tensor in graph.outputs:
            return _if_binary(graph, op, "its value is an output of the file")
        reader = between[0] if between else quantize
        others = [c for c in graph.consumers(tensor) if c.index != reader.index]
        if others:
            return _if_binary(graph, op, f"{others[0].name} reads its value, too")
        if op.name == BCONV:
            return SignChain(op, tuple(between), tuple(steps), pool)
        found = _steps(graph, op)
        if isinstance(found, str):
            return _if_binary(graph, op, found)
        if op.name == "MAX_POOL_2D":
            if pool is not None:
                return _if_binary(graph, op, "two maxima follow one another")
            pool = pool_options(graph, op)
        steps[:0] = found
        between.insert(0, op)
        tensor = _computed_input(graph, op)


def thresholds(graph: Graph, chain: SignChain) -> Thresholds | str:
    """One threshold a channel that gives every bit as the chain does, or why there is none."""
    arithmetic = _Arithmetic(graph, chain)
    if not arithmetic.is_finite():
        return "a constant is not finite, or so large that the values could overflow"
    # In u = slope * s, every channel is negative below some value.
    last_negative = np.full(arithmetic.filters, -np.inf)
    first_positive = np.full(arithmetic.filters, np.inf)
    for outside, taps in arithmetic.borders():
        low, high = arithmetic.sign_change(outside, taps)
        last_negative = np.maximum(last_negative, low)
        first_positive = np.minimum(first_positive, high)
    zeros = (last_negative == first_positive) & arithmetic.is_zero(last_negative)
    last_negative = np.where(zeros, last_negative - 2, last_negative)
    complement = arithmetic.slope_behind_pool < 0
    last_negative, first_positive = (
        np.where(complement, -first_positive, last_negative),
        np.where(complement, -last_negative, first_positive),
    )
    # bit 1 for 2 acc = K - u > 2 t: K - first_positive <= 2 t < K - last_negative
    k = arithmetic.window
    constant_low, constant_high = np.isinf(last_negative), np.isinf(first_positive)
    largest = np.floor((k - np.where(constant_low, -k, last_negative) - 1) / 2)
    smallest = np.ceil((k - np.where(constant_high, k, first_positive)) / 2)
    rounded = last_negative >= first_positive
    if rounded.any():
        return (
            f"{int(rounded.sum())} of {rounded.size} channels: a value within rounding of 0 is "
            "negative at the border and not inside, or the reverse"
        )
    if ((smallest > largest) & ~constant_low & ~constant_high).any():
        return (
            f"{arithmetic.channels_in} input channels, an odd number, and zero padding: thresholds "
            "tell sums of one parity apart, the border has both"
        )
    value = np.where(constant_high, _INT32.min, np.where(constant_low, _INT32.max, largest))
    return Thresholds(
        threshold=value.astype(np.int64).astype(np.int32),
        negate=arithmetic.slope_before_pool < 0,
        complement=complement,
        zeros=zeros,
    )


class _Arithmetic:
    """The numbers of one chain, per channel."""

    def __init__(self, graph: Graph, chain: SignChain) -> None:
        conv = chain.conv
        if not isinstance(conv.options, BconvOptions):
            raise TypeError(conv.name)  # the reader refuses these
        self._options = conv.options
        self.channels_in = conv.options.channels_in
        self._image = graph.tensors[conv.inputs[0]].shape[1:3]
        packed, g, b = (np.asarray(graph.tensors[i].data) for i in conv.inputs[1:4])
        self.filters, self._height, self._width, words = packed.shape
        groups = graph.tensors[conv.inputs[0]].shape[3] // words
        self._depth = self._options.channels_in // groups
        self.window = self._height * self._width * self._depth
        # sum of the weights of each tap
        self._taps = unpack_signs(packed, self._depth).sum(axis=-1, dtype=np.int64)
        self._g, self._b = flush(g), flush(b)
        k = float(self.window)
        with np.errstate(over="ignore", invalid="ignore"):
            self._m = flush((-self._g.astype(np.float64)).astype(np.float32))
            exact = self._b.astype(np.float64) + k * self._g.astype(np.float64)
            self._offset = flush(exact.astype(np.float32))
        self._steps = chain.steps
        name = ACTIVATIONS[self._options.fused_activation_function]
        low, high = _LIMITS.get(name, (-np.inf, np.inf))
        self._low, self._high = int(max(low, -k)), int(min(high, k))
        self._rounds_border = name == "NONE" and not self._is_small()
        slope = np.where(self._g < 0, -1, 1)
        self.slope_before_pool, self.slope_behind_pool = slope, np.ones_like(slope)
        seen_pool = False
        for step in self._steps:
            if step.kind == "pool":
                seen_pool = True
            elif step.kind == "multiply":
                factor = np.where(_constant(step) < 0, -1, 1)
                if seen_pool:
                    self.slope_behind_pool = self.slope_behind_pool * factor
                else:
                    self.slope_before_pool = self.slope_before_pool * factor

    def is_finite(self) -> bool:
        """Whether no value can overflow or be NaN."""
        g = np.abs(self._g.astype(np.float64))
        bound = 3 * g * self.window + np.abs(self._offset.astype(np.float64))
        worst = [bound]
        for step in self._steps:
            if step.kind == "multiply":
                bound = bound * np.abs(_constant(step).astype(np.float64))
            elif step.kind == "add":
                bound = bound + np.abs(_constant(step).astype(np.float64))
            worst.append(bound)
        return bool((np.stack(worst) < _LARGEST).all())  # false for NaN

    def is_zero(self, u: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether the chain is exactly 0 in real numbers for these ``u = slope * s``."""
        slope = self.slope_before_pool * self.slope_behind_pool
        return np.array(
            [np.isfinite(v) and self._exact(c, int(v * slope[c])) == 0 for c, v in enumerate(u)]
        )

    def _exact(self, channel: int, total: int) -> Fraction:
        value = Fraction(min(max(total, self._low), self._high))
        value = value * Fraction(float(self._g[channel])) + Fraction(float(self._b[channel]))
        for step in self._steps:
            if step.kind == "clip":
                value = max(value, Fraction(step.low)) if np.isfinite(step.low) else value
                value = min(value, Fraction(step.high)) if np.isfinite(step.high) else value
            elif step.kind == "multiply":
                value *= Fraction(float(flush(_constant(step))[channel]))
            elif step.kind == "add":
                value += Fraction(float(flush(_constant(step))[channel]))
        return value

    def borders(self) -> Iterator[tuple[Integers | None, int]]:
        """Each set of taps outside of the image: their weights per channel, and taps inside.

        The weights are None where no tap is outside, or padding is not 0.
        """
        options = self._options
        taps = self._height * self._width
        if (options.padding, options.pad_values) != (SAME, 0):
            yield None, taps
            return
        rows = _insides(
            self._image[0], self._height, options.stride_height, options.dilation_height_factor
        )
        columns = _insides(
            self._image[1], self._width, options.stride_width, options.dilation_width_factor
        )
        for row in rows:
            for column in columns:
                inside = np.outer(row, column)
                if inside.all():
                    yield None, taps
                else:
                    yield (self._taps * ~inside).sum(axis=(1, 2)), int(inside.sum())

    def sign_change(
        self, outside: Integers | None, taps: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Largest negative and smallest other sum in ``u = slope * s``, per channel.

        -inf and inf where there is none.
        """
        bits = taps * self._depth
        slope = self.slope_before_pool * self.slope_behind_pool
        # u = 2 i - bits; negative for i < begin, not for i >= end
        begin = np.zeros(self.filters, np.int64)
        end = np.full(self.filters, bits + 1, np.int64)
        while (begin < end).any():
            middle = (begin + end) // 2
            value = self._value(slope * (2 * np.minimum(middle, bits) - bits), outside)
            negative = (value < 0) & (middle <= bits)
            active = begin < end
            begin = np.where(active & negative, middle + 1, begin)
            end = np.where(active & ~negative, middle, end)
        low = np.where(begin > 0, 2.0 * (begin - 1) - bits, -np.inf)
        high = np.where(begin <= bits, 2.0 * begin - bits, np.inf)
        return low, high

    def _value(self, sums: Integers, outside: Integers | None) -> Floats:
        """What the chain computes for these sums, one a channel."""
        rounds = outside is not None and self._rounds_border
        inside = sums + outside if outside is not None and rounds else sums
        x = (self.window - inside.clip(self._low, self._high)).astype(np.float32)
        y = flush(flush(x * self._m) + self._offset)
        if outside is not None and rounds:
            y = flush(y + flush(-self._g * outside.astype(np.float32)))
        for step in self._steps:
            if step.kind == "clip":
                y = np.minimum(np.maximum(y, np.float32(step.low)), np.float32(step.high))
            elif step.kind == "multiply":
                y = flush(y * flush(_constant(step)))
            elif step.kind == "add":
                y = flush(y + flush(_constant(step)))
        return y

    def _is_small(self) -> bool:
        o = self._options
        return bool(
            self._image[0] < (self._height - 1) * o.dilation_height_factor + 1
            or self._image[1] < (self._width - 1) * o.dilation_width_factor + 1
        )


def flush(x: NDArray[Any]) -> Floats:
    """Subnormal numbers become zeros of their sign: runtimes have them off."""
    values = np.asarray(x, np.float32)
    return np.where(np.abs(values) < _SMALLEST_NORMAL, np.copysign(np.float32(0), values), values)


def _constant(step: Step) -> Floats:
    if step.constant is None:
        raise ValueError(step.kind)
    return step.constant


def _insides(size: int, window: int, stride: int, dilation: int) -> list[NDArray[np.bool_]]:
    """Which taps are inside the image, for every output position; each pattern once."""
    extent = (window - 1) * dilation + 1
    count = -(-size // stride)
    before = max((count - 1) * stride + extent - size, 0) // 2
    taps = np.arange(window) * dilation - before
    patterns = {
        tuple(bool(0 <= t < size) for t in position * stride + taps): None
        for position in range(count)
    }
    return [np.array(pattern) for pattern in patterns]


def _if_binary(graph: Graph, op: Op, reason: str) -> str | None:
    """The reason, if the operator's value comes from a binary convolution at all."""
    seen = {op.index}
    to_do: list[Op] = [op]
    while to_do:
        current = to_do.pop()
        if current.name == BCONV:
            return reason
        if current.name not in _ELEMENTWISE:
            continue
        for tensor in current.inputs:
            producer = graph.producer(tensor)
            if producer is not None and producer.index not in seen:
                seen.add(producer.index)
                to_do.append(producer)
    return None


_ELEMENTWISE = {"ADD", "SUB", "MUL", "DIV", "MAX_POOL_2D", *_LIMITS}


def _steps(graph: Graph, op: Op) -> list[Step] | str:
    """What an operator does to each value, or why it is no step."""
    name = op.name
    if name in _LIMITS:
        return [Step("clip", *_LIMITS[name])]
    activation = fused_activation(graph, op)
    after = [Step("clip", *_LIMITS[activation])] if activation in _LIMITS else []
    if activation not in (*_LIMITS, "NONE"):
        return f"{name} has the activation {activation}" if activation else f"{name} is no step"
    if name == "MAX_POOL_2D":
        return [Step("pool"), *after] if pool_options(graph, op) else f"{name} has no options"
    if name not in ("ADD", "SUB", "MUL"):
        return f"{name} is no step"
    constants = [i for i in op.inputs if graph.tensors[i].data is not None]
    if len(constants) != 1:
        return f"{name} of two computed tensors: the value is needed"
    if name == "SUB" and constants[0] != op.inputs[1]:
        return "SUB of the value from a constant"
    constant = np.asarray(graph.tensors[constants[0]].data)
    channels = graph.tensors[op.outputs[0]].shape[-1]
    if constant.size not in (1, channels) or constant.shape[-1:] not in ((), (1,), (channels,)):
        return f"{name} with a constant of shape {constant.shape}, not one value a channel"
    values = np.broadcast_to(constant.reshape(-1), (channels,))
    if graph.tensors[_computed_input(graph, op)].shape != graph.tensors[op.outputs[0]].shape:
        return f"{name} changes the shape"
    kind: Literal["multiply", "add"] = "multiply" if name == "MUL" else "add"
    return [Step(kind, constant=-values if name == "SUB" else values), *after]


def channel_constant(
    graph: Graph, op: Op
) -> tuple[Literal["multiply", "add"], NDArray[np.float64]] | None:
    """What a float ``MUL``, ``ADD`` or ``SUB`` does with one constant a channel, else None."""
    if op.name not in ("MUL", "ADD", "SUB") or graph.tensors[op.outputs[0]].dtype != "FLOAT32":
        return None
    steps = _steps(graph, op)
    if isinstance(steps, str) or steps[0].constant is None or steps[0].kind in ("clip", "pool"):
        return None
    kind: Literal["multiply", "add"] = "multiply" if steps[0].kind == "multiply" else "add"
    return kind, steps[0].constant.astype(np.float64)


def _computed_input(graph: Graph, op: Op) -> int:
    return next(i for i in op.inputs if graph.tensors[i].data is None)
