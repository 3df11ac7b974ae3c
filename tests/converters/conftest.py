"""Real models and real conversions, made once per session."""

from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from random_nets import SEED, randomize_batch_norms

import irnet_keras  # noqa: F401
from converters.lce import Conversion, convert
from irnet_keras import models
from irnet_keras.data.cifar10 import LabelledImages
from irnet_keras.data.sample import load_sample


@pytest.fixture(autouse=True)
def seeded() -> None:
    """One seed for every test; printed, so that a failure names it."""
    print(f"seed {SEED}")
    tf.keras.utils.set_random_seed(SEED)


@pytest.fixture(scope="session")
def resnet() -> Any:
    """ResNet-20 with random weights and batch norms."""
    tf.keras.utils.set_random_seed(SEED)
    return randomize_batch_norms(models.load("resnet20-w1a1-cifar10", pretrained=False))


@pytest.fixture(scope="session")
def resnet_file(resnet: Any) -> Conversion:
    """Its conversion."""
    return convert(resnet)


@pytest.fixture(scope="session")
def images() -> LabelledImages:
    """Real test images."""
    return load_sample().test[:60]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For files that several tests may read."""
    return tmp_path_factory.mktemp("models")
