"""``explain``: kinds, reasons, counts and sizes, on files made by the real converters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import larq as lq
import larq_compute_engine as lce
import numpy as np
import pytest
import tensorflow as tf
from model_files import write_float, write_int8

from converters.explain import Explanation, OpReport, explain, node_data
from converters.explain.estimate import ZEN4, estimate_s
from converters.explain.measure import measure
from converters.graph import Edit, read_graph
from converters.graph.filters import describe_filters
from converters.lce import Conversion
from irnet_keras.errors import UsageError

layers = tf.keras.layers


def explained(model: Any) -> Explanation:
    return explain(read_graph(lce.convert_keras_model(model)), "model")


def ops_named(found: Explanation, name: str) -> list[OpReport]:
    return [op for op in found.ops if op.op == name]


class Scaled(lq.quantizers.Quantizer):  # type: ignore[misc]
    """Signs times something that LCE may or may not take."""

    def __init__(self, factor: Callable[[Any], Any]) -> None:
        super().__init__()
        self._factor = factor

    def call(self, inputs: Any) -> Any:
        return lq.math.sign(inputs) * self._factor(inputs)


def with_holes(w: Any) -> Any:
    """The first weight of the first filter becomes 0."""
    hole = np.ones(w.shape, np.float32)
    hole[0, 0, 0, 0] = 0
    return tf.constant(hole)


def with_dead_filter(w: Any) -> Any:
    dead = np.ones(w.shape, np.float32)
    dead[..., 3] = 0
    return tf.constant(dead)


def per_input_channel(w: Any) -> Any:
    return tf.constant(np.linspace(1, 2, w.shape[2], dtype=np.float32)[:, None])


def one_percent(w: Any) -> Any:
    jitter = np.ones(w.shape, np.float32)
    jitter[0, 0, 0, 5] = 1.02
    return tf.constant(jitter)


def conv(**options: Any) -> Any:
    defaults = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign", "use_bias": False}
    return lq.layers.QuantConv2D(64, 3, **{**defaults, **options})


def where_sign(x: Any) -> Any:
    return tf.where(x >= 0, 1.0, -1.0)


# what follows a (1, 8, 8, 64) batch norm; the operator asked about; part of its reason
FALLBACKS: dict[str, tuple[Callable[[], list[Any]], str, str]] = {
    "ternary": (
        lambda: [conv(kernel_quantizer=Scaled(with_holes))],
        "CONV_2D",
        "reads signs, but weights are -c, 0 or +c: 1 of 64 filters hold zeros",
    ),
    "dead": (
        lambda: [conv(kernel_quantizer=Scaled(with_dead_filter))],
        "CONV_2D",
        "reads signs, but 1 of 64 filters are 0 throughout",
    ),
    "input channel scale": (
        lambda: [conv(kernel_quantizer=Scaled(per_input_channel))],
        "CONV_2D",
        "reads signs, but weights are +-c with one c per input channel",
    ),
    "jitter": (
        lambda: [conv(kernel_quantizer=Scaled(one_percent))],
        "CONV_2D",
        "weights are not exactly +-c: 1 of 64 filters are off by up to 2 %",
    ),
    "float weights": (
        lambda: [conv(kernel_quantizer=None)],
        "CONV_2D",
        "reads signs, but weights are not signs",
    ),
    "padding of -1": (
        lambda: [conv(padding="same", pad_values=-1.0)],
        "CONV_2D",
        "reads signs, but it is padded with -1, LCE pads with 0 or +1",
    ),
    "scaled activations": (
        lambda: [conv(input_quantizer=lambda x: 0.5 * lq.math.sign(x))],
        "CONV_2D",
        "reads signs, but the converter left it (as it does where the signs were scaled",
    ),
    "plain sign": (
        lambda: [conv(input_quantizer=tf.sign)],
        "CONV_2D",
        "its input is quantized by SIGN 0, no form of sign LCE knows; weights are +-c per filter",
    ),
    "cast": (
        lambda: [conv(input_quantizer=lambda x: 2 * tf.cast(x >= 0, tf.float32) - 1)],
        "CONV_2D",
        "its input is GREATER_EQUAL 0 as numbers, no form of sign LCE knows",
    ),
    "shifted cast": (
        lambda: [
            conv(input_quantizer=lambda x: 2 * tf.cast(x >= 0, tf.float32) - 1, padding="same")
        ],
        "CONV_2D",
        "quantized by a comparison and CAST",
    ),
    "groups of 16": (
        lambda: [conv(groups=4)],
        "CONV_2D",
        "reads signs, but its 4 groups have 16 channels each, LCE needs multiples of 32",
    ),
    "depthwise": (
        lambda: [
            lq.layers.QuantDepthwiseConv2D(
                3, input_quantizer="ste_sign", depthwise_quantizer="ste_sign"
            )
        ],
        "DEPTHWISE_CONV_2D",
        "LCE has no depthwise convolution",
    ),
    "dense": (
        lambda: [
            layers.GlobalAveragePooling2D(),
            lq.layers.QuantDense(8, input_quantizer="ste_sign", kernel_quantizer="ste_sign"),
        ],
        "FULLY_CONNECTED",
        "LCE has no dense layer",
    ),
    "w1a32": (
        lambda: [conv(input_quantizer=None)],
        "CONV_2D",
        "reads the network's input: 1-bit needs signs on both sides (weights are +-c per filter)",
    ),
    "first layer": (
        lambda: [layers.Conv2D(8, 3)],
        "CONV_2D",
        "reads the network's input; weights are not signs",
    ),
    "float layer": (
        lambda: [layers.Conv2D(8, 3), layers.ReLU(), layers.MaxPool2D(), layers.Conv2D(8, 1)],
        "CONV_2D",
        "reads numbers from MAX_POOL_2D 1; weights are not signs",
    ),
    "clip before a sign": (
        lambda: [
            conv(),
            layers.BatchNormalization(),
            layers.Lambda(lambda x: tf.clip_by_value(x, -1.0, 1.0)),
            conv(),
        ],
        "RELU_N1_TO_1",
        "a hardtanh, of which only signs are read",
    ),
}


@pytest.mark.parametrize("name", FALLBACKS)
def test_the_reason_is_read_off_the_graph(name: str) -> None:
    build, op, reason = FALLBACKS[name]
    found = explained(tf.keras.Sequential([tf.keras.Input((8, 8, 64)), *build()]))
    last = ops_named(found, op)[-1]
    assert last.kind == "float"
    assert reason in str(last.why_not_1bit)
    for unpacked in ops_named(found, "LceDequantize"):
        assert "unpacks signs for" in str(unpacked.why_not_1bit)


def test_a_kernel_that_was_not_folded_is_named() -> None:
    large = lq.layers.QuantConv2D(
        256, 3, input_quantizer="ste_sign", kernel_quantizer=where_sign, use_bias=False
    )
    found = explained(tf.keras.Sequential([tf.keras.Input((5, 5, 256)), large]))
    (op,) = ops_named(found, "CONV_2D")
    assert "the converter did not fold" in str(op.why_not_1bit)


def test_resnet20_counts_sizes_and_needs(resnet_file: Conversion) -> None:
    found = explain(read_graph(resnet_file.data), "resnet")
    # stage 1: 6 layers of 32*32*16 outputs with 9*16 products; stages 2 and 3 as much each but
    # for their first layer, which has half the channels
    stage = 32 * 32 * 16 * 9 * 16
    assert found.totals.macs_1bit == 6 * stage + 2 * (5 * stage + stage // 2)
    assert found.totals.macs_float == 32 * 32 * 16 * 27 + 64 * 10
    assert found.totals.macs_int8 == found.totals.macs_unknown_ops == 0
    assert (found.totals.ops_1bit, found.totals.ops) == (36, 61)  # the head's batch norm is folded
    # packed words: filters * 9 taps * ceil(channels / 32) words of 4 bytes
    first, second, third = 16 * 9 * 4, 32 * 9 * 4, 64 * 9 * 4
    assert found.sizes.weights_1bit == 6 * first + (6 * second) + (third + 5 * 2 * third)
    assert found.sizes.weights_float == 4 * (16 * 27 + 640)
    assert sum(vars(found.sizes).values()) == found.file_bytes == len(resnet_file.data)
    assert sum(op.weight_bytes for op in found.ops) == found.totals.weight_bytes
    assert found.target.needs == "lce"
    # a block's sum, the shortcut it needs and the convolution's output, all 32 x 32 x 16 floats
    assert found.totals.peak_activation_bytes == 3 * 32 * 32 * 16 * 4
    for shares in ("mac_share", "weight_share", "activation_share", "estimated_share"):
        assert sum(getattr(op, shares) for op in found.ops) == pytest.approx(1)
    notes = {op.note for op in found.ops if op.note}
    assert notes == {"writes floats, which ADD reads"}
    assert all((op.why_not_1bit is None) == (op.kind == "1-bit") for op in found.ops)


# layers after an (8, 8, 4) input, the operator, its multiply-accumulates
COUNTS = {
    "conv": ([layers.Conv2D(6, 3, strides=2, padding="same")], "CONV_2D", 4 * 4 * 6 * 9 * 4),
    "grouped": ([layers.Conv2D(6, 3, groups=2)], "CONV_2D", 6 * 6 * 6 * 9 * 2),
    "depthwise": (
        [layers.DepthwiseConv2D(3, depth_multiplier=2)],
        "DEPTHWISE_CONV_2D",
        6 * 6 * 8 * 9,
    ),
    "transposed": (
        [layers.Conv2DTranspose(5, 3, strides=2, padding="same")],
        "TRANSPOSE_CONV",
        8 * 8 * 4 * 9 * 5,
    ),
    "dense": ([layers.Flatten(), layers.Dense(7)], "FULLY_CONNECTED", 256 * 7),
}


@pytest.mark.parametrize("name", COUNTS)
def test_multiply_accumulates(name: str, tmp_path: Path) -> None:
    added, op, count = COUNTS[name]
    model = tf.keras.Sequential([tf.keras.Input((8, 8, 4)), *added])
    found = explain(read_graph(write_float(model, tmp_path / "a.tflite")), "a")
    assert [o.macs for o in ops_named(found, op)] == [count]
    assert found.totals.macs_float == count


def test_a_matrix_product_is_counted(tmp_path: Path) -> None:
    a, b = tf.keras.Input((6, 4)), tf.keras.Input((6, 5))
    model = tf.keras.Model([a, b], tf.matmul(a, b, transpose_a=True))
    found = explain(read_graph(write_float(model, tmp_path / "a.tflite")), "a")
    assert found.totals.macs_float == 4 * 5 * 6


def test_an_int8_file_is_int8(tmp_path: Path, rng: np.random.Generator) -> None:
    model = tf.keras.Sequential(
        [tf.keras.Input((8, 8, 3)), layers.Conv2D(8, 3), layers.Flatten(), layers.Dense(4)]
    )
    images = rng.normal(size=(8, 8, 8, 3)).astype(np.float32)
    found = explain(read_graph(write_int8(model, images, tmp_path / "a.tflite")), "a")
    assert {op.kind for op in found.ops} <= {"int8", "other"}
    assert found.totals.macs_int8 == 6 * 6 * 8 * 27 + 288 * 4
    assert found.sizes.weights_int8 == 8 * 27 + 288 * 4
    assert found.target.needs == "litert"


@pytest.mark.parametrize(
    ("kernel", "is_binary"),
    [
        (np.array([[1, -1], [-2, 2]]), True),
        (np.array([[1, -1], [0, 0]]), False),
        (np.array([[1.0, -1.004]]), False),
        (np.array([[1e-8, -1e-8]]), False),
        (np.array([[np.nan, 1.0]]), False),
        (np.zeros((0, 3)), False),
    ],
)
def test_kernels_are_judged_as_lce_does(kernel: np.ndarray, is_binary: bool) -> None:
    assert describe_filters(kernel).is_binary is is_binary


def test_the_cost_model_takes_the_larger_of_arithmetic_and_memory() -> None:
    assert estimate_s("float", 50_000_000, 1) == pytest.approx(1e-3 + ZEN4.overhead_s)
    assert estimate_s("float", 1, 30_000_000) == pytest.approx(1e-3 + ZEN4.overhead_s)
    assert estimate_s("1-bit", None, 1) is None


def test_the_overlay_has_one_value_per_operator(resnet_file: Conversion) -> None:
    found = explain(read_graph(resnet_file.data), "resnet")
    kinds = node_data(found, "kind")["main"]["results"]
    assert list(kinds) == [str(i) for i in range(61)]
    assert kinds["0"]["value"] == "float"
    assert kinds["2"]["value"] == "1-bit"
    macs = node_data(found, "macs")["main"]
    assert sum(r["value"] for r in macs["results"].values()) == 40_108_032 + 443_008
    assert [stop["stop"] for stop in macs["gradient"]] == [0, 1]
    with pytest.raises(ValueError, match="overlay must be one of kind, macs"):
        node_data(found, "colour")


def test_every_operator_is_measured_once(resnet_file: Conversion) -> None:
    graph = read_graph(resnet_file.data)
    found = measure(explain(graph, "resnet"), graph, runs=5)
    how = [op.measured_how for op in found.ops]
    assert None not in how
    assert how[0] == "alone"  # the float convolution
    assert how[2] == "in place"  # a binary one
    for op in found.ops:
        if op.measured_how == "merged":
            assert op.measured_ms == 0
            assert found.ops[op.merged_into or 0].measured_how == "in place"
            assert (op.merged_into or 0) < op.index
    # all blocks but the two with another size merge the sum and the next layer's signs
    assert how.count("merged") == 33
    assert sum(op.measured_share or 0 for op in found.ops) == pytest.approx(1)
    assert found.totals.measured_sum_ms == pytest.approx(sum(o.measured_ms or 0 for o in found.ops))
    assert "lce_delegate" in str(found.runtime)
    with pytest.raises(UsageError, match="runs must be at least 5, got 4"):
        measure(explain(graph, "resnet"), graph, runs=4)


def test_a_refused_file_is_called_by_its_name(resnet_file: Conversion) -> None:
    graph = read_graph(resnet_file.data)
    edit = Edit(graph)
    (dense,) = graph.ops_named("FULLY_CONNECTED")
    weights = edit.add_constant("weights", np.zeros((10, 63), np.float32))
    edit.set_inputs(dense, (dense.inputs[0], weights, *dense.inputs[2:]))
    bad = edit.finish()
    with pytest.raises(UsageError, match=r"^folder/bad\.tflite: refused \.tflite file: operator "):
        measure(explain(bad, "folder/bad.tflite"), bad)
