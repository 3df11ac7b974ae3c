"""Models that are no CIFAR-10 classifiers by their shapes."""

from pathlib import Path
from typing import Any

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from converters.graph import Edit, read_graph
from converters.lce import convert
from converters.verify import verify
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import UsageError

layers = tf.keras.layers


def network(shape: tuple[int, int, int], outputs: int = 1) -> Any:
    image = layers.Input(shape)
    x = layers.Conv2D(32, 3, padding="same", strides=2)(image)
    x = lq.layers.QuantConv2D(
        16, 3, padding="same", pad_values=1, use_bias=False,
        input_quantizer="ste_sign", kernel_quantizer="ste_sign", name="binary",
    )(x)  # fmt: skip
    x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
    heads = [layers.Dense(5, name=f"head{i}")(x) for i in range(outputs)]
    return tf.keras.Model(image, heads if outputs > 1 else heads[0])


def test_images_are_resized_and_labels_that_do_not_fit_left_out() -> None:
    model = network((16, 16, 3))
    data = convert(model).data
    report = verify(model, data, load_sample().test)
    assert report.passed, report.reasons
    assert [layer.layer for layer in report.layers] == ["binary"]
    assert report.flips[0].num_bits == 1000 * 8 * 8 * 32
    out = report.outputs
    assert out is not None
    assert (out.num_images, out.keras_accuracy, out.file_accuracy, out.changed) == (
        1000, None, None, None,
    )  # fmt: skip
    assert out.agreement > 0.9
    assert (
        "accuracy was not compared: the labels are CIFAR-10's, the model maps (16, 16, 3) to (5,)"
        in report.notes
    )
    op = read_graph(data).ops_named("LceBconv2d")[0]
    weights = read_graph(data).tensors[op.inputs[1]]
    assert weights.data_offset is not None
    damaged = bytearray(data)
    damaged[weights.data_offset] ^= 0xFF
    assert not verify(model, bytes(damaged), load_sample().test[:8]).passed


def test_several_outputs_are_refused_in_a_line(tmp_path: Path) -> None:
    one, two = network((8, 8, 3)), network((8, 8, 3), outputs=2)
    file = tmp_path / "two.tflite"
    file.write_bytes(convert(two).data)
    images = load_sample().test[:8]
    with pytest.raises(UsageError, match=r"files of one output, the model has 2$"):
        verify(two, file, images)
    with pytest.raises(UsageError, match=r"files of one output, .*two\.tflite has 2$"):
        verify(one, file, images)


def test_inputs_that_are_no_colour_images_are_refused() -> None:
    model = network((8, 8, 4))
    with pytest.raises(UsageError, match=r"\(height, width, 3\), the model takes \(8, 8, 4\)$"):
        verify(model, convert(model).data, load_sample().test[:8])


def test_messages_name_the_file_of_the_user(tmp_path: Path) -> None:
    model = network((16, 16, 3))
    graph = read_graph(convert(model).data)
    edit = Edit(graph)
    dense = graph.ops_named("FULLY_CONNECTED")[0]
    bad = edit.add_constant("bad", np.zeros((5, 15), np.float32))
    edit.set_inputs(dense, (dense.inputs[0], bad, *dense.inputs[2:]))
    file = tmp_path / "bad.tflite"
    file.write_bytes(edit.finish().data)
    with pytest.raises(UsageError) as caught:
        verify(model, file, load_sample().test[:8])
    assert str(caught.value).startswith(f"{file}: refused .tflite file: operator ")
