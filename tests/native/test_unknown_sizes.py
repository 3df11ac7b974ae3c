"""Networks whose image size is not fixed: the converter writes 1 for such sizes, and inputs are
resized before anything is allocated."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import pytest

pytestmark = pytest.mark.native

SEED = 20261123


def _conv(padding: str) -> Any:
    import larq as lq

    return lq.layers.QuantConv2D(
        32,
        3,
        padding=padding,
        input_quantizer="ste_sign",
        kernel_quantizer="ste_sign",
        use_bias=False,
    )


def _pooled_branch() -> Any:
    """An addition of [1, h, w, 32] and [1, 1, 1, 32], which the file shows as equal shapes."""
    import tensorflow as tf

    x = tf.keras.Input((None, None, 32))
    y = tf.keras.layers.BatchNormalization()(_conv("same")(x))
    z = tf.keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    return tf.keras.Model(x, tf.keras.layers.Add()([y, z]))


def _valid_window() -> Any:
    """Windows of 3 and 2, which do not fit into an image of 1."""
    import tensorflow as tf

    x = tf.keras.Input((None, None, 32))
    y = _conv("valid")(x)
    y = tf.keras.layers.MaxPool2D(2)(y)
    y = tf.keras.layers.BatchNormalization()(y)
    return tf.keras.Model(x, _conv("valid")(y))


@pytest.mark.parametrize("fusion", ["1", "0"])
@pytest.mark.parametrize("build", [_pooled_branch, _valid_window])
def test_image_sizes_that_the_file_leaves_open(
    build: Callable[[], Any], fusion: str, library: Path
) -> None:
    import larq_compute_engine as lce
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter, load_delegate

    tf.keras.utils.set_random_seed(SEED)
    model = build()
    content = lce.convert_keras_model(model)
    interpreter = Interpreter(
        model_content=content, experimental_delegates=[load_delegate(library, {"fusion": fusion})]
    )
    index = interpreter.get_input_details()[0]["index"]
    random = np.random.default_rng(SEED)
    for shape in ((1, 12, 9, 32), (2, 8, 12, 32), (1, 8, 8, 32)):
        x = random.normal(size=shape).astype(np.float32)
        interpreter.resize_tensor_input(index, shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(index, x)
        interpreter.invoke()
        y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        expected = model(x).numpy()
        assert y.shape == expected.shape
        # Sums of 288 signs times a batch norm, rounded in another order.
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-3, err_msg=f"seed {SEED}")
