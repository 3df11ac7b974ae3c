"""``native/README.md`` names what there is, and its examples run."""

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import lce_delegate
import pytest
from lce_delegate import _bench

NATIVE = Path(__file__).resolve().parents[2] / "native"
TEXT = (NATIVE / "README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("example", EXAMPLES)
def test_python_examples_run(example, model_path, tmp_path):
    shutil.copy(model_path, tmp_path / "model.tflite")
    done = subprocess.run(
        [sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_public_name_and_option_is_listed():
    for name in lce_delegate.__all__:
        if name != "LceDelegateError":
            assert re.search(rf"^\|.*`{name}[`(].* \|", TEXT, re.MULTILINE), name
    for option in inspect.signature(lce_delegate.load).parameters:
        assert f"| `{option}=`" in TEXT, option


def test_every_key_of_the_benchmark_is_listed(model_path):
    result = _bench.bench(model_path, num_runs=1, warmup_runs=0, profiled=True)
    (paragraph,) = re.findall(r"^Keys of `bench --json`.*?\n\n", TEXT, re.DOTALL | re.MULTILINE)
    for key in [*result, *result["runtime"], *result["profile"][0]]:
        assert f"`{key}`" in paragraph, key


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#\s]+)\)", TEXT):
        assert (NATIVE / target).exists(), target
