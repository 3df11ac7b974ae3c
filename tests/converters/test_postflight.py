"""Post-flight alone: pre-flight and gate do not run here, and what is wrong is found by numbers.

LCE's known faults (shifted windows, lost activations, small images, rounded kernels) are put to it
in ``test_preflight.py``, which converts them anyway.
"""

import re
from collections.abc import Callable
from typing import Any

import larq as lq
import larq_compute_engine as lce
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from random_nets import SEED, randomize_batch_norms

from converters.graph import BCONV, Graph, read_graph, with_outputs
from converters.lce import Conversion, convert
from converters.lce.binary_convs import BinaryConv, binary_convs
from converters.lce.postflight import Postflight, check_postflight, postflight, sample_images
from converters.passes import Target
from irnet_keras.errors import CheckFailed
from irnet_keras.layers import Hardtanh
from irnet_keras.quantizers import EDESign, LibraPB

layers = tf.keras.layers


def binary(filters: int, name: str, pad_values: float = 1.0, **options: Any) -> Any:
    return lq.layers.QuantConv2D(
        filters,
        3,
        padding="same",
        pad_values=pad_values,
        input_quantizer=EDESign(),
        kernel_quantizer=LibraPB(),
        use_bias=False,
        name=name,
        **options,
    )


def plain(model: Any) -> Graph:
    """LCE alone."""
    return read_graph(bytes(lce.convert_keras_model(model)))


@pytest.fixture(scope="module")
def net() -> Any:
    """A float stem, a bitpacked and a float binary convolution, a shortcut, a dense layer."""
    image = tf.keras.Input((8, 8, 3))
    x = layers.Conv2D(32, 3, padding="same", use_bias=False, name="stem")(image)
    x = layers.BatchNormalization(name="stem_bn")(x)
    y = binary(32, "packed")(x)
    y = layers.BatchNormalization(name="block_packed_bn")(y)
    y = binary(32, "last")(y)
    y = layers.BatchNormalization(name="block_last_bn")(y)
    x = Hardtanh(name="clip")(layers.Add(name="add")([x, y]))
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return randomize_batch_norms(tf.keras.Model(image, layers.Dense(10, name="dense")(x)))


@pytest.fixture(scope="module")
def convs(net: Any) -> list[BinaryConv]:
    return binary_convs(net)


@pytest.fixture(scope="module")
def graph(net: Any) -> Graph:
    return plain(net)


def changed(graph: Graph, tensor: int, change: Callable[[Any], None]) -> Graph:
    """The file with another constant."""
    constant = graph.tensors[tensor]
    assert constant.data is not None
    assert constant.data_offset is not None
    values = constant.data.copy()
    change(values.reshape(-1))
    data = bytearray(graph.data)
    data[constant.data_offset : constant.data_offset + values.nbytes] = values.tobytes()
    return read_graph(bytes(data))


def first_mismatch(found: Postflight) -> tuple[str, str]:
    assert found.mismatches
    return found.mismatches[0].layer, found.mismatches[0].text


def test_every_layer_of_a_right_file_is_compared(
    net: Any, graph: Graph, convs: list[BinaryConv]
) -> None:
    found = postflight(net, graph, convs, "lce")
    assert found.engine.startswith("LCE ")
    assert (found.mismatches, found.not_compared) == ((), ())
    assert found.layers_checked == len(net.layers) - 1  # all but the input
    assert found.images == {"real": 4, "random": 4}
    assert found.worst is not None
    assert 0 < found.worst.error < found.worst.tolerance / 4
    assert postflight(net, graph, convs, "delegate").engine.startswith("LiteRT ")


def bconv_input(graph: Graph, op: int, slot: int) -> int:
    return graph.ops_named(BCONV)[op].inputs[slot]


