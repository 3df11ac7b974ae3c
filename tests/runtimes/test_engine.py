"""The engine string says what was seen to run."""

from importlib import metadata
from pathlib import Path

import pytest
import tensorflow as tf
from model_files import write_float

from converters.runtimes import TFLiteProcess
from converters.runtimes.interpreters import describe

PACKAGES = {"lce": ("LCE", "larq-compute-engine"), "litert": ("LiteRT", "ai-edge-litert")}
CREATED = ["something else", "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."]


@pytest.mark.parametrize(
    ("engine", "mode", "threads", "delegates", "printed", "ending"),
    [
        ("lce", "indirect", 1, None, CREATED, ", indirect BGEMM + XNNPACK"),
        ("lce", "indirect", 1, None, [], ", indirect BGEMM, XNNPACK requested"),
        ("lce", "indirect", 2, None, CREATED, ", indirect BGEMM (single-threaded) + XNNPACK"),
        ("lce", "default", 2, None, CREATED, ", BGEMM + XNNPACK"),
        ("lce", "reference", 1, None, [], ", reference kernels"),
        ("litert", "default", 1, True, [], " + XNNPACK"),
        ("litert", "default", 1, False, CREATED, ", XNNPACK requested"),
        ("litert", "default", 1, None, CREATED, " + XNNPACK"),
        ("litert", "indirect", 1, None, [], ", XNNPACK requested"),
        ("litert", "reference", 1, False, [], ", reference kernels"),
    ],
)
def test_xnnpack_is_claimed_only_if_it_was_seen(
    engine: str, mode: str, threads: int, delegates: bool | None, printed: list[str], ending: str
) -> None:
    name, package = PACKAGES[engine]
    expected = f"{name} {metadata.version(package)}{ending}"
    assert describe(engine, mode, threads, delegates, printed) == expected


@pytest.fixture(scope="module")
def nothing_to_delegate(folder: Path) -> Path:
    """A file with one operator that XNNPACK does not know."""
    inputs = tf.keras.Input((4, 3))
    model = tf.keras.Model(inputs, tf.keras.layers.Lambda(lambda x: tf.cumsum(x, 1))(inputs))
    return write_float(model, folder / "cumsum.tflite")


def test_litert_does_not_claim_xnnpack_where_it_took_nothing(nothing_to_delegate: Path) -> None:
    with TFLiteProcess(nothing_to_delegate) as process:
        assert process.engine.startswith("LiteRT 2.")
        assert process.engine.endswith(", XNNPACK requested")


def test_xnnpack_that_can_be_seen_is_claimed(float_file: Path, binary_resnet20: Path) -> None:
    for path, engine in [(float_file, "auto"), (float_file, "lce"), (binary_resnet20, "auto")]:
        with TFLiteProcess(path, engine=engine) as process:
            assert process.engine.endswith(" + XNNPACK")
        with TFLiteProcess(path, engine=engine, mode="reference") as process:
            assert process.engine.endswith(", reference kernels")
