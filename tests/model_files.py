"""Small real .tflite files for tests, made by the real converters."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import larq
import larq_compute_engine
import numpy as np
import tensorflow as tf

from irnet_keras import models


def random_resnet20(seed: int) -> Any:
    """ResNet-20 (1-bit) whose batch norms keep its signs away from exact ties.

    Freshly built, all moving variances are 1 and many sums are exactly 0, so that each runtime's
    rounding would decide their sign.
    """
    tf.keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = models.load("resnet20-w1a1-cifar10", pretrained=False)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            n = layer.gamma.shape[0]
            gamma = rng.uniform(0.5, 1.5, n) * rng.choice([1, 1, 1, -1], n)
            variance = rng.uniform(0.5, 1.5, n) * 9 * n
            layer.set_weights([gamma, rng.normal(0, 0.2, n), rng.normal(0, 3, n), variance])
    return model


def binary_conv(
    *, image: int = 8, channels: int = 32, filters: int = 32, kernel: int = 3, groups: int = 1,
    padding: str = "same",
) -> Any:  # fmt: skip
    """sign -> binary convolution with weights of +-1: the outputs are integers."""
    inputs = tf.keras.Input((image, image, channels))
    outputs = larq.layers.QuantConv2D(
        filters, kernel, padding=padding, groups=groups, use_bias=False,
        input_quantizer="ste_sign", kernel_quantizer="ste_sign",
    )(inputs)  # fmt: skip
    return tf.keras.Model(inputs, outputs)


def small_classifier(classes: int = 10) -> Any:
    """A float32 network for 32x32 RGB images."""
    inputs = tf.keras.Input((32, 32, 3))
    x = tf.keras.layers.Conv2D(8, 3, strides=4, activation="relu")(inputs)
    x = tf.keras.layers.GlobalAveragePooling2D()(x)
    return tf.keras.Model(inputs, tf.keras.layers.Dense(classes)(x))


def write_lce(model: Any, path: Path) -> Path:
    """Convert with Larq Compute Engine."""
    path.write_bytes(larq_compute_engine.convert_keras_model(model))
    return path


def write_float(model: Any, path: Path) -> Path:
    """Convert with TensorFlow's converter, all float32."""
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    return path


def write_int8(model: Any, images: np.ndarray, path: Path) -> Path:
    """Convert with int8 weights, activations, input and output."""

    def representative() -> Iterator[list[np.ndarray]]:
        for image in images:
            yield [image[None]]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
        path.write_bytes(converter.convert())
    return path


def integer_conv(inputs: np.ndarray, kernel: np.ndarray, *, same: bool) -> np.ndarray:
    """NumPy convolution of signs, stride 1, zero padding if ``same``; HWIO kernel, one group."""
    x = np.where(inputs >= 0, 1.0, -1.0)
    w = np.where(kernel >= 0, 1.0, -1.0)
    size = len(kernel)
    if same:
        before = (size - 1) // 2
        pad = (before, size - 1 - before)
        x = np.pad(x, ((0, 0), pad, pad, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))
    return np.einsum("nhwcij,ijco->nhwo", windows, w)
