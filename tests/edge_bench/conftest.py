"""Two small files that several tests measure."""

from pathlib import Path

import pytest
from model_files import binary_conv, small_classifier, write_float, write_lce


@pytest.fixture(scope="module")
def two_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """``float32.tflite`` and ``binary.tflite``."""
    folder = tmp_path_factory.mktemp("files")
    return [
        write_float(small_classifier(), folder / "float32.tflite"),
        write_lce(binary_conv(), folder / "binary.tflite"),
    ]
