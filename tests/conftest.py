"""Shared fixtures: one seed per test, printed on failure, and the delegate."""

import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

import irnet_keras  # noqa: F401  (selects Keras 2 before anything imports TensorFlow)

# tests.native is importable however pytest was started.
_ROOT = str(Path(__file__).resolve().parents[1])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from tests.native.library import LibraryMissingError, library_path  # noqa: E402


@pytest.fixture(scope="session")
def library() -> Path:
    """The delegate under test; skips, and says why, if there is none."""
    try:
        return library_path()
    except LibraryMissingError as error:
        pytest.skip(str(error))


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
