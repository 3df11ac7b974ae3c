"""Skips these tests unless the package is installed; the shipped 1-bit network as a file."""

import importlib.util
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from model_files import write_lce

from irnet_keras import models

# Without the package, this folder would be found in its place, as a namespace without a file.
_spec = importlib.util.find_spec("lce_delegate")
_INSTALLED = _spec is not None and _spec.origin is not None


class _Skipped(pytest.Module):
    def collect(self) -> NoReturn:
        pytest.skip("needs the package lce_delegate: pip install ./native")


def pytest_pycollect_makemodule(module_path: Path, parent: Any) -> pytest.Module | None:
    """Skip whole files without importing them."""
    return None if _INSTALLED else _Skipped.from_parent(parent, path=module_path)


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped ResNet-20, converted with Larq Compute Engine."""
    model = models.load("resnet20-w1a1-cifar10")
    return write_lce(model, tmp_path_factory.mktemp("model") / "resnet20.tflite")


@pytest.fixture(scope="session")
def free_size(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray, np.ndarray]:
    """A file whose image has any height and width; an image and what Keras makes of it."""
    import larq
    import tensorflow as tf

    tf.keras.utils.set_random_seed(3)
    image = tf.keras.layers.Input((None, None, 3), batch_size=1)
    conv = larq.layers.QuantConv2D(
        32, 3, input_quantizer="ste_sign", kernel_quantizer="ste_sign", use_bias=False
    )
    model = tf.keras.Model(image, conv(image))
    values = np.random.default_rng(3).standard_normal((1, 12, 10, 3)).astype(np.float32)
    path = write_lce(model, tmp_path_factory.mktemp("free") / "free_size.tflite")
    return path, values, model.predict(values, verbose=0)


@pytest.fixture
def image(rng: np.random.Generator) -> np.ndarray:
    """One input of that network."""
    return rng.standard_normal((1, 32, 32, 3)).astype(np.float32)
