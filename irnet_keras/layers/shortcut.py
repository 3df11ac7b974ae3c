"""Parameter-free shortcut of CIFAR ResNets."""

from typing import Any

import larq as lq
import tensorflow as tf


@lq.utils.register_keras_custom_object
class OptionAShortcut(tf.keras.layers.Layer):  # type: ignore[misc]
    """Option A: keep every ``strides``-th pixel, pad channels with zeros on both sides.

    Args:
        filters: channels of the output, >= channels of the input.
        strides: distance of the pixels kept, >= 1.
        from_end: count pixels from the last row and column instead of the first, as an image
            rotated by :class:`irnet_keras.layers.Rotate180` needs.

    Input ``(batch, height, width, channels)``, output ``(batch, ceil(height / strides),
    ceil(width / strides), filters)``; of the ``filters - channels`` zero channels the smaller
    half comes first.

    References:
        He et al., "Deep Residual Learning", section 3.3, option (A).
    """

    def __init__(
        self, filters: int, strides: int = 1, from_end: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if strides < 1:
            raise ValueError(f"strides must be at least 1, got {strides}")
        self.filters = int(filters)
        self.strides = int(strides)
        self.from_end = bool(from_end)

    def build(self, input_shape: tf.TensorShape) -> None:
        channels = int(input_shape[-1])
        if channels > self.filters:
            raise ValueError(
                f"filters must be at least the input's channels: {self.filters} < {channels}"
            )
        if self.from_end and None in tuple(input_shape)[1:3]:
            raise ValueError(f"from_end needs a known height and width, got {input_shape}")
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        x = inputs
        if self.strides > 1:
            height, width = (int(n) for n in x.shape[1:3]) if self.from_end else (1, 1)
            top, left = ((n - 1) % self.strides for n in (height, width))
            if training is True and top == left == 0:
                # the same pixels; on a CPU slicing and its gradient are several times slower
                x = tf.nn.avg_pool2d(x, 1, self.strides, "SAME")
            else:
                x = x[:, top :: self.strides, left :: self.strides, :]
        extra = self.filters - inputs.shape[-1]
        if extra:
            x = tf.pad(x, [[0, 0], [0, 0], [0, 0], [extra // 2, extra - extra // 2]])
        return x

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        batch, height, width, _ = tf.TensorShape(input_shape).as_list()
        sizes = [None if n is None else -(-n // self.strides) for n in (height, width)]
        return tf.TensorShape([batch, *sizes, self.filters])

    def get_config(self) -> dict[str, Any]:
        own = {"filters": self.filters, "strides": self.strides, "from_end": self.from_end}
        return {**super().get_config(), **own}
