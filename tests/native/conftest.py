"""Makes ``tests.native`` importable however pytest was started, and finds the delegate."""

import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = str(Path(__file__).resolve().parents[2])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from tests.native.library import LibraryMissingError, library_info, library_path  # noqa: E402


@pytest.fixture(scope="session")
def library() -> Path:
    """The delegate under test; skips, and says why, if there is none."""
    try:
        return library_path()
    except LibraryMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def info(library: Path) -> dict[str, Any]:
    """What the library says about itself and this CPU."""
    return library_info(library)
