"""ResNets for small images and for ImageNet, binarized as IR-Net does.

``ResNetConfig`` is the network as data; ``build`` turns it into a Keras model.

References:
    He et al., "Deep Residual Learning"; Liu et al., "Bi-Real Net"; Qin et al., "IR-Net".
"""

from dataclasses import dataclass

import tensorflow as tf

from irnet_keras.layers import OptionAShortcut, Rotate180
from irnet_keras.models.parts import ACTIVATIONS, PRECISIONS, Parts, check_affine, check_choice

STRUCTURES = ("bireal", "normal")
STEMS = ("3x3-hardtanh", "3x3", "7x7-pool", "3x3-3x3")
SHORTCUTS = ("option-a", "conv1x1", "binary-conv1x1")
GEOMETRIES = ("tensorflow", "torch")
HEADS = ("norm-dense", "norm-relu-dense", "norm-hardtanh-dense-norm")


@dataclass(frozen=True)
class ResNetConfig:
    """A ResNet of two-convolution blocks. The defaults are ResNet-20 for CIFAR.

    Attributes:
        blocks: residual blocks per stage.
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
        stem: float 3x3 convolution and batch norm, with or without hardtanh; or 7x7 with
            stride 2, batch norm, hardtanh and max pooling; or, as small and cheaper, two 3x3 with
            stride 2, each with batch norm and hardtanh, a quarter of the channels between them.
        shortcut: where the shape changes: option A (no parameters), or a 1x1 convolution with
            batch norm, float or of the network's precision.
        head: what follows global average pooling.
        geometry: whose windows strided layers have on even sizes. ``"tensorflow"`` pads below and
            on the right, ``"torch"`` above and on the left: the image is rotated by 180 degrees
            first, and the kernels must be, too (docs/explanation/import_torch.md).
        activation: behind each sum and the stem; ``"relu"`` not with w1a1, whose signs would all
            be +1.
        input_scale: per channel factor of the input, or empty.
        input_offset: added after it, as long.
    """

    blocks: tuple[int, ...] = (3, 3, 3)
    widths: tuple[int, ...] = (16, 32, 64)
    structure: str = "bireal"
    precision: str = "w1a1"
    pad_values: int = 0
    num_classes: int = 10
    image: tuple[int, int, int] = (32, 32, 3)
    t: float = 1e-1
    stem: str = "3x3-hardtanh"
    shortcut: str = "option-a"
    head: str = "norm-dense"
    geometry: str = "tensorflow"
    activation: str = "hardtanh"
    input_scale: tuple[float, ...] = ()
    input_offset: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_choice("structure", self.structure, STRUCTURES)
        check_choice("precision", self.precision, PRECISIONS)
        check_choice("pad_values", self.pad_values, (0, 1))
        check_choice("stem", self.stem, STEMS)
        check_choice("shortcut", self.shortcut, SHORTCUTS)
        check_choice("head", self.head, HEADS)
        check_choice("geometry", self.geometry, GEOMETRIES)
        accepted = ACTIVATIONS[:1] if self.precision == "w1a1" else ACTIVATIONS
        check_choice("activation", self.activation, accepted)
        check_affine(self.input_scale, self.input_offset, self.image[2])
        if len(self.blocks) != len(self.widths):
            raise ValueError(f"blocks and widths must be as long, got {self.blocks}, {self.widths}")

    @property
    def num_inner_convs(self) -> int:
        """Convolutions that are binary in the binary builds."""
        return 2 * sum(self.blocks)


