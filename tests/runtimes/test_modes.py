"""The delegate and LCE's kernels: which one runs, and that what runs is right."""

import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import lce_delegate
import numpy as np
import pytest
from flatbuffers import flexbuffers
from model_files import binary_conv, integer_conv, write_lce

from converters.graph import BCONV, QUANTIZE, read_graph, unpack_signs, with_outputs
from converters.runtimes import RUNTIMES, TFLiteProcess, engine_for
from irnet_keras.errors import UsageError

LCE_MODES = ("indirect", "default", "reference")
MODES = ("delegate", *LCE_MODES)
# of this CPU, the best first
SETS = [s["name"] for s in lce_delegate.info()["kernel_sets"] if s["supported"]]


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
    for mode in LCE_MODES:
        with TFLiteProcess(binary_resnet20, mode=mode) as process:
            outputs[mode] = process.run(images)
    # XNNPACK runs the float ops of both, so only the binary kernel differs, and that is exact.
    np.testing.assert_array_equal(outputs["indirect"], outputs["default"])
    # The reference mode's float ops round differently, which flips a sign now and then and then
    # spreads: images agree wholly or not at all (199 of these 200 did, 2026-11-23, x86-64).
    agree = np.abs(outputs["reference"] - outputs["default"]).max(-1) < 1e-4
    assert agree.mean() >= 0.95


def test_the_delegate_and_lce_give_the_same_answers_on_real_images(
    binary_resnet20: Path, images: np.ndarray
) -> None:
    with (
        TFLiteProcess(binary_resnet20) as delegate,
        TFLiteProcess(binary_resnet20, engine="lce") as lce,
    ):
        ours, theirs = delegate.run(images), lce.run(images)
    # Stem and dense layer are XNNPACK's, of two versions: rounding, and now and then a sign
    # within rounding of 0 (none in these 200 images, 2026-11-23, x86-64).
    assert (np.abs(ours - theirs).max(-1) < 1e-4).mean() >= 0.95


@pytest.mark.parametrize("kernel", SETS)
def test_every_kernel_set_and_number_of_threads_gives_the_same_bits(
    binary_resnet20: Path, images: np.ndarray, kernel: str
) -> None:
    with TFLiteProcess(binary_resnet20) as process:
        expected = process.run(images[:20])
    for threads in (1, 3):
        with TFLiteProcess(binary_resnet20, kernel=kernel, threads=threads) as process:
            assert f"({kernel})" in process.engine
            np.testing.assert_array_equal(process.run(images[:20]), expected)


def test_the_delegate_is_chosen_for_larq_operators_and_named(
    binary_resnet20: Path, float_file: Path
) -> None:
    litert, ours = f"LiteRT {version('ai-edge-litert')}", f"lce_delegate {version('lce-delegate')}"
    for options in ({}, {"engine": "delegate"}, {"mode": "delegate"}, {"threads": 2}):
        with TFLiteProcess(binary_resnet20, **options) as process:
            assert process.mode == "delegate"
            assert process.engine == f"{litert} + {ours} ({SETS[0]}) + XNNPACK"
    with TFLiteProcess(float_file) as process:
        assert process.mode == "default"
        assert process.engine == f"{litert} + XNNPACK"


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_the_delegate_uses_the_threads_it_is_given(folder: Path) -> None:
    path = write_lce(binary_conv(image=32, channels=64, filters=64), folder / "threads.tflite")
    found = []
    for threads in (1, 4):
        with TFLiteProcess(path, threads=threads) as process:
            found.append(len(list(Path(f"/proc/{process.pid}/task").iterdir())))
    assert found[1] >= found[0] + 3


def test_lces_fastest_mode_is_chosen_and_named(binary_resnet20: Path) -> None:
    lce = f"LCE {version('larq-compute-engine')}"
    with TFLiteProcess(binary_resnet20, engine="lce") as process:
        assert process.mode == "indirect"
        assert process.engine == f"{lce}, indirect BGEMM + XNNPACK"
    with TFLiteProcess(binary_resnet20, engine="lce", threads=2) as process:
        assert (
            process.engine == f"{lce}, indirect BGEMM (in 1 thread, other operators in 2) + XNNPACK"
        )
    with TFLiteProcess(binary_resnet20, mode="default") as process:
        assert process.mode == "default"
        assert process.engine == f"{lce}, BGEMM + XNNPACK"


