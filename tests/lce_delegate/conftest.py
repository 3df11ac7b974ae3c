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


@pytest.fixture
def image(rng: np.random.Generator) -> np.ndarray:
    """One input of that network."""
    return rng.standard_normal((1, 32, 32, 3)).astype(np.float32)
