"""VGG-Small for CIFAR, binarized as IR-Net does.

References:
    Zhang et al., "LQ-Nets" (the network); Qin et al., "IR-Net" (its order of layers: pooling,
    batch norm, hardtanh).
"""

from dataclasses import dataclass

import tensorflow as tf

from irnet_keras.models.parts import PRECISIONS, Parts, check_affine, check_choice

MAX_DENSE_WEIGHTS = 2**29  # 2 GiB, the most a .tflite file can hold


@dataclass(frozen=True)
class VGGSmallConfig:
    """Six 3x3 convolutions, the first one float, and one dense layer.

    Attributes:
        widths: channels of the three stages; each stage has two convolutions and ends with 2x2
            max pooling, which stands between convolution and batch norm.
        precision: ``"w1a1"``, ``"w1a32"`` or ``"float32"``.
        pad_values: value of the SAME padding of the binary convolutions, 0 or 1.
        num_classes: width of the classifier.
        image: (height, width, channels) of the input; height and width at least 8.
        t: initial sharpness of the EDE gradient.
        input_scale: per channel factor of the input, or empty.
        input_offset: added after it, as long.
    """

    widths: tuple[int, ...] = (128, 256, 512)
    precision: str = "w1a1"
    pad_values: int = 0
    num_classes: int = 10
    image: tuple[int, int, int] = (32, 32, 3)
    t: float = 1e-1
    input_scale: tuple[float, ...] = ()
    input_offset: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("pad_values", self.pad_values, (0, 1))
        check_affine(self.input_scale, self.input_offset, self.image[2])
        if min(self.image[:2]) < 2 ** len(self.widths):
            raise ValueError(
                f"image must be at least {2 ** len(self.widths)} pixels high and wide, "
                f"got {self.image}"
            )
        height, width = (size >> len(self.widths) for size in self.image[:2])
        if (weights := height * width * self.widths[-1] * self.num_classes) > MAX_DENSE_WEIGHTS:
            raise ValueError(
                f"image and num_classes must need at most {MAX_DENSE_WEIGHTS} weights of the "
                f"classifier, got {weights} ({self.image}, {self.num_classes})"
            )


def build(
    config: VGGSmallConfig,
    *,
    weight_decay: float = 0.0,
    residual_gamma: float = 1.0,
    compute: str = "float32",
    name: str = "vgg_small",
) -> tf.keras.Model:
    """Build the network.

    Args:
        config: the network.
        weight_decay: see :class:`irnet_keras.models.parts.Parts`.
        residual_gamma: initial batch-norm scale of the inner convolutions.
        compute: what the inner convolutions multiply while training, ``"float32"`` or
            ``"bfloat16"`` (:class:`irnet_keras.layers.NarrowQuantConv2D`).
        name: model name.

    Returns:
        Model from float32 images ``(batch, height, width, channels)`` to logits
        ``(batch, num_classes)``. First convolution and classifier are float in every precision.
    """
    parts = Parts(config.precision, config.pad_values, config.t, weight_decay, compute=compute)
    image = tf.keras.layers.Input(config.image, name="image")
    x = parts.affine(image, config.input_scale, config.input_offset)
    for stage, filters in enumerate(config.widths, start=1):
        for half in ("a", "b"):
            prefix = f"stage{stage}{half}"
            if prefix == "stage1a":
                x = parts.batch_norm(parts.float_conv(x, filters, 3, 1, prefix), prefix)
            else:
                variance = parts.conv_variance(x)
                x = parts.conv(x, filters, 1, prefix)
                if half == "b":
                    x = tf.keras.layers.MaxPooling2D(2, name=f"{prefix}_pool")(x)
                x = parts.batch_norm(x, prefix, residual_gamma, variance)
            x = parts.hardtanh(x, prefix)
    x = tf.keras.layers.Flatten(name="flatten")(x)
    return tf.keras.Model(image, parts.dense(x, config.num_classes), name=name)
