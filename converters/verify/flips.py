"""Whole network: where the file's packed activations differ from the signs of Keras's."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.graph.bits import unpack_bits, unpack_signs
from converters.lce.binary_convs import BinaryConv, quantized_input
from converters.lce.keras_trace import trace_model
from converters.verify.reference import expected_affine
from converters.verify.report import FlipReport

# Float ops around the binary convolutions (first convolution, adds, clips) round differently
# in the two runtimes: some tens of roundings of values of the tensor's size. 2^-14 is 1024
# roundings (2^-24 each) of the largest value. Measured: ResNet-20's logits with
# Keras given the file's signs differ by less than 2^-16 of the largest (test_verify_real.py).
FLOAT_OPS_TOLERANCE = 2.0**-14


def flip_tolerances(convs: list[BinaryConv]) -> list[float]:
    """How far from each other two correct float computations of a layer's input can be.

    Twice (both sides round) the sum of the affine tolerances of the binary convolutions
    before it: with equal bits their integers are equal, and shortcuts add the roundings up.
    """
    tolerances, total = [], 0.0
    for conv in convs:
        tolerances.append(2 * total)
        with np.errstate(over="ignore", invalid="ignore"):
            tolerance = expected_affine(conv, "NONE").tolerance
        # (what is not finite fails as such)
        total += float(tolerance[np.isfinite(tolerance)].max(initial=0.0))
    return tolerances


def keras_activations(
    model: Any,
    convs: list[BinaryConv],
    images: NDArray[np.float32],
    given: list[NDArray[Any]] | None = None,
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]], NDArray[np.float32]]:
    """Inputs of the binary convolutions and logits, as Keras computes them.

    Args:
        model: the Keras model.
        convs: its binary convolutions.
        images: float32, batch first.
        given: packed inputs to convolve in place of Keras's own, in layer order. With
            the file's, Keras takes every sign from there, and no difference can spread from
            layer to layer.

    Returns:
        inputs before the quantizer, their signs after it (True is -1), logits; batch first.
    """
    import tensorflow as tf

    layers = {id(conv.layer) for conv in convs}
    bits = iter(zip(convs, given or [], strict=given is not None))

    def next_bits(layer: Any, _: Any) -> Any:
        conv, words = next(bits)
        return tf.constant(unpack_signs(words, conv.channels_in), tf.float32)

    trace = trace_model(
        model,
        images,
        lambda layer: id(layer) in layers,
        None if given is None else next_bits,
    )
    sources = [call.inputs[0] for call in trace.calls]
    signs = [np.asarray(quantized_input(c.layer, c.inputs[0])) < 0 for c in trace.calls]
    return [np.asarray(x) for x in sources], signs, np.asarray(trace.outputs[0])


class FlipCounter:
    """Adds up flips over batches of images.

    Args:
        convs: layers in order.
        independent: Keras was given the file's bits, so an earlier flip explains nothing.
        added: by layer, how much farther than rounding single inputs may be apart.
    """

    def __init__(
        self,
        convs: list[BinaryConv],
        *,
        independent: bool,
        added: list[float] | None = None,
    ) -> None:
        self._independent = independent
        self._names = [conv.name for conv in convs]
        self._rounding = flip_tolerances(convs)
        self._base = list(self._rounding)
        if added is not None:
            self._base = [base + more for base, more in zip(self._base, added, strict=True)]
        names = ("bits", "flips", "near_zero", "downstream", "unexplained", "non_finite")
        self._scales = [0.0] * len(convs)
        self._squares = [(0.0, 0)] * len(convs)
        zeros = dict.fromkeys(names, 0)
        self._counts = [dict(zeros) for _ in convs]
        self._worst = [0.0] * len(convs)
        self._tolerances = list(self._base)

    def add(
        self,
        sources: list[NDArray[np.float32]],
        signs: list[NDArray[np.bool_]],
        packed: list[NDArray[Any]],
        own: list[NDArray[np.float32] | None],
    ) -> None:
        """One batch; the lists are in layer order.

        Args:
            sources: Keras inputs before the quantizer, ``(n, height, width, channels)``.
            signs: after it, True is -1.
            packed: the file's packed inputs, int32 ``(n, height, width, words)``.
            own: the floats that were packed, shape of ``sources``, or None where there are none.
        """
        earlier = np.zeros(len(sources[0]), np.bool_)
        layers = zip(sources, signs, packed, own, strict=True)
        for i, (source, sign, words, value) in enumerate(layers):
            flips = unpack_bits(words, sign.shape[-1]) != sign
            size = np.abs(source)
            scale = float(size.max(initial=0.0, where=np.isfinite(size)))
            if value is not None:
                size = np.maximum(size, np.abs(value))  # NaN where either is
            finite = np.isfinite(size)
            if value is not None:
                self._add_squares(i, np.where(finite, value - source, 0.0))
            size = np.where(finite, size, np.finfo(np.float32).max)
            tolerance = self._base[i] + FLOAT_OPS_TOLERANCE * scale
            self._scales[i] = max(self._scales[i], scale)
            near = flips & finite & (size <= tolerance)
            rest = flips & ~near
            late = rest & earlier[:, None, None, None]
            unexplained = rest & ~late
            count = self._counts[i]
            count["bits"] += flips.size
            count["flips"] += int(flips.sum())
            count["near_zero"] += int(near.sum())
            count["downstream"] += int(late.sum())
            count["unexplained"] += int(unexplained.sum())
            count["non_finite"] += int((~finite).sum())
            self._worst[i] = max(self._worst[i], float(size[unexplained].max(initial=0.0)))
            self._tolerances[i] = max(self._tolerances[i], tolerance)
            if not self._independent:
                earlier |= flips.any(axis=(1, 2, 3))

    def _add_squares(self, layer: int, difference: NDArray[np.float32]) -> None:
        total, count = self._squares[layer]
        square = float(np.square(difference, dtype=np.float64).sum())
        self._squares[layer] = (total + square, count + difference.size)

    def roundings(self) -> list[float]:
        """By layer, how far apart float rounding alone may bring the inputs."""
        layers = zip(self._rounding, self._scales, strict=True)
        return [rounding + FLOAT_OPS_TOLERANCE * scale for rounding, scale in layers]

    def reports(self) -> tuple[FlipReport, ...]:
        """One report per layer."""
        return tuple(
            FlipReport(
                layer=name,
                num_bits=count["bits"],
                flips=count["flips"],
                near_zero=count["near_zero"],
                downstream=count["downstream"],
                unexplained=count["unexplained"],
                tolerance=tolerance,
                worst_unexplained=worst,
                non_finite=count["non_finite"],
                rms=(square / size) ** 0.5 if size else None,
            )
            for name, count, tolerance, worst, (square, size) in zip(
                self._names,
                self._counts,
                self._tolerances,
                self._worst,
                self._squares,
                strict=True,
            )
        )
