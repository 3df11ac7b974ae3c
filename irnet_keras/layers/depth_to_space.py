"""Channels to pixels, for networks that enlarge images."""

from typing import Any

import larq as lq
import tensorflow as tf


@lq.utils.register_keras_custom_object
class DepthToSpace(tf.keras.layers.Layer):  # type: ignore[misc]
    """``y[:, s*i + a, s*j + b, c] = x[:, i, j, (s*a + b) * channels + c]``.

    TFLite's DEPTH_TO_SPACE.

    Args:
        scale: s, at least 2.

    Input ``(batch, height, width, s * s * channels)``, output
    ``(batch, s * height, s * width, channels)``.
    """

    def __init__(self, scale: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if scale < 2:
            raise ValueError(f"scale must be at least 2, got {scale}")
        self.scale = int(scale)

    def build(self, input_shape: tf.TensorShape) -> None:
        if int(input_shape[-1]) % self.scale**2:
            raise ValueError(
                f"channels must be a multiple of {self.scale**2}, got {input_shape[-1]}"
            )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.depth_to_space(inputs, self.scale)

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        batch, height, width, channels = tf.TensorShape(input_shape).as_list()
        sizes = [None if n is None else n * self.scale for n in (height, width)]
        return tf.TensorShape([batch, *sizes, channels // self.scale**2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}
