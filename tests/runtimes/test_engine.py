"""The engine string says what was seen to run."""

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from model_files import binary_conv, write_float, write_lce

from converters.runtimes import TFLiteProcess
from converters.runtimes.delegate import another_delegate
from converters.runtimes.interpreters import describe
from converters.untrusted import Policy

PACKAGES = {"lce": ("LCE", "larq-compute-engine"), "litert": ("LiteRT", "ai-edge-litert")}
CREATED = ["something else", "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."]
OURS = "lce_delegate 1.2.3 (neon)"


@pytest.mark.parametrize(
    ("engine", "mode", "threads", "xnnpack", "printed", "ending"),
    [
        ("lce", "indirect", 1, None, CREATED, ", indirect BGEMM + XNNPACK"),
        ("lce", "indirect", 1, None, [], ", indirect BGEMM, XNNPACK requested"),
        (
            "lce",
            "indirect",
            2,
            None,
            CREATED,
            ", indirect BGEMM (in 1 thread, other operators in 2) + XNNPACK",
        ),
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
    engine: str, mode: str, threads: int, xnnpack: bool | None, printed: list[str], ending: str
) -> None:
    name, package = PACKAGES[engine]
    expected = f"{name} {metadata.version(package)}{ending}"
    assert describe(engine, mode, threads, xnnpack, printed) == expected


@pytest.mark.parametrize(
    ("xnnpack", "printed", "ending"),
    [(True, [], " + XNNPACK"), (False, CREATED, ", XNNPACK requested"), (None, [], None)],
)
def test_the_delegate_is_named_between_litert_and_xnnpack(
    xnnpack: bool | None, printed: list[str], ending: str | None
) -> None:
    text = describe("delegate", "delegate", 2, xnnpack, printed, OURS)
    litert = f"LiteRT {metadata.version('ai-edge-litert')}"
    assert text == f"{litert} + {OURS}{ending or ', XNNPACK requested'}"


@pytest.fixture(scope="module")
def nothing_to_delegate(folder: Path) -> Path:
    """A file with one operator that XNNPACK does not know."""
    inputs = tf.keras.Input((4, 3))
    model = tf.keras.Model(inputs, tf.keras.layers.Lambda(lambda x: tf.cumsum(x, 1))(inputs))
    return write_float(model, folder / "cumsum.tflite")


def test_litert_does_not_claim_xnnpack_where_it_took_nothing(nothing_to_delegate: Path) -> None:
    policy = Policy(allowed_ops=frozenset({"CUMSUM"}))
    with TFLiteProcess(nothing_to_delegate, policy=policy) as process:
        assert process.engine.startswith("LiteRT 2.")
        assert process.engine.endswith(", XNNPACK requested")


def op(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict[str, Any]:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


def test_a_part_is_ours_if_it_holds_one_of_our_operators() -> None:
    """CONV_2D -> LceQuantize -> LceBconv2d -> ADD (merged) -> MEAN."""
    chain = ["CONV_2D", "LceQuantize", "LceBconv2d", "ADD", "MEAN"]
    file = [op(i, name, [i], [i + 1]) for i, name in enumerate(chain)]
    ours = op(5, "DELEGATE", [1], [4])
    stem, head = op(6, "DELEGATE", [0], [1]), op(7, "DELEGATE", [4], [5])
    nodes = {1, 2}  # the addition has no row of its own
    assert not another_delegate(file, nodes)
    assert not another_delegate([*file, ours], nodes)
    assert another_delegate([*file, ours, head], nodes)
    assert another_delegate([*file, stem, ours], nodes)
    assert another_delegate([*file, ours], set())


def test_the_delegate_does_not_claim_xnnpack_where_it_took_nothing(
    folder: Path, float_file: Path
) -> None:
    """Sign and convolution are all there is in the first file, so nothing is left to XNNPACK."""
    path = write_lce(binary_conv(), folder / "all_ours.tflite")
    with TFLiteProcess(path, kernel="scalar") as process:
        assert process.engine.endswith(" (scalar), XNNPACK requested")
    with TFLiteProcess(float_file, engine="delegate") as process:
        assert process.engine.endswith(" (nothing to do) + XNNPACK")


def test_xnnpack_that_can_be_seen_is_claimed(float_file: Path, binary_resnet20: Path) -> None:
    for path, engine in [(float_file, "auto"), (float_file, "lce"), (binary_resnet20, "lce")]:
        with TFLiteProcess(path, engine=engine) as process:
            assert process.engine.endswith(" + XNNPACK")
        with TFLiteProcess(path, engine=engine, mode="reference") as process:
            assert process.engine.endswith(", reference kernels")