def test_one_weight_bit_is_found(net: Any, graph: Graph, convs: list[BinaryConv]) -> None:
    def flip(words: Any) -> None:
        words[9 * 5 + 4] ^= 1 << 7  # filter 5, the middle, channel 7

    bad = changed(graph, bconv_input(graph, 1, 1), flip)
    assert first_mismatch(postflight(net, bad, convs, "lce")) == (
        "last",
        "1 weight bits differ from the Keras kernel, first at (filter, y, x, channel) (5, 1, 1, 7)",
    )


@pytest.mark.parametrize("by", [-1, 1])
def test_one_threshold_off_by_one_is_found(
    net: Any, graph: Graph, convs: list[BinaryConv], by: int
) -> None:
    """Also where no image reaches it."""

    def move(thresholds: Any) -> None:
        thresholds[11] += by

    bad = changed(graph, bconv_input(graph, 0, 4), move)
    found = postflight(net, bad, convs, "lce", num_images=1)
    texts = [m.text for m in found.mismatches if m.layer == "packed"]
    pattern = (
        r"1 filters are scaled wrongly, filter 11: threshold \d+ gives the wrong sign for 1 of 289"
    )
    assert any(re.match(pattern, text) for text in texts), texts


@pytest.mark.parametrize("slot", [2, 3], ids=["multiplier", "bias"])
def test_one_multiplier_or_bias_is_found(
    net: Any, graph: Graph, convs: list[BinaryConv], slot: int
) -> None:
    """Off by 2^-14 of it: 4 times the roundings of a sum of 288, or more."""

    def scale(values: Any) -> None:
        largest = int(np.argmax(np.abs(values)))
        values[largest] *= 1 + 2.0**-10

    bad = changed(graph, bconv_input(graph, 1, slot), scale)
    found = postflight(net, bad, convs, "lce")
    texts = [m.text for m in found.mismatches if m.layer == "last"]
    assert any("1 filters are scaled wrongly" in text for text in texts), found.mismatches


@pytest.mark.parametrize(("op", "layer"), [("CONV_2D", "stem"), ("FULLY_CONNECTED", "dense")])
def test_one_float_weight_is_found(
    net: Any, graph: Graph, convs: list[BinaryConv], op: str, layer: str
) -> None:
    def scale(values: Any) -> None:
        values[int(np.argmax(np.abs(values)))] *= 1.01

    bad = changed(graph, graph.ops_named(op)[0].inputs[1], scale)
    name, text = first_mismatch(postflight(net, bad, convs, "lce"))
    assert name == layer
    assert re.match(rf"operator \d+ \({op} .*\) differs from Keras by ", text)
    assert re.search(r"\(\S+ allowed\) at \(.*\) of (real|random) image \d+", text)


def float_stem(image: Any) -> Any:
    x = layers.Conv2D(32, 3, padding="same", use_bias=False)(image)
    return layers.BatchNormalization()(x)


@pytest.fixture(scope="module")
def two_norms() -> Any:
    """A binary convolution with float output and two batch norms, both merged into it."""
    image = tf.keras.Input((8, 8, 3))
    x = binary(32, "packed")(float_stem(image))
    x = binary(32, "last")(layers.BatchNormalization(name="block_packed_bn")(x))
    x = layers.BatchNormalization(name="block_last_bn")(x)
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization(name="second_bn")(x))
    return randomize_batch_norms(tf.keras.Model(image, layers.Dense(5)(x)))


@pytest.mark.parametrize("target", ["lce", "delegate"])
def test_two_batch_norms_in_one_convolution_agree(two_norms: Any, target: Target) -> None:
    conversion = convert(two_norms, target=target)
    assert conversion.postflight.layers_checked == len(two_norms.layers) - 1


@pytest.mark.parametrize("slot", [2, 3], ids=["multiplier", "bias"])
def test_a_wrong_multiplier_or_bias_of_two_batch_norms_is_found(two_norms: Any, slot: int) -> None:
    def scale(values: Any) -> None:
        values[int(np.argmax(np.abs(values)))] *= 1 + 2.0**-10

    graph = plain(two_norms)
    bad = changed(graph, bconv_input(graph, 1, slot), scale)
    found = postflight(two_norms, bad, binary_convs(two_norms), "lce", num_images=1)
    texts = [m.text for m in found.mismatches if m.layer == "last"]
    assert any("1 filters are scaled wrongly" in text for text in texts), found.mismatches


