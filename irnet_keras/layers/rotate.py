"""Rotation by 180 degrees, for networks whose weights come from PyTorch."""

import larq as lq
import tensorflow as tf


@lq.utils.register_keras_custom_object
class Rotate180(tf.keras.layers.Layer):  # type: ignore[misc]
    """``y[:, i, j] = x[:, height - 1 - i, width - 1 - j]``.

    Input and output ``(batch, height, width, channels)``. Two axes, so that TFLite's
    ``REVERSE_V2`` takes them in one operator.

    References:
        docs/explanation/import_torch.md (why a network would want that).
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reverse(inputs, [1, 2])

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        return input_shape
