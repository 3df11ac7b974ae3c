"""What the tests of the delegate share."""

from pathlib import Path
from typing import Any

import pytest

from tests.native.library import library_info


@pytest.fixture(scope="session")
def info(library: Path) -> dict[str, Any]:
    """What the library says about itself and this CPU."""
    return library_info(library)
