"""Quantized files that do not compute what the float ones did are refused, labels or not."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from converters.graph import Graph, read_graph
from converters.lce import convert
from converters.leftovers import quantize_leftovers
from converters.leftovers.comparison import comparison_images
from converters.leftovers.representative import sample_images, sample_inputs
from converters.leftovers.score import MAX_RELATIVE_ERROR, check, score
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.errors import CheckFailed, UsageError

layers = tf.keras.layers
SHAPE = (16, 16, 3)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """A float network of five classes with two outputs."""
    tf.keras.utils.set_random_seed(0)
    image = layers.Input(SHAPE)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(x))
    outputs = [layers.Dense(5, name="classes")(x), layers.Dense(3, name="second")(x)]
    return read_graph(convert(tf.keras.Model(image, outputs)).data)


def with_dense(graph: Graph, output: int, change: Any) -> Graph:
    """A copy with other weights in front of an output."""
    op = graph.producer(graph.outputs[output])
    assert op is not None
    weights = graph.tensors[op.inputs[1]]
    assert weights.data is not None
    assert weights.data_offset is not None
    data, new = bytearray(graph.data), change(weights.data).astype(np.float32)
    data[weights.data_offset : weights.data_offset + new.nbytes] = new.tobytes()
    return read_graph(bytes(data))


@pytest.mark.parametrize("value", [1e-6, 0.01, 1.0])
def test_ranges_that_real_images_leave_are_refused_without_labels(
    graph: Graph, value: float
) -> None:
    dark = np.full((8, *SHAPE), value, np.float32)
    with pytest.raises(CheckFailed) as caught:
        quantize_leftovers(graph, "int8", dark)
    message = str(caught.value)
    assert message.startswith("--leftovers int8: ")
    assert "lie outside of the calibrated" in message
    assert " on 64 images (CIFAR-10 test, resized to (16, 16)), at most" in message
    assert "at most 50% allowed; give --representative more and more varied images" in message
    assert "\n" not in message


def test_a_right_file_passes_with_its_numbers(graph: Graph) -> None:
    for images in (None, sample_inputs(SHAPE, test=False)[:8]):
        found = quantize_leftovers(graph, "int8", images).report.score
        assert found is not None
        assert found.relative_error < 0.25
        assert found.outside is not None
        assert found.outside.share < 0.3


@pytest.mark.parametrize("output", [0, 1])
def test_every_output_is_compared(graph: Graph, output: int) -> None:
    images = sample_inputs(SHAPE, test=False)
    wrong = score(graph, with_dense(graph, output, lambda w: -w), images)
    assert wrong.relative_error > MAX_RELATIVE_ERROR
    with pytest.raises(CheckFailed, match=r"^--leftovers int8: outputs differ by \d+\.\d% of "):
        check(wrong, "int8")
    with pytest.raises(CheckFailed, match="outputs are NaN or infinite"):
        score(graph, with_dense(graph, output, lambda w: w * np.nan), images)
    assert score(graph, graph, images).relative_error == 0


def test_images_are_in_the_scale_of_the_representative_data() -> None:
    pixels = sample_images(SHAPE, test=False).images[:8].astype(np.float32)
    for low, high in ((0, 1), (-1, 1), (0, 255), (-128, 127)):
        images, labels, what = comparison_images(
            SHAPE, ((5,),), pixels * np.float32((high - low) / 255) + np.float32(low)
        )
        assert labels is None
        assert what == f"CIFAR-10 test, resized to (16, 16), pixels in {low}..{high}"
        assert (images.min(), images.max()) == pytest.approx((low, high), abs=0.05 * (high - low))
    images, _, what = comparison_images(SHAPE, ((5,),), preprocess(pixels.astype(np.uint8)))
    assert what == "CIFAR-10 test, resized to (16, 16)"
    np.testing.assert_array_equal(images, sample_inputs(SHAPE, test=True))


def test_few_images_are_refused(graph: Graph) -> None:
    with pytest.raises(UsageError, match=r"^--representative has 7 images, at least 8 are needed"):
        quantize_leftovers(graph, "int8", sample_inputs(SHAPE, test=False)[:7])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w * np.nan, "weights of '.*' hold NaN or infinite values"),
        (lambda w: w * 1e25, "too large or too small for int8: a scale is .*, accepted are "),
        (lambda w: np.full_like(w, 3e38), "NaN or infinite values|too large or too small for int8"),
    ],
)
def test_models_that_are_not_finite_are_named(graph: Graph, change: Any, message: str) -> None:
    with pytest.raises(CheckFailed, match=message) as caught:
        quantize_leftovers(with_dense(graph, 0, change), "int8")
    assert "tflite" not in str(caught.value)
