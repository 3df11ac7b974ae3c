"""Batch norms in front of dense layers and float convolutions, on real converted networks."""

from typing import Any

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from pass_nets import Rng, assert_settled

from converters.graph import Graph, read_graph
from converters.passes import fold_batch_norms
from converters.quiet import convert_quietly


def converted(*layers: Any, image: tuple[int, ...] = (6, 6, 8)) -> Graph:
    """LCE's own file of a float network that ends as these layers say."""
    import larq_compute_engine as lce

    model = tf.keras.Sequential([tf.keras.Input(image), *layers])
    rng = np.random.default_rng(5)
    for layer in model._flatten_layers():
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.2, 2, w.shape) for w in layer.get_weights()])
    return read_graph(convert_quietly("LCE", lambda: bytes(lce.convert_keras_model(model)), print))


def norm() -> Any:
    return tf.keras.layers.BatchNormalization()


def outputs(graph: Graph, images: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=graph.data)
    interpreter.allocate_tensors()
    results = []
    for one in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], one[None])
        interpreter.invoke()
        results.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(results)


def random_layers(rng: Rng) -> list[Any]:
    """A norm with or without center and scale, then a layer it can be folded into."""
    options = {"center": bool(rng.integers(2)), "scale": bool(rng.integers(2))}
    first = tf.keras.layers.BatchNormalization(**options)
    use_bias = bool(rng.integers(2))
    dense = tf.keras.layers.Dense(int(rng.integers(1, 9)), use_bias=use_bias)
    kind = int(rng.integers(3))
    if kind == 0:
        return [tf.keras.layers.MaxPool2D(2), first, tf.keras.layers.Flatten(), dense]
    if kind == 1:
        return [tf.keras.layers.GlobalAveragePooling2D(), first, dense]
    size, padding = (1, "same") if rng.integers(2) else (3, "valid")
    conv = tf.keras.layers.Conv2D(5, size, padding=padding, use_bias=use_bias)
    return [tf.keras.layers.MaxPool2D(2), first, conv]


@pytest.mark.parametrize("number", range(8))
def test_outputs_are_equal_but_for_rounding(number: int) -> None:
    rng = np.random.default_rng(number)
    tf.keras.utils.set_random_seed(number)
    before = converted(*random_layers(rng))
    result = fold_batch_norms.run(before, "lce")
    assert len(result.rewrites) == 1
    names = {op.name for op in result.graph.ops}
    assert names.isdisjoint({"MUL", "ADD", "SUB"})
    images = rng.normal(0, 1, (20, 6, 6, 8)).astype(np.float32)
    a, b = outputs(before, images), outputs(result.graph, images)
    np.testing.assert_allclose(b, a, rtol=0, atol=2**-20 * max(1, np.abs(a).max()))
    assert_settled(result, fold_batch_norms.run(result.graph, "lce"))


class Twice(tf.keras.layers.Layer):  # type: ignore[misc]
    """Batch norm whose value a dense layer and somebody else read."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.dense = norm(), tf.keras.layers.Dense(8)

    def call(self, inputs: Any) -> Any:
        x = self.norm(inputs)
        return tf.concat([x, self.dense(x)], -1)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        (lambda: [norm(), tf.keras.layers.Conv2D(4, 3, padding="same")], "zero padding"),
        (
            lambda: [
                tf.keras.layers.GlobalMaxPooling2D(),
                norm(),
                tf.keras.layers.ReLU(),
                tf.keras.layers.Dense(3),
            ],
            "ADD has an activation",
        ),
        (lambda: [tf.keras.layers.GlobalMaxPooling2D(), Twice()], "something else reads what ADD"),
    ],
)
def test_refusals(layers: Any, reason: str) -> None:
    graph = converted(*layers())
    result = fold_batch_norms.run(graph, "lce")
    assert result.graph is graph
    assert len(result.refusals) == 1
    assert reason in result.refusals[0].reason


def test_without_a_product_or_sum_there_is_nothing_to_say() -> None:
    graph = converted(lq.layers.QuantDense(4), image=(12,))
    result = fold_batch_norms.run(graph, "lce")
    assert result.graph is graph
    assert not result.refusals
