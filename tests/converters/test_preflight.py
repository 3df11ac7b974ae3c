"""What LCE's converter gets wrong without a word, and that ours refuses it or gets it right.

``plain`` is LCE alone: its converter and its interpreter with its default kernels.
"""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import larq as lq
import larq_compute_engine as lce
import numpy as np
import pytest
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter

from converters.graph import BCONV, read_graph
from converters.lce import convert
from converters.lce.binary_convs import binary_convs
from converters.lce.gate import check_known_ops
from converters.lce.postflight import postflight
from converters.lce.preflight import Finding, preflight
from converters.lce.preflight.same_padding import shift
from converters.runtimes import TFLiteProcess
from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.layers import Hardtanh
from irnet_keras.quantizers import EDESign, LibraPB

layers = tf.keras.layers
Layers = Callable[[], list[Any]]


def binary(filters: int = 32, kernel: int = 3, **options: Any) -> Any:
    defaults = {"input_quantizer": EDESign(), "kernel_quantizer": LibraPB(), "use_bias": False}
    return lq.layers.QuantConv2D(filters, kernel, **{**defaults, **options})


def network(added: list[Any], image: tuple[int | None, ...] = (8, 8, 32)) -> Any:
    return tf.keras.Sequential([tf.keras.Input(image), *added])


def plain(model: Any) -> bytes:
    return bytes(lce.convert_keras_model(model))


def outputs_of(data: bytes, images: np.ndarray) -> np.ndarray:
    """What LCE's default kernels compute."""
    return np.asarray(Interpreter(data, 1, False, False, True).predict(images))


def worst_error(model: Any, data: bytes, rng: np.random.Generator) -> float:
    images = rng.normal(size=(1, *model.input_shape[1:])).astype(np.float32)
    return float(np.abs(outputs_of(data, images) - model(images, training=False)).max())


class Sign(layers.Layer):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return lq.math.sign(inputs)


