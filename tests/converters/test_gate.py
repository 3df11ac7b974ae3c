"""The converter, and what the gate behind it refuses."""

from collections.abc import Callable
from typing import Any

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

import irnet_keras  # noqa: F401
from converters.graph import BCONV, read_graph
from converters.lce import Conversion, convert
from converters.lce.binary_convs import binary_convs
from converters.lce.gate import float_readers_of_signs
from converters.lce.matching import match_layers
from irnet_keras import models
from irnet_keras.errors import CheckFailed, UsageError
from irnet_keras.quantizers import EDESign, LibraPB


class PlainSign(lq.quantizers.Quantizer):  # type: ignore[misc]
    """sign with sign(0) = 0: LCE does not know it."""

    precision = 1

    def call(self, inputs: Any) -> Any:
        return tf.sign(inputs)


class WhereSign(lq.quantizers.Quantizer):  # type: ignore[misc]
    """Scalar where: fine for activations, not folded for kernels above 1 MiB."""

    precision = 1

    def call(self, inputs: Any) -> Any:
        return tf.where(inputs >= 0, 1.0, -1.0)


def network(*layers: Any, image: tuple[int, int, int] = (8, 8, 32)) -> Any:
    return tf.keras.Sequential([tf.keras.Input(image), *layers])


def binary(filters: int, name: str, **options: Any) -> Any:
    options = {
        "input_quantizer": EDESign(),
        "kernel_quantizer": LibraPB(),
        "padding": "same",
        "use_bias": False,
        **options,
    }
    return lq.layers.QuantConv2D(filters, 3, name=name, **options)


def test_all_layers_of_resnet20_are_binary_and_matched(
    resnet: Any, resnet_file: Conversion
) -> None:
    assert len(resnet_file.binary_layers) == 18
    matching = match_layers(read_graph(resnet_file.data), binary_convs(resnet))
    assert [m.differing_bits for m in matching.matches] == [0] * 18
    assert not matching.layers_without_op
    assert not matching.ops_without_layer
    ops = [m.op.index for m in matching.matches]
    assert sorted(ops) == ops  # ResNet-20 is a chain: layer order is op order


@pytest.mark.parametrize(
    "unknown",
    [
        lambda: binary(32, "unknown", input_quantizer=PlainSign()),
        lambda: binary(32, "unknown", input_quantizer=tf.sign),
    ],
    ids=["class", "function"],
)
def test_an_unknown_activation_quantizer_is_refused_by_layer_name(
    unknown: Callable[[], Any],
) -> None:
    model = network(binary(32, "known"), tf.keras.layers.BatchNormalization(), unknown())
    with pytest.raises(CheckFailed, match=r"1 of 2 .* stayed float: unknown$"):
        convert(model)


def test_a_large_kernel_that_is_not_folded_is_refused_by_layer_name() -> None:
    large = binary(256, "large", kernel_quantizer=WhereSign(), input_quantizer=WhereSign())
    small = binary(32, "small", kernel_quantizer=WhereSign(), input_quantizer=WhereSign())
    model = network(large, tf.keras.layers.BatchNormalization(), small, image=(6, 6, 256))
    with pytest.raises(CheckFailed, match=r"1 of 2 .* stayed float: large$"):
        convert(model)


def test_a_large_libra_pb_kernel_becomes_binary() -> None:
    conversion = convert(network(binary(256, "large"), image=(4, 4, 256)))
    assert conversion.binary_layers == ("large",)


def test_binary_depthwise_convolution_is_refused() -> None:
    depthwise = lq.layers.QuantDepthwiseConv2D(
        3,
        name="depthwise",
        padding="same",
        input_quantizer="ste_sign",
        depthwise_quantizer="ste_sign",
        depthwise_constraint="weight_clip",
    )
    with pytest.raises(CheckFailed, match="stayed float: depthwise"):
        convert(network(depthwise))


def test_a_float_convolution_on_signs_is_refused() -> None:
    mixed = lq.layers.QuantConv2D(8, 3, name="float_weights", input_quantizer="ste_sign")
    pool = tf.keras.layers.GlobalAveragePooling2D()
    with pytest.raises(CheckFailed, match=r"float convolutions read -1/\+1 .*float_weights"):
        convert(network(binary(32, "first"), tf.keras.layers.BatchNormalization(), mixed, pool))


def test_a_kernel_that_is_only_nearly_binary_is_refused() -> None:
    class Jitter(lq.quantizers.Quantizer):  # type: ignore[misc]
        precision = 1

        def call(self, inputs: Any) -> Any:
            return lq.math.sign(inputs) * (1 + 1e-3 * tf.sin(100 * inputs))

    with pytest.raises(CheckFailed, match=r"not converted: jitter: weights are not exactly"):
        convert(network(binary(32, "jitter", kernel_quantizer=Jitter())))


def test_nested_and_shared_layers_are_counted_as_they_run() -> None:
    image = tf.keras.Input((8, 8, 32))
    inner = tf.keras.Sequential([tf.keras.Input((8, 8, 32)), binary(32, "shared")])
    norms = [tf.keras.layers.BatchNormalization() for _ in range(2)]
    x = norms[0](inner(image))
    x = norms[1](inner(x))
    model = tf.keras.Model(image, x)
    conversion = convert(model)
    assert conversion.binary_layers == ("shared", "shared#2")
    assert len(read_graph(conversion.data).ops_named(BCONV)) == 2


def test_equal_shapes_are_matched_by_bits_not_by_order() -> None:
    model = network(*[binary(32, f"conv{i}") for i in range(3)])
    convs = binary_convs(model)
    graph = read_graph(convert(model).data)
    matching = match_layers(graph, convs[::-1])
    assert [m.conv.name for m in matching.matches] == ["conv2", "conv1", "conv0"]
    assert [m.differing_bits for m in matching.matches] == [0, 0, 0]
    ops = [m.op.index for m in matching.matches]
    assert sorted(ops, reverse=True) == ops


def test_w1a32_has_no_binary_convolution_and_says_so() -> None:
    lines: list[str] = []
    model = models.load("resnet20-w1a32-cifar10", pretrained=False)
    conversion = convert(model, lines.append)
    assert conversion.binary_layers == ()
    assert any("all layers compute in float" in line for line in lines)
    graph = read_graph(conversion.data)
    assert not graph.ops_named(BCONV)
    assert not float_readers_of_signs(graph)
    assert conversion.postflight.engine.startswith("LiteRT ")
    assert conversion.postflight.layers_checked == len(model.layers) - 1
    assert conversion.postflight.not_compared == ()


def test_two_inputs_are_a_usage_error() -> None:
    inputs = [tf.keras.Input((4, 4, 1)) for _ in range(2)]
    with pytest.raises(UsageError, match="exactly one input, it has 2"):
        convert(tf.keras.Model(inputs, tf.keras.layers.Add()(inputs)))


def test_recording_leaves_the_model_as_it_was() -> None:
    model = network(binary(32, "conv"))
    before = np.asarray(model(tf.ones((1, 8, 8, 32))))
    binary_convs(model)
    assert "call" not in model.layers[0].__dict__
    np.testing.assert_array_equal(np.asarray(model(tf.ones((1, 8, 8, 32)))), before)
