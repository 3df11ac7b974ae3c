"""Finding and loading the library and a runtime; what the package depends on."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import lce_delegate
import pytest
from lce_delegate import _library


def test_info_names_one_selected_supported_set():
    info = lce_delegate.info()
    selected = [s for s in info["kernel_sets"] if s["selected"]]
    assert len(selected) == 1
    assert selected[0]["supported"]
    assert info["kernel_sets"][-1]["name"] == "scalar"
    assert info["kernel_sets"][-1]["supported"]
    assert info["version"].count(".") == 2


def test_the_environment_chooses_the_library(monkeypatch, tmp_path):
    chosen = tmp_path / "mine.so"
    chosen.write_bytes(Path(lce_delegate.library_path()).read_bytes())
    monkeypatch.setenv("LCE_DELEGATE_LIBRARY", str(chosen))
    assert lce_delegate.library_path() == str(chosen)
    lce_delegate.load()


def test_a_missing_library_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv("LCE_DELEGATE_LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(lce_delegate.LibraryMissingError, match=r"none.so': no such file"):
        lce_delegate.load()
    monkeypatch.delenv("LCE_DELEGATE_LIBRARY")
    monkeypatch.setattr(_library, "NAME", "liblce_missing.so")
    with pytest.raises(lce_delegate.LibraryMissingError, match=r"pip install ./native"):
        lce_delegate.library_path()


def test_a_file_that_is_no_library_is_one_line(monkeypatch, tmp_path):
    text = tmp_path / "text.so"
    text.write_text("no library")
    monkeypatch.setenv("LCE_DELEGATE_LIBRARY", str(text))
    with pytest.raises(
        lce_delegate.UsageError, match=r"cannot load .*text.so .from LCE_"
    ) as caught:
        lce_delegate.load()
    assert "\n" not in str(caught.value)


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )


def test_it_needs_the_runtime_and_numpy_only(model_path):
    heavy = ["tensorflow", "typer", "rich", "irnet_keras", "converters", "larq", "pydantic"]
    done = _python(
        "import sys, lce_delegate\n"
        f"lce_delegate.Interpreter({str(model_path)!r}).invoke()\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_without_a_runtime_it_says_what_to_install():
    done = _python(
        "import sys\n"
        "for name in ('ai_edge_litert', 'tflite_runtime', 'tensorflow'):\n"
        "    sys.modules[name] = None\n"
        "import lce_delegate\n"
        "try:\n    lce_delegate.load()\n"
        "except lce_delegate.UsageError as error:\n    print(error)\n"
    )
    assert done.stdout.startswith("no TensorFlow Lite runtime: pip install ai-edge-litert (ai-edge")
    assert done.stdout.count("\n") == 1


def test_a_bad_library_is_named_once_with_the_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("LCE_DELEGATE_LIBRARY", str(tmp_path))
    with pytest.raises(lce_delegate.LibraryMissingError, match="': not a file; unset it to use"):
        lce_delegate.info()
    text = tmp_path / "text.so"
    text.write_text("no library")
    monkeypatch.setenv("LCE_DELEGATE_LIBRARY", str(text))
    with pytest.raises(lce_delegate.UsageError) as caught:
        lce_delegate.info()
    assert str(caught.value) == f"cannot load {text} (from LCE_DELEGATE_LIBRARY): file too short"
    extension = importlib.util.find_spec("numpy.core._multiarray_umath").origin
    monkeypatch.setenv("LCE_DELEGATE_LIBRARY", extension)
    with pytest.raises(lce_delegate.UsageError, match="undefined symbol") as caught:
        lce_delegate.info()
    assert str(caught.value).count(Path(extension).name) == 1


def test_importing_the_package_imports_nothing_else():
    done = _python(
        "import sys, lce_delegate\n"
        "print([n for n in sys.modules if n.startswith(('numpy', 'lce_delegate.'))])\n"
        "assert set(lce_delegate.__all__) <= set(dir(lce_delegate))\n"
        "print([n for n in lce_delegate.__all__ if not callable(getattr(lce_delegate, n))])\n"
        "try:\n    lce_delegate.nonsense\n"
        "except AttributeError as error:\n    print(error)\n"
    )
    assert done.stdout.splitlines() == [
        "[]", "[]", "module 'lce_delegate' has no attribute 'nonsense'"
    ], done.stderr  # fmt: skip


@pytest.mark.slow
def test_tensorflows_own_runtime_is_the_last_resort(model_path):
    done = _python(
        "import sys, numpy\n"
        "sys.modules['ai_edge_litert'] = sys.modules['tflite_runtime'] = None\n"
        "import lce_delegate\n"
        "from lce_delegate._runtime import runtime\n"
        f"interpreter = lce_delegate.Interpreter({str(model_path)!r})\n"
        "interpreter.invoke()\n"
        "print(runtime().name)\n"
    )
    assert done.stdout.strip() == "TensorFlow", done.stderr