def test_shared_layers_and_two_batch_norms_agree() -> None:
    """A sub-model of convolution and batch norm that is used twice, once more normalized."""
    inside = tf.keras.Input((8, 8, 32))
    sub = tf.keras.Model(inside, layers.BatchNormalization()(binary(32, "shared")(inside)))
    norm = layers.BatchNormalization()
    image = tf.keras.Input((8, 8, 3))
    x = norm(sub(norm(sub(float_stem(image)))))
    x = layers.Dense(5)(layers.GlobalAveragePooling2D()(x))
    conversion = convert(randomize_batch_norms(tf.keras.Model(image, x)))
    assert conversion.binary_layers == ("shared", "shared#2")


@pytest.mark.parametrize("target", ["lce", "delegate"])
def test_equal_convolutions_of_one_input_share_an_operator(target: Target) -> None:
    """The third differs: it has an operator of its own."""
    image = tf.keras.Input((8, 8, 3))
    x = float_stem(image)
    branches = [binary(32, f"branch{i}") for i in range(3)]
    x = layers.Concatenate()([layers.BatchNormalization()(branch(x)) for branch in branches])
    x = layers.BatchNormalization()(binary(32, "behind")(x))
    x = layers.Dense(5)(layers.GlobalAveragePooling2D()(x))
    model = randomize_batch_norms(tf.keras.Model(image, x))
    branches[1].set_weights(branches[0].get_weights())
    conversion = convert(model, target=target)
    assert sorted(conversion.binary_layers) == ["behind", "branch0", "branch1", "branch2"]
    assert len(read_graph(conversion.data).ops_named(BCONV)) == 3
    assert conversion.postflight.layers_checked == len(model.layers) - 1


def before_dense(spread: float, *between: Any, units: int = 7) -> Any:
    """A convolution whose bias the converter adds in the dense layer, where it has that choice."""
    conv = layers.Conv2D(6, 3, name="conv")
    model = tf.keras.Sequential(
        [tf.keras.Input((8, 8, 3)), conv, *between, layers.Dense(units, name="dense")]
    )
    rng = np.random.default_rng(1)
    for layer in (conv, model.layers[-1]):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, rng.normal(0, spread, bias.shape)])
    return model


@pytest.mark.parametrize("spread", [0.01, 0.1])
def test_a_bias_that_moved_into_a_dense_layer_agrees(spread: float) -> None:
    model = before_dense(spread)
    assert convert(model).postflight.layers_checked == 2
    graph = plain(model)
    conv = graph.ops_named("CONV_2D")[0]
    assert not np.any(graph.tensors[conv.inputs[2]].data)  # else this tests nothing


@pytest.mark.parametrize("op", ["CONV_2D", "FULLY_CONNECTED"])
@pytest.mark.parametrize("slot", [1, 2], ids=["weights", "bias"])
def test_a_fault_around_a_bias_that_moved_is_found(op: str, slot: int) -> None:
    def add(values: Any) -> None:
        values[3] += 0.01

    model = before_dense(0.1)
    graph = plain(model)
    bad = changed(graph, graph.ops_named(op)[0].inputs[slot], add)
    assert postflight(model, bad, [], "lce").mismatches


def test_zeros_of_lces_xnnpack_are_found() -> None:
    """A window smaller than the stride that SAME needs no padding for."""
    model = tf.keras.Sequential(
        [
            tf.keras.Input((9, 9, 3)),
            layers.Conv2D(32, 2, strides=3, padding="same", name="bad"),
            binary(32, "binary"),
        ]
    )
    graph, convs = plain(model), binary_convs(model)
    assert first_mismatch(postflight(model, graph, convs, "lce"))[0] == "bad"
    assert not postflight(model, graph, convs, "delegate").mismatches


