"""Hardtanh as a named layer."""

import larq as lq
import tensorflow as tf


@lq.utils.register_keras_custom_object
class Hardtanh(tf.keras.layers.Layer):  # type: ignore[misc]
    """``min(max(x, -1), 1)``; any shape. TFLite fuses it as RELU_N1_TO_1.

    The gradient is 1 inside [-1, 1] and 0 outside.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.clip_by_value(inputs, -1.0, 1.0)

    def compute_output_shape(self, input_shape: tf.TensorShape) -> tf.TensorShape:
        return input_shape