class Pad(layers.Layer):  # type: ignore[misc]
    def __init__(self, pads: tuple[int, int], value: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pads, self._value = pads, value

    def call(self, inputs: Any) -> Any:
        paddings = [[0, 0], self._pads, self._pads, [0, 0]]
        return tf.pad(inputs, paddings, constant_values=self._value)


class ExplicitConv(layers.Layer):  # type: ignore[misc]
    """A convolution whose padding is an attribute of TensorFlow's operator."""

    def call(self, inputs: Any) -> Any:
        kernel = tf.constant(np.random.default_rng(0).normal(size=(3, 3, 3, 4)), tf.float32)
        return tf.nn.conv2d(inputs, kernel, 2, [[0, 0], [1, 1], [1, 1], [0, 0]])


class Jitter(lq.quantizers.Quantizer):  # type: ignore[misc]
    """Weights within 0.5 % of -1 and +1."""

    precision = 1

    def call(self, inputs: Any) -> Any:
        return lq.math.sign(inputs) * (1 + 2e-3 * tf.sin(100 * inputs))


class Times(layers.Layer):  # type: ignore[misc]
    """Multiplication with a constant of a given shape."""

    def __init__(self, shape: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._shape = shape

    def call(self, inputs: Any) -> Any:
        return inputs * tf.constant(np.full(self._shape, 1.5, np.float32))


# silent wrong results: layers, image, layer that is named, check
WRONG: dict[str, tuple[Layers, tuple[int, ...], str, str]] = {
    "float convolution": (
        lambda: [layers.ZeroPadding2D(1), layers.Conv2D(8, 3, strides=2, name="bad")],
        (8, 8, 3),
        "bad",
        "shifted-window",
    ),
    "7x7 stem": (
        lambda: [layers.ZeroPadding2D(3), layers.Conv2D(8, 7, strides=2, name="bad")],
        (32, 32, 3),
        "bad",
        "shifted-window",
    ),
    "depthwise convolution": (
        lambda: [layers.ZeroPadding2D(1), layers.DepthwiseConv2D(3, strides=2, name="bad")],
        (8, 8, 3),
        "bad",
        "shifted-window",
    ),
    "padding inside of a custom layer": (
        lambda: [Pad((1, 1), 0.0), layers.Conv2D(8, 3, strides=2, name="bad")],
        (8, 8, 3),
        "bad",
        "shifted-window",
    ),
    "padding as an attribute": (
        lambda: [ExplicitConv(name="bad")],
        (8, 8, 3),
        "bad",
        "shifted-window",
    ),
    "padding behind a grouped convolution": (
        lambda: [
            layers.Conv2D(8, 3, groups=2),
            layers.ZeroPadding2D(1),
            layers.Conv2D(8, 3, strides=2, name="bad"),
        ],
        (10, 10, 4),
        "bad",
        "shifted-window",
    ),
    "binary convolution padded with +1": (
        lambda: [Sign(), Pad((1, 1), 1.0), binary(input_quantizer=None, strides=2, name="bad")],
        (8, 8, 32),
        "bad",
        "shifted-window",
    ),
    "ReLU between pool and sign": (
        lambda: [
            binary(padding="same"),
            layers.MaxPool2D(),
            layers.ReLU(name="bad"),
            binary(),
        ],
        (8, 8, 32),
        "bad",
        "lost-activation",
    ),
    "ReLU6 between pool and sign": (
        lambda: [
            binary(padding="same"),
            layers.MaxPool2D(),
            layers.ReLU(6.0, name="bad"),
            binary(),
        ],
        (8, 8, 32),
        "bad",
        "lost-activation",
    ),
    "kernel larger than its image": (
        lambda: [binary(padding="same", name="bad")],
        (2, 2, 32),
        "bad",
        "small-image",
    ),
    "kernel larger than its image behind a grouped convolution": (
        lambda: [
            layers.Conv2D(32, 3, groups=2),
            layers.BatchNormalization(),
            binary(padding="same", name="bad"),
        ],
        (4, 4, 4),
        "bad",
        "small-image",
    ),
    "dilated kernel larger than its image": (
        lambda: [binary(padding="same", dilation_rate=3, name="bad")],
        (5, 5, 32),
        "bad",
        "small-image",
    ),
    "nearly binary kernel": (
        lambda: [binary(kernel_quantizer=Jitter(), name="bad")],
        (8, 8, 32),
        "bad",
        "rounded-kernel",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_plain_lce_is_silently_wrong_and_ours_refuses(name: str, rng: np.random.Generator) -> None:
    added, image, layer, check = WRONG[name]
    model = network(added(), image)
    data = plain(model)
    # right is below 1e-4 everywhere: sums of at most 288 products of size 1
    assert worst_error(model, data, rng) > 1e-2
    # post-flight, which knows nothing of these faults, finds the layer too
    compared = postflight(model, read_graph(data), binary_convs(model), "lce")
    assert [mismatch.layer for mismatch in compared.mismatches] == [layer]
    assert [(f.layer, f.check, f.severity) for f in preflight(model)] == [(layer, check, "wrong")]
    lines: list[str] = []
    with pytest.raises(CheckFailed, match=f"^not converted: {layer}: "):
        convert(model, lines.append)
    assert [line.split(":")[:2] for line in lines] == [["error", f" {layer}"]]


def test_without_strict_the_same_findings_are_warnings() -> None:
    added, image, layer, _ = WRONG["float convolution"]
    lines: list[str] = []
    conversion = convert(network(added(), image), lines.append, strict=False)
    assert conversion.data[4:8] == b"TFL3"
    assert [f.layer for f in conversion.findings] == [layer]
    assert lines[0].startswith(f"warning: {layer}: explicit padding of (1, 1) and (1, 1)")


def test_the_delegate_is_right_where_lce_is_wrong_on_small_images(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    added, image, _, _ = WRONG["kernel larger than its image"]
    model = network(added(), image)
    assert not preflight(model, "delegate")
    path = tmp_path / "small.tflite"
    path.write_bytes(convert(model, target="delegate").data)
    images = rng.normal(size=(4, *image)).astype(np.float32)
    with TFLiteProcess(path) as process:
        np.testing.assert_allclose(process.run(images), model.predict(images, verbose=0), atol=1e-4)


# what looks like the above and is right: plain LCE agrees with Keras, and ours converts it
RIGHT: dict[str, tuple[Layers, tuple[int, ...]]] = {
    "stride 1": (lambda: [layers.ZeroPadding2D(1), layers.Conv2D(8, 3)], (8, 8, 3)),
    "odd image": (lambda: [layers.ZeroPadding2D(1), layers.Conv2D(8, 3, strides=2)], (9, 9, 3)),
    "padding at the end": (
        lambda: [layers.ZeroPadding2D(((0, 1), (0, 1))), layers.Conv2D(8, 3, strides=2)],
        (8, 8, 3),
    ),
    "larq's own padding with +1": (
        lambda: [binary(strides=2, padding="same", pad_values=1.0)],
        (8, 8, 32),
    ),
    "hardtanh between pool and sign": (
        lambda: [binary(padding="same"), layers.MaxPool2D(), Hardtanh(), binary()],
        (8, 8, 32),
    ),
    "ReLU before the pool": (
        lambda: [binary(padding="same"), layers.ReLU(), layers.MaxPool2D(), binary()],
        (8, 8, 32),
    ),
    "batch norm between ReLU and sign": (
        lambda: [
            binary(padding="same"),
            layers.MaxPool2D(),
            layers.ReLU(),
            layers.BatchNormalization(beta_initializer=tf.keras.initializers.Constant(-3.0)),
            binary(),
        ],
        (8, 8, 32),
    ),
    "kernel as large as its image": (lambda: [binary(padding="same")], (3, 3, 32)),
    "zero padding behind a grouped convolution": (
        lambda: [
            layers.Conv2D(32, 3, groups=2),
            layers.BatchNormalization(),
            binary(padding="same"),
        ],
        (8, 8, 4),
    ),
    "padding with +1 behind a grouped convolution": (
        lambda: [layers.Conv2D(32, 3, groups=2), binary(padding="same", pad_values=1.0)],
        (8, 8, 4),
    ),
    "constant per channel": (lambda: [binary(), Times((32,)), Times(()), Times((1,))], (8, 8, 32)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_has_no_findings(name: str, rng: np.random.Generator) -> None:
    added, image = RIGHT[name]
    model = network(added(), image)
    conversion = convert(model)
    assert worst_error(model, conversion.data, rng) < 1e-4
    assert not conversion.findings
    assert not conversion.postflight.mismatches


@pytest.mark.parametrize("layers_of_padding", [1, 2])
def test_zero_padding_with_two_readers_is_right(
    layers_of_padding: int, rng: np.random.Generator
) -> None:
    """Two layers that pad one tensor alike are one to the converter."""
    image = tf.keras.Input((8, 8, 3))
    padded = [layers.ZeroPadding2D(1)(image) for _ in range(layers_of_padding)]
    convs = [layers.Conv2D(8, 3, strides=2)(padded[i % layers_of_padding]) for i in range(2)]
    model = tf.keras.Model(image, layers.Add()(convs))
    conversion = convert(model)
    assert not conversion.findings
    assert worst_error(model, conversion.data, rng) < 1e-4


def test_one_padding_with_two_readers_is_wrong(rng: np.random.Generator) -> None:
    image = tf.keras.Input((8, 8, 32))
    padded = Pad((1, 1), 1.0)(Sign()(image))
    convs = [binary(input_quantizer=None, strides=2, name=f"bad{i}")(padded) for i in range(2)]
    model = tf.keras.Model(image, layers.Add()(convs))
    assert worst_error(model, plain(model), rng) > 1
    assert [f.check for f in preflight(model)] == ["shifted-window", "shifted-window"]


class PaddedConvs(layers.Layer):  # type: ignore[misc]
    """A branch for each size, kernel, stride and padding; without Keras layers it converts fast."""

    cases = tuple(
        case
        for case in itertools.product((8, 9), (1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (0, 1, 2))
        if case[3] + case[4]
    )

    def call(self, inputs: Any) -> Any:
        rng = np.random.default_rng(0)
        images = {8: inputs[:, :8, :8], 9: inputs}
        branches = []
        for number, (size, window, stride, *pads) in enumerate(self.cases):
            # (scaled, so that no two paddings are the same: LCE leaves those that are read twice)
            scaled = images[size] * (1 + number / 1000)
            padded = tf.pad(scaled, [[0, 0], pads, pads, [0, 0]])
            kernel = tf.constant(rng.normal(size=(window, window, 2, 1)), tf.float32)
            found = tf.nn.conv2d(padded, kernel, stride, "VALID")
            branches.append(tf.reshape(found, (-1, int(np.prod(found.shape[1:])))))
        return tf.concat(branches, axis=1)


def test_shifts_are_predicted_for_every_padding(rng: np.random.Generator) -> None:
    """One file with a branch for each size, kernel, stride and padding."""
    model = network([PaddedConvs()], (9, 9, 2))
    images = rng.normal(size=(1, 9, 9, 2)).astype(np.float32)
    # without XNNPACK: LCE's version of it computes zeros where SAME pads nothing and the stride is
    # larger than the kernel, which is no fault of the converter
    found = np.asarray(Interpreter(plain(model), 1, False, False, False).predict(images))
    difference = np.abs(found - model(images)).ravel()
    start = 0
    shifted = 0
    for case in PaddedConvs.cases:
        size, window, stride, before, after = case
        count = ((size + before + after - window) // stride + 1) ** 2
        is_wrong = bool(difference[start : start + count].max() > 1e-4)
        assert bool(shift(*case)) == is_wrong, case
        start += count
        shifted += is_wrong
    assert start == len(difference)
    assert (len(PaddedConvs.cases), shifted) == (192, 9)


# converts, but no runtime of LCE takes the file with its default kernels
FAILS: dict[str, tuple[Layers, tuple[int, ...], str, str]] = {
    "constant of shape (1, 1, 1, C)": (
        lambda: [binary(), Times((1, 1, 1, 32), name="bad")],
        (8, 8, 32),
        "bad",
        "odd-constant",
    ),
    "constant of shape (H, W, 1)": (
        lambda: [binary(padding="same"), Times((8, 8, 1), name="bad")],
        (8, 8, 32),
        "bad",
        "odd-constant",
    ),
    "groups": (
        lambda: [binary(64, groups=2, name="bad")],
        (8, 8, 64),
        "bad",
        "groups",
    ),
    "int8 behind zero padding": (
        lambda: [
            layers.Lambda(lambda x: tf.quantization.fake_quant_with_min_max_vars(x, -3.0, 3.0)),
            binary(padding="same", name="bad"),
            layers.Lambda(lambda x: tf.quantization.fake_quant_with_min_max_vars(x, -99.0, 99.0)),
        ],
        (8, 8, 32),
        "bad",
        "int8-zero-padding",
    ),
    "a layer in half precision": (
        lambda: [layers.Conv2D(4, 3, dtype="mixed_float16", name="bad")],
        (8, 8, 3),
        "bad",
        "mixed-precision",
    ),
}


@pytest.mark.parametrize("name", FAILS)
def test_files_that_lce_could_not_run_are_refused(name: str) -> None:
    added, image, layer, check = FAILS[name]
    model = network(added(), image)
    with pytest.raises(RuntimeError):
        Interpreter(plain(model), 1, False, False, True)
    assert [(f.layer, f.check, f.severity) for f in preflight(model)] == [(layer, check, "fails")]
    with pytest.raises(CheckFailed, match=f"^not converted: {layer}: "):
        convert(model)


def test_groups_and_int8_are_no_findings_for_the_delegate() -> None:
    for name in ("groups", "int8 behind zero padding"):
        added, image, _, _ = FAILS[name]
        assert not preflight(network(added(), image), "delegate")


def test_open_image_sizes_are_refused_before_and_after_the_converter() -> None:
    model = network([binary(padding="same", pad_values=1.0)], (None, None, 32))
    data = plain(model)
    assert "Conv2D" in [op.name for op in read_graph(data).ops if op.is_custom]
    with pytest.raises(CheckFailed, match=r"^the converter left operators .*: Conv2D \("):
        check_known_ops(read_graph(data))
    (finding,) = preflight(model)
    assert (finding.check, finding.severity) == ("dynamic-shape", "fails")
    with pytest.raises(CheckFailed, match=r"^not converted: .*\(None, None, None, 32\)"):
        convert(model)
    with pytest.raises(UsageError, match="unknown dimension"):
        convert(model, strict=False)


def test_half_precision_is_refused_by_the_gate_too() -> None:
    added, image, _, _ = FAILS["a layer in half precision"]
    with pytest.raises(CheckFailed, match=r"^the converter left operators .*: Conv2D \("):
        convert(network(added(), image), strict=False)


def test_keras_3_models_are_refused() -> None:
    keras = pytest.importorskip("keras")
    if int(keras.__version__.split(".")[0]) < 3:
        pytest.skip("the package keras is older than 3")
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3)])
    (finding,) = preflight(model)
    assert finding.check == "keras-3"
    with pytest.raises(CheckFailed, match="is a Keras 3 model"):
        convert(model)


def where_ones_like(x: Any) -> Any:
    return tf.where(x >= 0, tf.ones_like(x), -tf.ones_like(x))


def where_scalar(x: Any) -> Any:
    return tf.where(x >= 0, 1.0, -1.0)


def with_hole(w: Any) -> Any:
    hole = np.ones(w.shape, np.float32)
    hole[0, 0, 0, 0] = 0
    return lq.math.sign(w) * hole


# stays float without a word: layers, image, check, part of the reason
SLOW: dict[str, tuple[Layers, tuple[int, ...], str, str]] = {
    "plain sign": (
        lambda: [binary(input_quantizer=tf.sign, name="bad")],
        (8, 8, 32),
        "unknown-quantizer",
        "plain tf.sign",
    ),
    "sign of a shifted sign": (
        lambda: [binary(input_quantizer=lambda x: tf.sign(tf.sign(x) - 0.1), name="bad")],
        (8, 8, 32),
        "unknown-quantizer",
        "plain tf.sign",
    ),
    "cast": (
        lambda: [binary(input_quantizer=lambda x: 2 * tf.cast(x >= 0, x.dtype) - 1, name="bad")],
        (8, 8, 32),
        "unknown-quantizer",
        "ends in Sub",
    ),
    "where with tensors": (
        lambda: [binary(input_quantizer=where_ones_like, name="bad")],
        (8, 8, 32),
        "unknown-quantizer",
        "tf.where with tensors",
    ),
    "scaled signs": (
        lambda: [binary(input_quantizer=lambda x: 0.5 * lq.math.sign(x), name="bad")],
        (8, 8, 32),
        "unknown-quantizer",
        r"scaled signs (+-0.5)",
    ),
    "DoReFa": (
        lambda: [binary(input_quantizer=lq.quantizers.DoReFa(2), name="bad")],
        (8, 8, 32),
        "not-binary",
        "gives other values than -1 and +1",
    ),
    "ternary kernel": (
        lambda: [binary(kernel_quantizer=with_hole, name="bad")],
        (8, 8, 32),
        "not-binary",
        "1 of 32 filters hold zeros",
    ),
    "float kernel": (
        lambda: [binary(kernel_quantizer=None, name="bad")],
        (8, 8, 32),
        "not-binary",
        "weights are not signs",
    ),
    "kernel too large to fold": (
        lambda: [binary(256, kernel_quantizer=where_scalar, name="bad")],
        (4, 4, 256),
        "not-folded",
        "SelectV2 on 589,824 weights",
    ),
    "padding with -1": (
        lambda: [binary(padding="same", pad_values=-1.0, name="bad")],
        (8, 8, 32),
        "padded-signs",
        "padded with -1, LCE pads with 0 or +1",
    ),
    "padding with 0 outside": (
        lambda: [Sign(), layers.ZeroPadding2D(1), binary(input_quantizer=None, name="bad")],
        (8, 8, 32),
        "padded-signs",
        "padded with 0 outside",
    ),
    "padding with +1 elsewhere": (
        lambda: [Sign(), Pad((2, 2), 1.0), binary(input_quantizer=None, name="bad")],
        (8, 8, 32),
        "padded-signs",
        "padded with +1 other than",
    ),
    "pool after the sign": (
        lambda: [Sign(), layers.MaxPool2D(), binary(input_quantizer=None, name="bad")],
        (8, 8, 32),
        "not-adjacent",
        "MaxPool (",
    ),
    "reshape after the sign": (
        lambda: [Sign(), layers.Reshape((4, 16, 32)), binary(input_quantizer=None, name="bad")],
        (8, 8, 32),
        "not-adjacent",
        "Reshape (",
    ),
    "groups of 16": (
        lambda: [binary(64, groups=4, name="bad")],
        (8, 8, 64),
        "groups",
        "4 groups have 16 channels each",
    ),
    "depthwise": (
        lambda: [
            lq.layers.QuantDepthwiseConv2D(
                3, input_quantizer="ste_sign", depthwise_quantizer="ste_sign", name="bad"
            )
        ],
        (8, 8, 32),
        "no-operator",
        "LCE has no depthwise convolution",
    ),
    "transposed": (
        lambda: [
            lq.layers.QuantConv2DTranspose(
                8, 3, input_quantizer="ste_sign", kernel_quantizer="ste_sign", name="bad"
            )
        ],
        (8, 8, 32),
        "no-operator",
        "LCE has no transposed convolution",
    ),
    "dense": (
        lambda: [
            layers.Flatten(),
            lq.layers.QuantDense(
                8, input_quantizer="ste_sign", kernel_quantizer="ste_sign", name="bad"
            ),
        ],
        (4, 4, 32),
        "no-operator",
        "LCE has no dense layer",
    ),
    "one-dimensional": (
        lambda: [
            layers.Reshape((64, 32)),
            lq.layers.QuantConv1D(
                8, 3, input_quantizer="ste_sign", kernel_quantizer="ste_sign", name="bad"
            ),
        ],
        (8, 8, 32),
        "not-adjacent",
        "ExpandDims (bad) stands between",
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_stays_float_is_named_with_reason_and_cure(name: str) -> None:
    added, image, check, reason = SLOW[name]
    model = network(added(), image)
    ops = [op.name for op in read_graph(plain(model)).ops]
    assert BCONV not in ops
    (finding,) = preflight(model)
    assert (finding.layer, finding.check, finding.severity) == ("bad", check, "slow")
    assert reason in finding.reason
    assert finding.cure
    assert str(finding) == f"bad: {finding.reason}; {finding.cure}"


def test_known_quantizers_have_no_findings() -> None:
    quantizers = ["ste_sign", "approx_sign", "swish_sign", where_scalar]
    model = network([binary(kernel=1, input_quantizer=q) for q in quantizers * 2])
    conversion = convert(model)
    assert not conversion.findings
    assert len(conversion.binary_layers) == 8


def test_float_networks_have_no_findings() -> None:
    model = network([layers.Conv2D(8, 3), layers.ReLU(), layers.MaxPool2D(), layers.Dense(3)])
    assert not preflight(model)


def test_resnet20_has_no_findings(resnet: Any) -> None:
    assert not preflight(resnet)
    assert not preflight(resnet, "delegate")


def test_layers_in_nested_models_are_named() -> None:
    inner = tf.keras.Sequential(
        [
            tf.keras.Input((8, 8, 3)),
            layers.ZeroPadding2D(1),
            layers.Conv2D(4, 3, strides=2, name="inner_conv"),
        ],
        name="inner",
    )
    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, inner(image))
    assert [f.layer for f in preflight(model)] == ["inner_conv"]


def test_what_is_refused_comes_first() -> None:
    model = network(
        [
            binary(input_quantizer=tf.sign, name="slow"),
            layers.BatchNormalization(),
            layers.ZeroPadding2D(1),
            layers.Conv2D(4, 3, strides=2, name="wrong"),
        ]
    )
    assert [f.severity for f in preflight(model)] == ["wrong", "slow"]
    assert isinstance(preflight(model)[0], Finding)
    with pytest.raises(UsageError, match="target must be one of lce, delegate, got 'arm'"):
        preflight(model, "arm")  # type: ignore[arg-type]
