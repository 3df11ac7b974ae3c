"""The child process: results, crashes, hangs, refusals, memory, isolation."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from converters.runtimes import TensorDetails, TFLiteProcess, tflite_accuracy
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import CheckFailed, UsageError


def test_litert_float_matches_keras(float_file: Path, keras_classifier, images) -> None:
    with TFLiteProcess(float_file) as process:
        result = process.run(images)
        assert process.engine.startswith("LiteRT 2.")
        assert process.engine.endswith("+ XNNPACK")
    assert result.dtype == np.float32
    expected = keras_classifier.predict(images, verbose=0)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5)


def test_plain_kernels_match_xnnpack(float_file: Path, images) -> None:
    with TFLiteProcess(float_file, mode="reference") as plain, TFLiteProcess(float_file) as fast:
        assert plain.engine.endswith("reference kernels")
        np.testing.assert_allclose(plain.run(images), fast.run(images), rtol=0, atol=1e-5)


def test_int8_is_quantized_and_dequantized(int8_file: Path, keras_classifier, images) -> None:
    with TFLiteProcess(int8_file) as process:
        (details,), (output,) = process.inputs, process.outputs
        result = process.run(images)
        raw = process.run_all(details.quantize(images))[0]
    assert details.dtype == output.dtype == "int8"
    assert raw.dtype == np.int8
    np.testing.assert_array_equal(output.dequantize(raw[:, 0]), result)
    # Every weight, the input and both activations are rounded to 8 bits; each adds about half a
    # step, and the outputs' step is the largest.
    expected = keras_classifier.predict(images, verbose=0)
    assert output.scale is not None
    assert np.abs(result - expected).max() < 6 * output.scale


def test_quantization_by_hand() -> None:
    details = TensorDetails("x", (1, 4), "int8", 0.5, -3)
    values = np.array([0.0, 1.0, -100.0, 100.0, 0.25, 0.75], np.float32)
    # 0.25 / 0.5 = 0.5 -> 0 and 0.75 / 0.5 = 1.5 -> 2 (ties to even)
    np.testing.assert_array_equal(details.quantize(values), [-3, -1, -128, 127, -3, -1])
    np.testing.assert_array_equal(
        details.dequantize(np.array([-3, -1, 127], np.int8)), np.array([0, 1, 65], np.float32)
    )


def test_a_crash_is_one_line_with_file_and_signal(float_file: Path, images) -> None:
    process = TFLiteProcess(float_file)
    os.kill(process.pid, signal.SIGSEGV)
    with pytest.raises(CheckFailed, match=r"float\.tflite: the model crashed .*\(SIGSEGV\)") as e:
        process.run(images)
    assert "\n" not in str(e.value)
    assert not psutil.pid_exists(process.pid)
    process.close()  # harmless


def test_a_crash_in_the_middle_of_a_run_is_reported(float_file: Path) -> None:
    with TFLiteProcess(float_file) as process:
        threading.Timer(0.3, os.kill, (process.pid, signal.SIGABRT)).start()
        with pytest.raises(CheckFailed, match="SIGABRT"):
            process.time(10**8)


def test_a_hang_ends_at_the_time_limit(float_file: Path, images) -> None:
    process = TFLiteProcess(float_file, timeout=20)
    process._child._timeout = 1.0
    os.kill(process.pid, signal.SIGSTOP)  # does not answer, does not die
    with pytest.raises(CheckFailed, match=r"float\.tflite: no answer within 1 s, stopped"):
        process.run(images)
    assert not psutil.pid_exists(process.pid)


def test_close_leaves_no_process(float_file: Path, images) -> None:
    with TFLiteProcess(float_file) as process:
        assert psutil.pid_exists(process.pid)
    assert not psutil.pid_exists(process.pid)
    with pytest.raises(UsageError, match="is closed"):
        process.run(images)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read"),
        (b"", "not a .tflite file"),
        (b"\x1c\0\0\0TFL3", ".tflite file"),
        (b"garbage" * 1000, "not a .tflite file"),
    ],
    ids=["missing", "empty", "8 bytes", "garbage"],
)
def test_unreadable_files_are_usage_errors(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "bad.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        TFLiteProcess(path)


def test_a_truncated_file_is_a_usage_error(float_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.tflite"
    path.write_bytes(float_file.read_bytes()[: float_file.stat().st_size // 2])
    with pytest.raises(UsageError, match=r"half\.tflite"):
        TFLiteProcess(path)


def test_bad_arguments_name_the_value(float_file: Path, binary_resnet20: Path, images) -> None:
    for threads in (0, 33):
        with pytest.raises(UsageError, match=f"--threads must be from 1 to 32, got {threads}"):
            TFLiteProcess(float_file, threads=threads)
    with pytest.raises(
        UsageError, match="engine must be one of auto, delegate, lce, litert, got 'x'"
    ):
        TFLiteProcess(float_file, engine="x")
    with pytest.raises(UsageError, match=r"mode must be one of .*, got 'fast'"):
        TFLiteProcess(float_file, mode="fast")
    with pytest.raises(UsageError, match="unresolved custom op: LceQuantize"):
        TFLiteProcess(binary_resnet20, engine="litert")
    with TFLiteProcess(float_file) as process:
        with pytest.raises(UsageError, match=r"takes inputs of shape \('n', 32, 32, 3\), got"):
            process.run(images[:, :16])
        with pytest.raises(UsageError, match="takes 1 inputs, got 2"):
            process.run_all([images, images])
        with pytest.raises(UsageError, match="no images"):
            process.run(images[:0])


def test_lce_runs_plain_files_too(float_file: Path, images) -> None:
    with TFLiteProcess(float_file, engine="lce") as lce, TFLiteProcess(float_file) as litert:
        np.testing.assert_allclose(lce.run(images), litert.run(images), rtol=0, atol=1e-5)


def test_time_returns_what_was_asked_for(float_file: Path) -> None:
    with TFLiteProcess(float_file) as process:
        seconds = process.time(7, warmup=2)
    assert len(seconds) == 7
    assert min(seconds) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's VmHWM")
def test_memory_holds_at_least_the_file(binary_resnet20: Path, folder: Path) -> None:
    """The bytes of the file are read inside the measured window."""
    import tensorflow as tf
    from model_files import write_float

    big = tf.keras.Sequential([tf.keras.layers.Dense(4096, input_shape=(4096,))])
    path = write_float(big, folder / "big.tflite")
    assert path.stat().st_size > 4 * 4096**2
    with TFLiteProcess(path) as large, TFLiteProcess(binary_resnet20) as small:
        large_bytes, small_bytes = large.memory(), small.memory()
    assert large_bytes is not None
    assert small_bytes is not None
    assert large_bytes > path.stat().st_size
    assert 0 < small_bytes < large_bytes / 2


def test_no_process_imports_tensorflow(float_file: Path, binary_resnet20: Path) -> None:
    code = (
        "import sys\n"
        "import edge_bench\n"
        "from pathlib import Path\n"
        "from converters.runtimes import TFLiteProcess\n"
        "for path, engine in zip(sys.argv[1::2], sys.argv[2::2]):\n"
        "    with TFLiteProcess(path, engine=engine) as p:\n"
        "        maps = Path(f'/proc/{p.pid}/maps')\n"
        "        loaded = maps.read_text() if maps.exists() else ''\n"
        "        print('site-packages/tensorflow/' in loaded)\n"
        "print('tensorflow' in sys.modules)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, float_file, "auto", binary_resnet20, "delegate",
         binary_resnet20, "lce"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout.split() == ["False"] * 4


def test_accuracy_counts_right_answers_over_all_processes(
    float_file: Path, rng: np.random.Generator
) -> None:
    images = load_sample().test.images[::2]
    with TFLiteProcess(float_file) as process:
        labels = np.argmax(process.run(preprocess(images)), -1)
    wrong = rng.choice(len(labels), 123, replace=False)
    labels[wrong] = (labels[wrong] + 1) % 10
    for processes in (None, 1, 3):
        score = tflite_accuracy(float_file, images, labels, preprocess, processes=processes)
        assert score.accuracy == (500 - 123) / 500
        assert score.num_examples == 500


def test_accuracy_needs_a_classifier(folder: Path) -> None:
    from model_files import binary_conv, write_lce

    path = write_lce(binary_conv(image=8, channels=32), folder / "map.tflite")
    with pytest.raises(UsageError, match=r"not a classifier: its output has shape \(1, 8, 8, 32\)"):
        tflite_accuracy(
            path,
            np.zeros((2, 8, 8, 32), np.float32),
            np.zeros(2, np.int64),
            lambda x: x,
        )