def test_an_image_smaller_than_the_kernel_is_right_in_all_but_lces_fast_kernels(
    folder: Path, rng: np.random.Generator
) -> None:
    model = binary_conv(image=2)
    path = write_lce(model, folder / "tiny.tflite")
    x = rng.standard_normal((4, 2, 2, 32)).astype(np.float32)
    expected = integer_conv(x, model.get_weights()[0], same=True)
    with TFLiteProcess(path) as process:
        assert process.mode == "delegate"
        np.testing.assert_array_equal(process.run(x), expected)
    with TFLiteProcess(path, engine="lce") as process:
        assert process.engine.endswith("reference kernels")
        np.testing.assert_array_equal(process.run(x), expected)
    for mode in ("indirect", "default"):
        with pytest.raises(UsageError, match="kernel is larger than its image; use reference"):
            TFLiteProcess(path, mode=mode)


def test_groups_run_in_the_delegate_and_on_lces_indirect_kernel_only(
    folder: Path, rng: np.random.Generator
) -> None:
    path = write_lce(binary_conv(channels=64, groups=2), folder / "groups.tflite")
    x = rng.standard_normal((3, 8, 8, 64)).astype(np.float32)
    with TFLiteProcess(path) as delegate, TFLiteProcess(path, engine="lce") as lce:
        assert (delegate.mode, lce.mode) == ("delegate", "indirect")
        np.testing.assert_array_equal(delegate.run(x), lce.run(x))
    with pytest.raises(UsageError, match="Grouped binary convolutions are not supported"):
        TFLiteProcess(path, mode="default")


def test_what_lces_fast_kernels_refuse_falls_through_to_its_reference_kernel(
    folder: Path, rng: np.random.Generator
) -> None:
    """Zero padding with a fused ReLU: LCE's BGEMM kernels refuse it, the delegate does not."""
    model = binary_conv()
    graph = read_graph(write_lce(model, folder / "plain.tflite"))
    options = graph.ops_named(BCONV)[0].custom_options
    changed = flexbuffers.Dumps({**flexbuffers.Loads(options), "fused_activation_function": 1})
    assert len(changed) == len(options)
    assert graph.data.count(options) == 1
    path = folder / "relu.tflite"
    path.write_bytes(graph.data.replace(options, bytes(changed)))
    x = rng.standard_normal((2, 8, 8, 32)).astype(np.float32)
    expected = np.maximum(integer_conv(x, model.get_weights()[0], same=True), 0)
    for engine, mode in [("lce", "reference"), ("auto", "delegate")]:
        with TFLiteProcess(path, engine=engine) as process:
            assert process.mode == mode
            np.testing.assert_array_equal(process.run(x), expected)


def test_a_kernel_set_that_is_none_is_one_clear_line(
    binary_resnet20: Path, float_file: Path
) -> None:
    accepted = ", ".join(("auto", *SETS))
    for kernel in ("mmx", "", "--"):
        message = f"^--kernel must be one of {accepted}, got '{kernel}'$"
        with pytest.raises(UsageError, match=message):
            TFLiteProcess(binary_resnet20, kernel=kernel)
    for path, options in [(float_file, {}), (binary_resnet20, {"engine": "lce"})]:
        with pytest.raises(
            UsageError, match=r"--kernel 'scalar' is for the delegate, but the file"
        ):
            TFLiteProcess(path, kernel="scalar", **options)


def test_engines_have_only_their_own_modes(binary_resnet20: Path, float_file: Path) -> None:
    for engine, mode in [("lce", "delegate"), ("litert", "delegate"), ("delegate", "indirect")]:
        with pytest.raises(UsageError, match=f"engine {engine} has no mode {mode}"):
            TFLiteProcess(binary_resnet20, engine=engine, mode=mode)
    chosen = [engine_for(binary_resnet20, r) for r in RUNTIMES]
    assert chosen == ["delegate", "delegate", "lce"]
    assert [engine_for(float_file, r) for r in RUNTIMES] == ["litert"] * 3
    with pytest.raises(UsageError, match="--runtime must be one of auto, delegate, lce, got 'x'"):
        engine_for(float_file, "x")


def test_run_all_returns_every_output_in_its_own_type(
    folder: Path, rng: np.random.Generator
) -> None:
    model = binary_conv(channels=40)
    graph = read_graph(write_lce(model, folder / "forty.tflite"))
    bits = graph.ops_named(QUANTIZE)[0].outputs[0]
    path = folder / "outputs.tflite"
    path.write_bytes(with_outputs(graph, (bits, graph.outputs[0])))
    x = rng.standard_normal((5, 8, 8, 40)).astype(np.float32)
    expected = integer_conv(x, model.get_weights()[0], same=True)
    for engine in ("delegate", "lce"):
        with TFLiteProcess(path, engine=engine) as process:
            packed, result = process.run_all(x)
            assert [d.dtype for d in process.outputs] == ["int32", "float32"]
        assert packed.dtype == np.int32
        assert packed.shape == (5, 1, 8, 8, 2)
        np.testing.assert_array_equal(unpack_signs(packed[:, 0], 40), np.where(x >= 0, 1, -1))
        np.testing.assert_array_equal(result[:, 0], expected)
