"""Shared fixtures: one seed per test, derived from its name and printed on failure."""

import zlib

import numpy as np
import pytest

import irnet_keras  # noqa: F401  (selects Keras 2 before anything imports TensorFlow)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A fixed seed that differs from test to test; pytest shows the print on failure."""
    value = zlib.crc32(request.node.name.encode())
    print(f"seed: {value}")
    return value


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    """NumPy generator of the test's seed."""
    return np.random.default_rng(seed)
