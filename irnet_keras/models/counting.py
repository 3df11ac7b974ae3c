"""Parameters and multiply-accumulates of a Keras model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

_KNOWN = (
    tf.keras.layers.Conv1D,
    tf.keras.layers.Conv2D,
    tf.keras.layers.DepthwiseConv2D,
    tf.keras.layers.Dense,
)
_TRANSPOSED = (tf.keras.layers.Conv1DTranspose, tf.keras.layers.Conv2DTranspose)


@dataclass(frozen=True)
class Counts:
    """Sizes of a network, for one image.

    Attributes:
        params: numbers the network consists of: kernels, biases and the four of each batch-norm
            channel; not what only training needs (EDE's ``t``).
        binary_params: those of them that take one bit in the converted file: kernels behind a
            1-bit quantizer.
        float_macs: multiply-accumulates of convolutions and dense layers with a float operand.
        binary_macs: those of layers whose kernel and input are both 1-bit.
    """

    params: int
    binary_params: int
    float_macs: int
    binary_macs: int

    @property
    def ops(self) -> float:
        """``float_macs + binary_macs / 64``, as papers on binary networks add them up."""
        return self.float_macs + self.binary_macs / 64


def count(model: Any) -> Counts:
    """Count a built model with a known input size.

    Args:
        model: Keras model, its layers ``Conv1D``, ``Conv2D`` (also transposed),
            ``DepthwiseConv2D``, ``Dense``, Larq's forms of them, and any without a kernel; may
            hold other models.

    Raises:
        ValueError: another layer with a kernel, or one whose height or width is open.
    """
    params = binary_params = float_macs = binary_macs = 0
    for layer in _leaves(model):
        params += sum(_size(w) for w in layer.weights if w.shape.rank)
        kernel = getattr(layer, "depthwise_kernel", getattr(layer, "kernel", None))
        if kernel is None:
            continue
        weights_binary = _is_binary(layer, "kernel") or _is_binary(layer, "depthwise")
        binary_params += _size(kernel) if weights_binary else 0
        macs = _size(kernel) * _positions(layer)
        if weights_binary and _is_binary(layer, "input"):
            binary_macs += macs
        else:
            float_macs += macs
    return Counts(params, binary_params, float_macs, binary_macs)


def _leaves(model: Any) -> Iterator[Any]:
    """Layers that are no models, once each."""
    seen: set[int] = set()
    for layer in model._flatten_layers(include_self=False):
        if not isinstance(layer, tf.keras.Model) and id(layer) not in seen:
            seen.add(id(layer))
            yield layer


def _size(variable: Any) -> int:
    return int(np.prod(variable.shape, dtype=np.int64))


def _is_binary(layer: Any, what: str) -> bool:
    return getattr(getattr(layer, f"{what}_quantizer", None), "precision", 32) == 1


def _positions(layer: Any) -> int:
    """How many times each number of the kernel is multiplied."""
    if not isinstance(layer, _KNOWN):
        raise ValueError(
            f"{layer.name}: the multiplications of a {type(layer).__name__} are unknown"
        )
    shape = layer.input_shape if isinstance(layer, _TRANSPOSED) else layer.output_shape
    if None in shape[1:-1]:
        raise ValueError(f"{layer.name} must have a known height and width, got {shape}")
    return int(np.prod(shape[1:-1], dtype=np.int64))