def build(
    config: ResNetConfig,
    *,
    weight_decay: float = 0.0,
    residual_gamma: float = 1.0,
    compute: str = "float32",
    name: str = "resnet",
) -> tf.keras.Model:
    """Build the network.

    Args:
        config: the network.
        weight_decay: see :class:`irnet_keras.models.parts.Parts`.
        residual_gamma: initial batch-norm scale of the inner convolutions. The paper has 1;
            a smaller value keeps the sums inside hardtanh's linear range at the start, so
            that gradients pass (measured in docs/explanation/training.md).
        compute: what the inner convolutions multiply while training, ``"float32"`` or
            ``"bfloat16"`` (:class:`irnet_keras.layers.NarrowQuantConv2D`).
        name: model name.

    Returns:
        Model from float32 images ``(batch, height, width, channels)``, normalised as in
        :mod:`irnet_keras.data.preprocessing`, to logits ``(batch, num_classes)``. First
        convolutions, classifier and, unless the configuration says otherwise, 1x1 shortcuts are
        float in every precision.
    """
    parts = Parts(
        config.precision, config.pad_values, config.t, weight_decay, config.activation, compute
    )

    def conv(x: tf.Tensor, filters: int, strides: int, prefix: str) -> tf.Tensor:
        variance = parts.conv_variance(x)
        x = parts.conv(x, filters, strides, prefix)
        return parts.batch_norm(x, prefix, residual_gamma, variance)

    def add(x: tf.Tensor, shortcut: tf.Tensor, prefix: str) -> tf.Tensor:
        return tf.keras.layers.Add(name=f"{prefix}_add")([x, shortcut])

    image = tf.keras.layers.Input(config.image, name="image")
    x = parts.affine(image, config.input_scale, config.input_offset)
    if config.geometry == "torch":
        x = Rotate180(name="rotate")(x)
    x = _stem(parts, x, config)
    for stage, (blocks, filters) in enumerate(
        zip(config.blocks, config.widths, strict=True), start=1
    ):
        for block in range(1, blocks + 1):
            strides = 2 if stage > 1 and block == 1 else 1
            prefix = f"stage{stage}_block{block}"
            first, second = f"{prefix}a", f"{prefix}b"
            shortcut = x
            if strides > 1 or x.shape[-1] != filters:
                shortcut = _shortcut(parts, x, filters, strides, config, f"{prefix}_shortcut")
            x = conv(x, filters, strides, first)
            if config.structure == "bireal":
                x = shortcut = parts.activate(add(x, shortcut, first), first)
            else:
                x = parts.activate(x, first)
            x = parts.activate(add(conv(x, filters, 1, second), shortcut, second), second)
    x = tf.keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = parts.batch_norm(x, "head")
    if config.head == "norm-relu-dense":
        x = tf.keras.layers.ReLU(name="head_relu")(x)
    if config.head != "norm-hardtanh-dense-norm":
        return tf.keras.Model(image, parts.dense(x, config.num_classes), name=name)
    x = parts.dense(parts.hardtanh(x, "head"), config.num_classes)
    return tf.keras.Model(image, parts.batch_norm(x, "logits"), name=name)


def structure_of(model: tf.keras.Model) -> str | None:
    """``"bireal"`` or ``"normal"``, told by the names of the additions; None of other networks."""
    names = {layer.name for layer in model.submodules if isinstance(layer, tf.keras.layers.Add)}
    for structure, end in (("bireal", "a_add"), ("normal", "b_add")):
        if any(name.startswith("stage") and name.endswith(end) for name in names):
            return structure
    return None


def _stem(parts: Parts, image: tf.Tensor, config: ResNetConfig) -> tf.Tensor:
    kernel, strides = {"7x7-pool": (7, 2), "3x3-3x3": (3, 2)}.get(config.stem, (3, 1))
    x = image
    if config.stem == "3x3-3x3":
        before = "stem_first"
        x = parts.float_conv(x, max(1, config.widths[0] // 4), kernel, strides, before)
        x = parts.activate(parts.batch_norm(x, before), before)
    x = parts.float_conv(x, config.widths[0], kernel, strides, "stem")
    x = parts.batch_norm(x, "stem")
    if config.stem != "3x3":
        x = parts.activate(x, "stem")
    if config.stem == "7x7-pool":
        x = tf.keras.layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    return x


def _shortcut(
    parts: Parts, x: tf.Tensor, filters: int, strides: int, config: ResNetConfig, prefix: str
) -> tf.Tensor:
    rotated = config.geometry == "torch"
    if config.shortcut == "option-a":
        return OptionAShortcut(filters, strides, from_end=rotated, name=prefix)(x)
    if rotated and strides > 1:
        # (a strided 1x1 convolution would count from the first pixel)
        x = OptionAShortcut(x.shape[-1], strides, from_end=True, name=f"{prefix}_pixels")(x)
        strides = 1
    if config.shortcut == "binary-conv1x1":
        variance = parts.conv_variance(x, kernel=1)
        return parts.batch_norm(
            parts.conv(x, filters, strides, prefix, kernel=1), prefix, variance=variance
        )
    return parts.batch_norm(parts.float_conv(x, filters, 1, strides, prefix), prefix)
