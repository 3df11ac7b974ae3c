"""SRResNet-lite: a small residual network that enlarges images, binary inside.

Real-valued information passes every binary convolution on an identity shortcut, without
activation: what the head sees reaches the tail, and the signs only add to it. The network adds to
an enlargement without parameters, so that it learns what that lacks.

References:
    Ledig et al., "Photo-Realistic Single Image Super-Resolution Using a GAN" (SRResNet);
    Lim et al., "EDSR"; Xia et al., "Basic Binary Convolution Unit for Binarized Image
    Restoration Network" (shortcut around every convolution, PReLU inside it).
"""

from dataclasses import dataclass

import tensorflow as tf

from irnet_keras.layers import DepthToSpace
from irnet_keras.models.parts import PRECISIONS, Parts, check_choice

SCALES = (2, 4)
SKIPS = ("nearest", "bilinear")
MIN_SIZE = 8  # pixels; below this zero padding is what a network mostly sees


@dataclass(frozen=True)
class SRResNetLiteConfig:
    """Float 3x3 head, binary 3x3 convolutions with a shortcut each, float 3x3 tail.

    Attributes:
        scale: enlargement of height and width, 2 or 4.
        channels: of all layers between head and tail; binary kernels pack 32 of them.
        convs: binary convolutions.
        skip: what the network adds to: ``"nearest"`` or ``"bilinear"`` enlargement of its input.
        precision: ``"w1a1"``, ``"w1a32"`` (binary weights only) or ``"float32"``.
        pad_values: value of the SAME padding of the binary convolutions, 0 or 1.
        image: (height, width, channels) of the input; None for a height and width that are open.
            The converters need both.
        t: initial sharpness of the EDE gradient.
    """

    scale: int = 2
    channels: int = 32
    convs: int = 12
    skip: str = "nearest"
    precision: str = "w1a1"
    pad_values: int = 0
    image: tuple[int | None, int | None, int] = (None, None, 3)
    t: float = 1e-1

    def __post_init__(self) -> None:
        check_choice("scale", self.scale, SCALES)
        check_choice("skip", self.skip, SKIPS)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("pad_values", self.pad_values, (0, 1))
        if self.channels < 1 or self.convs < 1:
            raise ValueError(
                f"channels and convs must be at least 1, got {self.channels}, {self.convs}"
            )
        if any(n is not None and n < MIN_SIZE for n in self.image[:2]):
            raise ValueError(
                f"image must be at least {MIN_SIZE} pixels high and wide, got {self.image}"
            )


def build(
    config: SRResNetLiteConfig,
    *,
    weight_decay: float = 0.0,
    residual_gamma: float = 1.0,
    compute: str = "float32",
    name: str = "srresnet_lite",
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
        Model from float32 images ``(batch, height, width, channels)``, 0..1, to images
        ``(batch, scale * height, scale * width, channels)``, 0..1 but for overshoot. Head and
        tail are float in every precision; batch norms follow convolutions and fuse with them.
    """
    parts = Parts(config.precision, config.pad_values, config.t, weight_decay, compute=compute)
    image = tf.keras.layers.Input(config.image, name="image")
    x = parts.batch_norm(parts.float_conv(image, config.channels, 3, 1, "head"), "head")
    # Binary weights add up 9 * channels signs or floats of about 1: without that variance to begin
    # with, an untrained network would drown its image.
    variance = 1.0 if config.precision == "float32" else 9.0 * config.channels
    for index in range(1, config.convs + 1):
        prefix = f"body{index}"
        y = parts.conv(x, config.channels, 1, prefix)
        y = parts.batch_norm(y, prefix, residual_gamma, variance)
        y = parts.prelu(y, prefix)
        x = tf.keras.layers.Add(name=f"{prefix}_add")([x, y])
    outputs = config.scale**2 * config.image[2]
    x = tf.keras.layers.Conv2D(
        outputs,
        3,
        padding="same",
        # an untrained network is little more than its skip
        kernel_initializer=tf.keras.initializers.VarianceScaling(1e-4),
        kernel_regularizer=parts.decay,
        name="tail_conv",
    )(x)
    x = DepthToSpace(config.scale, name="pixels")(x)
    enlarged = tf.keras.layers.UpSampling2D(
        config.scale, interpolation=config.skip, name="enlarged"
    )(image)
    return tf.keras.Model(image, tf.keras.layers.Add(name="sum")([x, enlarged]), name=name)
