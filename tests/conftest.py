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

from tests.native import arm  # noqa: E402
from tests.native.cache import UnavailableError  # noqa: E402
from tests.native.library import LibraryMissingError, library_path  # noqa: E402


@pytest.fixture(scope="session")
def library() -> Path:
    """The delegate under test; skips, and says why, if there is none."""
    try:
        return library_path()
    except LibraryMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def arm_python() -> Path:
    """Command of an emulated aarch64 Python with LiteRT; skips, and says why, without it."""
    try:
        return arm.arm_python()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def arm_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The delegate for aarch64; skips, and says why, if it cannot be built."""
    try:
        return arm.arm_library(tmp_path_factory.mktemp("aarch64"))
    except UnavailableError as error:
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
