"""Chains are really merged, so that the conformance of chains means something."""

import ctypes
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.native.cases import CATEGORIES, Case, make_case, save
from tests.native.children import ROOT, python, run_supervised

pytestmark = pytest.mark.native

_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from tests.native.test_fusion import profile_child
profile_child(*sys.argv[2:4])
"""


def profile_child(stored: str, library: str) -> None:
    """In a child: run every case once and print its profile."""
    from ai_edge_litert.interpreter import Interpreter, load_delegate

    from tests.native.replay import outputs_of, say

    function = ctypes.CDLL(library).lce_delegate_profile
    function.restype = ctypes.c_size_t
    function.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
    with np.load(stored) as archive:
        cases = {name: archive[name] for name in archive.files}
    for number, case in enumerate(json.loads(cases["meta"].tobytes())):
        say(event="begin", index=number)
        delegate = load_delegate(library, {"profiling": "1"})
        interpreter = Interpreter(
            model_content=cases[f"model{number}"].tobytes(), experimental_delegates=[delegate]
        )
        interpreter.allocate_tensors()
        outputs_of(interpreter, [cases[f"in{number}_0_{j}"] for j in range(case["inputs"])])
        pointer = delegate._get_native_delegate_pointer()
        buffer = ctypes.create_string_buffer(function(pointer, None, 0) + 1)
        function(pointer, buffer, len(buffer))
        say(event="profile", index=number, rows=json.loads(buffer.value))


def profiles(cases: list[Case], library: Path, folder: Path) -> list[list[dict[str, Any]]]:
    """Rows of ``lce_delegate_profile`` of every case."""
    save(folder / "cases.npz", cases)
    command = python("-c", _CHILD, ROOT, folder / "cases.npz", library)
    events = run_supervised(command, 300)
    assert [e["event"] for e in events] == ["profile"] * len(cases), events
    return [event["rows"] for event in events]


def test_residual_additions_are_merged(library: Path, tmp_path: Path) -> None:
    names = list(CATEGORIES)
    cases = [make_case(0, names.index("chain bireal") + i * len(names)) for i in range(10)]
    for case, rows in zip(cases, profiles(cases, library, tmp_path), strict=True):
        convs = [row for row in rows if row["op"] == "LceBconv2d"]
        assert len(convs) == 2, case.name
        assert sum("ADD" in row["fused"] for row in convs) >= 1, (case.name, rows)


def test_profile_counts_and_times(library: Path, tmp_path: Path) -> None:
    names = list(CATEGORIES)
    cases = [make_case(0, names.index("chain bireal"))]
    for row in profiles(cases, library, tmp_path)[0]:
        assert row["calls"] == 1
        assert 0 < row["min_ns"] == row["total_ns"]
        if row["op"] == "LceBconv2d":
            assert row["binary_macs"] > 0
