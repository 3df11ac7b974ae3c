"""The stored cases are what LCE computes, and the delegate computes them."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.native.children import ROOT, python
from tests.native.conformance import replay

FILE = ROOT / "tests" / "golden" / "layers.npz"

pytestmark = pytest.mark.native


def test_stored_cases_are_up_to_date() -> None:
    command = python(ROOT / "tests" / "golden" / "make_layers.py", "--check")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_delegate_computes_the_stored_cases(library: Path, info: dict[str, Any]) -> None:
    for kernel in [each["name"] for each in info["kernel_sets"] if each["supported"]]:
        events = replay(FILE, library, kernel, threads="1,2")
        assert [e for e in events if e["event"] != "summary"] == []
        assert events[-1]["runs"] == 2 * events[-1]["cases"] > 100
