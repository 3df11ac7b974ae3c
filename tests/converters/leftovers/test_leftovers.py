"""Files with quantized leftovers: what is in them, who runs them, who accepts them."""

from pathlib import Path
from typing import Any

import larq as lq
import numpy as np
import pytest
import tensorflow as tf

from converters.explain import explain
from converters.graph import Edit, Graph, read_graph
from converters.lce import Conversion, convert
from converters.lce.binary_convs import binary_convs
from converters.lce.gate import check_binary
from converters.leftovers import quantize_leftovers
from converters.leftovers.score import allowed_loss
from converters.runtimes import TFLiteProcess
from converters.verify import verify
from irnet_keras import models
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import CheckFailed

layers = tf.keras.layers


@pytest.fixture(scope="session")
def shipped() -> Any:
    """ResNet-20 with shipped weights."""
    return models.load("resnet20-w1a1-cifar10")


@pytest.fixture(scope="session")
def shipped_graph(shipped: Any) -> Graph:
    """Its file, float leftovers."""
    return read_graph(convert(shipped).data)


@pytest.fixture(scope="session")
def int8(shipped: Any) -> Conversion:
    """Its file with int8 leftovers, through the whole conversion."""
    return convert(shipped, leftovers="int8")


@pytest.fixture(scope="session")
def stem_graph() -> Graph:
    """A stem of stride 2 with a pool, a downsample convolution, a dense layer without bias."""
    image = layers.Input((32, 32, 3))
    x = layers.Conv2D(32, 7, strides=2, padding="same", activation="relu")(image)
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    y = lq.layers.QuantConv2D(
        32, 3, padding="same", pad_values=1, use_bias=False,
        input_quantizer="ste_sign", kernel_quantizer="ste_sign",
    )(x)  # fmt: skip
    x = layers.Add()([layers.BatchNormalization()(y), x])
    x = layers.Conv2D(64, 1, name="downsample")(layers.AveragePooling2D(2)(x))
    y = lq.layers.QuantConv2D(
        64, 3, padding="same", pad_values=1, use_bias=False,
        input_quantizer="ste_sign", kernel_quantizer="ste_sign",
    )(x)  # fmt: skip
    x = layers.GlobalAveragePooling2D()(layers.Add()([layers.BatchNormalization()(y), x]))
    model = tf.keras.Model(image, layers.Dense(7, use_bias=False)(x))
    return read_graph(convert(model).data)


def ops_of(graph: Graph) -> list[str]:
    return [op.name for op in graph.ops if not op.is_custom]


def test_int8_file(shipped: Any, int8: Conversion, shipped_graph: Graph) -> None:
    graph = read_graph(int8.data)
    assert {graph.tensors[i].dtype for i in (*graph.inputs, *graph.outputs)} == {"FLOAT32"}
    assert ops_of(graph)[:3] == ["QUANTIZE", "CONV_2D", "DEQUANTIZE"]
    assert ops_of(graph)[-3:] == ["QUANTIZE", "FULLY_CONNECTED", "DEQUANTIZE"]
    for op in (*graph.ops_named("CONV_2D"), *graph.ops_named("FULLY_CONNECTED")):
        assert [graph.tensors[i].dtype for i in op.inputs] == ["INT8", "INT8", "INT32"]
    (dense,) = graph.ops_named("FULLY_CONNECTED")
    scales = graph.tensors[dense.inputs[1]].quantization
    # one scale: the kernels of TensorFlow 2.16, LCE's, use the first of several
    assert scales is not None
    assert len(scales.scale) == 1
    check_binary(graph, binary_convs(shipped))
    report = int8.leftovers
    assert report.mode == "int8"
    assert [entry["op"] for entry in report.quantized] == ["CONV_2D", "FULLY_CONNECTED"]
    found = report.score
    assert found is not None
    assert (found.num_images, found.accuracy_before) == (1000, pytest.approx(0.838, abs=0.01))
    assert found.accuracy_after == pytest.approx(0.838, abs=0.02)
    assert 1000 * (found.accuracy_before - found.accuracy_after) <= allowed_loss(found, "int8")
    assert report.as_json()["accuracy_after"] == found.accuracy_after
    assert quantize_leftovers(shipped_graph, "int8").graph.data == int8.data


def test_int8_runs_in_lce_and_verifies(shipped: Any, int8: Conversion, tmp_path: Path) -> None:
    path = tmp_path / "int8.tflite"
    path.write_bytes(int8.data)
    images = preprocess(load_sample().test.images[:100])
    answers = []
    for engine, mode in (("delegate", None), ("lce", "default"), ("lce", "reference")):
        with TFLiteProcess(path, engine=engine, mode=mode) as process:
            answers.append(process.run(images).argmax(axis=1))
    assert (answers[0] == answers[1]).mean() >= 0.95
    # reference kernels round int8 sums differently
    assert (answers[0] == answers[2]).mean() >= 0.85
    report = verify(shipped, int8.data, load_sample().test[:40])
    assert report.passed, report.reasons
    assert [entry.op for entry in report.leftovers] == [
        "QUANTIZE", "CONV_2D", "QUANTIZE", "FULLY_CONNECTED",
    ]  # fmt: skip
    assert all((entry.worst_steps or 0) <= 1 for entry in report.leftovers)


