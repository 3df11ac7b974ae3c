"""LCE's kernels: which one runs, and that what runs is right."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers
from model_files import binary_conv, integer_conv, write_lce

from converters.graph import BCONV, QUANTIZE, read_graph, unpack_signs, with_outputs
from converters.runtimes import TFLiteProcess
from irnet_keras.errors import UsageError

MODES = ("indirect", "default", "reference")


@dataclass(frozen=True)
class Conv:
    """A converted binary convolution and its float kernel."""

    path: Path
    kernel: np.ndarray


@pytest.fixture(scope="module", params=["same", "valid"])
def conv(request: pytest.FixtureRequest, folder: Path) -> Conv:
    model = binary_conv(padding=request.param)
    path = write_lce(model, folder / f"conv_{request.param}.tflite")
    return Conv(path, model.get_weights()[0])


@pytest.mark.parametrize("mode", MODES)
def test_binary_convolution_is_exact_in_every_mode(
    conv: Conv, mode: str, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((3, 8, 8, 32)).astype(np.float32)
    with TFLiteProcess(conv.path, mode=mode) as process:
        result = process.run(x)
        assert process.mode == mode
    expected = integer_conv(x, conv.kernel, same="same" in conv.path.name)
    np.testing.assert_array_equal(result, expected)


def test_indirect_and_default_agree_bit_for_bit_on_real_images(
    binary_resnet20: Path, images: np.ndarray
) -> None:
    outputs = {}
    for mode in MODES:
        with TFLiteProcess(binary_resnet20, mode=mode) as process:
            outputs[mode] = process.run(images)
    # XNNPACK runs the float ops of both, so only the binary kernel differs, and that is exact.
    np.testing.assert_array_equal(outputs["indirect"], outputs["default"])
    # The reference mode's float ops round differently, which flips a sign now and then and then
    # spreads: images agree wholly or not at all (199 of these 200 did, 2026-11-23, x86-64).
    agree = np.abs(outputs["reference"] - outputs["default"]).max(-1) < 1e-4
    assert agree.mean() >= 0.95


def test_the_fastest_mode_is_chosen_and_named(binary_resnet20: Path) -> None:
    with TFLiteProcess(binary_resnet20) as process:
        assert process.mode == "indirect"
        assert process.engine.startswith("LCE 0.16")
        assert process.engine.endswith("indirect BGEMM + XNNPACK")
    with TFLiteProcess(binary_resnet20, threads=2) as process:
        assert "single-threaded" in process.engine


def test_an_image_smaller_than_the_kernel_runs_the_reference_kernel(
    folder: Path, rng: np.random.Generator
) -> None:
    model = binary_conv(image=2)
    path = write_lce(model, folder / "tiny.tflite")
    x = rng.standard_normal((4, 2, 2, 32)).astype(np.float32)
    with TFLiteProcess(path) as process:
        result = process.run(x)
        assert process.engine.endswith("reference kernels")
    np.testing.assert_array_equal(result, integer_conv(x, model.get_weights()[0], same=True))
    for mode in ("indirect", "default"):
        with pytest.raises(UsageError, match="kernel is larger than its image; use reference"):
            TFLiteProcess(path, mode=mode)


def test_groups_run_on_the_indirect_kernel_only(folder: Path) -> None:
    path = write_lce(binary_conv(channels=64, groups=2), folder / "groups.tflite")
    with TFLiteProcess(path) as process:
        assert process.mode == "indirect"
    with pytest.raises(UsageError, match="Grouped binary convolutions are not supported"):
        TFLiteProcess(path, mode="default")


def test_what_the_fast_kernels_refuse_falls_through_to_the_reference_kernel(
    folder: Path, rng: np.random.Generator
) -> None:
    """Zero padding with a fused ReLU: LCE's BGEMM kernels refuse it."""
    model = binary_conv()
    graph = read_graph(write_lce(model, folder / "plain.tflite"))
    options = graph.ops_named(BCONV)[0].custom_options
    changed = flexbuffers.Dumps({**flexbuffers.Loads(options), "fused_activation_function": 1})
    assert len(changed) == len(options)
    assert graph.data.count(options) == 1
    path = folder / "relu.tflite"
    path.write_bytes(graph.data.replace(options, bytes(changed)))
    x = rng.standard_normal((2, 8, 8, 32)).astype(np.float32)
    with TFLiteProcess(path) as process:
        assert process.mode == "reference"
        result = process.run(x)
    expected = np.maximum(integer_conv(x, model.get_weights()[0], same=True), 0)
    np.testing.assert_array_equal(result, expected)


def test_run_all_returns_every_output_in_its_own_type(
    folder: Path, rng: np.random.Generator
) -> None:
    model = binary_conv(channels=40)
    graph = read_graph(write_lce(model, folder / "forty.tflite"))
    bits = graph.ops_named(QUANTIZE)[0].outputs[0]
    path = folder / "outputs.tflite"
    path.write_bytes(with_outputs(graph, (bits, graph.outputs[0])))
    x = rng.standard_normal((5, 8, 8, 40)).astype(np.float32)
    with TFLiteProcess(path) as process:
        packed, result = process.run_all(x)
        assert [d.dtype for d in process.outputs] == ["int32", "float32"]
    assert packed.dtype == np.int32
    assert packed.shape == (5, 1, 8, 8, 2)
    np.testing.assert_array_equal(unpack_signs(packed[:, 0], 40), np.where(x >= 0, 1, -1))
    expected = integer_conv(x, model.get_weights()[0], same=True)
    np.testing.assert_array_equal(result[:, 0], expected)
