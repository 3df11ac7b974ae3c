"""Makes ``tests.native`` importable, as ``tests/native/conftest.py`` does."""

import sys
from pathlib import Path

import pytest

_ROOT = str(Path(__file__).resolve().parents[3])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from tests.native.library import LibraryMissingError, library_path  # noqa: E402


@pytest.fixture(scope="session")
def library() -> Path:
    """The delegate; skips, and says why, if there is none."""
    try:
        return library_path()
    except LibraryMissingError as error:
        pytest.skip(str(error))