def test_verify_finds_a_wrong_int8_filter(shipped: Any, int8: Conversion) -> None:
    graph = read_graph(int8.data)
    (stem,) = graph.ops_named("CONV_2D")
    weights = graph.tensors[stem.inputs[1]]
    assert weights.data is not None
    assert weights.data_offset is not None
    damaged, filters = bytearray(graph.data), weights.data.copy()
    filters[3] = -filters[3]
    end = weights.data_offset + filters.nbytes
    damaged[weights.data_offset : end] = filters.tobytes()
    report = verify(shipped, bytes(damaged), load_sample().test[:20])
    assert not report.passed
    assert "stage1_block1a_conv" in report.reasons[0]


def test_explain_says_int8(int8: Conversion) -> None:
    found = explain(read_graph(int8.data), "int8")
    kinds = {op.op: op.kind for op in found.ops}
    assert kinds["CONV_2D"] == kinds["FULLY_CONNECTED"] == kinds["QUANTIZE"] == "int8"
    assert found.totals.macs_int8 == 442_368 + 640
    assert found.totals.macs_float == 0
    assert found.sizes.weights_int8 == 16 * 27 + 640


def test_int8_weights_file(shipped: Any, shipped_graph: Graph) -> None:
    result = quantize_leftovers(shipped_graph, "int8-weights")
    graph, report = result.graph, result.report
    (stem,) = graph.ops_named("CONV_2D")
    assert graph.tensors[stem.inputs[1]].dtype == "FLOAT32"
    assert [(entry["op"], entry["reason"][:25]) for entry in report.kept] == [
        ("CONV_2D", "it reads the file's input")
    ]
    (unpack,) = graph.ops_named("DEQUANTIZE")
    stored = graph.tensors[unpack.inputs[0]]
    assert (stored.dtype, stored.shape) == ("INT8", (10, 64))
    assert stored.quantization is not None
    assert len(stored.quantization.scale) == 10
    assert report.score is not None
    assert report.score.agreement is not None
    assert report.score.agreement >= 0.99
    verified = verify(shipped, graph.data, load_sample().test[:40])
    assert verified.passed, verified.reasons
    assert verified.leftovers[0].violations == 0


def test_data_unlike_the_images_is_refused(shipped_graph: Graph) -> None:
    dark = np.full((8, 32, 32, 3), 0.01, np.float32)
    with pytest.raises(CheckFailed, match=r"--leftovers int8: accuracy falls from 83\.\d+% to "):
        quantize_leftovers(shipped_graph, "int8", dark)


def test_stem_of_stride_2(stem_graph: Graph) -> None:
    result = quantize_leftovers(stem_graph, "int8")
    assert ops_of(result.graph) == [
        "QUANTIZE", "SPACE_TO_DEPTH", "CONV_2D", "MAX_POOL_2D", "DEQUANTIZE", "ADD",
        "AVERAGE_POOL_2D", "QUANTIZE", "CONV_2D", "DEQUANTIZE", "ADD", "MEAN",
        "QUANTIZE", "FULLY_CONNECTED", "DEQUANTIZE",
    ]  # fmt: skip
    stem = result.graph.ops_named("CONV_2D")[0]
    assert result.graph.tensors[stem.inputs[1]].shape == (32, 4, 4, 12)
    found = result.report.score
    assert found is not None
    # seven classes: no labels fit
    assert (found.accuracy_before, found.accuracy_after) == (None, None)
    assert found.mean_difference < 0.2 * found.largest_output


def test_int8_weights_are_kept_for_all_but_the_stem(stem_graph: Graph) -> None:
    graph = quantize_leftovers(stem_graph, "int8-weights").graph
    assert ops_of(graph).count("DEQUANTIZE") == 2
    shapes = [graph.tensors[op.inputs[0]].shape for op in graph.ops_named("DEQUANTIZE")]
    assert shapes == [(64, 1, 1, 32), (7, 64)]


def test_equal_names_do_not_confuse(stem_graph: Graph) -> None:
    edit = Edit(stem_graph)
    for tensor in stem_graph.tensors:
        edit.rename(tensor.index, "same")
    same = quantize_leftovers(edit.finish(), "int8").graph
    usual = quantize_leftovers(stem_graph, "int8").graph
    assert ops_of(same) == ops_of(usual)
    for ours, theirs in zip(same.tensors, usual.tensors, strict=True):
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
        if theirs.data is not None:
            np.testing.assert_array_equal(ours.data, theirs.data)


def test_what_is_int8_already_stays(int8: Conversion) -> None:
    graph = read_graph(int8.data)
    lines: list[str] = []
    again = quantize_leftovers(graph, "int8", log=lines.append)
    assert again.graph is graph
    assert again.report.score is None
    assert {entry["op"] for entry in again.report.kept} == {"CONV_2D", "FULLY_CONNECTED"}
    assert lines == ["leftovers int8: no float convolution or dense layer to quantize"]


@pytest.mark.parametrize("mode", ["int8-weights", "int8"])
def test_shared_weights_stay_shared(mode: Any) -> None:
    image = layers.Input((16, 16, 3))
    shared = layers.Conv2D(16, 3, padding="same", use_bias=False)
    x = layers.Conv2D(16, 3, padding="same")(image)
    x = shared(tf.nn.relu(shared(x)))
    model = tf.keras.Model(image, layers.GlobalAveragePooling2D()(x))
    graph = quantize_leftovers(read_graph(convert(model).data), mode).graph
    constants = [t for t in graph.tensors if t.data is not None and t.shape == (16, 3, 3, 16)]
    assert [t.dtype for t in constants] == ["INT8"]
