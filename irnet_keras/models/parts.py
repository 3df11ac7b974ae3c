"""What all networks are made of: convolutions, batch norms and hardtanh of one precision."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import larq as lq
import tensorflow as tf

from irnet_keras.layers import Hardtanh, NarrowQuantConv2D
from irnet_keras.quantizers import EDESign, LibraPB

# w32a1 is the first stage of two-stage training (irnet_keras.training.stages).
PRECISIONS = ("w1a1", "w1a32", "float32", "w32a1")
ACTIVATIONS = ("hardtanh", "relu")
COMPUTE = ("float32", "bfloat16")


def check_choice(name: str, value: object, accepted: tuple[object, ...]) -> None:
    """Refuse a value of a configuration.

    Raises:
        ValueError: naming argument, value and what is accepted.
    """
    if value not in accepted:
        raise ValueError(f"{name} must be one of {accepted}, got {value!r}")


def check_affine(scale: Sequence[float], offset: Sequence[float], channels: int) -> None:
    """Refuse factors and sums of the input that are not one finite number a channel.

    Raises:
        ValueError: naming what is wrong.
    """
    for name, values in (("input_scale", scale), ("input_offset", offset)):
        if len(values) not in (0, channels) or not all(math.isfinite(v) for v in values):
            raise ValueError(f"{name} must be empty or {channels} finite numbers, got {values!r}")
    if len(scale) != len(offset):
        raise ValueError(f"input_scale and input_offset must be as long, got {scale}, {offset}")


@dataclass(frozen=True)
class Parts:
    """Layers that follow one configuration; ``prefix`` names them.

    Attributes:
        precision: ``"w1a1"``, ``"w1a32"`` (binary weights only), ``"w32a1"`` (binary inputs
            only) or ``"float32"``.
        pad_values: value of the SAME padding of the binary convolutions, 0 or 1.
        t: initial sharpness of the EDE gradient.
        weight_decay: L2 coefficient c of a penalty ``c / 2 * sum(w**2)`` on *float* kernels
            (the convention of the papers; Libra-PB makes the forward pass invariant to the
            scale of binary latents, so they get none).
        activation: of :meth:`activate`, one of ``ACTIVATIONS``.
        compute: what :meth:`conv` multiplies while training, one of ``COMPUTE``
            (:class:`irnet_keras.layers.NarrowQuantConv2D`).
    """

    precision: str
    pad_values: int
    t: float
    weight_decay: float = 0.0
    activation: str = "hardtanh"
    compute: str = "float32"

    def __post_init__(self) -> None:
        check_choice("compute", self.compute, COMPUTE)
        # larq warns that latents may starve without a clip; Libra-PB is scale- and
        # shift-invariant.
        logging.getLogger("larq.layers_base").setLevel(logging.ERROR)

    @property
    def decay(self) -> Any:
        """The regularizer of float kernels, or None."""
        return tf.keras.regularizers.L2(self.weight_decay / 2) if self.weight_decay else None

    def affine(self, x: tf.Tensor, scale: Sequence[float], offset: Sequence[float]) -> tf.Tensor:
        """``x * scale + offset`` per channel; ``x`` itself where they are empty."""
        if not scale:
            return x
        rescaling = tf.keras.layers.Rescaling(list(scale), list(offset), name="input_rescaling")
        return rescaling(x)

    def batch_norm(
        self, x: tf.Tensor, prefix: str, gamma: float = 1.0, variance: float = 1.0
    ) -> tf.Tensor:
        """Batch norm with initial scale ``gamma`` and moving variance ``variance``."""
        return tf.keras.layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            gamma_initializer=tf.keras.initializers.Constant(gamma),
            moving_variance_initializer=tf.keras.initializers.Constant(variance),
            name=f"{prefix}_bn",
        )(x)

    def hardtanh(self, x: tf.Tensor, prefix: str) -> tf.Tensor:
        """Clip to [-1, 1]."""
        return Hardtanh(name=f"{prefix}_hardtanh")(x)

    def activate(self, x: tf.Tensor, prefix: str) -> tf.Tensor:
        """Hardtanh, or ReLU."""
        if self.activation == "relu":
            return tf.keras.layers.ReLU(name=f"{prefix}_relu")(x)
        return self.hardtanh(x, prefix)

    def prelu(self, x: tf.Tensor, prefix: str) -> tf.Tensor:
        """``x`` where positive, else times a slope per channel, 0.25 at first."""
        return tf.keras.layers.PReLU(
            alpha_initializer=tf.keras.initializers.Constant(0.25),
            shared_axes=[1, 2],
            name=f"{prefix}_prelu",
        )(x)

    def dense(self, x: tf.Tensor, units: int, name: str = "logits") -> tf.Tensor:
        """A float dense layer."""
        return tf.keras.layers.Dense(units, kernel_regularizer=self.decay, name=name)(x)

    def float_conv(
        self, x: tf.Tensor, filters: int, kernel: int, strides: int, prefix: str
    ) -> tf.Tensor:
        """A convolution that is float in every precision, SAME, without bias."""
        return tf.keras.layers.Conv2D(
            filters,
            kernel,
            strides=strides,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            kernel_regularizer=self.decay,
            name=f"{prefix}_conv",
        )(x)

    def conv_variance(self, x: tf.Tensor, kernel: int = 3) -> float:
        """Moving variance to begin with behind :meth:`conv` of ``x``.

        Binary weights of magnitude 1 add up ``kernel**2 * channels`` floats. With a variance of 1
        an untrained w1a32 network would saturate everywhere, and one rounding in its first layer
        would decide its answer (measured: 85 % of the answers change when images change by 2**-22).
        """
        return float(kernel**2) * x.shape[-1] if self.precision == "w1a32" else 1.0

    def conv(
        self, x: tf.Tensor, filters: int, strides: int, prefix: str, kernel: int = 3
    ) -> tf.Tensor:
        """A convolution of this precision, SAME, without bias."""
        options: dict[str, Any] = {}
        if self.precision in ("w1a1", "w1a32"):
            name = f"{prefix}_kernel_quantizer"
            options["kernel_quantizer"] = LibraPB(t=self.t, name=name)
        else:
            options["kernel_regularizer"] = self.decay
        if self.precision in ("w1a1", "w32a1"):
            options["input_quantizer"] = EDESign(t=self.t, name=f"{prefix}_input_quantizer")
        narrow = self.compute == "bfloat16"
        layer = NarrowQuantConv2D if narrow else lq.layers.QuantConv2D
        return layer(
            filters,
            kernel,
            strides=strides,
            padding="same",
            pad_values=float(self.pad_values),
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"{prefix}_conv",
            **options,
        )(x)
