"""The delegate's installation and answers: nothing stands in for it, and it scores as LCE does."""

from pathlib import Path

import pytest
from model_files import write_lce

from converters.runtimes import TFLiteProcess, tflite_accuracy
from irnet_keras import models
from irnet_keras.data.preprocessing import preprocess
from irnet_keras.data.sample import load_sample
from irnet_keras.errors import UsageError

MISSING = "raise ModuleNotFoundError(\"No module named 'lce_delegate'\")\n"


@pytest.fixture
def without_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Child processes find a package that cannot be imported."""
    (tmp_path / "lce_delegate.py").write_text(MISSING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("without_package")
def test_without_the_package_the_error_says_how_to_install_it(
    binary_resnet20: Path, float_file: Path
) -> None:
    message = (
        r"^files with Larq operators run in LiteRT with lce_delegate, which cannot be imported: "
        r"pip install \./native, or choose --runtime lce \(No module named 'lce_delegate'\)$"
    )
    with pytest.raises(UsageError, match=message):
        TFLiteProcess(binary_resnet20)
    with TFLiteProcess(binary_resnet20, engine="lce") as process:
        assert process.engine.startswith("LCE ")
    with TFLiteProcess(float_file) as process:
        assert process.engine.endswith(" + XNNPACK")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"^lce_delegate: LCE_DELEGATE_LIBRARY must be .*: no such file; unset it .*; or ch"),
        (b"not a library", r"^lce_delegate: cannot load .*; or choose --runtime lce$"),
    ],
    ids=["missing", "no library"],
)
def test_a_library_that_does_not_load_is_one_line(
    binary_resnet20: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes | None,
    message: str,
) -> None:
    library = tmp_path / "liblce_delegate.so"
    if content is not None:
        library.write_bytes(content)
    monkeypatch.setenv("LCE_DELEGATE_LIBRARY", str(library))
    with pytest.raises(UsageError, match=message) as error:
        TFLiteProcess(binary_resnet20)
    assert "\n" not in str(error.value)


def test_a_forced_kernel_set_is_the_one_that_is_named(
    binary_resnet20: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LCE_FORCE_KERNEL", "scalar")
    with TFLiteProcess(binary_resnet20) as process:
        assert "(scalar)" in process.engine
    monkeypatch.setenv("LCE_FORCE_KERNEL", "mmx")
    with pytest.raises(UsageError, match=r"^lce_delegate: environment variable LCE_FORCE_KERNEL: "):
        TFLiteProcess(binary_resnet20)


@pytest.fixture(scope="module")
def shipped(folder: Path) -> Path:
    return write_lce(models.load("resnet20-w1a1-cifar10"), folder / "shipped.tflite")


def test_the_shipped_file_scores_the_same_in_the_delegate_and_in_lce(shipped: Path) -> None:
    sample = load_sample().test
    scores = {
        runtime: tflite_accuracy(shipped, sample.images, sample.labels, preprocess, runtime=runtime)
        for runtime in ("auto", "delegate", "lce")
    }
    assert scores["auto"] == scores["delegate"]
    assert scores["lce"].accuracy == scores["delegate"].accuracy
    assert scores["lce"].num_examples == scores["delegate"].num_examples == 1000
    assert "lce_delegate" in scores["auto"].engine
    assert scores["lce"].engine.startswith("LCE ")


def test_accuracy_takes_a_kernel_set(shipped: Path) -> None:
    sample = load_sample().test[:50]
    score = tflite_accuracy(
        shipped, sample.images, sample.labels, preprocess, kernel="scalar", processes=1
    )
    assert "(scalar)" in score.engine
    with pytest.raises(UsageError, match="--runtime must be one of"):
        tflite_accuracy(shipped, sample.images, sample.labels, preprocess, runtime="litert")
