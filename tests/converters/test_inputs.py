"""Which models' inputs a conversion takes, and that it refuses the others in one line."""

import re
from typing import Any

import pytest
import tensorflow as tf

from converters.lce import convert
from converters.lce.binary_convs import binary_convs
from irnet_keras.errors import CheckFailed, UsageError

layers = tf.keras.layers


def network(*added: Any, image: tuple[int, ...] = (4, 4, 3), **options: Any) -> Any:
    return tf.keras.Sequential([tf.keras.Input(image, **options), *added])


REFUSED = {
    "a fixed batch": (
        lambda: network(layers.Conv2D(4, 3), batch_size=2),
        r"^the model's batch must be open or 1, got 2: build its Input without a batch size$",
    ),
    "a huge image": (
        lambda: network(layers.Conv2D(4, 3), image=(100_000, 100_000, 3)),
        r"^the model's input shape \(100000, 100000, 3\) has 30,000,000,000 values, "
        r"accepted: 1 to 16,777,216$",
    ),
    "an empty image": (
        lambda: network(layers.ReLU(), image=(0, 4, 3)),
        r"^the model's input shape \(0, 4, 3\) has 0 values, accepted: 1 to 16,777,216$",
    ),
    "bytes": (
        lambda: network(layers.Rescaling(1 / 255), layers.Conv2D(4, 3), dtype="uint8"),
        r"^the model's input must be float32, got uint8: build it with a float32 Input and "
        r"convert numbers outside of the model$",
    ),
    "integers": (
        lambda: network(layers.Flatten(), layers.Embedding(4, 5), dtype="int32"),
        r"^the model's input must be float32, got int32: ",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_inputs_that_are_refused(name: str) -> None:
    build, message = REFUSED[name]
    model = build()
    for strict in (True, False):
        with pytest.raises(UsageError, match=message):
            convert(model, strict=strict)


def test_a_fixed_batch_of_1_is_taken() -> None:
    converted = convert(network(layers.Conv2D(4, 3), batch_size=1))
    assert converted.postflight.layers_checked == 1


class InAFunction(layers.Layer):  # type: ignore[misc]
    @tf.function  # type: ignore[untyped-decorator]
    def call(self, inputs: Any) -> Any:
        return tf.gather(tf.zeros(4), tf.cast(0 * inputs - 9, tf.int32))


class Asserting(layers.Layer):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        tf.debugging.assert_greater(inputs, 99.0, message="too dark")
        return inputs


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (InAFunction(name="bad"), r"indices\[0,0,0,0\] = -9 is not in \[0, 4\)"),
        (Asserting(name="bad"), r"too dark Condition x > y did not hold\. .*"),
    ],
    ids=["compiled", "assertion"],
)
def test_errors_of_tensorflow_are_one_line(layer: Any, reason: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        binary_convs(network(layer))
    message = f"the model does not run on float32 images: layer bad: {reason}"
    assert re.fullmatch(message, str(caught.value))


def test_a_model_that_fails_on_noise_is_refused_by_the_layer() -> None:
    nested = network(layers.Flatten(), layers.Embedding(4, 5, name="table"), image=(8, 8, 1))
    image = tf.keras.Input((8, 8, 1))
    model = tf.keras.Model(image, nested(image))
    with pytest.raises(CheckFailed) as caught:
        convert(model)
    message = r"the model does not run on float32 images: layer table: indices.* is not in \[0, 4\)"
    assert re.fullmatch(message, str(caught.value))
