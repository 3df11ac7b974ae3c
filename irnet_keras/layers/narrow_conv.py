"""A quantized convolution that multiplies in bfloat16 while training."""

import larq as lq
import tensorflow as tf


@lq.utils.register_keras_custom_object
class NarrowQuantConv2D(lq.layers.QuantConv2D):  # type: ignore[misc]
    """``larq.layers.QuantConv2D`` whose products are of bfloat16 numbers in training.

    Quantizers, weights, inputs and outputs stay float32, and so does everything at inference:
    only in training the convolution, and both of its gradients, get their operands in bfloat16
    and round their results to it; sums inside are float32. +1, -1 and power-of-two scales are
    exact in bfloat16, and a sum of +-1 is, too, up to 256 (up to 512 where the number of terms
    is even). So the forward pass of a 1-bit network of up to 512 inputs a filter is exact and
    only gradients are rounded, to 8 bits. Processors with AVX512-BF16 or AMX run this about twice
    as fast as float32; others are slower (:func:`cpu_multiplies_bfloat16`).

    Arguments, input ``(batch, height, width, channels)`` and output as the parent class.
    """

    _narrow = False

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        self._narrow = training is True
        return super().call(inputs)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if not self._narrow:
            return super().convolution_op(inputs, kernel)
        narrow = (tf.cast(x, tf.bfloat16) for x in (inputs, kernel))
        return tf.cast(super().convolution_op(*narrow), inputs.dtype)


def cpu_multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it (Linux; False where that is unknown)."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags.split()))
