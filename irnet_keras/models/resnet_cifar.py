"""ResNets for 32x32 images (He et al., section 4.2), binarized as IR-Net does.

``ResNetConfig`` is the network as data; ``build`` turns it into a Keras model.
"""

import logging
from dataclasses import dataclass
from typing import Any

import larq as lq
import tensorflow as tf

from irnet_keras.layers import Hardtanh, OptionAShortcut
from irnet_keras.quantizers import EDESign, LibraPB

PRECISIONS = ("w1a1", "w1a32", "float32")
STRUCTURES = ("bireal", "normal")


@dataclass(frozen=True)
class ResNetConfig:
    """A CIFAR ResNet.

    Attributes:
        blocks: residual blocks per stage; 3 gives ResNet-20 (6 n + 2 layers).
        widths: channels per stage; stages after the first halve height and width.
        structure: ``"bireal"`` has a shortcut around every binary convolution,
            ``"normal"`` one around every two.
        precision: ``"w1a1"``, ``"w1a32"`` (binary weights only) or ``"float32"``, which is
            the same graph with the quantizers off.
        pad_values: value of the SAME padding of the binary convolutions, 0 or 1. One-padding
            lets LCE's own kernels write bitpacked outputs.
        num_classes: width of the classifier.
        image: (height, width, channels) of the input.
        t: initial sharpness of the EDE gradient.
    """

    blocks: int = 3
    widths: tuple[int, ...] = (16, 32, 64)
    structure: str = "bireal"
    precision: str = "w1a1"
    pad_values: int = 0
    num_classes: int = 10
    image: tuple[int, int, int] = (32, 32, 3)
    t: float = 1e-1

    def __post_init__(self) -> None:
        if self.structure not in STRUCTURES:
            raise ValueError(f"structure must be one of {STRUCTURES}, got {self.structure!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, got {self.precision!r}")
        if self.pad_values not in (0, 1):
            raise ValueError(f"pad_values must be 0 or 1, got {self.pad_values!r}")

    @property
    def num_inner_convs(self) -> int:
        """Convolutions that are binary in the binary builds."""
        return 2 * self.blocks * len(self.widths)


def build(
    config: ResNetConfig,
    *,
    weight_decay: float = 0.0,
    residual_gamma: float = 1.0,
    name: str = "resnet",
) -> tf.keras.Model:
    """Build the network.

    Args:
        config: the network.
        weight_decay: L2 coefficient c of a penalty ``c / 2 * sum(w**2)`` on *float* kernels
            (the convention of the papers; Libra-PB makes the forward pass invariant to the
            scale of binary latents, so they get none).
        residual_gamma: initial batch-norm scale of the inner convolutions. The paper has 1;
            a smaller value keeps the sums inside hardtanh's linear range at the start, so
            that gradients pass (measured in docs/explanation/training.md).
        name: model name.

    Returns:
        Model from float32 images ``(batch, height, width, channels)``, normalised as in
        :mod:`irnet_keras.data.preprocessing`, to logits ``(batch, num_classes)``. First
        convolution and classifier are float in every precision.
    """
    layers = tf.keras.layers
    decay = tf.keras.regularizers.L2(weight_decay / 2) if weight_decay else None
    binary_weights = config.precision != "float32"
    binary_inputs = config.precision == "w1a1"

    def batch_norm(x: tf.Tensor, prefix: str, gamma: float = 1.0) -> tf.Tensor:
        return layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            gamma_initializer=tf.keras.initializers.Constant(gamma),
            name=f"{prefix}_bn",
        )(x)

    def conv(x: tf.Tensor, filters: int, strides: int, prefix: str) -> tf.Tensor:
        options: dict[str, Any] = {
            "strides": strides,
            "padding": "same",
            "use_bias": False,
            "kernel_initializer": "he_normal",
            "name": f"{prefix}_conv",
        }
        if binary_weights:
            quantizer = LibraPB(t=config.t, name=f"{prefix}_kernel_quantizer")
            options["kernel_quantizer"] = quantizer
        else:
            options["kernel_regularizer"] = decay
        if binary_inputs:
            options["input_quantizer"] = EDESign(t=config.t, name=f"{prefix}_input_quantizer")
        x = lq.layers.QuantConv2D(filters, 3, pad_values=float(config.pad_values), **options)(x)
        return batch_norm(x, prefix, residual_gamma)

    def hardtanh(x: tf.Tensor, prefix: str) -> tf.Tensor:
        return Hardtanh(name=f"{prefix}_hardtanh")(x)

    def add(x: tf.Tensor, shortcut: tf.Tensor, prefix: str) -> tf.Tensor:
        return layers.Add(name=f"{prefix}_add")([x, shortcut])

    # larq warns that latents may starve without a clip; Libra-PB is scale- and shift-invariant.
    logging.getLogger("larq.layers_base").setLevel(logging.ERROR)

    image = layers.Input(config.image, name="image")
    x = layers.Conv2D(
        config.widths[0],
        3,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=decay,
        name="stem_conv",
    )(image)
    x = hardtanh(batch_norm(x, "stem"), "stem")
    for stage, filters in enumerate(config.widths, start=1):
        for block in range(1, config.blocks + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            prefix = f"stage{stage}_block{block}"
            first, second = f"{prefix}a", f"{prefix}b"
            shortcut = x
            if strides > 1 or x.shape[-1] != filters:
                shortcut = OptionAShortcut(filters, strides, name=f"{prefix}_shortcut")(x)
            x = conv(x, filters, strides, first)
            if config.structure == "bireal":
                x = shortcut = hardtanh(add(x, shortcut, first), first)
            else:
                x = hardtanh(x, first)
            x = hardtanh(add(conv(x, filters, 1, second), shortcut, second), second)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = batch_norm(x, "head")
    logits = layers.Dense(config.num_classes, kernel_regularizer=decay, name="logits")(x)
    return tf.keras.Model(image, logits, name=name)