def test_what_cannot_be_compared_is_listed() -> None:
    """Nothing varies behind a dead ReLU; a model of vectors has no real images."""
    dead = layers.Dense(4, bias_initializer=tf.keras.initializers.Constant(-99.0), name="dead")
    model = tf.keras.Sequential([tf.keras.Input((5,)), dead, layers.ReLU(name="relu")])
    found = postflight(model, plain(model), [], "lce")
    assert found.images == {"random": 4}
    # (its own output varies, but the converter merged the ReLU into it)
    reason = "the model's outputs are all 0 on these images"
    assert found.not_compared == (("dead", reason), ("relu", reason))
    lines: list[str] = []
    check_postflight(found, lines.append)
    assert lines[0] == f"warning: post-flight could not compare dead: {reason}"


def test_images_are_the_seeds_and_of_the_models_shape(net: Any) -> None:
    images, names = sample_images(net, np.random.default_rng(7), 2)
    again, _ = sample_images(net, np.random.default_rng(7), 2)
    np.testing.assert_array_equal(images, again)
    assert images.shape == (4, 8, 8, 3)
    assert [name.split()[0] for name in names] == ["real", "real", "random", "random"]
    grey = tf.keras.Sequential([tf.keras.Input((6, 5, 1)), layers.Flatten()])
    assert sample_images(grey, np.random.default_rng(7), 1)[0].shape == (2, 6, 5, 1)


WRONG = [layers.ZeroPadding2D(1), layers.Conv2D(8, 3, strides=2, name="bad")]


def two_heads() -> Any:
    tf.keras.utils.set_random_seed(SEED)
    x = image = layers.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, name="stem")(x))
    return tf.keras.Model(image, [layers.Dense(5, name=name)(x) for name in ("zz", "aa")])


def test_outputs_come_in_the_models_order_not_in_that_of_their_names() -> None:
    model = two_heads()
    graph = convert(model).data
    images = np.random.default_rng(SEED).standard_normal((1, 8, 8, 3)).astype(np.float32)
    interpreter = Interpreter(model_content=graph)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    outputs = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    for found, expected in zip(outputs, model(images), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_outputs_in_another_order_are_found() -> None:
    model = two_heads()
    graph = read_graph(convert(model).data)
    found = postflight(model, read_graph(with_outputs(graph, graph.outputs[::-1])), [], "lce")
    assert [m.layer for m in found.mismatches] == ["zz", "aa"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(bad: float) -> None:
    model = two_heads()
    model.get_layer("stem").bias.assign([bad] * 2 + [0.0] * 6)
    with pytest.raises(CheckFailed, match=r"stem: 2 of 8 values of stem/bias:0 are NaN or inf"):
        convert(model)


def test_convert_refuses_and_without_strict_warns() -> None:
    model = tf.keras.Sequential([tf.keras.Input((8, 8, 3)), *WRONG])
    message = r"^the converted file does not compute what Keras does: bad: operator 0 \(CONV_2D "
    with pytest.raises(CheckFailed, match=message):
        convert(model, known_faults=False)
    lines: list[str] = []
    stages: list[str] = []
    conversion = convert(
        model, lines.append, strict=False, known_faults=False, progress=stages.append
    )
    assert conversion.postflight.mismatches[0].layer == "bad"
    assert re.match("warning: " + message[1:], lines[-1])
    names = ["pre-flight", "LCE's converter", "passes and gate", "post-flight"]
    assert stages[::2] == [f"{name} ..." for name in names]
    for line, name in zip(stages[1::2], names, strict=True):
        assert re.fullmatch(rf"{name}: \d+\.\d s", line)


def test_resnet20_agrees_layer_by_layer(resnet: Any, resnet_file: Conversion) -> None:
    found = resnet_file.postflight
    assert (found.mismatches, found.not_compared) == ((), ())
    assert found.layers_checked == len(resnet.layers) - 1
    assert found.seed == 0
