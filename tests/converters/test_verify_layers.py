"""Small real models through the converter and LCE's interpreter, checked layer by layer."""

from typing import Any

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from random_nets import SEED, randomize_batch_norms

import irnet_keras  # noqa: F401
from converters.graph import BCONV, read_graph
from converters.lce import convert
from converters.lce.binary_convs import binary_convs
from converters.verify import VerifyReport, verify
from converters.verify.reference import binary_sums
from irnet_keras.data.cifar10 import LabelledImages
from irnet_keras.layers import Hardtanh
from irnet_keras.quantizers import EDESign, LibraPB


def binary(filters: int, kernel: int = 3, **options: Any) -> Any:
    return lq.layers.QuantConv2D(
        filters,
        kernel,
        **{
            "input_quantizer": EDESign(),
            "kernel_quantizer": LibraPB(),
            "padding": "same",
            "use_bias": False,
            **options,
        },
    )


def network(*layers: Any, image: tuple[int, int, int] = (32, 32, 3)) -> Any:
    """Layers between a float first convolution and a classifier."""
    model = tf.keras.Sequential(
        [
            tf.keras.Input(image),
            *layers,
            tf.keras.layers.GlobalAveragePooling2D(),
            tf.keras.layers.Dense(10, name="logits"),
        ]
    )
    return randomize_batch_norms(model)


def stem(channels: int) -> Any:
    return tf.keras.layers.Conv2D(channels, 3, padding="same", strides=2, name="stem")


def batch_norm() -> Any:
    return tf.keras.layers.BatchNormalization()


def checked(model: Any, images: LabelledImages) -> VerifyReport:
    report = verify(model, convert(model).data, images[:16], seed=SEED, per_layer_images=3)
    assert report.passed, report.reasons
    assert all(q.wrong_bits == 0 for q in report.quantize)
    assert all(layer.violations == 0 for layer in report.layers)
    assert report.outputs is not None
    assert report.outputs.worst_logit_error is not None
    return report


@pytest.mark.parametrize("pad_values", [0.0, 1.0])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("channels", [16, 33])
def test_strides_padding_and_odd_channels(
    images: LabelledImages, pad_values: float, strides: int, channels: int
) -> None:
    conv = binary(40, strides=strides, pad_values=pad_values, name="conv")
    report = checked(network(stem(channels), conv, batch_norm()), images)
    assert [layer.layer for layer in report.layers] == ["conv"]
    assert report.layers[0].output == "float32"
    assert report.layers[0].num_outputs == 3 * (16 // strides) ** 2 * 40


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "valid"},
        {"use_bias": True, "bias_initializer": "random_normal"},
        {"kernel": 1},
        {"kernel": (3, 1)},
        {"kernel": 5, "dilation_rate": 2, "pad_values": 1.0},
        {"kernel_quantizer": LibraPB(use_scale=False)},
        {"kernel_quantizer": LibraPB(per="layer")},
    ],
    ids=["valid", "bias", "1x1", "3x1", "dilated", "no scale", "per layer"],
)
def test_other_convolutions(images: LabelledImages, options: dict[str, Any]) -> None:
    checked(network(stem(32), binary(24, name="conv", **options), batch_norm()), images)


def test_bitpacked_outputs_with_negative_batch_norm_scales(images: LabelledImages) -> None:
    model = network(
        stem(32),
        binary(40, pad_values=1.0, name="first"),
        batch_norm(),
        binary(32, pad_values=1.0, name="second"),
        batch_norm(),
    )
    first_norm = model.layers[2]
    assert (np.asarray(first_norm.gamma) < 0).any()
    report = checked(model, images)
    assert [layer.output for layer in report.layers] == ["bitpacked", "float32"]


def test_fused_activation_before_the_batch_norm(images: LabelledImages) -> None:
    conv = binary(32, pad_values=1.0, kernel_quantizer=LibraPB(use_scale=False), name="conv")
    model = network(stem(32), conv, tf.keras.layers.ReLU(), batch_norm())
    checked(model, images)
    options = read_graph(convert(model).data).ops_named(BCONV)[0].options
    assert options is not None
    assert options.fused_activation_function == 1


def test_nested_model_with_its_batch_norm_outside(images: LabelledImages) -> None:
    inner = tf.keras.Sequential([tf.keras.Input((16, 16, 32)), binary(32, name="inner")])
    checked(network(stem(32), inner, batch_norm(), Hardtanh(), binary(32, name="outer")), images)


def test_a_window_shifted_by_folded_padding_before_the_float_stem_is_caught(
    images: LabelledImages,
) -> None:
    """LCE turns symmetric padding with stride 2 into SAME, which pads elsewhere."""
    model = network(
        tf.keras.layers.ZeroPadding2D(1),
        tf.keras.layers.Conv2D(32, 3, strides=2, name="stem"),
        binary(32, name="conv"),
        batch_norm(),
    )
    report = verify(model, convert(model, strict=False).data, images[:16], seed=SEED)
    assert not report.passed
    assert all(layer.passed for layer in report.layers)  # the binary layer itself is right
    assert report.flips_given_bits[0].unexplained > 1000
    assert any("layer conv" in reason and "just before" in reason for reason in report.reasons)


def test_a_window_shifted_by_folded_one_padding_is_caught(images: LabelledImages) -> None:
    ones = tf.keras.layers.Lambda(
        lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=1.0)
    )
    conv = binary(32, strides=2, padding="valid", input_quantizer=None, name="conv")
    model = network(stem(32), EDESign(), ones, conv, batch_norm())
    report = verify(model, convert(model, strict=False).data, images[:16], seed=SEED)
    assert not report.passed
    assert any("layer conv" in reason for reason in report.reasons)


def test_a_lost_activation_behind_a_pool_is_caught(images: LabelledImages) -> None:
    """MaxPool, ReLU, sign: LCE swaps pool and sign and drops the ReLU."""
    model = network(
        tf.keras.layers.MaxPool2D(2),
        tf.keras.layers.ReLU(),
        binary(32, name="conv"),
        batch_norm(),
    )
    report = verify(model, convert(model, strict=False).data, images[:16], seed=SEED)
    assert not report.passed
    assert report.flips_given_bits[0].unexplained > 1000


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [7, 8])
def test_reference_sums_equal_a_float64_convolution(padding: str, stride: int, size: int) -> None:
    conv = lq.layers.QuantConv2D(
        5,
        3,
        strides=stride,
        padding=padding,
        input_quantizer="ste_sign",
        kernel_quantizer="ste_sign",
        kernel_constraint="weight_clip",
    )
    model = tf.keras.Sequential([tf.keras.Input((size, size, 6)), conv])
    rng = np.random.default_rng(SEED)
    signs = rng.choice(np.array([-1, 1], np.int8), (2, size, size, 6))
    (described,) = binary_convs(model)
    kernel = np.sign(described.kernel).astype(np.float64)
    expected = tf.nn.conv2d(signs.astype(np.float64), kernel, stride, padding.upper())
    np.testing.assert_array_equal(binary_sums(described, signs), expected)
