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

    Input ``(batch, height, width, channels)``, output ``(batch, ceil(height / strides),
    ceil(width / strides), filters)``; of the ``filters - channels`` zero channels the smaller
    half comes first.

    References:
        He et al., "Deep Residual Learning", section 3.3, option (A).
    """

    def __init__(self, filters: int, strides: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if strides < 1:
            raise ValueError(f"strides must be at least 1, got {strides}")
        self.filters = int(filters)
        self.strides = int(strides)

    def build(self, input_shape: tf.TensorShape) -> None:
        channels = int(input_shape[-1])
        if channels > self.filters:
            raise ValueError(
                f"filters must be at least the input's channels: {self.filters} < {channels}"
            )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        x = inputs
        if self.strides > 1:
            x = x[:, :: self.strides, :: self.strides, :]
        extra = self.filters - inputs.shape[-1]
        if extra:
            x = tf.pad(x, [[0, 0], [0, 0], [0, 0], [extra // 2, extra - extra // 2]])
        return x

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        batch, height, width, _ = tf.TensorShape(input_shape).as_list()
        sizes = [None if n is None else -(-n // self.strides) for n in (height, width)]
        return tf.TensorShape([batch, *sizes, self.filters])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "strides": self.strides}
