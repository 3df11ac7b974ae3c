"""Models of the runtime tests: converted once, seeds fixed."""

from pathlib import Path

import numpy as np
import pytest
from model_files import (
    random_resnet20,
    small_classifier,
    write_float,
    write_int8,
    write_lce,
)

from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.sample import load_sample

RESNET_SEED = 5


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    """200 real test images, preprocessed."""
    return preprocess(load_sample().test.images[::5])


@pytest.fixture(scope="session")
def binary_resnet20(folder: Path) -> Path:
    return write_lce(random_resnet20(RESNET_SEED), folder / "binary.tflite")


@pytest.fixture(scope="session")
def keras_classifier():
    import tensorflow as tf

    tf.keras.utils.set_random_seed(1)
    return small_classifier()


@pytest.fixture(scope="session")
def float_file(folder: Path, keras_classifier) -> Path:
    return write_float(keras_classifier, folder / "float.tflite")


@pytest.fixture(scope="session")
def int8_file(folder: Path, keras_classifier, images: np.ndarray) -> Path:
    """Calibrated on the very images it is tested with, so that nothing saturates."""
    return write_int8(keras_classifier, images, folder / "int8.tflite")
