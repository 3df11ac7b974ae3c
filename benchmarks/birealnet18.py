"""Bi-Real ResNet-18 (224x224, random weights) as 1-bit, float32 and int8 files.

    python benchmarks/birealnet18.py --out DIR [--seed 0] [--only 1bit float32 int8]

Writes ``birealnet18-1bit.tflite`` (LCE's converter), ``-float32.tflite`` and ``-int8.tflite``
(TensorFlow's converter; the same topology with float convolutions, and its full integer
quantization). For speed, size and bit-exactness; the network has learned nothing. Weights,
batch-norm scales and offsets are drawn from ``--seed``; batch-norm statistics are measured on
random images layer after layer, so that signs stay about balanced at every depth, as they are in
a trained network. On one machine and set of package versions the files do not change from run
to run.

References:
    Bi-Real Net (Liu et al., ECCV 2018), IR-Net (Qin et al., CVPR 2020): a shortcut around every
    binary convolution, hardtanh behind every sum, float stem, downsampling and classifier.
"""

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import irnet_keras  # noqa: F401  (before TensorFlow: it selects Keras 2)

# isort: split
import larq as lq
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converters.baselines import build_baseline
from converters.graph import read_graph
from converters.lce import convert
from irnet_keras.errors import UsageError
from irnet_keras.files import atomic_write, make_folder
from irnet_keras.layers import Hardtanh
from irnet_keras.quantizers import EDESign, LibraPB

WIDTHS = (64, 128, 256, 512)
BLOCKS = 2
SIZE = 224
CLASSES = 1000
FORMATS = ("1bit", "float32", "int8")
Images = NDArray[np.float32]


def build(precision: str, seed: int, size: int = SIZE) -> Any:
    """The network with seeded weights and measured batch-norm statistics.

    Args:
        precision: ``"1bit"`` or ``"float32"`` (the same graph without quantizers).
        seed: of weights, batch-norm scales and offsets, and the images of the statistics.
        size: height and width of the input.

    Returns:
        Keras model from float32 ``(batch, size, size, 3)`` to logits ``(batch, 1000)``.
    """
    layers = tf.keras.layers
    tf.keras.utils.set_random_seed(seed)
    # larq recommends a weight clip, for training
    logging.getLogger("larq.layers_base").setLevel(logging.ERROR)

    def batch_norm(x: Any, name: str) -> Any:
        # momentum 0: one pass in training mode puts that batch's statistics here
        gamma = tf.keras.initializers.RandomUniform(0.5, 1.5)
        # the max pool behind the stem lifts it again
        beta = tf.keras.initializers.RandomNormal(-0.8 if name == "stem" else 0.0, 0.3)
        return layers.BatchNormalization(
            momentum=0.0, gamma_initializer=gamma, beta_initializer=beta, name=f"{name}_bn"
        )(x)

    def float_conv(x: Any, filters: int, kernel: int, strides: int, name: str) -> Any:
        conv = layers.Conv2D(
            filters, kernel, strides=strides, padding="same", use_bias=False, name=f"{name}_conv"
        )
        return batch_norm(conv(x), name)

    def inner_conv(x: Any, filters: int, strides: int, name: str) -> Any:
        if precision != "1bit":
            return float_conv(x, filters, 3, strides, name)
        conv = lq.layers.QuantConv2D(
            filters,
            3,
            strides=strides,
            padding="same",
            pad_values=1.0,
            use_bias=False,
            input_quantizer=EDESign(name=f"{name}_input_quantizer"),
            kernel_quantizer=LibraPB(name=f"{name}_kernel_quantizer"),
            kernel_initializer="he_normal",
            name=f"{name}_conv",
        )
        return batch_norm(conv(x), name)

    image = layers.Input((size, size, 3), name="image")
    x = Hardtanh(name="stem_hardtanh")(float_conv(image, WIDTHS[0], 7, 2, "stem"))
    x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, filters in enumerate(WIDTHS, start=1):
        for index in range(2 * BLOCKS):
            name = f"stage{stage}_conv{index + 1}"
            strides = 2 if stage > 1 and index == 0 else 1
            shortcut = x
            if strides > 1:
                shortcut = layers.AveragePooling2D(2, padding="same", name=f"{name}_pool")(x)
                shortcut = float_conv(shortcut, filters, 1, 1, f"{name}_shortcut")
            x = inner_conv(x, filters, strides, name)
            x = layers.Add(name=f"{name}_add")([x, shortcut])
            x = Hardtanh(name=f"{name}_hardtanh")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = tf.keras.Model(image, layers.Dense(CLASSES, name="logits")(x), name="birealnet18")
    model(random_images(8, seed, size), training=True)
    return model


def random_images(count: int, seed: int, size: int = SIZE) -> Images:
    """Normalised images: noise that is correlated over about 8 pixels, as photographs are.

    Returns:
        float32, shape ``(count, size, size, 3)``, about mean 0 and variance 1.
    """
    generator = np.random.default_rng(seed)
    coarse = generator.standard_normal((count, -(-size // 8), -(-size // 8), 3), np.float32)
    smooth = tf.image.resize(coarse, (size, size), "bicubic").numpy()
    fine = generator.standard_normal(smooth.shape, np.float32)
    return (smooth + np.float32(0.3) * fine).astype(np.float32)


def write_files(
    folder: Path, seed: int, formats: tuple[str, ...], log: Callable[[str], None]
) -> dict[str, Path]:
    """Build and write the files; returns their paths by format."""
    make_folder(folder)
    models: dict[str, Any] = {}
    paths = {}
    for fmt in formats:
        precision = "1bit" if fmt == "1bit" else "float32"
        if precision not in models:
            models[precision] = build(precision, seed)
        if fmt == "1bit":
            data = convert(models[precision], log).data
        else:
            calibration = random_images(16, seed + 1) if fmt == "int8" else None
            data = build_baseline(models[precision], fmt, calibration, log)
        paths[fmt] = folder / f"birealnet18-{fmt}.tflite"
        atomic_write(paths[fmt], data)
        names = [op.name for op in read_graph(data).ops]
        counts = {name: names.count(name) for name in sorted(set(names))}
        log(f"{paths[fmt]}: {len(data):,} bytes, {json.dumps(counts)}")
    return paths


def main() -> int:
    """Parse, build, write; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=FORMATS, default=FORMATS)
    arguments = parser.parse_args()
    try:
        make_folder(arguments.out)  # before any work
        tf.config.experimental.enable_op_determinism()
        write_files(arguments.out, arguments.seed, tuple(arguments.only), print)
    except UsageError as error:
        print(f"error: --out: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
